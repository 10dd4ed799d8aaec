//! `model.json`: everything needed to use the weights.

use serde::{Deserialize, Serialize};

use super::Architecture;
use crate::config::{KlReduction, Settings, TrainingSettings};
use crate::data::{Mixture, Scaling};
use crate::error::{Error, Result};

/// The distribution that latents are drawn from when sampling.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", try_from = "PriorInFile")]
pub enum Prior {
    /// N(0, I).
    StandardNormal,
    /// A Gaussian mixture: learned in training, or fitted to the posterior after it.
    Mixture(Mixture),
}

/// A prior as it is read: serde would hold one that is tagged as a tree first, of thirty times its length.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PriorInFile {
    kind: PriorName,
    weights: Option<Vec<f64>>,
    means: Option<Vec<Vec<f64>>>,
    covariances: Option<Vec<Vec<Vec<f64>>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum PriorName {
    StandardNormal,
    Mixture,
}

impl TryFrom<PriorInFile> for Prior {
    type Error = Error;

    fn try_from(file: PriorInFile) -> Result<Self> {
        let PriorInFile { kind, weights, means, covariances } = file;
        match (kind, weights, means, covariances) {
            (PriorName::StandardNormal, None, None, None) => Ok(Self::StandardNormal),
            (PriorName::Mixture, Some(weights), Some(means), Some(covariances)) => {
                Mixture::new(weights, means, covariances).map(Self::Mixture)
            }
            (PriorName::StandardNormal, ..) => Err(Error::input(
                "the prior is standard normal, and has weights, means or covariances",
            )),
            (PriorName::Mixture, ..) => {
                Err(Error::input("the prior lacks its weights, means or covariances"))
            }
        }
    }
}

/// The loss that the model was trained with.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Objective {
    /// Weight of the KL divergence as set: what a schedule ends with.
    pub beta: f64,
    /// How it was reduced over the batch.
    pub kl_reduction: KlReduction,
    /// KL divergence in nats that each latent unit has for free.
    pub free_bits: f64,
    /// Posterior draws a row; with more than one the loss is the importance-weighted bound.
    pub importance_samples: usize,
    /// Rows of a full batch.
    pub batch: usize,
}

impl Objective {
    /// What these settings minimise on batches of `batch` rows.
    pub fn new(settings: &TrainingSettings, batch: usize) -> Self {
        Self {
            beta: settings.beta,
            kl_reduction: settings.kl_reduction,
            free_bits: settings.free_bits,
            importance_samples: settings.importance_samples,
            batch,
        }
    }

    /// The weight of the KL divergence, as a mean over the rows of a full batch, that a schedule ends with.
    pub fn full_weight(&self) -> f64 {
        self.beta_per_row(self.batch)
    }

    /// Whether it is the negative evidence lower bound, at the end of a schedule.
    pub fn is_the_bound(&self) -> bool {
        self.full_weight() == 1.0 && self.free_bits == 0.0 && self.importance_samples == 1
    }

    /// The weight of a KL divergence that is a mean over `rows` rows of a batch.
    pub fn beta_per_row(&self, rows: usize) -> f64 {
        match self.kl_reduction {
            KlReduction::Mean => self.beta,
            KlReduction::Sum => self.beta * rows as f64,
        }
    }
}

/// What `model.json` holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelCard {
    /// Version of this format; readers refuse others.
    pub format: u32,
    /// Version of modescope that wrote it.
    pub modescope: String,
    /// Name of the recipe it was trained with.
    pub recipe: String,
    /// Seed of the training run.
    pub seed: u64,
    /// Names of the data's columns.
    pub columns: Vec<String>,
    /// Shapes of the networks.
    pub architecture: Architecture,
    /// How the data were scaled; decoded rows are in scaled units until this is inverted.
    pub scaling: Scaling,
    /// Where latents are drawn from.
    pub prior: Prior,
    /// The loss.
    pub objective: Objective,
}

impl ModelCard {
    /// The [`format`](Self::format) that this version writes and reads.
    pub const FORMAT: u32 = 2;

    /// The card of a model before its training: latents come from N(0, I) until a prior is settled.
    pub fn untrained(
        settings: &Settings,
        seed: u64,
        columns: &[String],
        scaling: Scaling,
        batch: usize,
    ) -> Self {
        Self {
            format: Self::FORMAT,
            modescope: env!("CARGO_PKG_VERSION").into(),
            recipe: settings.recipe.clone(),
            seed,
            columns: columns.to_vec(),
            architecture: Architecture::new(&settings.model, columns.len()),
            scaling,
            prior: Prior::StandardNormal,
            objective: Objective::new(&settings.training, batch),
        }
    }

    /// The variance that the loss acts by, in scaled units: that of the likelihood, given as its mean
    /// over the columns, times β.
    ///
    /// −log p(x|z) + β·KL is β times a negative evidence lower bound with the variance multiplied by
    /// β (up to a constant), so what the posterior finds worth telling is decided by this variance.
    pub fn implied_variance(&self, likelihood_variance: f64) -> f64 {
        likelihood_variance * self.objective.full_weight()
    }
}
