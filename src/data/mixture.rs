//! Gaussian mixtures: generated at random, drawn from, and read from and written to
//! `mixture.json`.

mod draws;
mod gaussian;
mod generate;
mod parameters;

use std::path::Path;

use ndarray::{Array2, ArrayView1, ArrayView2, Axis};
use rand_distr::{Distribution, StandardUniform};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

pub use self::draws::RowDraws;
pub use self::gaussian::Gaussian;
use self::parameters::Parameters;
use super::Table;
use crate::error::{Error, Result};
use crate::files::write_bytes;
use crate::input;
use crate::random::{Draws, Generator, Stream};

/// Rows evaluated at once.
const BLOCK: usize = 256;

/// A mixture of K Gaussians in D dimensions with full covariances.
///
/// Always valid: the weights are not negative and sum to 1 within 1e-6, and every covariance is
/// symmetric and positive definite. As JSON it is
/// `{"weights": [K], "means": [K][D], "covariances": [K][D][D]}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Parameters", into = "Parameters")]
pub struct Mixture {
    parameters: Parameters,
    gaussians: Vec<Gaussian>,
}

impl From<Mixture> for Parameters {
    fn from(mixture: Mixture) -> Self {
        mixture.parameters
    }
}

impl TryFrom<Parameters> for Mixture {
    type Error = Error;

    fn try_from(parameters: Parameters) -> Result<Self> {
        parameters.check()?;
        let shapes = parameters.means.iter().zip(&parameters.covariances).enumerate();
        let gaussians = shapes
            .map(|(k, (mean, covariance))| {
                Gaussian::new(mean, covariance).ok_or_else(|| {
                    Error::input(format!("covariances[{k}] is not positive definite"))
                })
            })
            .collect::<Result<_>>()?;
        Ok(Self { parameters, gaussians })
    }
}

impl Mixture {
    /// A mixture from its weights (K), means (K × D) and covariances (K × D × D).
    ///
    /// # Errors
    /// Where the arguments are no valid mixture (see [`Mixture`]) or hold values beyond ±1e30; the
    /// message names the entry.
    pub fn new(
        weights: Vec<f64>,
        means: Vec<Vec<f64>>,
        covariances: Vec<Vec<Vec<f64>>>,
    ) -> Result<Self> {
        Parameters { weights, means, covariances }.try_into()
    }

    /// Number of components, K.
    pub fn components(&self) -> usize {
        self.parameters.weights.len()
    }

    /// Number of dimensions, D.
    pub fn dimensions(&self) -> usize {
        self.parameters.means[0].len()
    }

    /// The weight of each component.
    pub fn weights(&self) -> &[f64] {
        &self.parameters.weights
    }

    /// The mean of each component, K × D.
    pub fn means(&self) -> &[Vec<f64>] {
        &self.parameters.means
    }

    /// The covariance of each component, K × D × D.
    pub fn covariances(&self) -> &[Vec<Vec<f64>>] {
        &self.parameters.covariances
    }

    /// Every component's distribution.
    pub fn gaussians(&self) -> &[Gaussian] {
        &self.gaussians
    }

    /// Draws rows: a component by its weight, then a row from that Gaussian. The columns are `x0`,
    /// `x1`, …; the labels, in a column `component`, name all K components even where one has no
    /// row. The first rows of a longer draw with the same seed and step are those of a shorter one.
    pub fn draw(&self, rows: usize, seed: u64, step: u64) -> Table {
        self.draws(Generator::new(seed, Stream::MixtureRows, step)).table(rows)
    }

    /// Rows to be drawn as [`draw`](Self::draw) does, from any generator and as many at a time as are
    /// asked for.
    pub fn draws(&self, generator: Generator) -> RowDraws<'_> {
        RowDraws::new(self, generator)
    }

    /// Number of components whose mean lies nearer to another's than `distance` standard deviations,
    /// each deviation √(tr Σ / D) and the larger of the two taken, where each column is measured in its own
    /// of `units`.
    ///
    /// # Panics
    /// Where there are not D units.
    pub fn closer_than(&self, distance: f64, units: ArrayView1<f64>) -> usize {
        assert_eq!(units.len(), self.dimensions(), "one unit a column");
        let columns = self.dimensions() as f64;
        let variance = |k: usize| {
            let variances = units.iter().enumerate();
            let variances = variances.map(|(i, unit)| self.covariances()[k][i][i] / (unit * unit));
            variances.sum::<f64>() / columns
        };
        // A component without weight has no place.
        let placed = || (0..self.components()).filter(|&k| self.weights()[k] > 0.0);
        let close = |&k: &usize| {
            placed().filter(|&other| other != k).any(|other| {
                let pairs = self.means()[k].iter().zip(&self.means()[other]).zip(units);
                let square: f64 = pairs.map(|((a, b), unit)| ((a - b) / unit).powi(2)).sum();
                square < distance.powi(2) * variance(k).max(variance(other))
            })
        };
        placed().filter(close).count()
    }

    /// For each of n `rows` (n × D) its most probable component and its squared Mahalanobis
    /// distance from it. Of equally probable components the first is taken.
    ///
    /// # Panics
    /// Where the rows have not D columns.
    pub fn assign(&self, rows: ArrayView2<f32>) -> Vec<Assigned> {
        self.map_rows(rows, |terms| {
            let mut best = 0;
            for k in 1..terms.log_joint.len() {
                if terms.log_joint[k] > terms.log_joint[best] {
                    best = k;
                }
            }
            Assigned { component: best, squared_distance: terms.squared_distance[best] }
        })
    }

    /// For each of n `rows` (n × D) the natural logarithm of the density at it.
    ///
    /// # Panics
    /// Where the rows have not D columns.
    pub fn log_densities(&self, rows: ArrayView2<f32>) -> Vec<f64> {
        self.map_rows(rows, |terms| log_sum_exp(terms.log_joint))
    }

    /// One value a row from its distances and log-joint densities, block by block in parallel.
    fn map_rows<T: Send + Clone>(
        &self,
        rows: ArrayView2<f32>,
        value: impl Fn(RowTerms) -> T + Sync,
    ) -> Vec<T> {
        assert_eq!(rows.ncols(), self.dimensions(), "columns of the rows and of the mixture");
        let k = self.components();
        let blocks = rows.axis_chunks_iter(Axis(0), BLOCK).into_par_iter();
        let weighted = self.weights().iter().zip(&self.gaussians);
        let constants: Vec<f64> =
            weighted.map(|(weight, gaussian)| weight.ln() + gaussian.log_normaliser()).collect();
        let of_block = |block: ArrayView2<f32>| {
            let m = block.nrows();
            let columns = block.t().mapv(f64::from);
            let columns = columns.as_standard_layout();
            let mut scratch = Array2::zeros(columns.dim());
            let mut squared = Array2::zeros((k, m));
            for (gaussian, mut out) in self.gaussians.iter().zip(squared.rows_mut()) {
                let out = out.as_slice_mut().expect("a row of a fresh array is contiguous");
                gaussian.squared_distances(columns.view(), &mut scratch, out);
            }
            let mut log_joint = vec![0.0; k];
            let mut squared_distance = vec![0.0; k];
            (0..m)
                .map(|row| {
                    for (j, constant) in constants.iter().enumerate() {
                        squared_distance[j] = squared[(j, row)];
                        log_joint[j] = constant - 0.5 * squared_distance[j];
                    }
                    value(RowTerms { log_joint: &log_joint, squared_distance: &squared_distance })
                })
                .collect::<Vec<T>>()
        };
        blocks.map(of_block).collect::<Vec<_>>().concat()
    }

    /// Reads a mixture from a JSON file.
    ///
    /// # Errors
    /// Where the file cannot be read, is not such JSON (the message has line and column), or is no
    /// valid mixture (see [`new`](Self::new)).
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = input::bytes(path)?;
        let help = "a mixture is {\"weights\": [K], \"means\": [K][D], \"covariances\": [K][D][D]}";
        let parameters: Parameters = serde_json::from_slice(&bytes)
            .map_err(|error| Error::input(format!("{}: {error}", path.display())).help(help))?;
        parameters.try_into().map_err(|error: Error| {
            Error::input(format!("{}: {}", path.display(), error.message())).help(help)
        })
    }

    /// Writes the mixture as JSON, which [`read`](Self::read) reads back to the same numbers.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let mut json = serde_json::to_vec(&self.parameters)
            .map_err(|error| Error::failed(format!("writing {}: {error}", path.display())))?;
        json.push(b'\n');
        write_bytes(path, &json)
    }
}

/// A draw from [0, 1).
fn uniform(source: &mut Draws) -> f64 {
    StandardUniform.sample(source)
}

/// What a row is to each of the K components.
struct RowTerms<'a> {
    /// ln w_k + ln N(x; μ_k, Σ_k).
    log_joint: &'a [f64],
    squared_distance: &'a [f64],
}

/// A row's most probable component.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Assigned {
    /// Its index.
    pub component: usize,
    /// Squared Mahalanobis distance of the row from its mean.
    pub squared_distance: f64,
}

/// ln Σ exp(`terms`), without overflow or underflow.
pub fn log_sum_exp(terms: &[f64]) -> f64 {
    let largest = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if largest == f64::NEG_INFINITY {
        return largest;
    }
    largest + terms.iter().map(|term| (term - largest).exp()).sum::<f64>().ln()
}

#[cfg(test)]
mod tests;
