//! Distances between generated and real rows, each beside its value for fresh real rows.

use ndarray::{ArrayView2, s};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::distances::{energy_distance, sliced_wasserstein};
use super::divergence::js_divergence;
use super::estimate::Estimate;
use super::ledger::Judged;
use super::neighbours::neighbourhoods;
use super::reference::Reference;
use super::two_sample::two_sample_accuracy;
use crate::error::Result;

/// Most rows on each side of a comparison: the energy distance takes every pair.
const MOST_ROWS: usize = 20_000;

/// A figure for the generated rows, and the same figure for fresh real rows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Metric {
    /// For the generated rows.
    #[serde(flatten)]
    pub generated: Estimate,
    /// For fresh real rows in their place: what a perfect generator would get.
    pub real: Estimate,
}

/// How much less likely held-out rows are under the model than under the truth.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NllGap {
    /// Mean over held-out rows of log p(x) under the reference less log p(x) under the model, in
    /// nats a row, in the data's own units; interval by the standard error of the mean, rows paired.
    /// The model's log p(x) is importance-sampled with 256 draws from the posterior, widened by 0.2
    /// in log-variance.
    #[serde(flatten)]
    pub generated: Estimate,
    /// The same for the fitted mixture in place of the model; absent where that is the reference.
    pub baseline: Option<Estimate>,
    /// Mean negative log-likelihood under the model, in nats a row.
    pub model: f64,
    /// Mean negative log-likelihood under the reference, in nats a row.
    pub reference: f64,
    /// Held-out rows.
    pub rows: usize,
}

/// Every figure that compares the generated rows with the real ones as a whole.
///
/// Those from `energy_distance` on compare equally many rows on both sides, `rows`, because their
/// values depend on how many there are; each `real` figure compares as many fresh real rows with the
/// same real rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Metrics {
    /// Rows on each side of a comparison, 20 000 at most.
    pub rows: usize,
    /// Share of rows within the 0.9973 quantile of the squared Mahalanobis distance from their mode;
    /// Wilson interval. Never to be read alone: a collapsed model scores 1.
    pub high_quality: Metric,
    /// Jensen–Shannon divergence between the weights of the modes found and expected, in nats (0 to
    /// ln 2); interval by a multinomial bootstrap of the found counts.
    pub js_divergence: Metric,
    /// Squared energy distance 2E|X−Y| − E|X−X′| − E|Y−Y′| (Székely and Rizzo 2013), in the units of
    /// the data; interval by the jackknife over 20 groups of rows.
    pub energy_distance: Metric,
    /// Mean over 100 random directions of the Wasserstein distance of order 1 between the
    /// projections (Rabin et al. 2011), in the units of the data; interval by the jackknife over 20
    /// groups of rows.
    pub sliced_wasserstein: Metric,
    /// Accuracy of telling generated rows from real ones by k nearest neighbours, 5-fold
    /// cross-validated (Lopez-Paz and Oquab 2017): 0.5 where they cannot be told apart; Wilson
    /// interval.
    pub c2st_accuracy: Metric,
    /// Share of generated rows that lie within the 5-nearest-neighbour ball of a real row
    /// (Kynkäänniemi et al. 2019); Wilson interval.
    pub precision: Metric,
    /// Share of real rows that lie within the 5-nearest-neighbour ball of a generated row; Wilson
    /// interval.
    pub recall: Metric,
    /// Mean number of those real balls that hold a generated row, divided by 5 (Naeem et al. 2020);
    /// interval by the standard error of the mean.
    pub density: Metric,
    /// Share of real rows whose ball holds a generated row (Naeem et al. 2020); Wilson interval.
    pub coverage: Metric,
    /// Held-out likelihood against the reference; present where the model itself is at hand.
    pub nll_gap: Option<NllGap>,
}

impl Metrics {
    /// Compares `generated` rows with the rows of the reference. `found` and `ceiling` are the
    /// ledgers of the generated and of the fresh rows, `shares` what the truth gives to each mode.
    ///
    /// # Errors
    /// Too few rows on one side; the message says how many are needed.
    pub fn compare(
        reference: &Reference,
        generated: ArrayView2<f32>,
        found: &Judged,
        ceiling: &Judged,
        shares: &[f64],
        seed: u64,
    ) -> Result<Self> {
        let (real, fresh) = (reference.real.view(), reference.fresh.view());
        let rows = real.nrows().min(generated.nrows()).min(fresh.nrows()).min(MOST_ROWS);
        let first = |all: ArrayView2<'_, f32>| all.slice(s![..rows, ..]).to_owned();
        let (real, generated, fresh) = (first(real), first(generated), first(fresh));
        let (real, generated, fresh) = (real.view(), generated.view(), fresh.view());
        let both = |figure: &dyn Fn(ArrayView2<f32>) -> Result<Estimate>| {
            Ok(Metric { generated: figure(generated)?, real: figure(fresh)? })
        };
        let weights = |judged: &Judged| js_divergence(&judged.assigned(), shares, seed);
        let (near, near_real) = (neighbourhoods(real, generated)?, neighbourhoods(real, fresh)?);
        let pair = |generated, real| Metric { generated, real };
        Ok(Self {
            rows,
            high_quality: pair(found.high_quality, ceiling.high_quality),
            js_divergence: pair(weights(found)?, weights(ceiling)?),
            energy_distance: both(&|rows| energy_distance(real, rows))?,
            sliced_wasserstein: both(&|rows| sliced_wasserstein(real, rows, seed))?,
            c2st_accuracy: both(&|rows| two_sample_accuracy(real, rows, seed))?,
            precision: pair(near.precision, near_real.precision),
            recall: pair(near.recall, near_real.recall),
            density: pair(near.density, near_real.density),
            coverage: pair(near.coverage, near_real.coverage),
            nll_gap: None,
        })
    }
}

/// Held-out likelihood of a model against the reference, from the log-likelihoods of the same rows
/// under each, in nats.
pub fn nll_gap(model: &[f64], reference: &[f64], baseline: Option<&[f64]>) -> NllGap {
    let gap = |other: &[f64]| {
        let gaps: Vec<f64> =
            reference.iter().zip(other).map(|(truth, other)| truth - other).collect();
        Estimate::mean(&gaps)
    };
    let mean = |values: &[f64]| -values.iter().sum::<f64>() / values.len() as f64;
    NllGap {
        generated: gap(model),
        baseline: baseline.map(gap),
        model: mean(model),
        reference: mean(reference),
        rows: model.len(),
    }
}
