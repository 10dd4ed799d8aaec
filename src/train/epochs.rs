//! The training loop.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use burn::tensor::{Device, Int, Tensor, TensorData};
use ndarray::{Array2, ArrayView2};

use super::{Autodiff, EpochRecord, beta_share, evaluate::Evaluation, learning_rate};
use crate::config::TrainingSettings;
use crate::data::batches;
use crate::error::{Error, Result};
use crate::model::{ModelCard, Parameters};
use crate::random::{Generator, Stream};
use crate::vae::{to_tensor, to_vec};

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
    /// Where to compute.
    pub device: &'a Device,
    /// Training rows in scaled units, n × features.
    pub rows: ArrayView2<'a, f32>,
    /// Held-out rows in scaled units; may be none.
    pub held_out: ArrayView2<'a, f32>,
}

/// Who watches a training run.
pub trait Observer {
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
/// Divergence (a loss or weight that is not finite), an interrupt, or a device that fails.
pub fn train(
    job: Job,
    start: &Parameters,
    interrupt: &AtomicBool,
    observer: &mut dyn Observer,
) -> Result<Trained> {
    let steps_per_epoch = job.rows.nrows().div_ceil(job.card.objective.batch);
    let mut trainer = Trainer::new(job, start);
    let evaluation = Evaluation::new(job.card, job.rows, job.held_out, job.device);
    let mut history: Vec<EpochRecord> = Vec::new();
    let mut best: Option<(f64, usize, Parameters)> = None;
    let mut training_time = Duration::ZERO;

    for epoch in 0..job.epochs {
        let clock = Instant::now();
        let sums = trainer.epoch(epoch, epoch * steps_per_epoch, interrupt, observer)?;
        training_time += clock.elapsed();

        let model = trainer.model.model();
        let measured = evaluation.measure(&model, epoch)?;
        let record = EpochRecord {
            epoch,
            loss: sums.loss,
            reconstruction: sums.reconstruction,
            kl: sums.kl,
            beta: trainer.last_share * job.card.objective.beta_per_row(job.card.objective.batch),
            learning_rate: trainer.last_rate,
            sigma: measured.variance.sqrt(),
            active_units: measured.active_units,
            held_out_elbo: measured.held_out_elbo,
            seconds: training_time.as_secs_f64(),
        };
        check_finite(&record)?;
        observer.on_epoch(&record);
        history.push(record);

        // While β rises another loss is minimised than the bound that weights are judged by.
        let settled = trainer.last_share == 1.0;
        if let (Some(patience), Some(elbo), true) =
            (job.settings.patience, measured.held_out_elbo, settled)
        {
            match &mut best {
                Some((best_elbo, since, _)) if elbo <= *best_elbo => {
                    *since += 1;
                    if *since >= patience {
                        break;
                    }
                }
                _ => best = Some((elbo, 0, model.parameters(&job.card.architecture)?)),
            }
        }
    }
    let parameters = match best {
        Some((.., parameters)) => parameters,
        None => trainer.model.model().parameters(&job.card.architecture)?,
    };
    if parameters.values.iter().any(|value| !value.is_finite()) {
        return Err(
            Error::diverged("training diverged: weights are no longer finite").help(LOWER_RATE)
        );
    }
    Ok(Trained { parameters, history })
}

/// Means over the rows of an epoch.
struct EpochLosses {
    loss: f64,
    reconstruction: f64,
    kl: f64,
}

/// The rows on the device and the model that steps change.
struct Trainer<'a> {
    job: Job<'a>,
    rows: Tensor<2>,
    model: Autodiff,
    steps: usize,
    last_rate: f64,
    /// Share of β in the last step.
    last_share: f64,
}

impl<'a> Trainer<'a> {
    fn new(job: Job<'a>, start: &Parameters) -> Self {
        let model = Autodiff::new(start, job.card.objective, job.settings, job.device);
        let steps_per_epoch = job.rows.nrows().div_ceil(job.card.objective.batch);
        let steps = steps_per_epoch * job.epochs;
        let rows = to_tensor(job.rows, model.device());
        Self { rows, model, steps, last_rate: 0.0, last_share: 0.0, job }
    }

    /// One pass over the rows, starting with step number `step`.
    fn epoch(
        &mut self,
        epoch: usize,
        mut step: usize,
        interrupt: &AtomicBool,
        observer: &mut dyn Observer,
    ) -> Result<EpochLosses> {
        let (n, card) = (self.job.rows.nrows(), self.job.card);
        let noise = self.noise(epoch);
        let batches = batches(n, card.objective.batch, card.seed, epoch as u64);
        let rows = self.in_order(&batches.concat());

        // The sums stay on the device until the epoch ends: reading them back would stall a GPU.
        let mut sums: Option<Tensor<1>> = None;
        let mut first = 0;
        for count in batches.iter().map(Vec::len) {
            if interrupt.load(Ordering::Relaxed) {
                return Err(Error::interrupted(format!("stopped in epoch {epoch}")));
            }
            let batch = |all: &Tensor<2>| all.clone().narrow(0, first, count);
            self.last_rate = learning_rate(self.job.settings, step, self.steps);
            let share = beta_share(self.job.settings, step, self.steps);
            let beta = share * card.objective.beta_per_row(count);
            self.last_share = share;
            let terms = self.model.step(batch(&rows), batch(&noise), beta, self.last_rate);
            let parts = vec![terms.loss, terms.reconstruction, terms.kl];
            let weighted = Tensor::cat(parts, 0) * count as f64;
            sums = Some(sums.map_or(weighted.clone(), |sums| sums + weighted));
            first += count;
            step += 1;
            observer.on_step(step);
        }
        let sums = match sums {
            Some(sums) => to_vec(sums)?,
            None => return Err(Error::input("there are no rows to train on")),
        };
        let mean = |sum: f32| f64::from(sum) / n as f64;
        Ok(EpochLosses { loss: mean(sums[0]), reconstruction: mean(sums[1]), kl: mean(sums[2]) })
    }

    /// The epoch's noise, n × (draws · latent).
    fn noise(&self, epoch: usize) -> Tensor<2> {
        let card = self.job.card;
        let of_row = card.objective.importance_samples * card.architecture.latent;
        let mut noise = Array2::zeros((self.job.rows.nrows(), of_row));
        if let Some(values) = noise.as_slice_mut() {
            Generator::new(self.job.card.seed, Stream::PosteriorNoise, epoch as u64).normal(values);
        }
        to_tensor(noise.view(), self.model.device())
    }

    /// The rows in this order, gathered on the device.
    fn in_order(&self, order: &[usize]) -> Tensor<2> {
        let indices: Vec<i32> = order.iter().map(|&row| row as i32).collect();
        let data = TensorData::new(indices, [order.len()]);
        self.rows.clone().select(0, Tensor::<1, Int>::from_data(data, self.model.device()))
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
