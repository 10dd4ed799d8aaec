//! One Gaussian, evaluated for many rows at once.

use std::f64::consts::TAU;

use ndarray::{Array2, ArrayView2};

/// A Gaussian N(μ, Σ) in D dimensions, as its mean and the lower Cholesky factor L of Σ = L Lᵀ.
#[derive(Clone, Debug, PartialEq)]
pub struct Gaussian {
    mean: Vec<f64>,
    /// Row i has its i + 1 entries.
    factor: Vec<Vec<f64>>,
    /// −½ (D ln 2π + ln |Σ|).
    log_normaliser: f64,
}

impl Gaussian {
    /// The Gaussian with this `mean` (D) and `covariance` (D × D, of which only the lower triangle is
    /// read); nothing where the covariance is not positive definite to working precision.
    ///
    /// # Panics
    /// Where the shapes differ.
    pub fn new(mean: &[f64], covariance: &[Vec<f64>]) -> Option<Self> {
        assert_eq!(mean.len(), covariance.len(), "a mean and a covariance of the same dimension");
        let factor = cholesky(covariance)?;
        let half_log_determinant: f64 = factor.iter().map(|row| row[row.len() - 1].ln()).sum();
        let log_normaliser = -0.5 * mean.len() as f64 * TAU.ln() - half_log_determinant;
        Some(Self { mean: mean.to_vec(), factor, log_normaliser })
    }

    /// The logarithm of the density at the mean: −½ (D ln 2π + ln |Σ|).
    pub fn log_normaliser(&self) -> f64 {
        self.log_normaliser
    }

    /// The squared Mahalanobis distances ‖L⁻¹(x − μ)‖² of m rows into `out` (m), the rows given as
    /// `columns` (D × m). `scratch` has room for the same shape.
    ///
    /// The log-density of a row is [`log_normaliser`](Self::log_normaliser) less half of it.
    ///
    /// # Panics
    /// Where the shapes differ, there are no rows, or the columns are not in standard layout.
    pub(crate) fn squared_distances(
        &self,
        columns: ArrayView2<f64>,
        scratch: &mut Array2<f64>,
        out: &mut [f64],
    ) {
        assert_eq!(columns.nrows(), self.mean.len(), "one column a dimension");
        let m = columns.ncols();
        let columns = columns.to_slice().expect("columns in standard layout");
        let scratch = scratch.as_slice_mut().expect("a scratch array is contiguous");
        out.fill(0.0);
        for (i, (column, factor)) in columns.chunks_exact(m).zip(&self.factor).enumerate() {
            let (done, rest) = scratch.split_at_mut(i * m);
            let solved = &mut rest[..m];
            let mean = self.mean[i];
            solved.iter_mut().zip(column).for_each(|(value, x)| *value = x - mean);
            for (j, &entry) in factor[..i].iter().enumerate().filter(|(_, entry)| **entry != 0.0) {
                let above = &done[j * m..(j + 1) * m];
                solved.iter_mut().zip(above).for_each(|(value, x)| *value -= entry * x);
            }
            let inverse = 1.0 / factor[i];
            for (value, sum) in solved.iter_mut().zip(out.iter_mut()) {
                *value *= inverse;
                *sum += *value * *value;
            }
        }
    }

    /// Number of dimensions D.
    pub fn dimensions(&self) -> usize {
        self.mean.len()
    }

    /// Standard deviation in a column.
    ///
    /// # Panics
    /// Where there is no such column.
    pub fn deviation(&self, column: usize) -> f64 {
        dot(&self.factor[column], &self.factor[column]).sqrt()
    }

    /// What noise with these variances in the D columns adds to the squared Mahalanobis distance of a
    /// row, in the mean: tr(Σ⁻¹ diag v).
    pub(crate) fn added_distance(&self, variances: &[f64]) -> f64 {
        // The diagonal of Σ⁻¹ is what a step along each column adds at the mean.
        let d = self.mean.len();
        let steps = Array2::from_shape_fn((d, d), |(column, step)| {
            self.mean[column] + if column == step { variances[step].sqrt() } else { 0.0 }
        });
        let mut added = vec![0.0; d];
        self.squared_distances(steps.view(), &mut Array2::zeros((d, d)), &mut added);
        added.iter().sum()
    }

    /// The row μ + L·`normal` (D values each).
    pub(super) fn transform(&self, normal: &[f64]) -> impl Iterator<Item = f64> {
        self.mean.iter().zip(&self.factor).map(|(mean, factor)| mean + dot(factor, normal))
    }
}

/// The sum of products over the shorter of the two.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The lower factor L of Σ = L Lᵀ, row i with its i + 1 entries; nothing where Σ is not positive
/// definite to working precision. Only the lower triangle of Σ is read.
fn cholesky(covariance: &[Vec<f64>]) -> Option<Vec<Vec<f64>>> {
    let mut factor: Vec<Vec<f64>> = Vec::with_capacity(covariance.len());
    for (i, row) in covariance.iter().enumerate() {
        let mut new: Vec<f64> = Vec::with_capacity(i + 1);
        for (above, value) in factor.iter().zip(row) {
            let diagonal = above[new.len()];
            new.push((value - dot(above, &new)) / diagonal);
        }
        let pivot = row[i] - dot(&new, &new);
        if pivot.is_nan() || pivot <= f64::EPSILON * row[i].abs() {
            return None;
        }
        new.push(pivot.sqrt());
        factor.push(new);
    }
    Some(factor)
}
