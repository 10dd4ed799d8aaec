use ndarray::{Axis, array, concatenate};

use super::*;
use crate::config::MixtureSettings;

fn noise(n: usize, columns: usize) -> Array2<f32> {
    let mut values = vec![0.0; n * columns];
    Generator::new(3, Stream::MixtureRows, 0).normal(&mut values);
    Array2::from_shape_vec((n, columns), values).unwrap()
}

/// Two components, the second narrow, which `noise` does not look like.
fn start() -> Mixture {
    let shapes = [1.0, 0.1].map(|v| vec![vec![v, 0.0], vec![0.0, v]]);
    Mixture::new(vec![0.5, 0.5], vec![vec![1.0, 0.0], vec![-0.5, 0.5]], shapes.to_vec()).unwrap()
}

fn exact(iterations: usize) -> Limits {
    Limits { tolerance: 0.0, iterations }
}

#[test]
fn one_component_has_the_moments_of_the_rows() {
    let data = noise(300, 3) * array![2.0, 1.0, 0.5] + array![0.0, 7.0, -3.0];
    let rows = Rows::new(data.view(), 1).unwrap();
    let wide = data.mapv(f64::from);
    let mean = wide.mean_axis(Axis(0)).unwrap();
    let centred = &wide - &mean;
    let scatter = centred.t().dot(&centred) / 300.0;
    let spherical = scatter.diag().mean().unwrap();
    for covariance in Covariance::ALL {
        let start = starts(&rows, 1, 1, 1);
        let found = rows.mixture(&fit(&rows, covariance, start).unwrap()).unwrap();
        for i in 0..3 {
            assert!((found.means()[0][i] - mean[i]).abs() < 1e-9);
            for j in 0..3 {
                let expected = match covariance {
                    Covariance::Full => scatter[(i, j)],
                    _ if i != j => 0.0,
                    Covariance::Diagonal => scatter[(i, i)],
                    Covariance::Spherical => spherical,
                };
                // The floor: 10⁻⁶ of the mean variance, on the diagonal.
                let floor = if i == j { 1e-6 * spherical } else { 0.0 };
                assert!((found.covariances()[0][i][j] - expected - floor).abs() < 1e-9);
            }
        }
    }
}

/// The mixture in the units of the data has the log-likelihood that EM saw in scaled units.
#[test]
fn the_log_likelihood_is_that_of_the_mixture() {
    let data = noise(700, 2) * 5.0 + array![100.0, 0.0];
    let rows = Rows::new(data.view(), 1).unwrap();
    for covariance in Covariance::ALL {
        let found = fit(&rows, covariance, starts(&rows, 4, 2, 1)).unwrap();
        let mixture = rows.mixture(&found).unwrap();
        let expected: f64 = mixture.log_densities(data.view()).iter().sum();
        assert!((found.log_likelihood - expected).abs() < 1e-7);
        let again = fit_from(&rows, covariance, &mixture, exact(0)).unwrap();
        assert!((again.log_likelihood - expected).abs() < 1e-7);
        assert_eq!((again.iterations, again.converged), (0, false));
    }
}

#[test]
fn no_iteration_lowers_the_likelihood() {
    let rows = Rows::new(noise(500, 2).view(), 1).unwrap();
    for covariance in Covariance::ALL {
        let after = |iterations| {
            fit_from(&rows, covariance, &start(), exact(iterations)).unwrap().log_likelihood
        };
        let path: Vec<f64> = (0..30).map(after).collect();
        // The floor may cost a little; see [`VARIANCE_FLOOR`].
        assert!(path.windows(2).all(|pair| pair[1] > pair[0] - 1e-6), "{path:?}");
        assert!(path[29] > path[0] + 10.0);
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let rows = Rows::new(noise(5000, 2).view(), 1).unwrap();
    let found = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let fit = pool.install(|| fit(&rows, Covariance::Full, starts(&rows, 5, 3, 1)));
        rows.mixture(&fit.unwrap()).unwrap()
    };
    assert_eq!(found(1), found(3));
}

#[test]
fn far_rows_do_not_underflow() {
    let mut data = noise(2000, 1);
    data[(0, 0)] = 1000.0;
    let rows = Rows::new(data.view(), 1).unwrap();
    let unit = Mixture::new(vec![1.0], vec![vec![0.0]], vec![vec![vec![1.0]]]).unwrap();
    let found = fit_from(&rows, Covariance::Full, &unit, exact(0)).unwrap();
    let squares: f64 = data.iter().map(|&x| f64::from(x).powi(2)).sum();
    let expected = -0.5 * (squares + 2000.0 * std::f64::consts::TAU.ln());
    assert!((found.log_likelihood / expected - 1.0).abs() < 1e-9);
}

/// Three rows have a scatter of rank two.
#[test]
fn a_component_of_too_few_rows_does_not_stand() {
    let data = noise(200, 3);
    for (far, kinds) in [(1, [false, false]), (3, [false, true]), (4, [true, true])] {
        let mut data = data.clone();
        for row in 0..far {
            data.row_mut(row).mapv_inplace(|x| x + 1e3);
        }
        let rows = Rows::new(data.view(), 1).unwrap();
        for (covariance, stands) in [Covariance::Full, Covariance::Spherical].into_iter().zip(kinds)
        {
            let found = fit(&rows, covariance, starts(&rows, 2, 3, 1)).unwrap();
            assert_eq!(found.stands(&rows), stands, "{covariance}, {far} rows");
        }
    }
}

/// The moments of a mixture are its components' taken together, so they survive.
#[test]
fn merging_keeps_the_moments_and_takes_the_nearest_pair() {
    let rows = Rows::new(noise(400, 2).view(), 1).unwrap();
    let unit = |v: f64| vec![vec![v, 0.2], vec![0.2, v]];
    let three = Components {
        weights: vec![0.5, 0.3, 0.2],
        means: vec![vec![0.0, 0.0], vec![9.0, 1.0], vec![0.5, -0.5]],
        covariances: vec![unit(1.0), unit(2.0), unit(0.5)],
    };
    let moment = |of: &Components, i: usize, j: usize| -> f64 {
        let each = of.weights.iter().zip(&of.means).zip(&of.covariances);
        each.map(|((w, mean), shape)| w * (shape[i][j] + mean[i] * mean[j])).sum()
    };
    let merged = three.merged(Covariance::Full, &[], 0.0, 3);
    assert_eq!(merged.len(), 3);
    for two in &merged {
        assert!((two.weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        for (i, j) in [(0, 0), (0, 1), (1, 1)] {
            assert!((moment(two, i, j) - moment(&three, i, j)).abs() < 1e-12);
        }
    }
    assert_eq!(merged[0].means[1], [9.0, 1.0]);
    // A component that does not stand goes first: here the nearest pair that has it.
    let light = three.merged(Covariance::Full, &[], 0.31, 1);
    assert_eq!(light[0].means[1], [9.0, 1.0]);
    let only = Components { weights: vec![0.55, 0.01, 0.44], ..three.clone() };
    assert!(only.merged(Covariance::Full, &[], 0.02, 1)[0].weights.iter().all(|&w| w > 0.4));
    let one = fit(&rows, Covariance::Full, starts(&rows, 1, 1, 1)).unwrap();
    assert!(one.merged(&rows, 3).is_empty());
}

/// What a mixture finds in rows with exact copies is what it finds in each distinct row once.
#[test]
fn copies_count_once_where_a_column_is_continuous() {
    let data = Mixture::generate(&MixtureSettings::default(), 2).unwrap().draw(200, 2, 0);
    let data = data.rows();
    let rows = Rows::new(data, 1).unwrap();
    let memorised = concatenate![Axis(0), data, data, data];
    let padded = data.select(Axis(0), &[17; 50]);
    let padded = concatenate![Axis(0), data, padded];
    for copied in [memorised, padded] {
        let copied = Rows::new(copied.view(), 1).unwrap();
        assert_eq!((copied.count(), copied.distinct()), (200, 200));
        assert_eq!(copied.blocks, rows.blocks);
    }
    let rounded = data.mapv(f32::round);
    let rounded = concatenate![Axis(0), rounded, rounded];
    assert_eq!(Rows::new(rounded.view(), 1).unwrap().count(), 400);
}

/// A Gaussian of variance h²/2π has density 1/h at its mean: a grid cell holds no more than 1.
#[test]
fn no_component_is_narrower_than_a_step() {
    let data = Mixture::generate(&MixtureSettings::default(), 2).unwrap().draw(500, 2, 0);
    let rounded = data.rows().mapv(|x| x.round() / 4.0);
    let rows = Rows::new(rounded.view(), 1).unwrap();
    let least = (0.25_f64).powi(2) / std::f64::consts::TAU;
    for covariance in Covariance::ALL {
        let found = fit(&rows, covariance, starts(&rows, 30, 1, 1)).unwrap();
        let mixture = rows.mixture(&found).unwrap();
        for (shape, i) in mixture.covariances().iter().flat_map(|c| [(c, 0), (c, 1), (c, 2)]) {
            assert!(shape[i][i] >= least);
        }
    }
}
