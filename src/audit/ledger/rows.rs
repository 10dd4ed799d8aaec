//! The rows given to each mode, and their place and spread.

use ndarray::{Array1, Array2, ArrayView2, Axis};

use super::Truth;
use super::verdict::Figure;
use crate::data::{Assigned, Mixture};

/// The rows given to one mode.
pub(super) struct Group {
    pub(super) rows: Array2<f64>,
    /// How many of them are of high quality.
    pub(super) found: usize,
}

impl Group {
    /// One group a component.
    pub(super) fn all(mixture: &Mixture, rows: ArrayView2<f32>, reach: f64) -> Vec<Self> {
        let mut of_mode = vec![(Vec::new(), 0); mixture.components()];
        for (row, Assigned { component, squared_distance }) in
            mixture.assign(rows).into_iter().enumerate()
        {
            let (members, found) = &mut of_mode[component];
            members.push(row);
            *found += usize::from(squared_distance <= reach);
        }
        let gather = |members: &[usize]| rows.select(Axis(0), members).mapv(f64::from);
        of_mode.into_iter().map(|(members, found)| Self { rows: gather(&members), found }).collect()
    }
}

/// The moments of m rows of one mode.
pub(super) struct Shape {
    pub(super) mean: Array1<f64>,
    /// The rows less their mean.
    centred: Array2<f64>,
    /// Trace of their covariance.
    pub(super) trace: f64,
}

impl Shape {
    /// Nothing below two rows.
    pub(super) fn new(rows: ArrayView2<f64>) -> Option<Self> {
        let free = rows.nrows().checked_sub(1).filter(|free| *free > 0)? as f64;
        let mean = rows.mean_axis(Axis(0))?;
        let centred = &rows - &mean;
        let trace = centred.iter().map(|x| x * x).sum::<f64>() / free;
        Some(Self { mean, centred, trace })
    }

    /// Distance from the truth's mean in σ; see the ledger.
    pub(super) fn shift(&self, truth: &Truth, z: f64) -> Figure {
        let m = self.centred.nrows() as f64;
        let delta = &self.mean - &truth.mean;
        let along = self.centred.dot(&delta);
        let covariance = self.centred.t().dot(&self.centred) / (m - 1.0);
        // Variance of a difference of means, as a share of that of one row.
        let rate = 1.0 / m + truth.uncertainty;
        let square = delta.dot(&delta) - rate * self.trace;
        let variance = 4.0 * rate * along.dot(&along) / (m - 1.0)
            + 2.0 * rate * rate * covariance.iter().map(|x| x * x).sum::<f64>();
        let in_sigma = |square: f64| square.max(0.0).sqrt() / truth.sigma;
        let reach = z * variance.sqrt();
        Figure {
            value: in_sigma(square),
            interval: [in_sigma(square - reach), in_sigma(square + reach)],
        }
    }

    /// Trace over the truth's; see the ledger.
    pub(super) fn spread(&self, truth: &Truth, z: f64) -> Figure {
        let value = self.trace / truth.trace;
        let squares = self.centred.map_axis(Axis(1), |row| row.dot(&row));
        let mean = squares.mean().unwrap_or_default();
        let variance = squares.iter().map(|square| (square - mean).powi(2)).sum::<f64>();
        // Rows that are all equal have no spread and no doubt of it.
        let error = if mean > 0.0 { variance.sqrt() / (squares.len() as f64 * mean) } else { 0.0 };
        let factor = (z * error).exp();
        Figure { value, interval: [value / factor, value * factor] }
    }
}
