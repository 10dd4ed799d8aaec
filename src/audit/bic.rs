//! How many Gaussian components the Bayesian information criterion sees.

use linfa::DatasetBase;
use linfa::traits::Fit;
use linfa_clustering::GaussianMixtureModel;
use ndarray::{Array2, ArrayView1, ArrayView2, ArrayView3, Axis};
use rand_xoshiro::Xoshiro256Plus;
use rand_xoshiro::rand_core::SeedableRng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::scaled::Scaled;
use crate::error::{Error, Result};
use crate::random::{Generator, Stream};

/// EM stops when the mean log-likelihood of a row changes less than this, in nats.
const TOLERANCE: f64 = 1e-4;
const MAX_ITERATIONS: u64 = 1000;
/// Added to every variance, as a share of the data's mean variance.
const VARIANCE_FLOOR: f64 = 1e-6;
/// Components beyond the best that must fail to improve on it.
pub const PATIENCE: usize = 3;
/// The steps of the clustering stream that are not K-means'.
const FIRST_STEP: u64 = 1 << 32;

/// A mixture with k components, fitted and judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BicFit {
    /// Number of components.
    pub k: usize,
    /// Log-likelihood of all rows, in nats, for densities in the units of the data.
    pub log_likelihood: f64,
    /// The criterion; less is better. See [`bic`].
    pub bic: f64,
}

/// Mixtures with 1, 2, … components, and the number that the criterion chooses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BicChoice {
    /// One entry a number of components, ascending. A number is left out where no fit was possible:
    /// more components than the rows can hold apart, or EM that did not converge.
    pub fits: Vec<BicFit>,
    /// The k with the least criterion; 1 where nothing could be fitted.
    pub best: usize,
}

/// Fits Gaussian mixtures with full covariances to `rows` (n × columns) for k = 1, 2, … and chooses k
/// by the Bayesian information criterion. It stops at `max_k` or n, or where [`PATIENCE`] further
/// components have not improved on the best.
///
/// EM by linfa from the best of ten K-means clusterings, `restarts` times; the likeliest fit is
/// kept. One or two restarts do. The covariances get 10⁻⁶ of the data's mean variance on their
/// diagonals, so a constant column is no obstacle. linfa takes exponentials of plain log-densities:
/// rows some 38 standard deviations from every component make it give a fit up.
///
/// # Errors
/// Where `restarts` is 0, there are no rows, or a value is not finite.
pub fn choose_components(
    rows: ArrayView2<f32>,
    max_k: usize,
    restarts: usize,
    seed: u64,
) -> Result<BicChoice> {
    if restarts == 0 {
        return Err(Error::input("a mixture fit needs at least one restart"));
    }
    let scaled = Scaled::new(rows)?;
    let (n, columns) = rows.dim();
    // The log-determinant of the scaling, which turns scaled densities into densities of the data.
    let unscaling = rows.len() as f64 * scaled.scale.ln();
    let judged = |k: usize| {
        let generator = Generator::new(seed, Stream::Clustering, FIRST_STEP + k as u64);
        let runs: Vec<f64> = (0..restarts)
            .into_par_iter()
            .filter_map(|restart| fit(scaled.rows.view(), k, generator.words(restart as u32)))
            .collect();
        let best = runs.into_iter().max_by(f64::total_cmp)?;
        let log_likelihood = best - unscaling;
        Some(BicFit { k, log_likelihood, bic: bic(log_likelihood, k, columns, n) })
    };
    let (mut fits, mut best): (Vec<BicFit>, _) = (Vec::new(), 1);
    let largest = max_k.min(n);
    // A whole wave is fitted at once, which keeps the threads busy and the result apart from them.
    for first in (1..=largest).step_by(PATIENCE) {
        let last = largest.min(first + PATIENCE - 1);
        fits.par_extend((first..=last).into_par_iter().filter_map(judged));
        best = fits.iter().min_by(|a, b| a.bic.total_cmp(&b.bic)).map_or(1, |fit| fit.k);
        if best + PATIENCE <= last {
            break;
        }
    }
    Ok(BicChoice { fits, best })
}

/// The Bayesian information criterion −2·log L + p·ln n (Schwarz 1978) of a mixture with full
/// covariances, where p = (k − 1) + k·d + k·d(d + 1)/2 for k `components` and d `columns`.
pub fn bic(log_likelihood: f64, components: usize, columns: usize, rows: usize) -> f64 {
    let free = (components - 1) + components * columns * (columns + 3) / 2;
    -2.0 * log_likelihood + free as f64 * (rows as f64).ln()
}

/// The log-likelihood of one fit to scaled rows, or nothing where linfa refuses it.
fn fit(rows: ArrayView2<f64>, k: usize, words: [u32; 4]) -> Option<f64> {
    let seed = u64::from(words[0]) << 32 | u64::from(words[1]);
    let mixture = GaussianMixtureModel::params_with_rng(k, Xoshiro256Plus::seed_from_u64(seed))
        .tolerance(TOLERANCE)
        .max_n_iterations(MAX_ITERATIONS)
        .reg_covariance(VARIANCE_FLOOR)
        .fit(&DatasetBase::from(rows))
        .ok()?;
    let (weights, means) = (mixture.weights().view(), mixture.means().view());
    log_likelihood(rows, weights, means, mixture.covariances().view())
        .ok()
        .filter(|log_likelihood| log_likelihood.is_finite())
}

/// The log-likelihood, in nats, of `rows` (n × columns) under a Gaussian mixture: `weights` k,
/// `means` k × columns, `covariances` k × columns × columns.
///
/// Computed from Cholesky factors and added up as logarithms, so far rows do not underflow.
///
/// # Errors
/// Where a covariance is not positive definite.
///
/// # Panics
/// Where the shapes do not fit together.
pub fn log_likelihood(
    rows: ArrayView2<f64>,
    weights: ArrayView1<f64>,
    means: ArrayView2<f64>,
    covariances: ArrayView3<f64>,
) -> Result<f64> {
    let (k, columns) = means.dim();
    assert_eq!(rows.ncols(), columns, "rows and means have the same columns");
    assert_eq!(weights.len(), k, "one weight a component");
    assert_eq!(covariances.dim(), (k, columns, columns), "one covariance a component");
    let factors = covariances.outer_iter().enumerate().map(|(component, covariance)| {
        cholesky(covariance).ok_or_else(|| {
            let number = component + 1;
            Error::failed(format!("the covariance of component {number} is not positive definite"))
        })
    });
    let factors = factors.collect::<Result<Vec<_>>>()?;
    let constants: Vec<f64> = factors
        .iter()
        .zip(weights)
        .map(|(factor, weight)| {
            let half_log_determinant = factor.diag().mapv(f64::ln).sum();
            let log_two_pi = std::f64::consts::TAU.ln();
            weight.ln() - 0.5 * columns as f64 * log_two_pi - half_log_determinant
        })
        .collect();
    let mut terms = vec![0.0; k];
    let mut whitened = vec![0.0; columns];
    let mut total = 0.0;
    for row in rows.axis_iter(Axis(0)) {
        for (component, factor) in factors.iter().enumerate() {
            let squared = mahalanobis(row, means.row(component), factor, &mut whitened);
            terms[component] = constants[component] - 0.5 * squared;
        }
        total += log_sum_exp(&terms);
    }
    Ok(total)
}

/// The squared Mahalanobis distance of `row` from `mean` by forward substitution with the Cholesky
/// factor of the covariance.
fn mahalanobis(
    row: ArrayView1<f64>,
    mean: ArrayView1<f64>,
    factor: &Array2<f64>,
    whitened: &mut [f64],
) -> f64 {
    for i in 0..row.len() {
        let solved: f64 = (0..i).map(|j| factor[[i, j]] * whitened[j]).sum();
        whitened[i] = (row[i] - mean[i] - solved) / factor[[i, i]];
    }
    whitened.iter().map(|value| value * value).sum()
}

/// The lower Cholesky factor of a symmetric matrix, or nothing where it is not positive definite.
fn cholesky(matrix: ArrayView2<f64>) -> Option<Array2<f64>> {
    let n = matrix.nrows();
    let mut factor = Array2::<f64>::zeros((n, n));
    for i in 0..n {
        for j in 0..=i {
            let known: f64 = (0..j).map(|m| factor[[i, m]] * factor[[j, m]]).sum();
            let rest = matrix[[i, j]] - known;
            factor[[i, j]] = if i > j {
                rest / factor[[j, j]]
            } else if rest > 0.0 {
                rest.sqrt()
            } else {
                return None;
            };
        }
    }
    Some(factor)
}

/// ln Σ exp(term), without overflow or underflow.
fn log_sum_exp(terms: &[f64]) -> f64 {
    let largest = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if largest.is_infinite() {
        return largest;
    }
    largest + terms.iter().map(|term| (term - largest).exp()).sum::<f64>().ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array3, array};

    fn noise(n: usize, columns: usize) -> Array2<f32> {
        let mut values = vec![0.0; n * columns];
        Generator::new(3, Stream::MixtureRows, 0).normal(&mut values);
        Array2::from_shape_vec((n, columns), values).unwrap()
    }

    fn choose(rows: &Array2<f32>) -> BicChoice {
        choose_components(rows.view(), 4, 1, 1).unwrap()
    }

    #[test]
    fn far_rows_do_not_underflow() {
        let (means, weights) = (array![[0.0], [0.0]], array![0.5, 0.5]);
        let covariances = Array3::from_shape_vec((2, 1, 1), vec![1.0, 1.0]).unwrap();
        let ours = log_likelihood(
            array![[100.0]].view(),
            weights.view(),
            means.view(),
            covariances.view(),
        );
        let by_hand = -0.5 * (1e4 + std::f64::consts::TAU.ln());
        assert!((ours.unwrap() - by_hand).abs() < 1e-9);
        let negative = log_likelihood(
            array![[1.0]].view(),
            weights.view(),
            means.view(),
            (-covariances).view(),
        );
        assert!(negative.is_err());
    }

    #[test]
    fn the_unit_of_the_data_moves_all_criteria_alike() {
        let rows = noise(80, 2);
        let (choice, scaled) = (choose(&rows), choose(&(&rows * 8.0 + 1.0)));
        assert_eq!(choice.best, scaled.best);
        // A density in 2-D falls by the square of the unit.
        let shift = 2.0 * 160.0 * 8.0_f64.ln();
        for (before, after) in choice.fits.iter().zip(&scaled.fits) {
            assert!((after.bic - before.bic - shift).abs() < 0.05);
        }
    }

    #[test]
    fn degenerate_rows_leave_fits_out() {
        let equal = choose(&Array2::from_elem((30, 3), 0.7));
        assert_eq!((equal.fits.len(), equal.best), (1, 1));
        let few = choose(&noise(2, 3));
        assert!(few.fits.len() <= 2 && few.fits.iter().all(|fit| fit.bic.is_finite()));
        let mut constant = noise(60, 3);
        constant.column_mut(1).fill(5.0);
        let choice = choose(&constant);
        assert!(choice.fits.iter().all(|fit| fit.bic.is_finite()));
        assert!(!choice.fits.is_empty());
        let mut wild = noise(5000, 1);
        wild[[0, 0]] = 1e30;
        assert!(choose(&wild).fits.iter().all(|fit| fit.bic.is_finite()));
        assert!(choose_components(noise(0, 2).view(), 4, 1, 1).is_err());
        assert!(choose_components(noise(9, 2).view(), 4, 0, 1).is_err());
    }
}
