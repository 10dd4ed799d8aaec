//! Why modes were lost, from evidence, and what helps.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::latent::{LatentDiagnosis, lost_to_the_prior};
use super::ledger::{Judged, LEAST_EXPECTED, LEAST_ROWS, LEAST_TRAINING_ROWS, Mode, Verdict};
use super::words::{counted, smaller_sigma};
use crate::config::{FEWEST_STEPS, KlReduction, Likelihood, ModelSettings, TrainingSettings};
use crate::data::Gaussian;
use crate::model::Objective;

/// The share of the last epochs whose held-out bound is compared with that of as many before.
const TAIL: f64 = 0.1;
/// A rise of the held-out bound over the tail, in nats a row, that says training was not done.
const RISE: f64 = 0.02;
/// Standard errors that the rise must exceed, because each epoch's bound is one draw a row.
const CERTAIN: f64 = 3.0;
/// How many times a noise of one σ may be as wide as a mode in one column as in another, before a σ for each
/// column is worth a try.
const UNEVEN: f64 = 2.0;
/// The setting by which the noise is as wide as what the decoder cannot tell.
const LEARNED_SIGMA: &str = "--set model.likelihood=learned-sigma";

/// What lost a mode, or several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum CauseKind {
    /// The posterior says nothing of the data, so the decoder has one answer for every row.
    Collapse,
    /// The samples are the decoder's mean; with the likelihood's noise the mode is as in the data.
    NoNoise,
    /// The decoder knows the mode, but draws from the prior do not reach the latents that lead
    /// there, or as many others near them.
    PriorHole,
    /// The decoder itself blurs the mode: its noise is as large as the mode, or its samples lie
    /// between modes.
    OverSmoothing,
    /// Too few rows, real or generated, belong to the mode to judge it.
    TooFewPoints,
    /// Training was thrown off: it had found a better model, and lost it again.
    ThrownOff,
    /// Training took too few steps for modes to settle, or the held-out bound was still rising when it
    /// ended.
    StillLearning,
    /// The evidence points nowhere. Other seeds may capture the mode, which would make it the
    /// optimisation's fault.
    CannotTell,
}

/// Why a mode was lost and what to do about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cause {
    /// The cause.
    pub kind: CauseKind,
    /// The figures that point to it.
    pub evidence: String,
    /// What to try, as a sentence; null where nothing is known to help.
    pub remedy: Option<String>,
}

impl CauseKind {
    /// In words.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Collapse => "the posterior collapsed",
            Self::NoNoise => "samples were drawn without the likelihood's noise",
            Self::PriorHole => "the prior has holes",
            Self::OverSmoothing => "the decoder smooths modes over",
            Self::TooFewPoints => "there are too few rows to judge",
            Self::ThrownOff => "training was thrown off",
            Self::StillLearning => "training ended too early",
            Self::CannotTell => "the evidence does not say why",
        }
    }
}

/// What is known of the model behind the samples.
#[derive(Clone, Copy, Debug)]
pub struct ModelEvidence<'a> {
    /// Its latent space.
    pub latent: &'a LatentDiagnosis,
    /// The ledger of decoded posterior draws.
    pub posterior: &'a Judged,
    /// What it is made of.
    pub model: &'a ModelSettings,
    /// How it was trained.
    pub training: &'a TrainingSettings,
    /// What training minimised.
    pub objective: Objective,
    /// Standard deviation of its observation noise in each column, in the data's own units; nothing
    /// where none is added.
    pub noise: Option<&'a [f64]>,
    /// The ledger of the same samples with that noise, where it was left out.
    pub with_noise: Option<&'a Judged>,
    /// Whether columns of different units have one scale, which hides the narrow ones.
    pub one_scale: bool,
    /// The held-out bound by epoch, in nats a row; may be empty.
    pub bounds: &'a [f64],
    /// Optimiser steps that its weights have behind them.
    pub steps: usize,
    /// The option that makes it longer, such as `--epochs 600`.
    pub longer: &'a str,
    /// How training was thrown off, where it was.
    pub thrown_off: Option<&'a str>,
    /// Whether it overfitted: then longer training, and wider layers, make it worse.
    pub overfitted: bool,
    /// Whether early stopping ended it.
    pub impatient: bool,
    /// The recipe that does not collapse, where this is another.
    pub recipe: Option<&'a str>,
}

/// Why `mode` is not as it is in the data, or cannot be judged; nothing where it is, or may be. `gaussian`
/// is the mode in the reference, `real` and `generated` are the numbers of rows.
pub fn of_mode(
    mode: &Mode,
    gaussian: &Gaussian,
    [real, generated]: [usize; 2],
    model: Option<&ModelEvidence>,
) -> Option<Cause> {
    if mode.verdict == Verdict::TooSmall {
        let [real, generated] = [real, generated].map(|rows| mode.weight * rows as f64);
        return Some(too_few(real, generated, model.is_some()));
    }
    if mode.may_be_strict {
        // What is wrong with the model as a whole may be why a mode is not strict.
        let model = model.filter(|_| mode.verdict != Verdict::Strict)?;
        return model.thrown_off().or_else(|| model.too_short());
    }
    let Some(model) = model else {
        return Some(Cause {
            kind: CauseKind::CannotTell,
            evidence: "samples alone do not show it, only the model behind them does".into(),
            remedy: None,
        });
    };
    let causes = [
        model.thrown_off(),
        model.collapse(),
        model.no_noise(mode),
        model.given_noise(mode, gaussian),
        model.prior_hole(mode),
        model.still_learning(),
        model.over_smoothing(mode, gaussian),
    ];
    Some(causes.into_iter().flatten().next().unwrap_or_else(|| model.cannot_tell(mode)))
}

/// The cause of most lost modes, for the model as a whole; the first of equals. Modes that are too
/// small to judge do not count.
pub fn of_model<'a>(causes: impl IntoIterator<Item = &'a Cause>) -> Option<Cause> {
    let causes: Vec<&Cause> =
        causes.into_iter().filter(|cause| cause.kind != CauseKind::TooFewPoints).collect();
    let times = |kind| causes.iter().filter(|cause| cause.kind == kind).count();
    let most = causes.iter().rev().max_by_key(|cause| times(cause.kind))?;
    let evidence = match most.kind {
        CauseKind::Collapse => most.evidence.clone(),
        kind => format!(
            "{} of {} modes that are not as in the data; for one of them: {}",
            times(kind),
            causes.len(),
            most.evidence
        ),
    };
    Some(Cause { evidence, ..(*most).clone() })
}

/// `of_run`: whether it is a run that draws the samples.
fn too_few(real: f64, generated: f64, of_run: bool) -> Cause {
    let option = if of_run { " (--samples)" } else { "" };
    let remedy = match (real < LEAST_TRAINING_ROWS, generated < LEAST_ROWS) {
        (true, true) => format!("Give more real rows, and draw more samples{option}."),
        (true, false) => "Give more real rows.".into(),
        (false, _) => format!("Draw more samples{option}."),
    };
    Cause {
        kind: CauseKind::TooFewPoints,
        evidence: format!(
            "about {real:.0} real rows and {generated:.0} generated ones belong to it, and it takes \
             {LEAST_TRAINING_ROWS} and {LEAST_ROWS}, and {LEAST_EXPECTED} of high quality that other modes do \
             not hide"
        ),
        remedy: Some(remedy),
    }
}

/// How many times as wide as a mode a noise is, in the root mean square over the mode's own axes: columns
/// that nearly repeat each other leave it little room across, however wide each of them is.
fn relative_deviation(noise: &[f64], gaussian: &Gaussian) -> f64 {
    let variances: Vec<f64> = noise.iter().map(|noise| noise * noise).collect();
    // Constant columns have neither noise nor width.
    let columns = variances.iter().filter(|variance| **variance > 0.0).count().max(1);
    (gaussian.added_distance(&variances) / columns as f64).sqrt()
}

fn as_wide_as_the_mode(times: f64) -> String {
    format!(
        "along the mode's own axes the observation noise is {times:.1} times as wide as the mode itself"
    )
}

/// Whether a noise is far wider, by the width of the mode, in one column than in another.
fn is_uneven(noise: &[f64], gaussian: &Gaussian) -> bool {
    let of_column = |(column, noise): (usize, &f64)| noise / gaussian.deviation(column);
    let relative = noise.iter().enumerate().filter(|(_, noise)| **noise > 0.0).map(of_column);
    let [least, most] = relative
        .fold([f64::INFINITY, 0.0], |[least, most], ratio| [ratio.min(least), ratio.max(most)]);
    most > UNEVEN * least
}

impl ModelEvidence<'_> {
    fn thrown_off(&self) -> Option<Cause> {
        let clip = match self.training.gradient_clip {
            None => ", or --set training.gradient_clip=1",
            Some(_) => "",
        };
        let rate = self.training.learning_rate;
        self.thrown_off.map(|how| Cause {
            kind: CauseKind::ThrownOff,
            evidence: how.into(),
            remedy: Some(format!("Try a training.learning_rate below {rate}{clip}.")),
        })
    }

    fn collapse(&self) -> Option<Cause> {
        let latent = self.latent;
        let largest = latent.eigenvalues.first().copied().unwrap_or(0.0);
        let (acts, side) = match latent.implied_variance >= largest {
            true => ("above", "so the loss does not reward telling the rows apart"),
            false => ("below", "so the loss would reward telling the rows apart"),
        };
        // Early on a posterior may say nothing yet.
        let not_yet = latent.implied_variance < largest && self.is_short();
        (latent.summary.collapsed() && !not_yet).then(|| Cause {
            kind: CauseKind::Collapse,
            evidence: format!(
                "0 of {} latent units active, {:.1e} nats of information a row; the loss acts by a variance of \
                 {:.3}, {acts} the largest of the data ({largest:.3} in scaled units), {side}",
                latent.summary.kl_per_unit.len(),
                latent.summary.information(),
                latent.implied_variance,
            ),
            remedy: Some(self.against_collapse()),
        })
    }

    fn against_collapse(&self) -> String {
        match (self.model.likelihood, self.recipe) {
            (Likelihood::FixedSigma, _) => format!("Try {LEARNED_SIGMA}."),
            (likelihood, _) if likelihood.has_sigma() && self.is_heavy() => {
                format!("Try {}.", self.unit_weight())
            }
            (_, Some(recipe)) => format!("Try --recipe {recipe}."),
            (Likelihood::MeanSquaredError, None) => {
                format!("Try {LEARNED_SIGMA} {}.", self.unit_weight())
            }
            _ => "Try another training.learning_rate, wider layers (model.hidden) or other seeds (--seed)."
                .into(),
        }
    }

    fn no_noise(&self, mode: &Mode) -> Option<Cause> {
        let with_noise = &self.with_noise?.modes[mode.id];
        let evidence = if with_noise.may_be_strict {
            "the same latents decoded with the noise give it as it is in the data"
        } else if mode.verdict == Verdict::Shrunk && with_noise.verdict != Verdict::Shrunk {
            "samples are the decoder's mean without noise, so the mode has no width"
        } else {
            return None;
        };
        Some(Cause {
            kind: CauseKind::NoNoise,
            evidence: evidence.into(),
            remedy: Some(
                "Let samples have the noise: leave out --mean, or use --set noise=true.".into(),
            ),
        })
    }

    /// A noise that no training changes: one that was given and is as wide as the mode, or none.
    fn given_noise(&self, mode: &Mode, gaussian: &Gaussian) -> Option<Cause> {
        let (evidence, remedy) = match self.model.likelihood {
            _ if !self.is_blurred(mode) => return None,
            Likelihood::FixedSigma => {
                let relative = relative_deviation(self.noise?, gaussian);
                let narrower = smaller_sigma(self.model.sigma / relative);
                let or = narrower.map_or_else(String::new, |narrower| format!(", or {narrower}"));
                let learned = format!("Try {LEARNED_SIGMA}{or}.");
                (relative >= 1.0).then(|| (as_wide_as_the_mode(relative), learned))?
            }
            Likelihood::MeanSquaredError if mode.verdict == Verdict::Shrunk => (
                "a mean squared error has no noise, so samples of the mode have no width".into(),
                match self.recipe {
                    Some(recipe) => format!("Try --recipe {recipe}."),
                    None => format!("Try {LEARNED_SIGMA} {}.", self.unit_weight()),
                },
            ),
            _ => return None,
        };
        Some(Cause { kind: CauseKind::OverSmoothing, evidence, remedy: Some(remedy) })
    }

    fn prior_hole(&self, mode: &Mode) -> Option<Cause> {
        let posterior = &self.posterior.modes[mode.id];
        let is_strict = posterior.verdict == Verdict::Strict;
        let evidence = if lost_to_the_prior(mode, posterior) {
            format!(
                "decoded posterior draws reach it at {:.2} of its weight, decoded prior draws at {:.2}",
                posterior.ratio.unwrap_or(0.0),
                mode.ratio.unwrap_or(0.0)
            )
        } else if is_strict && mode.verdict != Verdict::OverWeighted {
            "from decoded posterior draws it is as in the data, from decoded prior draws not".into()
        } else {
            return None;
        };
        let remedy = match (self.recipe, self.model.refit_prior) {
            (_, true) => {
                self.unless_overfitted(format!("Train longer ({}) or on more rows.", self.longer))
            }
            (Some(recipe), false) => {
                format!("Try --recipe {recipe}, whose prior follows the posterior.")
            }
            (None, false) => "Try --set model.refit_prior=true.".into(),
        };
        Some(Cause { kind: CauseKind::PriorHole, evidence, remedy: Some(remedy) })
    }

    fn over_smoothing(&self, mode: &Mode, gaussian: &Gaussian) -> Option<Cause> {
        if !self.is_blurred(mode) {
            return None;
        }
        let posterior = &self.posterior.modes[mode.id];
        let blurred = [Verdict::Merged, Verdict::Smeared];
        let relative = self.noise.map(|noise| relative_deviation(noise, gaussian));
        let evidence = match relative {
            Some(relative) if relative >= 1.0 => as_wide_as_the_mode(relative),
            _ if blurred.contains(&posterior.verdict) => {
                format!("from decoded posterior draws too it is {}", posterior.verdict)
            }
            _ => return None,
        };
        let wide = self.noise.filter(|_| relative.is_some_and(|relative| relative >= 1.0));
        let likelihood = self.model.likelihood;
        let one_sigma = likelihood == Likelihood::LearnedSigma;
        // Beside a squared error without σ the weight says something else.
        let heavy = likelihood.has_sigma() && self.is_heavy();
        let remedy = match wide {
            _ if self.one_scale && self.noise.is_some() => "Try --set data.scaling=z-score.".into(),
            _ if heavy => format!("Try {}.", self.unit_weight()),
            Some(noise) if one_sigma && is_uneven(noise, gaussian) => {
                "Try --set model.likelihood=learned-sigma-per-column.".into()
            }
            _ => self.larger(gaussian.dimensions()),
        };
        Some(Cause { kind: CauseKind::OverSmoothing, evidence, remedy: Some(remedy) })
    }

    /// The advice to train longer and to take a larger model, of data with so many columns.
    fn larger(&self, columns: usize) -> String {
        let summary = &self.latent.summary;
        let units = summary.kl_per_unit.len();
        // A unit that lies idle says that more of them are not what is missing.
        let or = match summary.active_units == units && units < columns {
            true => " or more latent units (model.latent)",
            false => "",
        };
        match self.recipe {
            Some(recipe) => format!("Try --recipe {recipe}."),
            None => self.unless_overfitted(format!(
                "Train longer ({}), or with wider layers (model.hidden){or}.",
                self.longer
            )),
        }
    }

    /// Whether the KL divergence weighs more than in the evidence lower bound.
    fn is_heavy(&self) -> bool {
        self.objective.full_weight() > 1.0
    }

    /// The settings that give the KL divergence the weight 1.
    fn unit_weight(&self) -> &'static str {
        match self.objective.kl_reduction {
            KlReduction::Mean => "--set training.beta=1",
            KlReduction::Sum => "--set training.beta=1 --set training.kl_reduction=mean",
        }
    }

    /// Whether the decoder itself may be what is wrong with the mode.
    fn is_blurred(&self, mode: &Mode) -> bool {
        let posterior = &self.posterior.modes[mode.id];
        posterior.verdict != Verdict::Strict && mode.verdict != Verdict::OverWeighted
    }

    /// The advice to take more steps or more weights, where that is not what early stopping or overfitting
    /// speaks against.
    fn unless_overfitted(&self, advice: String) -> String {
        match (self.overfitted, self.impatient) {
            (true, _) => "Try more training rows.".into(),
            (false, true) => "Try a larger training.patience, or more training rows.".into(),
            (false, false) => advice,
        }
    }

    /// Whether training took too few steps, and not because it had learned the rows by heart.
    fn is_short(&self) -> bool {
        self.steps < FEWEST_STEPS && !self.overfitted
    }

    /// The rate falls towards the end of a training, and the bound hardly rises there, so that few steps
    /// are evidence by themselves.
    fn too_short(&self) -> Option<Cause> {
        let steps = counted(self.steps, "step");
        self.is_short().then(|| {
            self.ended_early(format!(
                "training took {steps}, and modes take some {FEWEST_STEPS} to settle"
            ))
        })
    }

    fn still_learning(&self) -> Option<Cause> {
        let rise = || self.rise().filter(|_| !self.overfitted);
        self.too_short().or_else(|| rise().map(|evidence| self.ended_early(evidence)))
    }

    fn ended_early(&self, evidence: String) -> Cause {
        let remedy = match self.impatient {
            true => "Try a larger training.patience.".into(),
            false => format!("Train longer ({}).", self.longer),
        };
        Cause { kind: CauseKind::StillLearning, evidence, remedy: Some(remedy) }
    }

    /// By how much the held-out bound rose over the last epochs, where it certainly did.
    fn rise(&self) -> Option<String> {
        let tail = (self.bounds.len() as f64 * TAIL) as usize;
        let (before, last) = self.bounds.split_at(self.bounds.len().saturating_sub(tail));
        let before = &before[before.len().saturating_sub(tail)..];
        if tail < 3 || before.len() < tail {
            return None;
        }
        let mean = |values: &[f64]| values.iter().sum::<f64>() / tail as f64;
        let square = |values: &[f64]| {
            let centre = mean(values);
            values.iter().map(|value| (value - centre).powi(2)).sum::<f64>()
        };
        let rise = mean(last) - mean(before);
        let error = ((square(last) + square(before)) / (tail * (tail - 1)) as f64).sqrt();
        (rise > RISE && rise > CERTAIN * error).then(|| {
            format!(
                "the held-out bound rose by {rise:.3} ± {error:.3} nats a row from one tenth of the \
                 epochs to the last"
            )
        })
    }

    fn cannot_tell(&self, mode: &Mode) -> Cause {
        let posterior = &self.posterior.modes[mode.id];
        Cause {
            kind: CauseKind::CannotTell,
            evidence: format!(
                "from decoded posterior draws it is {}, {} units are active, and {}",
                posterior.verdict,
                self.latent.summary.active_units,
                self.rise().unwrap_or_else(|| "the held-out bound was not seen to rise".into())
            ),
            remedy: Some(match self.recipe {
                Some(recipe) => format!("Try --recipe {recipe}."),
                None => "Try other seeds (--seed): where one of them captures it, the optimisation is to \
                         blame."
                    .into(),
            }),
        }
    }
}

#[cfg(test)]
mod tests;
