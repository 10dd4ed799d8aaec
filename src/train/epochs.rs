//! The training loop.

use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use burn::tensor::Device;
use ndarray::ArrayView2;

use super::evaluate::{Evaluation, Measured};
use super::trainer::{Epoch, trainer};
use super::{EpochRecord, beta_share, learning_rate};
use crate::config::{Backend, Engine, TrainingSettings};
use crate::error::{Error, Result};
use crate::fused::Step;
use crate::model::{ModelCard, Parameters};
use crate::vae::Vae;

const LOWER_RATE: &str = "try a lower training.learning_rate, or --set training.gradient_clip=1";

/// What a training run needs beside its first weights.
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    /// The model; its objective's batch is the rows of a step.
    pub card: &'a ModelCard,
    /// Rates and options.
    pub settings: &'a TrainingSettings,
    /// Passes over the rows.
    pub epochs: usize,
    /// Who takes the steps.
    pub engine: Engine,
    /// The backend behind `device`.
    pub backend: Backend,
    /// Where burn computes.
    pub device: &'a Device,
    /// Training rows in scaled units, n × features.
    pub rows: ArrayView2<'a, f32>,
    /// Held-out rows in scaled units; may be none.
    pub held_out: ArrayView2<'a, f32>,
}

/// Who watches a training run.
pub trait Observer: Send {
    /// `steps` steps have been taken in all.
    fn on_step(&mut self, steps: usize);
    /// An epoch has ended.
    fn on_epoch(&mut self, record: &EpochRecord);
}

/// Nobody watches.
impl Observer for () {
    fn on_step(&mut self, _: usize) {}
    fn on_epoch(&mut self, _: &EpochRecord) {}
}

/// What training gives.
#[derive(Clone, Debug)]
pub struct Trained {
    /// The last weights, or the best by held-out ELBO where early stopping is on.
    pub parameters: Parameters,
    /// One record an epoch.
    pub history: Vec<EpochRecord>,
}

/// Trains from `start`.
///
/// Rows are visited in a new order every epoch, the last short batch kept; order and noise come
/// from the card's seed.
///
/// # Errors
/// Divergence (a loss or weight that is not finite), an interrupt, a device that fails, or a job that
/// its engine does not do.
pub fn train(
    job: Job,
    start: &Parameters,
    interrupt: &AtomicBool,
    observer: &mut dyn Observer,
) -> Result<Trained> {
    let (mut trainer, device) = trainer(job, start)?;
    let evaluation = Evaluation::new(job.card, job.rows, job.held_out, &device);
    let mut recorder = Recorder::new(job);
    let mut clock = Clock::default();
    // What an epoch left is measured while the next one is trained.
    let mut fresh = Vec::new();
    for epoch in 0..job.epochs {
        let steps = job.steps(epoch);
        let (taken, is_last) = (epoch * steps.len(), epoch + 1 == job.epochs);
        let (trained, measured) = rayon::join(
            || {
                let mut on_steps = |count| observer.on_step(taken + count);
                let begin = Instant::now();
                trainer.epoch(&steps, interrupt, &mut on_steps)?;
                let interval = trainer.read_interval();
                let is_due = is_last || clock.since_read() + begin.elapsed() >= interval;
                let epochs = if is_due { trainer.collect()? } else { Vec::new() };
                clock.trained += begin.elapsed();
                Ok(clock.read(epochs))
            },
            || recorder.measure(&fresh, &evaluation),
        );
        if recorder.take(std::mem::take(&mut fresh), measured?, observer)? {
            return recorder.finish();
        }
        fresh = trained?;
    }
    let measured = recorder.measure(&fresh, &evaluation)?;
    recorder.take(fresh, measured, observer)?;
    recorder.finish()
}

/// Time spent on training alone.
#[derive(Default)]
struct Clock {
    trained: Duration,
    /// What it was when epochs were last read.
    read: Duration,
}

impl Clock {
    fn since_read(&self) -> Duration {
        self.trained - self.read
    }

    /// Gives each of the epochs that were read the seconds at its end.
    fn read(&mut self, epochs: Vec<Epoch>) -> Vec<(Epoch, f64)> {
        let share = self.since_read().as_secs_f64() / epochs.len().max(1) as f64;
        let before = self.read.as_secs_f64();
        if !epochs.is_empty() {
            self.read = self.trained;
        }
        let timed = |(epoch, index)| (epoch, before + share * f64::from(index));
        epochs.into_iter().zip(1..).map(timed).collect()
    }
}

impl Job<'_> {
    fn steps_of_epoch(&self) -> usize {
        self.rows.nrows().div_ceil(self.card.objective.batch)
    }

    /// Steps in all.
    pub fn step_count(&self) -> usize {
        self.steps_of_epoch() * self.epochs
    }

    /// The steps of an epoch.
    pub fn steps(&self, epoch: usize) -> Vec<Step> {
        (0..self.steps_of_epoch()).map(|index| self.step(epoch, index)).collect()
    }

    /// Step number `index` of an epoch.
    fn step(&self, epoch: usize, index: usize) -> Step {
        let (n, batch) = (self.rows.nrows(), self.card.objective.batch);
        let (number, all) = (epoch * self.steps_of_epoch() + index, self.step_count());
        Step {
            epoch: epoch as u64,
            first: index * batch,
            count: batch.min(n - index * batch),
            rate: learning_rate(self.settings, number, all) / self.settings.learning_rate,
            beta: beta_share(self.settings, number, all),
        }
    }
}

/// Keeps the history and the weights that training is to give.
struct Recorder<'a> {
    job: Job<'a>,
    history: Vec<EpochRecord>,
    latest: Option<Vae>,
    /// The best held-out ELBO, the epochs since, and its weights.
    best: Option<(f64, usize, Parameters)>,
}

impl<'a> Recorder<'a> {
    fn new(job: Job<'a>) -> Self {
        Self { job, history: Vec::new(), latest: None, best: None }
    }

    /// Measures epochs that follow those of the history.
    fn measure(&self, epochs: &[(Epoch, f64)], evaluation: &Evaluation) -> Result<Vec<Measured>> {
        let numbers = self.history.len()..;
        epochs
            .iter()
            .zip(numbers)
            .map(|((epoch, _), n)| evaluation.measure(&epoch.model, n))
            .collect()
    }

    /// Takes in epochs; whether training has gone on long enough.
    fn take(
        &mut self,
        epochs: Vec<(Epoch, f64)>,
        measured: Vec<Measured>,
        observer: &mut dyn Observer,
    ) -> Result<bool> {
        for ((epoch, seconds), measured) in epochs.into_iter().zip(measured) {
            if self.epoch(epoch, measured, seconds, observer)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn epoch(
        &mut self,
        epoch: Epoch,
        measured: Measured,
        seconds: f64,
        observer: &mut dyn Observer,
    ) -> Result<bool> {
        let Job { card, settings, .. } = self.job;
        let number = self.history.len();
        let Step { rate, beta: share, .. } =
            self.job.step(number, self.job.steps_of_epoch().saturating_sub(1));
        let record = EpochRecord {
            epoch: number,
            loss: epoch.loss,
            reconstruction: epoch.reconstruction,
            kl: epoch.kl,
            beta: share * card.objective.beta_per_row(card.objective.batch),
            learning_rate: rate * settings.learning_rate,
            sigma: measured.variance.sqrt(),
            active_units: measured.active_units,
            held_out_elbo: measured.held_out_elbo,
            seconds,
        };
        check_finite(&record)?;
        observer.on_epoch(&record);
        self.history.push(record);
        let weights = epoch.model.clone();
        self.latest = Some(epoch.model);

        // While β rises another loss is minimised than the bound that weights are judged by.
        let settled = share == 1.0;
        if let (Some(patience), Some(elbo), true) =
            (settings.patience, measured.held_out_elbo, settled)
        {
            match &mut self.best {
                Some((best, since, _)) if elbo <= *best => {
                    *since += 1;
                    return Ok(*since >= patience);
                }
                _ => self.best = Some((elbo, 0, weights.parameters(&card.architecture)?)),
            }
        }
        Ok(false)
    }

    /// The last weights, or the best.
    fn finish(self) -> Result<Trained> {
        let parameters = match (self.best, self.latest) {
            (Some((.., parameters)), _) => parameters,
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
