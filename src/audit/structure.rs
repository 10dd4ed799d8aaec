//! How many clusters and components are seen in real and in generated rows, side by side.

use ndarray::ArrayView2;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::bic::{BicChoice, choose_components};
use super::clusters::{KChoice, choose_k};
use super::latent::LatentDiagnosis;
use super::spread::{ColumnMoments, column_moments, spread_ratio};
use crate::config::ScalingKind;
use crate::data::{Scaling, Units};
use crate::error::Result;

/// Most components of the mixtures here. On the residue of a collapsed model BIC falls and falls.
pub const MOST_COMPONENTS: usize = 20;
/// Headings of the table of the choices of k.
pub const CHOICE_HEADINGS: [&str; 7] =
    ["rows", "silhouette", "Calinski–Harabasz", "gap", "elbow", "mini-batch", "BIC"];
/// K-means on the sets that the reference experiment compared, and on the real rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Clusters {
    /// Generated rows as they are.
    pub raw: KChoice,
    /// Generated rows, each column min–max scaled.
    pub scaled: KChoice,
    /// Real rows as they are.
    pub real: KChoice,
}

/// Gaussian mixtures chosen by BIC.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Mixtures {
    /// On generated rows as they are.
    pub raw: BicChoice,
    /// On generated rows, each column min–max scaled.
    pub scaled: BicChoice,
    /// On real rows as they are.
    pub real: BicChoice,
}

/// Clusters, components and spread of real and generated rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Structure {
    /// Real rows that clusters and mixtures were looked for in.
    pub real_rows: usize,
    /// Generated rows that they were looked for in.
    pub generated_rows: usize,
    /// What K-means sees.
    pub clusters: Clusters,
    /// What mixtures see.
    pub mixtures: Mixtures,
    /// Generated standard deviation as a share of the data's, of all rows given, each column divided by
    /// its own in the real rows where these differ more than tenfold; absent where the real rows are all
    /// equal.
    pub spread_ratio: Option<f64>,
    /// Mean and standard deviation of each column, of all rows given.
    pub columns: Vec<ColumnMoments>,
}

impl Structure {
    /// How far the generated rows spread, in words: `3.8% of the data's standard deviation`.
    pub fn spread(&self) -> String {
        match self.spread_ratio {
            Some(ratio) => format!("{:.1}% of the data's standard deviation", 100.0 * ratio),
            None => "more than the data, whose rows are all equal".into(),
        }
    }

    /// The k that every rule chooses on every set of rows, under [`CHOICE_HEADINGS`]; those of the
    /// posterior means too where there is a latent space.
    pub fn choices(&self, latent: Option<&LatentDiagnosis>) -> Vec<[String; 7]> {
        let (clusters, mixtures) = (&self.clusters, &self.mixtures);
        let mut rows = vec![
            choice_cells("generated", &clusters.raw, &mixtures.raw),
            choice_cells("generated, min–max scaled", &clusters.scaled, &mixtures.scaled),
            choice_cells("real", &clusters.real, &mixtures.real),
        ];
        rows.extend(latent.map(|l| choice_cells("posterior means", &l.clusters, &l.mixture)));
        rows
    }

    /// What the samples of a model are whose decoder ignores its input.
    pub fn when_collapsed(&self) -> &'static str {
        match self.spread_ratio {
            Some(ratio) if ratio < 0.5 => "nearly the same row every time",
            _ => "one row with the same noise around it every time",
        }
    }
}

/// Number of calls of `tick` that [`describe`] makes at most.
pub fn ticks(max_clusters: usize) -> u64 {
    3 * (max_clusters as u64).saturating_sub(1) + 3
}

/// Describes the structure of `real` and `generated` rows (both with the same columns).
///
/// K-means tries k = 2..=`max_clusters` with `restarts` restarts; see [`choose_k`] and
/// [`choose_components`].
///
/// # Errors
/// As those two.
pub fn describe(
    real: ArrayView2<f32>,
    generated: ArrayView2<f32>,
    max_clusters: usize,
    restarts: usize,
    seed: u64,
    tick: &(dyn Fn() + Sync),
) -> Result<Structure> {
    let scaled = Scaling::fit(ScalingKind::MinMax, generated).apply(generated);
    let clusters = |rows: ArrayView2<f32>| choose_k(rows, max_clusters, restarts, seed, tick);
    let mixture = |rows: ArrayView2<f32>| {
        let chosen = choose_components(rows, MOST_COMPONENTS, seed).map(|(choice, _)| choice);
        tick();
        chosen
    };
    Ok(Structure {
        real_rows: real.nrows(),
        generated_rows: generated.nrows(),
        clusters: Clusters {
            raw: clusters(generated)?,
            scaled: clusters(scaled.view())?,
            real: clusters(real)?,
        },
        mixtures: Mixtures {
            raw: mixture(generated)?,
            scaled: mixture(scaled.view())?,
            real: mixture(real)?,
        },
        spread_ratio: spread_ratio(real, generated, &Units::of(real)),
        columns: column_moments(real, generated),
    })
}

/// The k that every rule chooses on some rows, under [`CHOICE_HEADINGS`].
fn choice_cells(name: &str, clusters: &KChoice, mixture: &BicChoice) -> [String; 7] {
    let rules = [
        clusters.by_silhouette,
        clusters.by_calinski_harabasz,
        clusters.by_gap,
        clusters.by_elbow,
        clusters.mini_batch_by_silhouette,
        mixture.best,
    ];
    let [a, b, c, d, e, f] = rules.map(|k| k.to_string());
    [name.into(), a, b, c, d, e, f]
}
