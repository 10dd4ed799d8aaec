//! Everything an audit found: the content of `audit.json`.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answers::{Answer, Evidence};
use super::beside::{beside_the_modes, looks_real};
use super::cause::{self, Cause};
use super::latent::LatentDiagnosis;
use super::overfitting::Overfitting;
use super::preflight::Certificate;
use super::samples::{AuditedMode, SamplesAudit};
use super::structure::Structure;
use super::words::{self, Standing, smaller_beta, smaller_sigma};
use crate::config::Likelihood;
use crate::model::Objective;

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
    /// Whether the model, or whatever drew the samples, learned the data: `yes` where every mode that
    /// can be judged is as in the data, nothing beside the modes is wrong and the model did not overfit;
    /// `no` where none is, nor is captured and may be; `cannot-be-judged` where too little can be judged,
    /// or other figures contradict a `no`; else `in-part`.
    pub learned: Standing,
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
    /// Where training went on after the model had begun to overfit; null where it did not.
    pub overfitting: Option<Overfitting>,
    /// What a larger data set changes, where it could be drawn.
    pub more_rows: Option<MoreRows>,
    /// The questions of the reference experiment, answered.
    pub answers: Vec<Answer>,
    /// What a reader should know: parts left out, rows that were too few.
    pub notes: Vec<String>,
}

impl Findings {
    /// The current version of [`schema`](Self::schema).
    pub const SCHEMA: u32 = 3;

    /// Puts together what was found, with the verdict, the cause and the answers that follow from it.
    /// The first of `notes` says why samples were not audited, where they were not.
    pub fn new(
        samples: Option<SamplesAudit>,
        OfModel { latent, preflight, overfitting, more_rows }: OfModel,
        mut notes: Vec<String>,
    ) -> Self {
        let cause = samples.as_ref().and_then(|samples| cause::of_model(samples.causes()));
        let mut verdict = match &samples {
            // What may be no fault has no cause.
            Some(samples) => {
                words::headline(samples, cause.as_ref().filter(|_| looks_real(samples).is_none()))
            }
            None => notes.first().cloned().unwrap_or_default(),
        };
        let mut learned = Standing::Unknown;
        if let Some(samples) = &samples {
            let (beside, overall) = (beside_the_modes(samples), words::overall(samples));
            let faultless = beside.is_empty() && overfitting.is_none();
            learned = match overall {
                Standing::Good if !faultless => Standing::Fair,
                Standing::Bad if looks_real(samples).is_some() => Standing::Unknown,
                overall => overall,
            };
            for sentence in beside {
                verdict.push(' ');
                verdict.push_str(&sentence);
            }
        }
        if let Some(Overfitting { epoch, .. }) = overfitting {
            verdict.push_str(&format!(" After epoch {epoch} the model overfitted."));
        }
        let evidence = samples.as_ref().map(|samples| Evidence {
            samples,
            latent: latent.as_ref(),
            more_rows: more_rows.as_ref(),
        });
        let answers = evidence.map_or_else(Vec::new, |evidence| evidence.answers());
        let repeated = samples.iter().filter_map(|samples| samples.repeated.as_ref());
        notes.extend(repeated.filter(|repeated| !repeated.are_lost()).map(words::repeated));
        notes.extend(samples.iter().flat_map(words::impossible));
        let schema = Self::SCHEMA;
        Self {
            schema,
            learned,
            verdict,
            samples,
            cause,
            latent,
            preflight,
            overfitting,
            more_rows,
            answers,
            notes,
        }
    }

    /// The answer to whether the data were learned, and the verdict.
    pub fn answer(&self) -> String {
        match self.samples.as_ref().is_some_and(|samples| samples.reference.doubt.is_some()) {
            // It begins with just that.
            true => self.verdict.clone(),
            false => format!("{}: {}", self.learned.answer(), self.verdict),
        }
    }

    /// Checks what readers count on and types do not say.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn check(&self) -> Result<(), String> {
        if self.schema != Self::SCHEMA {
            return Err(format!("schema {} in place of {}", self.schema, Self::SCHEMA));
        }
        let modes = self.samples.as_ref().map_or(&[][..], |samples| &samples.modes);
        let columns = self.samples.as_ref().map_or(0, |samples| samples.reference.columns.len());
        let count = modes.len();
        for (place, AuditedMode { mode, mean, .. }) in modes.iter().enumerate() {
            let wrong = if mode.id != place {
                "is not in its place"
            } else if mode.merged_with.is_some_and(|other| other >= count) {
                "is merged with one that is not there"
            } else if mode.found > mode.assigned {
                "has more rows found than assigned"
            } else if mean.len() != columns {
                "does not lie in the columns"
            } else {
                continue;
            };
            return Err(format!("mode {} {wrong}", mode.id));
        }
        let hole = self.latent.iter().filter_map(|latent| latent.prior_hole.as_ref());
        match hole.flat_map(|hole| &hole.modes).find(|mode| **mode >= count) {
            Some(mode) => Err(format!("there is no mode {mode}")),
            None => Ok(()),
        }
    }

    /// The JSON Schema of `audit.json`.
    pub fn json_schema() -> schemars::Schema {
        schemars::schema_for!(Self)
    }
}

/// What is known of the model that made the samples, where it is at hand.
#[derive(Clone, Debug, Default)]
pub struct OfModel {
    /// What its latent space holds.
    pub latent: Option<LatentDiagnosis>,
    /// What was to be expected before its training.
    pub preflight: Option<Preflight>,
    /// Where it began to overfit.
    pub overfitting: Option<Overfitting>,
    /// What a larger data set changes.
    pub more_rows: Option<MoreRows>,
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
    /// Puts a certificate into words. `likelihood`, `objective` and `sigma` are what it rests on, `recipe` is
    /// one that does not collapse, where this is another.
    pub fn new(
        certificate: Certificate,
        likelihood: Likelihood,
        objective: Objective,
        sigma: f64,
        recipe: Option<&str>,
    ) -> Self {
        let Certificate { implied_variance, largest_eigenvalue, proved, .. } = certificate;
        let variances = format!(
            "the loss acts by a variance of {implied_variance:.3}, the largest of the data is \
             {largest_eigenvalue:.3}"
        );
        // Below this share of the variance the mean of the data is no maximum even locally.
        let share = largest_eigenvalue / implied_variance;
        let smaller_beta = || smaller_beta(objective.beta * share);
        let smaller_sigma = || smaller_sigma(sigma * share.sqrt());
        let sigma_is_learned = likelihood.learns_sigma();
        let (sentence, remedy) = match (certificate.collapse_is_optimal, sigma_is_learned) {
            (false, _) => {
                (format!("collapse is not the best a model can do here ({variances})"), None)
            }
            (true, true) => (
                format!(
                    "at its starting σ a model does best to ignore its latents ({variances}); a \
                     learned σ usually leaves this behind"
                ),
                // A learned σ goes back to where a heavy KL divergence drives it.
                if objective.full_weight() > 1.0 { smaller_beta() } else { smaller_sigma() },
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
                let smaller = match likelihood {
                    // It would still have no noise.
                    Likelihood::MeanSquaredError if recipe.is_some() => None,
                    Likelihood::MeanSquaredError => smaller_beta(),
                    _ => smaller_sigma(),
                };
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

impl fmt::Display for Preflight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::preflight::certify;
    use crate::config::Likelihood::{FixedSigma, LearnedSigma, MeanSquaredError};
    use crate::config::{KlReduction, TrainingSettings};
    use ndarray::array;

    /// Of two points ±a collapse is optimal exactly where the implied variance is at least a², their
    /// only eigenvalue. `variance` is that of the likelihood, which β multiplies.
    fn pair(a: f32, variance: f64, beta: f64) -> Certificate {
        certify(array![[a], [-a]].view(), 0.5 / (variance * beta)).unwrap()
    }

    fn weighed(beta: f64) -> Objective {
        Objective::new(&TrainingSettings { beta, ..TrainingSettings::default() }, 32)
    }

    /// The number that the remedy of a setting names.
    fn bound(preflight: &Preflight, setting: &str) -> f64 {
        let remedy = preflight.remedy.as_ref().unwrap();
        let (_, number) = remedy.split_once(&format!("a {setting} below ")).unwrap();
        number.trim_end_matches('.').parse().unwrap()
    }

    /// `bound` is `border` rounded down to two digits.
    fn assert_rounded_down(bound: f64, border: f64) {
        assert!(bound <= border * (1.0 + 1e-12) && bound > 0.9 * border, "{bound} {border}");
    }

    #[test]
    fn what_does_not_collapse_needs_no_remedy() {
        for (likelihood, learned) in [(FixedSigma, false), (LearnedSigma, true)] {
            let found = Preflight::new(
                pair(3.0, 2.0, 4.0),
                likelihood,
                weighed(4.0),
                2_f64.sqrt(),
                Some("x"),
            );
            assert_eq!(
                found.to_string(),
                "collapse is not the best a model can do here (the loss acts by a \
                 variance of 8.000, the largest of the data is 9.000)"
            );
            assert_eq!((found.remedy, found.sigma_is_learned), (None, learned));
        }
    }

    #[test]
    fn a_smaller_beta_is_one_below_which_collapse_is_not_optimal() {
        // From far above the border to near it, so that the bound has every size.
        for (a, variance, beta) in [
            (3.0, 2.0, 40.0),
            (1.0, 1.23, 1.0),
            (0.5, 0.5, 1.7),
            (0.219, 1.0, 1.0),
            (0.3, 48.0, 3.0),
            (0.01, 48.0, 0.5),
        ] {
            let certificate = pair(a, variance, beta);
            let eigenvalue = certificate.largest_eigenvalue;
            let found = Preflight::new(certificate, MeanSquaredError, weighed(beta), 1.0, None);
            assert!(found.sentence.starts_with("this will collapse: under this loss"), "{found}");
            let border = eigenvalue / variance;
            let again = |beta| pair(a, variance, beta);
            assert!((again(border).implied_variance / eigenvalue - 1.0).abs() < 1e-12);
            assert!(again(border * 1.001).collapse_is_optimal);
            let bound = bound(&found, "training.beta");
            assert_rounded_down(bound, border);
            assert!(!again(bound * 0.999).collapse_is_optimal, "{bound} {border}");
        }
    }

    #[test]
    fn a_learned_sigma_is_warned_of_and_has_a_bound_of_its_own() {
        for (a, sigma, beta) in
            [(0.5_f32, 1.0, 1.0_f64), (0.5, 1.3, 0.9), (0.05, 1.0, 1.0), (1e-3, 1.0, 0.3)]
        {
            let certificate = pair(a, sigma * sigma, beta);
            let eigenvalue = certificate.largest_eigenvalue;
            let found =
                Preflight::new(certificate, LearnedSigma, weighed(beta), sigma, Some("calm"));
            assert!(found.sentence.starts_with("at its starting σ a model does best"), "{found}");
            assert!(found.sentence.ends_with("a learned σ usually leaves this behind"));
            let border = (eigenvalue / beta).sqrt();
            let again = |sigma: f64| pair(a, sigma * sigma, beta);
            assert!((again(border).implied_variance / eigenvalue - 1.0).abs() < 1e-12);
            let bound = bound(&found, "model.sigma");
            assert_rounded_down(bound, border);
            assert!(!again(bound * 0.999).collapse_is_optimal, "{bound} {border}");
        }
        // Of a β above 1 that is what to lower.
        let found =
            Preflight::new(pair(0.5, 1.0, 20.0), LearnedSigma, weighed(20.0), 1.0, Some("calm"));
        assert_eq!(bound(&found, "training.beta"), 0.25);
        // Summed over the batch a β of 1 weighs as much.
        let sum = Objective { kl_reduction: KlReduction::Sum, ..weighed(1.0) };
        let found = Preflight::new(pair(0.5, 1.0, 32.0), LearnedSigma, sum, 1.0, Some("calm"));
        assert_rounded_down(bound(&found, "training.beta"), 0.25 / 32.0);
    }

    #[test]
    fn what_is_not_proved_is_called_likely_and_a_recipe_comes_first() {
        let certificate = Certificate { proved: false, ..pair(1.0, 2.0, 1.0) };
        let found = Preflight::new(certificate, FixedSigma, weighed(1.0), 1.0, Some("calm"));
        assert_eq!(
            found.to_string(),
            "this is likely to collapse: nothing better was found than to ignore the \
             latents (the loss acts by a variance of 2.000, the largest of the data is 1.000). Try \
             --recipe calm, or a model.sigma below 0.70."
        );
        // A smaller β gives a mean squared error no noise.
        let certificate = pair(1.0, 2.0, 1.0);
        let found = Preflight::new(certificate, MeanSquaredError, weighed(1.0), 1.0, Some("calm"));
        assert_eq!(found.remedy.as_deref(), Some("Try --recipe calm."));
    }

    #[test]
    fn rows_without_spread_have_no_bound() {
        let certificate = certify(array![[1.0_f32], [1.0]].view(), 0.5).unwrap();
        for (likelihood, recipe, remedy) in [
            (FixedSigma, None, None),
            (FixedSigma, Some("calm"), Some("Try --recipe calm.")),
            (LearnedSigma, Some("calm"), None),
        ] {
            let found = Preflight::new(certificate, likelihood, weighed(1.0), 1.0, recipe);
            assert_eq!(found.remedy.as_deref(), remedy);
            assert!(!found.to_string().contains("NaN"), "{found}");
        }
    }
}
