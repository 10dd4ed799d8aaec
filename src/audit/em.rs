//! Gaussian mixtures fitted by expectation–maximisation (Dempster, Laird and Rubin 1977).
//!
//! Densities stay logarithms until the largest of a row is divided out, so no row underflows. All
//! sums are of f64 and run over blocks of rows in a fixed order.

mod components;
mod rows;

use std::fmt;

use linfa::DatasetBase;
use linfa::traits::Fit as _;
use linfa_clustering::KMeans;
use ndarray::Array2;
use rand_xoshiro::Xoshiro256Plus;
use rand_xoshiro::rand_core::SeedableRng;
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::components::Components;
pub use self::rows::Rows;
use super::kmeans;
use crate::data::Mixture;
use crate::error::{Error, Result};
use crate::random::{Generator, Stream};

/// Added to every variance, as a share of the data's mean variance.
pub const VARIANCE_FLOOR: f64 = 1e-6;
/// Rows that starts are tried on.
const SAMPLE: usize = 2048;
/// Most iterations of K-means for a start: EM finishes what it begins.
const LLOYD: u64 = 10;
/// Iterations of EM on each start before the likeliest goes on alone.
const TRIAL: usize = 10;
/// The steps of the clustering stream that are not K-means'.
const FIRST_STEP: u64 = 1 << 32;

/// What the covariances of a mixture's components may be.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Covariance {
    /// Any covariance.
    Full,
    /// One variance a column, no correlations.
    Diagonal,
    /// One variance for all columns, no correlations.
    Spherical,
}

impl fmt::Display for Covariance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Full => "full",
            Self::Diagonal => "diagonal",
            Self::Spherical => "spherical",
        })
    }
}

impl Covariance {
    /// Every kind, the freest first.
    pub const ALL: [Self; 3] = [Self::Full, Self::Diagonal, Self::Spherical];

    /// Free parameters of a mixture of this kind: weights, means and covariances.
    ///
    /// # Panics
    /// Where there are no components.
    pub fn free_parameters(self, components: usize, columns: usize) -> usize {
        let of_covariance = match self {
            Self::Full => columns * (columns + 1) / 2,
            Self::Diagonal => columns,
            Self::Spherical => 1,
        };
        components - 1 + components * (columns + of_covariance)
    }

    /// The fewest rows that a component may stand for. With fewer its scatter vanishes in some
    /// direction, and its density would be the variance floor's instead of the data's.
    pub fn fewest_rows(self, columns: usize) -> usize {
        match self {
            Self::Full => columns + 1,
            Self::Diagonal | Self::Spherical => 2,
        }
    }
}

/// When EM ends.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// It has converged when an iteration changes the log-likelihood of all rows less than this, in
    /// nats.
    pub tolerance: f64,
    /// Most iterations.
    pub iterations: usize,
}

impl Default for Limits {
    /// A tenth of a nat, whatever the number of rows: criteria are compared, and they charge every
    /// parameter ½ ln n nats. 500 iterations.
    fn default() -> Self {
        Self { tolerance: 0.1, iterations: 500 }
    }
}

/// A fitted mixture; [`Rows::mixture`] gives it in the units of the data.
#[derive(Clone, Debug)]
pub struct Fit {
    components: Components,
    /// What its covariances may be.
    pub covariance: Covariance,
    /// Log-likelihood of the rows, in nats, for densities in the units of the data.
    pub log_likelihood: f64,
    /// Iterations on all rows.
    pub iterations: usize,
    /// Whether the log-likelihood had come to rest when they ended.
    pub converged: bool,
}

impl Fit {
    /// Number of components.
    pub fn components(&self) -> usize {
        self.components.weights.len()
    }

    /// Whether every component stands for at least [`Covariance::fewest_rows`] of `rows`, counted
    /// by its responsibilities.
    pub fn stands(&self, rows: &Rows) -> bool {
        self.components.weights.iter().all(|&weight| weight >= self.lightest(rows))
    }

    /// Starts with one component less, at most `wanted`: two components become one, those first
    /// that cost the least likelihood. Components that do not stand go before any other.
    pub fn merged(&self, rows: &Rows, wanted: usize) -> Vec<Components> {
        self.components.merged(self.covariance, self.lightest(rows), wanted)
    }

    /// The least weight that stands. Half a row is for rounding.
    fn lightest(&self, rows: &Rows) -> f64 {
        (self.covariance.fewest_rows(rows.columns()) as f64 - 0.5) / rows.count() as f64
    }
}

/// Starts for mixtures of `k` components, from `restarts` runs of K-means on a sample of the rows:
/// one Gaussian at every centroid, all with the same weight and variance.
///
/// k-means++ places the centroids (Arthur and Vassilvitskii 2007).
///
/// # Errors
/// Where linfa finds no centroids, which takes no components.
pub fn starts(rows: &Rows, k: usize, restarts: usize, seed: u64) -> Result<Vec<Components>> {
    let generator = Generator::new(seed, Stream::Clustering, FIRST_STEP + k as u64);
    let sample = rows.sample();
    let floor = rows.floor.iter().copied().fold(0.0, f64::max);
    let run = |restart: usize| {
        let [high, low, ..] = generator.words(restart as u32).map(u64::from);
        let fit = KMeans::params_with_rng(k, Xoshiro256Plus::seed_from_u64(high << 32 | low))
            .n_runs(1)
            .max_n_iterations(LLOYD)
            .fit(&DatasetBase::from(sample))
            .map_err(|error| Error::failed(format!("K-means with {k} clusters: {error}")))?;
        let (_, inertia) = kmeans::assign(sample, fit.centroids().view());
        Ok(Components::at(fit.centroids(), inertia / sample.len() as f64 + floor))
    };
    (0..restarts).into_par_iter().map(run).collect()
}

/// The likeliest mixture that EM reaches from any of `starts`; nothing where it loses a component
/// from every one.
///
/// Each start is tried for a few iterations on a sample of the rows, and the likeliest goes on with
/// all rows.
pub fn fit(rows: &Rows, covariance: Covariance, starts: Vec<Components>) -> Option<Fit> {
    let trial = Limits { iterations: TRIAL, ..Limits::default() };
    let tried: Vec<Fit> = starts
        .into_par_iter()
        .filter_map(|start| climb(rows, rows.sample_blocks(), covariance, start, trial))
        .collect();
    let best = tried.into_iter().max_by(|a, b| a.log_likelihood.total_cmp(&b.log_likelihood))?;
    climb(rows, &rows.blocks, covariance, best.components, Limits::default())
}

/// EM from a given mixture in the units of the data; nothing where it loses a component.
///
/// # Panics
/// Where the mixture has not the rows' columns.
pub fn fit_from(
    rows: &Rows,
    covariance: Covariance,
    start: &Mixture,
    limits: Limits,
) -> Option<Fit> {
    climb(rows, &rows.blocks, covariance, rows.scaled(start), limits)
}

/// Iterates over `blocks` from `components`; nothing where a component loses all its rows.
fn climb(
    rows: &Rows,
    blocks: &[Array2<f64>],
    covariance: Covariance,
    mut components: Components,
    limits: Limits,
) -> Option<Fit> {
    let n: usize = blocks.iter().map(Array2::ncols).sum();
    let (mut before, mut iterations) = (f64::NEG_INFINITY, 0);
    loop {
        let (log_likelihood, sums) = components.expect(blocks, covariance)?;
        let converged = (log_likelihood - before).abs() < limits.tolerance;
        if converged || iterations == limits.iterations {
            let log_likelihood = log_likelihood - rows.unscaling(n);
            return Some(Fit { components, covariance, log_likelihood, iterations, converged });
        }
        before = log_likelihood;
        components = Components::maximise(sums, &rows.floor, covariance)?;
        iterations += 1;
    }
}

#[cfg(test)]
mod tests {
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
        Mixture::new(vec![0.5, 0.5], vec![vec![1.0, 0.0], vec![-0.5, 0.5]], shapes.to_vec())
            .unwrap()
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
            let start = starts(&rows, 1, 1, 1).unwrap();
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
            let found = fit(&rows, covariance, starts(&rows, 4, 2, 1).unwrap()).unwrap();
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
            let fit =
                pool.install(|| fit(&rows, Covariance::Full, starts(&rows, 5, 3, 1).unwrap()));
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
            for (covariance, stands) in
                [Covariance::Full, Covariance::Spherical].into_iter().zip(kinds)
            {
                let found = fit(&rows, covariance, starts(&rows, 2, 3, 1).unwrap()).unwrap();
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
        let merged = three.merged(Covariance::Full, 0.0, 3);
        assert_eq!(merged.len(), 3);
        for two in &merged {
            assert!((two.weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            for (i, j) in [(0, 0), (0, 1), (1, 1)] {
                assert!((moment(two, i, j) - moment(&three, i, j)).abs() < 1e-12);
            }
        }
        assert_eq!(merged[0].means[1], [9.0, 1.0]);
        // A component that does not stand goes first: here the nearest pair that has it.
        let light = three.merged(Covariance::Full, 0.31, 1);
        assert_eq!(light[0].means[1], [9.0, 1.0]);
        let only = Components { weights: vec![0.55, 0.01, 0.44], ..three.clone() };
        assert!(only.merged(Covariance::Full, 0.02, 1)[0].weights.iter().all(|&w| w > 0.4));
        let one = fit(&rows, Covariance::Full, starts(&rows, 1, 1, 1).unwrap()).unwrap();
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
            let found = fit(&rows, covariance, starts(&rows, 30, 1, 1).unwrap()).unwrap();
            let mixture = rows.mixture(&found).unwrap();
            for (shape, i) in mixture.covariances().iter().flat_map(|c| [(c, 0), (c, 1), (c, 2)]) {
                assert!(shape[i][i] >= least);
            }
        }
    }
}
