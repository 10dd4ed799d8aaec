//! Everything an audit found: the content of `audit.json`.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answers::Answer;
use super::cause::Cause;
use super::latent::LatentDiagnosis;
use super::preflight::Certificate;
use super::samples::SamplesAudit;
use super::structure::Structure;

/// Everything that an audit found. `audit.json` holds it, and
/// `docs/audit.schema.json` describes it.
///
/// The figures on samples (from `reference` to `columns`) are absent where a run has too few rows
/// for them; `latent`, `preflight` and `more_rows` are null where only samples were audited.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "audit.json of modescope")]
pub struct Findings {
    /// Version of this schema. It grows when a field changes its meaning or goes.
    pub schema: u32,
    /// All of it in one line.
    pub verdict: String,
    /// What was found in the samples.
    #[serde(flatten)]
    pub samples: Option<SamplesAudit>,
    /// The cause of most lost modes; null where none is lost.
    pub cause: Option<Cause>,
    /// What the latent space holds.
    pub latent: Option<LatentDiagnosis>,
    /// What was to be expected before training.
    pub preflight: Option<Preflight>,
    /// What a larger data set changes, where it could be drawn.
    pub more_rows: Option<MoreRows>,
    /// The questions of the reference experiment, answered.
    pub answers: Vec<Answer>,
    /// What a reader should know: parts left out, rows that were too few.
    pub notes: Vec<String>,
}

impl Findings {
    /// The current version of [`schema`](Self::schema).
    pub const SCHEMA: u32 = 2;

    /// The JSON Schema of `audit.json`.
    pub fn json_schema() -> schemars::Schema {
        schemars::schema_for!(Self)
    }
}

/// Whether training was to be expected to collapse, from data and loss alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Preflight {
    /// The certificate.
    #[serde(flatten)]
    pub certificate: Certificate,
    /// Whether the noise level is learned. Then the certificate is about its starting value, and a
    /// warning only.
    pub sigma_is_learned: bool,
    /// In words.
    pub sentence: String,
    /// What to do about it; null where nothing need be done.
    pub remedy: Option<String>,
}

impl Preflight {
    /// Puts a certificate into words. `beta` is the weight of the KL divergence as set, `recipe`
    /// one that does better, where there is one.
    pub fn new(
        certificate: Certificate,
        sigma_is_learned: bool,
        beta: f64,
        recipe: Option<&str>,
    ) -> Self {
        let Certificate { implied_variance, largest_eigenvalue, .. } = certificate;
        let variances = format!(
            "the loss acts by a variance of {implied_variance:.3}, the largest of the data is \
             {largest_eigenvalue:.3}"
        );
        let (sentence, remedy) = match (certificate.collapse_is_optimal, sigma_is_learned) {
            (false, _) => {
                (format!("collapse is not the best a model can do here ({variances})"), None)
            }
            (true, true) => (
                format!(
                    "at its starting σ the best a model can do is to ignore its latents \
                     ({variances}); a learned σ usually leaves this behind"
                ),
                Some(format!(
                    "a smaller model.initial_sigma, below {:.3}",
                    largest_eigenvalue.sqrt()
                )),
            ),
            (true, false) => {
                let least = beta * largest_eigenvalue / implied_variance;
                let smaller = format!("a training.beta below {least:.1e}");
                (
                    format!(
                        "training will collapse: the best a model can do is to ignore its latents \
                         ({variances})"
                    ),
                    Some(match recipe {
                        Some(recipe) => format!("--recipe {recipe}, or {smaller}"),
                        None => smaller,
                    }),
                )
            }
        };
        Self { certificate, sigma_is_learned, sentence, remedy }
    }
}

impl fmt::Display for Preflight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pre-flight: {}", self.sentence)?;
        match &self.remedy {
            Some(remedy) => write!(f, ". Try {remedy}."),
            None => Ok(()),
        }
    }
}

/// The same model trained on more rows of the same mixture, for the same number of steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MoreRows {
    /// Rows trained on.
    pub rows: usize,
    /// Optimiser steps.
    pub steps: usize,
    /// Latent units in use.
    pub active_units: usize,
    /// Clusters and components of the rows and of as many generated ones.
    #[serde(flatten)]
    pub structure: Structure,
}
