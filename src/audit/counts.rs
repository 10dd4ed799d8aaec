//! How many clusters and components are seen in real and in generated rows, side by side.

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use super::bic::{BicChoice, choose_components};
use super::clusters::{KChoice, choose_k};
use super::spread::{ColumnMoments, column_moments, spread_ratio};
use crate::config::ScalingKind;
use crate::data::Scaling;
use crate::error::Result;

/// Components that mixtures try beyond the largest k of K-means: BIC must be seen to rise again.
const EXTRA_COMPONENTS: usize = 5;
/// Restarts of each mixture fit.
const MIXTURE_RESTARTS: usize = 1;

/// K-means on the sets that the reference experiment compared, and on the real rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Clusters {
    /// Generated rows as they are.
    pub raw: KChoice,
    /// Generated rows, each column min–max scaled.
    pub scaled: KChoice,
    /// Real rows as they are.
    pub real: KChoice,
}

/// Gaussian mixtures chosen by BIC.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mixtures {
    /// On generated rows.
    pub generated: BicChoice,
    /// On real rows.
    pub real: BicChoice,
}

/// Clusters and components of real and generated rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    /// Real rows looked at.
    pub real_rows: usize,
    /// Generated rows looked at.
    pub generated_rows: usize,
    /// What K-means sees.
    pub clusters: Clusters,
    /// What mixtures see.
    pub mixtures: Mixtures,
    /// Generated standard deviation as a share of the data's; absent where the real rows are all
    /// equal.
    pub spread_ratio: Option<f64>,
    /// Mean and standard deviation of each column.
    pub columns: Vec<ColumnMoments>,
}

impl Counts {
    /// How far the generated rows spread, in words: `3.8% of the data's standard deviation`.
    pub fn spread(&self) -> String {
        match self.spread_ratio {
            Some(ratio) => format!("{:.1}% of the data's standard deviation", 100.0 * ratio),
            None => "more than the data, whose rows are all equal".into(),
        }
    }

    /// What the samples of a model are whose decoder ignores its input.
    pub fn when_collapsed(&self) -> &'static str {
        match self.spread_ratio {
            Some(ratio) if ratio < 0.5 => "nearly the same row every time",
            _ => "one row with the same noise around it every time",
        }
    }
}

/// Number of calls of `tick` that [`count`] makes at most.
pub fn ticks(max_clusters: usize) -> u64 {
    3 * (max_clusters as u64 - 1) + 2
}

/// Counts the clusters and components of `real` and `generated` rows (both with the same columns).
///
/// K-means tries k = 2..=`max_clusters` with `restarts` restarts; see [`choose_k`] and
/// [`choose_components`].
///
/// # Errors
/// As those two.
pub fn count(
    real: ArrayView2<f32>,
    generated: ArrayView2<f32>,
    max_clusters: usize,
    restarts: usize,
    seed: u64,
    tick: &(dyn Fn() + Sync),
) -> Result<Counts> {
    let scaled = Scaling::fit(ScalingKind::MinMax, generated).apply(generated);
    let clusters = |rows: ArrayView2<f32>| choose_k(rows, max_clusters, restarts, seed, tick);
    let mixture = |rows: ArrayView2<f32>| {
        let choice =
            choose_components(rows, max_clusters + EXTRA_COMPONENTS, MIXTURE_RESTARTS, seed);
        tick();
        choice
    };
    Ok(Counts {
        real_rows: real.nrows(),
        generated_rows: generated.nrows(),
        clusters: Clusters {
            raw: clusters(generated)?,
            scaled: clusters(scaled.view())?,
            real: clusters(real)?,
        },
        mixtures: Mixtures { generated: mixture(generated)?, real: mixture(real)? },
        spread_ratio: spread_ratio(real, generated),
        columns: column_moments(real, generated),
    })
}
