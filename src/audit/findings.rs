//! Everything an audit found: the content of `audit.json`.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answers::{Answer, Evidence};
use super::cause::{self, Cause};
use super::latent::LatentDiagnosis;
use super::preflight::Certificate;
use super::samples::SamplesAudit;
use super::structure::Structure;
use super::words;

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

    /// Puts together what was found, with the verdict, the cause and the answers that follow from it.
    /// `notes` say why samples were not audited, where they were not.
    pub fn new(
        samples: Option<SamplesAudit>,
        latent: Option<LatentDiagnosis>,
        preflight: Option<Preflight>,
        more_rows: Option<MoreRows>,
        notes: Vec<String>,
    ) -> Self {
        let cause = samples.as_ref().and_then(|samples| cause::of_model(samples.causes()));
        let verdict = match &samples {
            Some(samples) => words::headline(samples, cause.as_ref()),
            None => notes.join(" "),
        };
        let evidence = samples.as_ref().map(|samples| Evidence {
            samples,
            latent: latent.as_ref(),
            more_rows: more_rows.as_ref(),
        });
        let answers = evidence.map_or_else(Vec::new, |evidence| evidence.answers());
        let schema = Self::SCHEMA;
        Self { schema, verdict, samples, cause, latent, preflight, more_rows, answers, notes }
    }

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
    /// What to do about it, as a sentence; null where nothing need be done.
    pub remedy: Option<String>,
}

impl Preflight {
    /// Puts a certificate into words. `beta` and `initial_sigma` are the settings that it rests on,
    /// `recipe` one that does not collapse, where this is another.
    pub fn new(
        certificate: Certificate,
        sigma_is_learned: bool,
        beta: f64,
        initial_sigma: f64,
        recipe: Option<&str>,
    ) -> Self {
        let Certificate { implied_variance, largest_eigenvalue, proved, .. } = certificate;
        let variances = format!(
            "the loss acts by a variance of {implied_variance:.3}, the largest of the data is \
             {largest_eigenvalue:.3}"
        );
        // Below this share of the variance the mean of the data is no maximum even locally.
        let share = largest_eigenvalue / implied_variance;
        let (sentence, remedy) = match (certificate.collapse_is_optimal, sigma_is_learned) {
            (false, _) => {
                (format!("collapse is not the best a model can do here ({variances})"), None)
            }
            (true, true) => (
                format!(
                    "at its starting σ a model does best to ignore its latents ({variances}); a \
                     learned σ usually leaves this behind"
                ),
                below("model.initial_sigma", initial_sigma * share.sqrt()),
            ),
            (true, false) => {
                let sentence = match proved {
                    true => format!(
                        "this will collapse: under this loss no network does better than to ignore \
                         its latents ({variances})"
                    ),
                    false => format!(
                        "this is likely to collapse: nothing better was found than to ignore the \
                         latents ({variances})"
                    ),
                };
                let smaller = below("training.beta", beta * share);
                let remedy = match (recipe, smaller) {
                    (Some(recipe), Some(smaller)) => {
                        Some(format!("--recipe {recipe}, or {smaller}"))
                    }
                    (recipe, smaller) => recipe.map(|name| format!("--recipe {name}")).or(smaller),
                };
                (sentence, remedy)
            }
        };
        let remedy = remedy.map(|remedy| format!("Try {remedy}."));
        Self { certificate, sigma_is_learned, sentence, remedy }
    }
}

/// A setting with a bound, rounded down to two digits; nothing where no value is below it.
fn below(setting: &str, bound: f64) -> Option<String> {
    let unit = 10_f64.powf(bound.log10().floor() - 1.0);
    let rounded = (bound / unit).floor() * unit;
    (rounded > 0.0 && rounded.is_finite()).then(|| match rounded < 0.01 {
        true => format!("a {setting} below {rounded:.1e}"),
        false => format!("a {setting} below {rounded:.2}"),
    })
}

impl fmt::Display for Preflight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pre-flight: {}", self.sentence)?;
        match &self.remedy {
            Some(remedy) => write!(f, ". {remedy}"),
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
