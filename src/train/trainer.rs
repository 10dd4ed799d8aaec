//! Who takes the steps: burn's automatic differentiation or the fused trainer.

use std::time::Duration;

use burn::tensor::{Device, Int, Tensor, TensorData};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::{Autodiff, Job};
use crate::config::{Backend, Engine};
use crate::data::epoch_order;
use crate::error::{Error, Result};
use crate::fused::{self, BatchLosses, Cpu, Fused, Gpu, Member, Network, Step};
use crate::model::{Parameters, TrainingState};
use crate::random::{Generator, Stream};
use crate::vae::{Vae, to_tensor, to_vec};

/// The losses of a step's batch, or means over many: see [`Losses`](crate::vae::Losses).
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct StepLosses {
    pub(super) loss: f64,
    pub(super) reconstruction: f64,
    pub(super) kl: f64,
}

impl StepLosses {
    /// Adds losses with a weight.
    pub(super) fn add(&mut self, losses: &Self, weight: f64) {
        self.loss += losses.loss * weight;
        self.reconstruction += losses.reconstruction * weight;
        self.kl += losses.kl * weight;
    }

    /// Each divided by a sum of weights.
    pub(super) fn over(&self, weight: f64) -> Self {
        let Self { loss, reconstruction, kl } = self;
        Self { loss: loss / weight, reconstruction: reconstruction / weight, kl: kl / weight }
    }
}

/// What a call of [`Trainer::steps`] left.
pub(super) struct Outcome {
    /// Of each step that was taken.
    pub(super) losses: Vec<StepLosses>,
    /// The model after the last of them in evaluation mode, where all were taken.
    pub(super) model: Option<Vae>,
}

/// A model in training.
pub(super) trait Trainer: Send {
    /// Takes steps, all of one epoch, until there are no more of them or `go_on`, which hears now and
    /// then how many were taken, says no. Returns how many were taken.
    fn steps(&mut self, steps: &[Step], go_on: &mut dyn FnMut(usize) -> bool) -> Result<usize>;

    /// Takes other rows, in scaled units, in the place of those that it has; for the steps of another
    /// epoch.
    fn load(&mut self, rows: Array2<f32>) -> Result<()>;

    /// What the calls of [`steps`](Self::steps) since the last of this one left.
    fn collect(&mut self) -> Result<Vec<Outcome>>;

    /// Where the training stands.
    fn state(&mut self) -> Result<TrainingState>;

    /// Time that should pass between two calls of [`collect`](Self::collect) where nothing else asks
    /// for one, so that nobody waits for the reader.
    fn read_interval(&self) -> Duration;
}

/// The trainer that the job asks for, going on from `start`, and the device that its models are
/// evaluated on.
pub(super) fn trainer<'a>(
    job: Job<'a>,
    start: TrainingState,
) -> Result<(Box<dyn Trainer + 'a>, Device)> {
    match job.engine {
        Engine::Fused => {
            let fused = ByFused::new(job, start)?;
            let device = fused.device.clone();
            Ok((Box::new(fused), device))
        }
        Engine::Autodiff => Ok((Box::new(ByAutodiff::new(job, &start)), job.device.clone())),
    }
}

/// The fused trainer of `members` on the job's rows.
///
/// # Errors
/// Where fused does not do what the job asks for, or the job does not fit the adapter.
pub fn fused_trainer(job: &Job, members: &[Member]) -> Result<Box<dyn Fused>> {
    with_fused_job(job, |of_fused| {
        let fused: Box<dyn Fused> = match job.backend {
            Backend::Wgpu => Box::new(Gpu::new(of_fused, members)?),
            Backend::Cpu | Backend::Ndarray => Box::new(Cpu::new(of_fused, members)),
        };
        Ok(fused)
    })
}

/// Calls `make` with the job as the fused trainer has it.
///
/// # Errors
/// Where fused does not do what the job asks for.
pub(super) fn with_fused_job<T>(
    job: &Job,
    make: impl FnOnce(fused::Job) -> Result<T>,
) -> Result<T> {
    let objective = &job.card.objective;
    let network = Network::new(&job.card.architecture, objective).map_err(|what| {
        Error::input(format!("the fused engine does not do {what}")).help("use --engine autodiff")
    })?;
    make(fused::Job {
        network: &network,
        rows: job.rows.view(),
        most_rows: job.epochs.in_blocks().map_or(0, |blocks| blocks.most_rows()),
        batch: objective.batch,
        settings: job.settings,
    })
}

struct ByFused<'a> {
    job: Job<'a>,
    fused: Box<dyn Fused>,
    /// Where snapshots are evaluated: the processor, so that a GPU goes on meanwhile.
    device: Device,
}

impl<'a> ByFused<'a> {
    fn new(job: Job<'a>, start: TrainingState) -> Result<Self> {
        let member = Member {
            seed: job.card.seed,
            beta: job.card.objective.beta,
            learning_rate: job.settings.learning_rate,
            start,
        };
        let fused = fused_trainer(&job, &[member])?;
        Ok(Self { job, fused, device: Device::flex() })
    }
}

impl Trainer for ByFused<'_> {
    fn steps(&mut self, steps: &[Step], go_on: &mut dyn FnMut(usize) -> bool) -> Result<usize> {
        self.fused.steps(steps, true, go_on)
    }

    fn load(&mut self, rows: Array2<f32>) -> Result<()> {
        self.fused.load(rows)
    }

    fn collect(&mut self) -> Result<Vec<Outcome>> {
        let of_step = |losses: &Vec<BatchLosses>| StepLosses {
            loss: losses[0].loss().into(),
            reconstruction: losses[0].reconstruction.into(),
            kl: losses[0].kl.into(),
        };
        let outcome = |mut outcome: fused::Outcome| {
            let architecture = &self.job.card.architecture;
            let model = outcome.parameters.pop().map(|values| {
                let parameters = Parameters { architecture: architecture.clone(), values };
                Vae::new(&parameters, &self.device)
            });
            Outcome { losses: outcome.losses.iter().map(of_step).collect(), model }
        };
        Ok(self.fused.collect()?.into_iter().map(outcome).collect())
    }

    fn state(&mut self) -> Result<TrainingState> {
        self.fused.states()?.pop().ok_or_else(|| Error::failed("there is no model in training"))
    }

    fn read_interval(&self) -> Duration {
        self.fused.read_interval()
    }
}

struct ByAutodiff<'a> {
    job: Job<'a>,
    rows: Tensor<2>,
    model: Autodiff,
    /// The epoch that steps are taken in.
    epoch: Option<EpochRows>,
    /// Losses of steps that were not collected yet: loss, reconstruction, KL divergence. They stay on
    /// the device, because reading each of them would stall a GPU.
    losses: Vec<Tensor<1>>,
    /// Steps and model of each call that was not collected yet.
    calls: Vec<(usize, Option<Vae>)>,
}

/// What the batches of an epoch are cut from.
struct EpochRows {
    number: u64,
    /// n × features, in the order of the epoch.
    rows: Tensor<2>,
}

impl<'a> ByAutodiff<'a> {
    fn new(job: Job<'a>, start: &TrainingState) -> Self {
        let model = Autodiff::new(start, job.card.objective, job.settings, job.device);
        let rows = to_tensor(job.rows, model.device());
        Self { rows, model, job, epoch: None, losses: Vec::new(), calls: Vec::new() }
    }

    fn epoch_rows(&self, number: u64) -> EpochRows {
        let n = self.rows.dims()[0];
        let order = epoch_order(n, self.job.card.seed, number);
        let order: Vec<i32> = order.into_iter().map(|row| row as i32).collect();
        let order = TensorData::new(order, [n]);
        let order = Tensor::<1, Int>::from_data(order, self.model.device());
        EpochRows { number, rows: self.rows.clone().select(0, order) }
    }

    /// The posterior's noise of a step: rows of the batch × (draws · latent).
    fn noise(&self, step: &Step) -> Tensor<2> {
        let card = self.job.card;
        let of_row = card.objective.importance_samples * card.architecture.latent;
        let mut noise = vec![0.0; step.count * of_row];
        Generator::new(card.seed, Stream::PosteriorNoise, step.epoch)
            .normal_from(step.first * of_row, &mut noise);
        let noise = TensorData::new(noise, [step.count, of_row]);
        Tensor::from_data(noise, self.model.device())
    }
}

impl Trainer for ByAutodiff<'_> {
    fn steps(&mut self, steps: &[Step], go_on: &mut dyn FnMut(usize) -> bool) -> Result<usize> {
        let card = self.job.card;
        let mut taken = 0;
        for step in steps {
            let of_epoch = match self.epoch.take().filter(|epoch| epoch.number == step.epoch) {
                Some(epoch) => epoch,
                None => self.epoch_rows(step.epoch),
            };
            let rows = of_epoch.rows.clone().narrow(0, step.first, step.count);
            let beta = step.beta * card.objective.beta_per_row(step.count);
            let rate = step.rate * self.job.settings.learning_rate;
            let terms = self.model.step(rows, self.noise(step), beta, rate);
            self.losses.push(Tensor::cat(vec![terms.loss, terms.reconstruction, terms.kl], 0));
            self.epoch = Some(of_epoch);
            taken += 1;
            if !go_on(taken) {
                break;
            }
        }
        let model = (taken == steps.len()).then(|| self.model.model());
        self.calls.push((taken, model));
        Ok(taken)
    }

    fn load(&mut self, rows: Array2<f32>) -> Result<()> {
        self.epoch = None;
        self.rows = to_tensor(rows.view(), self.model.device());
        Ok(())
    }

    fn collect(&mut self) -> Result<Vec<Outcome>> {
        let losses = std::mem::take(&mut self.losses);
        let values = match losses.is_empty() {
            true => Vec::new(),
            false => to_vec(Tensor::cat(losses, 0))?,
        };
        let mut losses = values.chunks_exact(3).map(|of_step| StepLosses {
            loss: of_step[0].into(),
            reconstruction: of_step[1].into(),
            kl: of_step[2].into(),
        });
        let calls = std::mem::take(&mut self.calls).into_iter();
        let outcome =
            |(steps, model)| Outcome { losses: losses.by_ref().take(steps).collect(), model };
        Ok(calls.map(outcome).collect())
    }

    fn state(&mut self) -> Result<TrainingState> {
        self.model.state()
    }

    fn read_interval(&self) -> Duration {
        Duration::ZERO
    }
}
