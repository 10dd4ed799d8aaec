//! What training leaves: the history of its epochs and the weights to keep.

use super::checkpoint::{Best, Checkpoint};
use super::evaluate::{Evaluation, Measured};
use super::training::Epoch;
use super::{EpochRecord, Job, Observer, Trained};
use crate::error::{Error, Result};
use crate::fused::Step;
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
            beta: share * card.objective.beta_per_row(card.objective.batch),
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
