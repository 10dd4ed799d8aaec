//! What the model behind the samples shows of a mode that was lost.

use super::{Cause, CauseKind};
use crate::audit::latent::{LatentDiagnosis, lost_to_the_prior};
use crate::audit::ledger::{Judged, Mode, Verdict};
use crate::audit::words::{counted, smaller_sigma};
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

impl ModelEvidence<'_> {
    pub(super) fn thrown_off(&self) -> Option<Cause> {
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

    pub(super) fn collapse(&self) -> Option<Cause> {
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
            _ if self.is_heavy() => format!("Try {}.", self.unit_weight()),
            (_, Some(recipe)) => format!("Try --recipe {recipe}."),
            (Likelihood::MeanSquaredError, None) => {
                format!("Try {LEARNED_SIGMA} {}.", self.unit_weight())
            }
            _ => "Try another training.learning_rate, wider layers (model.hidden) or other seeds (--seed)."
                .into(),
        }
    }

    pub(super) fn no_noise(&self, mode: &Mode) -> Option<Cause> {
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
    pub(super) fn given_noise(&self, mode: &Mode, gaussian: &Gaussian) -> Option<Cause> {
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

    pub(super) fn prior_hole(&self, mode: &Mode) -> Option<Cause> {
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

    pub(super) fn over_smoothing(&self, mode: &Mode, gaussian: &Gaussian) -> Option<Cause> {
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
        let one_sigma = self.model.likelihood == Likelihood::LearnedSigma;
        let remedy = match wide {
            _ if self.one_scale && self.noise.is_some() => "Try --set data.scaling=z-score.".into(),
            _ if self.is_heavy() => format!("Try {}.", self.unit_weight()),
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

    /// Whether the KL divergence weighs more than in the evidence lower bound. Beside a squared error without σ
    /// its weight says nothing of that.
    fn is_heavy(&self) -> bool {
        self.model.likelihood.has_sigma() && self.objective.full_weight() > 1.0
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
    pub(super) fn too_short(&self) -> Option<Cause> {
        let steps = counted(self.steps, "step");
        self.is_short().then(|| {
            self.ended_early(format!(
                "training took {steps}, and modes take some {FEWEST_STEPS} to settle"
            ))
        })
    }

    pub(super) fn still_learning(&self) -> Option<Cause> {
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

    pub(super) fn cannot_tell(&self, mode: &Mode) -> Cause {
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
