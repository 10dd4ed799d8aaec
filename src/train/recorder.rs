//! What training leaves: the history of its epochs and the weights to keep.

use super::checkpoint::{Best, Checkpoint};
use super::evaluate::{Evaluation, Measured};
use super::training::Epoch;
use super::{Job, Observer, Trained};
use crate::config::TrainingSettings;
use crate::error::{Error, Result};
use crate::fused::Step;
use crate::history::EpochRecord;
use crate::model::Objective;
use crate::vae::Vae;

pub(super) const LOWER_RATE: &str =
    "try a lower training.learning_rate, --set training.gradient_clip=1, or --on-divergence retry";
/// The same where it was begun again already.
pub(super) const LOWER_RATE_STILL: &str =
    "try a lower training.learning_rate to begin with, or --set training.gradient_clip=1";

/// Keeps the history and the weights that training is to give.
pub(super) struct Recorder<'a> {
    job: Job<'a>,
    history: Vec<EpochRecord>,
    latest: Option<Vae>,
    best: Option<Best>,
}

impl<'a> Recorder<'a> {
    /// Goes on where a checkpoint stands.
    pub(super) fn new(job: Job<'a>, start: &Checkpoint) -> Self {
        Self { job, history: start.history.clone(), latest: None, best: start.best.clone() }
    }

    /// The records so far, and the best weights.
    pub(super) fn kept(&self) -> (Vec<EpochRecord>, Option<Best>) {
        (self.history.clone(), self.best.clone())
    }

    /// Measures epochs that follow those of the history.
    pub(super) fn measure(
        &self,
        epochs: &[Epoch],
        evaluation: &Evaluation,
    ) -> Result<Vec<Measured>> {
        let numbers = self.history.len()..;
        epochs.iter().zip(numbers).map(|(epoch, n)| evaluation.measure(&epoch.model, n)).collect()
    }

    /// Takes in epochs; whether training has gone on long enough.
    pub(super) fn take(
        &mut self,
        epochs: Vec<Epoch>,
        measured: Vec<Measured>,
        observer: &mut dyn Observer,
    ) -> Result<bool> {
        for (epoch, measured) in epochs.into_iter().zip(measured) {
            if self.epoch(epoch, measured, observer)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn epoch(
        &mut self,
        epoch: Epoch,
        measured: Measured,
        observer: &mut dyn Observer,
    ) -> Result<bool> {
        let Job { card, settings, .. } = self.job;
        let number = self.history.len();
        let Step { beta: share, .. } = epoch.last_step;
        let record = EpochRecord {
            epoch: number,
            loss: epoch.losses.loss,
            reconstruction: epoch.losses.reconstruction,
            kl: epoch.losses.kl,
            beta: share * card.objective.full_weight(),
            learning_rate: epoch.last_step.rate * settings.learning_rate,
            sigma: measured.variance.sqrt(),
            active_units: measured.active_units,
            held_out_elbo: measured.held_out_elbo,
            seconds: epoch.seconds,
        };
        check_finite(&record)?;
        observer.on_epoch(&record);
        observer.on_model(&epoch.model);
        self.history.push(record);
        let weights = epoch.model.clone();
        self.latest = Some(epoch.model);

        // While β rises another loss is minimised than the bound that weights are judged by.
        let settled = share == 1.0;
        if let (Some(patience), Some(elbo), true) =
            (settings.patience, measured.held_out_elbo, settled)
        {
            match &mut self.best {
                Some(best) if elbo <= best.held_out_elbo => {
                    best.epochs_since += 1;
                    return Ok(best.epochs_since >= patience);
                }
                _ => {
                    let parameters = weights.parameters(&card.architecture)?;
                    self.best = Some(Best { held_out_elbo: elbo, epochs_since: 0, parameters });
                }
            }
        }
        Ok(false)
    }

    /// The last weights, or the best.
    pub(super) fn finish(self) -> Result<Trained> {
        let parameters = match (self.best, self.latest) {
            (Some(best), _) => best.parameters,
            (None, Some(model)) => model.parameters(&self.job.card.architecture)?,
            (None, None) => return Err(Error::input("there are no epochs to train for")),
        };
        if parameters.values.iter().any(|value| !value.is_finite()) {
            return Err(
                Error::diverged("training diverged: weights are no longer finite").help(LOWER_RATE)
            );
        }
        Ok(Trained { parameters, history: self.history })
    }
}

/// The epochs of a history up to the one whose weights training gave, by the rule of
/// [`Recorder::epoch`].
pub fn kept_epochs<'a>(
    history: &'a [EpochRecord],
    settings: &TrainingSettings,
    objective: &Objective,
) -> &'a [EpochRecord] {
    let full = objective.full_weight();
    let judged = history.iter().enumerate().filter(|(_, record)| record.beta == full);
    let with_bound = judged.filter_map(|(place, record)| Some((place, record.held_out_elbo?)));
    let best = with_bound.reduce(|best, next| if next.1 > best.1 { next } else { best });
    match best.filter(|_| settings.patience.is_some()) {
        Some((place, _)) => &history[..=place],
        None => history,
    }
}

/// Stops a run whose numbers are no longer numbers.
fn check_finite(record: &EpochRecord) -> Result<()> {
    let parts = [
        ("loss", record.loss),
        ("reconstruction", record.reconstruction),
        ("KL divergence", record.kl),
        ("sigma", record.sigma),
        ("held-out ELBO", record.held_out_elbo.unwrap_or(0.0)),
    ];
    match parts.into_iter().find(|(_, value)| !value.is_finite()) {
        Some((name, value)) => Err(Error::diverged(format!(
            "training diverged: the {name} of epoch {} is {value}",
            record.epoch
        ))
        .help(LOWER_RATE)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::KlReduction;

    /// β is 2 from the third epoch on; what was better before does not count.
    #[test]
    fn the_epochs_that_are_kept_end_with_the_best() {
        let record = |(epoch, (beta, bound)): (usize, (f64, f64))| EpochRecord {
            epoch,
            loss: 1.0,
            reconstruction: 1.0,
            kl: 1.0,
            beta,
            learning_rate: 1e-3,
            sigma: 1.0,
            active_units: 1,
            held_out_elbo: Some(bound),
            seconds: 1.0,
        };
        let epochs = [(0.0, -1.0), (1.0, -2.0), (2.0, -5.0), (2.0, -4.0), (2.0, -4.0), (2.0, -9.0)];
        let history: Vec<EpochRecord> = epochs.into_iter().enumerate().map(record).collect();
        let objective = Objective {
            beta: 2.0,
            kl_reduction: KlReduction::Mean,
            free_bits: 0.0,
            importance_samples: 1,
            batch: 32,
        };
        let kept = |patience, history| {
            let settings = TrainingSettings { patience, ..TrainingSettings::default() };
            kept_epochs(history, &settings, &objective).len()
        };
        assert_eq!(kept(Some(2), &history), 4);
        assert_eq!(kept(None, &history), 6);
        // It never got there, so the last weights are kept.
        assert_eq!(kept(Some(2), &history[..2]), 2);
    }
}
