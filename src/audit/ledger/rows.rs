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

/// What the variances of a fitted mixture have beyond those of the rows: floors, and what stands for what
/// the steps of columns hide. Rows that are judged have it not. One value a column, in its units squared.
#[derive(Clone, Debug)]
pub(in crate::audit) enum Hidden {
    Nothing,
    /// Variances beside those of the rows.
    Added(Array1<f64>),
    /// The least variances that columns may have.
    Least(Array1<f64>),
}

impl Hidden {
    /// Of one column.
    pub(super) fn of(&self, column: usize) -> f64 {
        match self {
            Self::Nothing => 0.0,
            Self::Added(variances) | Self::Least(variances) => variances[column],
        }
    }

    /// The same with each column in units of its own; one that is infinite leaves nothing.
    pub(super) fn measured_in(&self, units: &Array1<f64>) -> Self {
        let measured = |variances: &Array1<f64>| variances / units / units;
        match self {
            Self::Nothing => Self::Nothing,
            Self::Added(variances) => Self::Added(measured(variances)),
            Self::Least(variances) => Self::Least(measured(variances)),
        }
    }
}

/// The moments of m rows of one mode, in the ledger's units.
pub(super) struct Shape {
    pub(super) mean: Array1<f64>,
    /// The rows less their mean.
    centred: Array2<f64>,
    /// Trace of their covariance.
    pub(super) trace: f64,
}

impl Shape {
    /// Of rows in the units of the data; nothing below two.
    pub(super) fn new(rows: ArrayView2<f64>, units: &Array1<f64>) -> Option<Self> {
        let free = rows.nrows().checked_sub(1).filter(|free| *free > 0)? as f64;
        let rows = &rows / units;
        let mean = rows.mean_axis(Axis(0))?;
        let centred = &rows - &mean;
        let trace = centred.iter().map(|x| x * x).sum::<f64>() / free;
        Some(Self { mean, centred, trace })
    }

    /// The sum of the squared distances from their mean in each column.
    pub(super) fn squares(&self) -> Array1<f64> {
        self.centred.mapv(|x| x * x).sum_axis(Axis(0))
    }

    /// Their covariance, D × D.
    pub(super) fn covariance(&self) -> Array2<f64> {
        self.centred.t().dot(&self.centred) / (self.centred.nrows() as f64 - 1.0)
    }

    /// The squared coefficient of variation of their squared distances from their mean: 2 tr Σ² / tr² Σ
    /// for a Gaussian. Rows that are all equal have none.
    pub(super) fn variation(&self) -> f64 {
        let squares = self.centred.map_axis(Axis(1), |row| row.dot(&row));
        let mean = squares.mean().unwrap_or_default();
        if mean > 0.0 { squares.var(0.0) / (mean * mean) } else { 0.0 }
    }

    /// Distance from the truth's mean in σ; see the ledger.
    pub(super) fn shift(&self, truth: &Truth, z: f64) -> Figure {
        let m = self.centred.nrows() as f64;
        let delta = &self.mean - &truth.mean;
        // The covariance of a difference of means.
        let noise = self.covariance() / m + truth.uncertainty * &truth.covariance;
        let square = delta.dot(&delta) - noise.diag().sum();
        let variance =
            4.0 * delta.dot(&noise.dot(&delta)) + 2.0 * noise.iter().map(|x| x * x).sum::<f64>();
        let in_sigma = |square: f64| square.max(0.0).sqrt() / truth.sigma;
        let reach = z * variance.sqrt();
        Figure {
            value: in_sigma(square),
            interval: [in_sigma(square - reach), in_sigma(square + reach)],
        }
    }

    /// Trace over the truth's; see the ledger.
    pub(super) fn spread(&self, truth: &Truth, hidden: &Hidden, z: f64) -> Figure {
        let m = self.centred.nrows() as f64;
        let trace = match hidden {
            Hidden::Nothing => self.trace,
            Hidden::Added(hidden) => self.trace + hidden.sum(),
            Hidden::Least(hidden) => {
                let variances = self.squares() / (m - 1.0);
                variances.iter().zip(hidden).map(|(own, &hidden)| own.max(hidden)).sum()
            }
        };
        let value = trace / truth.trace;
        // What is hidden has no noise.
        let seen = if trace > 0.0 { (self.trace / trace).min(1.0) } else { 1.0 };
        let own = seen * seen * self.variation() / m;
        let factor = (z * (own + truth.uncertainty * truth.variation).sqrt()).exp();
        Figure { value, interval: [value / factor, value * factor] }
    }
}
