//! Gaussian mixtures fitted by expectation–maximisation (Dempster, Laird and Rubin 1977).
//!
//! Densities stay logarithms until the largest of a row is divided out, so no row underflows. All
//! sums are of f64 and run over blocks of rows in a fixed order.

mod components;
mod exponentials;
mod rows;

use std::fmt;

use ndarray::Array2;
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::components::Components;
pub use self::rows::{Rows, added_variances, has_continuous_column, hidden_by_steps};
use super::lloyd::Clustered;
use crate::data::Mixture;
use crate::random::{Generator, Stream};

/// Added to every variance, as a share of the data's mean variance.
pub const VARIANCE_FLOOR: f64 = 1e-6;
/// Rows that starts are tried on.
const SAMPLE: usize = 2048;
/// Most iterations of K-means for a start: EM finishes what it begins.
const LLOYD: usize = 10;
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
    /// One variance for all columns, beside what stands for their steps; no correlations.
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
        self.components.merged(self.covariance, &rows.floor, self.lightest(rows), wanted)
    }

    /// The least weight that stands. Half a row is for rounding.
    fn lightest(&self, rows: &Rows) -> f64 {
        (self.covariance.fewest_rows(rows.columns()) as f64 - 0.5) / rows.count() as f64
    }
}

/// Starts for mixtures of `k` components, from `restarts` runs of K-means on a sample of the rows:
/// one Gaussian at every centroid, all with the same weight and variance.
///
/// k-means++ places the centroids, and a few of Lloyd's iterations move them.
pub fn starts(rows: &Rows, k: usize, restarts: usize, seed: u64) -> Vec<Components> {
    let generator = Generator::new(seed, Stream::Clustering, FIRST_STEP + k as u64);
    let sample = rows.sample();
    let clustered = Clustered::new(sample);
    let floor = rows.floor.iter().copied().fold(0.0, f64::max);
    let run = |restart: usize| {
        let [high, low, ..] = generator.words(restart as u32).map(u64::from);
        let start = Generator::new(high << 32 | low, Stream::Clustering, 0);
        let centroids = clustered.lloyd(clustered.plus_plus(k, &start), 0.0, LLOYD);
        let (_, inertia) = clustered.assign(centroids.view());
        Components::at(&centroids, inertia / sample.len() as f64 + floor)
    };
    (0..restarts).into_par_iter().map(run).collect()
}

/// The likeliest mixture that EM reaches from any of `starts`; nothing where it loses a component
/// from every one.
///
/// Each start is tried for a few iterations on a sample of the rows, and the likeliest goes on with
/// all rows, the next where it loses a component there.
pub fn fit(rows: &Rows, covariance: Covariance, starts: Vec<Components>) -> Option<Fit> {
    let trial = Limits { iterations: TRIAL, ..Limits::default() };
    let mut tried: Vec<Fit> = starts
        .into_par_iter()
        .filter_map(|start| climb(rows, rows.sample_blocks(), covariance, start, trial))
        .collect();
    // Of equals the last is tried first.
    tried.sort_by(|a, b| a.log_likelihood.total_cmp(&b.log_likelihood));
    let climb =
        |tried: Fit| climb(rows, &rows.blocks, covariance, tried.components, Limits::default());
    tried.into_iter().rev().find_map(climb)
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
mod tests;
