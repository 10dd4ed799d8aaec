//! How many Gaussian components the Bayesian information criterion sees, and of which kind.

use ndarray::ArrayView2;
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use super::em::Covariance;
use super::em::{self, Fit, Rows};
use crate::data::Mixture;
use crate::error::{Error, Result};

/// Every number of components up to this is tried.
pub const FIRST: usize = 15;
/// The most that are ever tried.
pub const MOST: usize = 60;
/// More are tried while the best of a kind is one of this many last numbers.
pub const PATIENCE: usize = 3;
/// Starts of the largest number of components.
const RESTARTS: usize = 6;
/// Starts of every other number.
const MERGES: usize = 3;

/// A mixture with k components, fitted and judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BicFit {
    /// Number of components.
    pub k: usize,
    /// What their covariances may be.
    pub covariance: Covariance,
    /// Log-likelihood of all counted rows, in nats, for densities in the units of the data.
    pub log_likelihood: f64,
    /// The criterion −2·log-likelihood + parameters·ln(rows); less is better.
    pub bic: f64,
}

/// Mixtures of every kind with 1, 2, … components, and those that the criterion chooses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BicChoice {
    /// Rows that counted. Exact copies of a row count once where some column is continuous.
    pub rows: usize,
    /// One entry a kind and number of components, ascending. Numbers are left out that the rows
    /// cannot hold apart: a component would stand for too few of them.
    pub fits: Vec<BicFit>,
    /// The number of components with the least criterion.
    pub best: usize,
    /// The kind of covariance with the least criterion.
    pub covariance: Covariance,
}

/// Fits Gaussian mixtures to `rows` (n × columns) with full, diagonal and spherical covariances,
/// chooses by the Bayesian information criterion, and gives the best in the units of the data.
///
/// Each kind tries 1 to [`FIRST`] components, then up to twice as many, and so on to `most`,
/// while the last [`PATIENCE`] numbers hold its best. The largest number has six starts from
/// K-means. Every other has three, each the fit with one component more in which two have become
/// one: that finds better optima than starting afresh, in a fraction of the iterations. See
/// [`Rows`] for what is done with copies and steps.
///
/// # Errors
/// Where there are no rows, a value is not finite, or values are beyond what a [`Mixture`] may
/// hold.
pub fn choose_components(
    rows: ArrayView2<f32>,
    most: usize,
    seed: u64,
) -> Result<(BicChoice, Mixture)> {
    let rows = Rows::new(rows, seed)?;
    let mut fits: Vec<(BicFit, Fit)> = Vec::new();
    let mut open = Covariance::ALL.to_vec();
    let (mut first, mut last) = (1, FIRST.min(most));
    while !open.is_empty() && first <= most {
        let found: Vec<_> = open
            .par_iter()
            .map(|&covariance| chain(&rows, covariance, first, last, seed))
            .collect();
        fits.extend(found.into_iter().flatten());
        let best_of = |kind| best(fits.iter().filter(|(judged, _)| judged.covariance == kind));
        open.retain(|&kind| best_of(kind).is_some_and(|(judged, _)| judged.k + PATIENCE > last));
        (first, last) = (last + 1, (2 * last).min(most));
    }
    let (judged, fit) =
        best(fits.iter()).ok_or_else(|| Error::failed("no mixture could be fitted"))?;
    let (mixture, best, covariance) = (rows.mixture(fit)?, judged.k, judged.covariance);
    let mut fits: Vec<BicFit> = fits.into_iter().map(|(judged, _)| judged).collect();
    fits.sort_by_key(|judged| (judged.covariance, judged.k));
    Ok((BicChoice { rows: rows.count(), fits, best, covariance }, mixture))
}

/// The fit with the least criterion, the first of equals.
fn best<'a>(fits: impl Iterator<Item = &'a (BicFit, Fit)>) -> Option<&'a (BicFit, Fit)> {
    fits.min_by(|(a, _), (b, _)| a.bic.total_cmp(&b.bic))
}

/// The fits of one kind with `first` to `last` components that the rows allow.
fn chain(
    rows: &Rows,
    covariance: Covariance,
    first: usize,
    last: usize,
    seed: u64,
) -> Vec<(BicFit, Fit)> {
    let (n, columns) = (rows.count(), rows.columns());
    let most = (n / covariance.fewest_rows(columns)).min(rows.distinct()).max(1);
    let mut chain = Vec::new();
    let mut above: Option<Fit> = None;
    for k in (first..=last.min(most)).rev() {
        let starts = match &above {
            Some(fit) => fit.merged(rows, MERGES),
            None => em::starts(rows, k, RESTARTS, seed),
        };
        above = em::fit(rows, covariance, starts);
        if let Some(fit) = above.as_ref().filter(|fit| k == 1 || fit.stands(rows)) {
            let log_likelihood = fit.log_likelihood;
            let bic = bic(log_likelihood, covariance.free_parameters(k, columns), n);
            chain.push((BicFit { k, covariance, log_likelihood, bic }, fit.clone()));
        }
    }
    chain
}

/// The Bayesian information criterion −2·log L + p·ln n (Schwarz 1978) of a model with p
/// `parameters`.
pub fn bic(log_likelihood: f64, parameters: usize, rows: usize) -> f64 {
    -2.0 * log_likelihood + parameters as f64 * (rows as f64).ln()
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, Axis, concatenate};

    use super::*;
    use crate::config::MixtureSettings;
    use crate::random::{Generator, Stream};

    fn noise(n: usize, columns: usize) -> Array2<f32> {
        let mut values = vec![0.0; n * columns];
        Generator::new(3, Stream::MixtureRows, 0).normal(&mut values);
        Array2::from_shape_vec((n, columns), values).unwrap()
    }

    /// The reference mixture with its means apart.
    fn modes() -> Array2<f32> {
        let settings = MixtureSettings { spread: 10.0, ..Default::default() };
        Mixture::generate(&settings, 1).unwrap().draw(1000, 1, 0).rows().to_owned()
    }

    fn choose(rows: &Array2<f32>) -> BicChoice {
        let (choice, mixture) = choose_components(rows.view(), MOST, 1).unwrap();
        assert_eq!(mixture.components(), choice.best);
        assert!(choice.fits.iter().all(|fit| fit.bic.is_finite()));
        choice
    }

    #[test]
    fn the_criterion_charges_every_parameter() {
        assert_eq!(bic(-10.0, 0, 100), 20.0);
        assert_eq!(bic(-10.0, 3, 1), 20.0);
        // Weights, means and covariances of 4 components in 3-D.
        let free = Covariance::ALL.map(|covariance| covariance.free_parameters(4, 3));
        assert_eq!(free, [3 + 12 + 24, 3 + 12 + 12, 3 + 12 + 4]);
    }

    #[test]
    fn the_unit_of_the_data_moves_all_criteria_alike() {
        let rows = noise(80, 2);
        let (choice, scaled) = (choose(&rows), choose(&(&rows * 8.0 + 1.0)));
        assert_eq!((choice.best, choice.covariance), (1, Covariance::Spherical));
        assert_eq!((scaled.best, scaled.covariance), (1, Covariance::Spherical));
        // A density in 2-D falls by the square of the unit.
        let shift = 2.0 * 160.0 * 8.0_f64.ln();
        for (before, after) in choice.fits.iter().zip(&scaled.fits).filter(|(b, _)| b.k == 1) {
            assert!((after.bic - before.bic - shift).abs() < 1e-3);
        }
    }

    #[test]
    fn copies_and_steps_make_no_components() {
        let rows = modes();
        let choice = choose(&rows);
        assert_eq!((choice.best, choice.covariance), (10, Covariance::Spherical));
        // A fifth of the rows are one row, and every row ten times.
        let padded = concatenate![Axis(0), rows, rows.select(Axis(0), &[17; 250])];
        assert_eq!(choose(&padded), choice);
        let memorised = concatenate![Axis(0), rows, rows, rows, rows, rows];
        let memorised = concatenate![Axis(0), memorised, memorised];
        assert_eq!(choose(&memorised), choice);
        assert_eq!(choose(&rows.mapv(f32::round)).best, 10);
        let mut mixed = rows.clone();
        mixed.column_mut(2).mapv_inplace(f32::round);
        assert_eq!(choose(&mixed).best, 10);
        let integers = noise(500, 2).mapv(|x| (2.0 * x).round());
        assert_eq!(choose(&integers).best, 1);
    }

    #[test]
    fn categories_can_be_modes() {
        let mut rows = noise(1000, 2);
        rows.column_mut(1).iter_mut().enumerate().for_each(|(i, x)| *x = (i % 2) as f32);
        assert_eq!(choose(&rows).best, 2);
    }

    #[test]
    fn more_components_are_tried_while_the_criterion_falls() {
        let grid = |i: usize, j: usize| ((i / 5_usize.pow(j as u32)) % 5) as f32;
        let rows = noise(2500, 2) * 0.05 + Array2::from_shape_fn((2500, 2), |(i, j)| grid(i, j));
        let choice = choose(&rows);
        assert_eq!((choice.best, choice.covariance), (25, Covariance::Spherical));
        assert_eq!(choice.fits.iter().map(|fit| fit.k).max(), Some(30));
    }

    #[test]
    fn degenerate_rows_leave_fits_out() {
        let equal = choose(&Array2::from_elem((30, 3), 0.7));
        assert_eq!((equal.fits.len(), equal.best), (3, 1));
        for n in [1, 2, 3, 9] {
            assert!(choose(&noise(n, 3)).fits.iter().all(|fit| fit.k <= n.div_ceil(2)));
        }
        let mut constant = noise(60, 3);
        constant.column_mut(1).fill(5.0);
        assert_eq!(choose(&constant).best, 1);
        let mut wild = noise(3000, 1);
        wild[(0, 0)] = 1e30;
        assert_eq!(choose(&wild).best, 1);
        assert!(choose_components(noise(0, 2).view(), MOST, 1).is_err());
        let huge = noise(9, 2) * 1e35;
        let error = choose_components(huge.view(), MOST, 1).unwrap_err();
        assert!(error.message().contains("1e30"), "{}", error.message());
    }
}
