//! What the analysis of a run found: the content of `audit.json`.

use serde::{Deserialize, Serialize};

use super::answers::Answer;
use super::bic::BicChoice;
use super::clusters::KChoice;
use super::counts::Counts;
use super::latent::LatentSummary;

/// Everything the analysis of a run found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Findings {
    /// Version of this schema.
    pub schema: u32,
    /// Components of the generating mixture, or distinct labels; absent where neither is known.
    pub components: Option<usize>,
    /// Clusters and components of real and generated rows.
    #[serde(flatten)]
    pub counts: Counts,
    /// What the latent units carry.
    pub latent: LatentSummary,
    /// K-means on the posterior means.
    pub latent_clusters: KChoice,
    /// Gaussian mixtures on the posterior means.
    pub latent_mixture: BicChoice,
    /// What a larger data set changes, where it could be drawn.
    pub more_rows: Option<MoreRows>,
    /// The questions of the reference experiment, answered.
    pub answers: Vec<Answer>,
}

/// The same model trained on more rows of the same mixture, for the same number of steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MoreRows {
    /// Rows trained on.
    pub rows: usize,
    /// Optimiser steps.
    pub steps: usize,
    /// Latent units in use.
    pub active_units: usize,
    /// Clusters and components of the rows and of as many generated ones.
    #[serde(flatten)]
    pub counts: Counts,
}

impl Findings {
    /// The current version of [`schema`](Self::schema).
    pub const SCHEMA: u32 = 1;
}

/// Whether a posterior with these units in use has collapsed onto the prior: it says nothing of x.
pub fn collapsed(active_units: usize) -> bool {
    active_units == 0
}
