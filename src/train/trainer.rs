//! Who takes the steps: burn's automatic differentiation or the fused trainer.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use burn::tensor::{Device, Int, Tensor, TensorData};
use ndarray::Array2;

use super::{Autodiff, Job};
use crate::config::{Backend, Engine};
use crate::data::epoch_order;
use crate::error::{Error, Result};
use crate::fused::{self, Cpu, Fused, Gpu, Member, Network, Step};
use crate::model::Parameters;
use crate::random::{Generator, Stream};
use crate::vae::{Vae, to_tensor, to_vec};

/// What an epoch left.
pub(super) struct Epoch {
    /// Means over the rows of the epoch.
    pub(super) loss: f64,
    pub(super) reconstruction: f64,
    pub(super) kl: f64,
    /// The model after it, in evaluation mode.
    pub(super) model: Vae,
}

/// A model in training.
pub(super) trait Trainer: Send {
    /// Takes the steps of one epoch. `on_steps` hears how many of them were taken.
    fn epoch(
        &mut self,
        steps: &[Step],
        interrupt: &AtomicBool,
        on_steps: &mut dyn FnMut(usize),
    ) -> Result<()>;

    /// What the epochs since the last call left, the oldest first.
    fn collect(&mut self) -> Result<Vec<Epoch>>;

    /// Time that should pass between two calls of [`collect`](Self::collect), so that nobody waits
    /// for the reader.
    fn read_interval(&self) -> Duration;
}

/// The trainer that the job asks for, at the weights `start`, and the device that its models are
/// evaluated on.
pub(super) fn trainer<'a>(
    job: Job<'a>,
    start: &Parameters,
) -> Result<(Box<dyn Trainer + 'a>, Device)> {
    match job.engine {
        Engine::Fused => {
            let fused = ByFused::new(job, start)?;
            let device = fused.device.clone();
            Ok((Box::new(fused), device))
        }
        Engine::Autodiff | Engine::Auto => {
            Ok((Box::new(ByAutodiff::new(job, start)), job.device.clone()))
        }
    }
}

/// The fused trainer of `members` on the job's rows.
///
/// # Errors
/// Where fused does not do what the job asks for, or the job does not fit the adapter.
pub(super) fn fused_trainer(job: &Job, members: &[Member]) -> Result<Fused> {
    let objective = &job.card.objective;
    let network = Network::new(&job.card.architecture, objective).map_err(|what| {
        Error::input(format!("the fused engine does not do {what}")).help("use --engine autodiff")
    })?;
    let job_of_fused = fused::Job {
        network: &network,
        rows: job.rows.view(),
        batch: objective.batch,
        settings: job.settings,
    };
    Ok(match job.backend {
        Backend::Wgpu => Fused::Gpu(Box::new(Gpu::new(job_of_fused, members)?)),
        Backend::Auto | Backend::Cpu | Backend::Ndarray => {
            Fused::Cpu(Box::new(Cpu::new(job_of_fused, members)))
        }
    })
}

struct ByFused<'a> {
    job: Job<'a>,
    fused: Fused,
    /// Steps of the epochs that were not collected yet.
    waiting: Vec<Vec<Step>>,
    /// Where snapshots are evaluated: the processor, so that a GPU goes on meanwhile.
    device: Device,
}

impl<'a> ByFused<'a> {
    fn new(job: Job<'a>, start: &Parameters) -> Result<Self> {
        let member = Member {
            seed: job.card.seed,
            beta: job.card.objective.beta,
            learning_rate: job.settings.learning_rate,
            start: start.clone(),
        };
        let fused = fused_trainer(&job, &[member])?;
        Ok(Self { job, fused, waiting: Vec::new(), device: Device::flex() })
    }
}

impl Trainer for ByFused<'_> {
    fn epoch(
        &mut self,
        steps: &[Step],
        interrupt: &AtomicBool,
        on_steps: &mut dyn FnMut(usize),
    ) -> Result<()> {
        self.waiting.push(steps.to_vec());
        self.fused.steps(steps, true, interrupt, on_steps)
    }

    fn collect(&mut self) -> Result<Vec<Epoch>> {
        let outcomes = self.fused.collect()?.into_iter().zip(std::mem::take(&mut self.waiting));
        let epoch = |(mut outcome, steps): (fused::Outcome, Vec<Step>)| {
            let rows: usize = steps.iter().map(|step| step.count).sum();
            let mean = |value: fn(&fused::BatchLosses) -> f32| {
                let of_step = |(losses, step): (&Vec<fused::BatchLosses>, &Step)| {
                    f64::from(value(&losses[0])) * step.count as f64
                };
                outcome.losses.iter().zip(&steps).map(of_step).sum::<f64>() / rows as f64
            };
            let (loss, reconstruction) =
                (mean(fused::BatchLosses::loss), mean(|losses| losses.reconstruction));
            let kl = mean(|losses| losses.kl);
            let parameters = Parameters {
                architecture: self.job.card.architecture.clone(),
                values: outcome.parameters.swap_remove(0),
            };
            Epoch { loss, reconstruction, kl, model: Vae::new(&parameters, &self.device) }
        };
        Ok(outcomes.map(epoch).collect())
    }

    fn read_interval(&self) -> Duration {
        match self.fused {
            Fused::Cpu(_) => Duration::ZERO,
            Fused::Gpu(_) => Duration::from_millis(200),
        }
    }
}

struct ByAutodiff<'a> {
    job: Job<'a>,
    rows: Tensor<2>,
    model: Autodiff,
    epochs: Vec<Epoch>,
}

impl<'a> ByAutodiff<'a> {
    fn new(job: Job<'a>, start: &Parameters) -> Self {
        let model = Autodiff::new(start, job.card.objective, job.settings, job.device);
        let rows = to_tensor(job.rows, model.device());
        Self { rows, model, job, epochs: Vec::new() }
    }

    /// The epoch's noise, n × (draws · latent).
    fn noise(&self, epoch: u64) -> Tensor<2> {
        let card = self.job.card;
        let of_row = card.objective.importance_samples * card.architecture.latent;
        let mut noise = Array2::zeros((self.job.rows.nrows(), of_row));
        if let Some(values) = noise.as_slice_mut() {
            Generator::new(card.seed, Stream::PosteriorNoise, epoch).normal(values);
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

impl Trainer for ByAutodiff<'_> {
    fn epoch(
        &mut self,
        steps: &[Step],
        interrupt: &AtomicBool,
        on_steps: &mut dyn FnMut(usize),
    ) -> Result<()> {
        let Some(first) = steps.first() else {
            return Err(Error::input("there are no rows to train on"));
        };
        let (n, card) = (self.job.rows.nrows(), self.job.card);
        let noise = self.noise(first.epoch);
        let rows = self.in_order(&epoch_order(n, card.seed, first.epoch));

        // The sums stay on the device until the epoch ends: reading them back would stall a GPU.
        let mut sums: Option<Tensor<1>> = None;
        for (taken, step) in steps.iter().enumerate() {
            if interrupt.load(Ordering::Relaxed) {
                return Err(Error::interrupted(format!("stopped in epoch {}", step.epoch)));
            }
            let batch = |all: &Tensor<2>| all.clone().narrow(0, step.first, step.count);
            let beta = step.beta * card.objective.beta_per_row(step.count);
            let rate = step.rate * self.job.settings.learning_rate;
            let terms = self.model.step(batch(&rows), batch(&noise), beta, rate);
            let parts = vec![terms.loss, terms.reconstruction, terms.kl];
            let weighted = Tensor::cat(parts, 0) * step.count as f64;
            sums = Some(sums.map_or(weighted.clone(), |sums| sums + weighted));
            on_steps(taken + 1);
        }
        let sums = sums.map(to_vec).transpose()?.unwrap_or_default();
        let mean = |sum: f32| f64::from(sum) / n as f64;
        self.epochs.push(Epoch {
            loss: mean(sums[0]),
            reconstruction: mean(sums[1]),
            kl: mean(sums[2]),
            model: self.model.model(),
        });
        Ok(())
    }

    fn collect(&mut self) -> Result<Vec<Epoch>> {
        Ok(std::mem::take(&mut self.epochs))
    }

    fn read_interval(&self) -> Duration {
        Duration::ZERO
    }
}
