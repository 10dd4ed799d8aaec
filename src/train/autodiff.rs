//! The reference trainer: burn's automatic differentiation and burn's Adam, on any backend.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Int, Tensor, TensorData};
use ndarray::{Array2, ArrayView2};

use super::{EpochRecord, evaluate::Evaluation, learning_rate};
use crate::config::TrainingSettings;
use crate::data::batches;
use crate::error::{Error, Result};
use crate::model::{ModelCard, Parameters};
use crate::random::{Generator, Stream};
use crate::vae::{Vae, losses, to_tensor, to_vec};

/// What a training run needs beside its first weights.
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    /// The model; its objective's batch is the rows of a step.
    pub card: &'a ModelCard,
    /// Epochs, rates and options.
    pub settings: &'a TrainingSettings,
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
    let mut history: Vec<EpochRecord> = Vec::with_capacity(job.settings.epochs);
    let mut best: Option<(f64, usize, Parameters)> = None;
    let mut training_time = Duration::ZERO;

    for epoch in 0..job.settings.epochs {
        let clock = Instant::now();
        let sums = trainer.epoch(epoch, epoch * steps_per_epoch, interrupt, observer)?;
        training_time += clock.elapsed();

        let model = trainer.vae.valid();
        let measured = evaluation.measure(&model, epoch)?;
        let beta = job.card.objective.beta_per_row(job.card.objective.batch);
        let record = EpochRecord {
            epoch,
            loss: sums.loss,
            reconstruction: sums.reconstruction,
            kl: sums.kl,
            beta: beta.into(),
            learning_rate: trainer.last_rate,
            sigma: measured.variance.sqrt(),
            active_units: measured.active_units,
            held_out_elbo: measured.held_out_elbo,
            seconds: training_time.as_secs_f64(),
        };
        check_finite(&record)?;
        observer.on_epoch(&record);
        history.push(record);

        if let (Some(patience), Some(elbo)) = (job.settings.patience, measured.held_out_elbo) {
            match &best {
                Some((best_elbo, best_epoch, _)) if elbo <= *best_elbo => {
                    if epoch - best_epoch >= patience {
                        break;
                    }
                }
                _ => best = Some((elbo, epoch, model.parameters(&job.card.architecture)?)),
            }
        }
    }
    let parameters = match best {
        Some((.., parameters)) => parameters,
        None => trainer.vae.valid().parameters(&job.card.architecture)?,
    };
    Ok(Trained { parameters, history })
}

/// The loss of a batch and its gradient with respect to every parameter, in the flat order.
#[derive(Clone, Debug)]
pub struct Gradient {
    /// `reconstruction + β·kl`.
    pub loss: f32,
    /// See [`Losses`](crate::vae::Losses).
    pub reconstruction: f32,
    /// See [`Losses`](crate::vae::Losses).
    pub kl: f32,
    /// ∂loss/∂parameters.
    pub values: Vec<f32>,
}

/// One forward and backward pass on rows `x` (n × features, scaled units) with `noise`
/// (n × latent).
///
/// # Errors
/// Where the device fails.
pub fn gradient(
    card: &ModelCard,
    parameters: &Parameters,
    x: ArrayView2<f32>,
    noise: ArrayView2<f32>,
    device: &Device,
) -> Result<Gradient> {
    let device = device.clone().autodiff();
    let vae = Vae::new(parameters, &device);
    let beta = card.objective.beta_per_row(x.nrows());
    let losses = losses(&vae, to_tensor(x, &device), to_tensor(noise, &device), beta);
    let gradients = GradientsParams::from_grads(losses.loss.clone().backward(), &vae);
    let mut flat = Flatten { gradients: &gradients, values: Vec::new(), error: None };
    vae.visit(&mut flat);
    let scalar = |tensor: Tensor<1>| to_vec(tensor.inner()).map(|values| values[0]);
    match flat.error {
        Some(error) => Err(error),
        None => Ok(Gradient {
            loss: scalar(losses.loss)?,
            reconstruction: scalar(losses.reconstruction)?,
            kl: scalar(losses.kl)?,
            values: flat.values,
        }),
    }
}

struct Flatten<'a> {
    gradients: &'a GradientsParams,
    values: Vec<f32>,
    error: Option<Error>,
}

impl ModuleVisitor for Flatten<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        // A parameter that the loss does not reach has no gradient: zero.
        let zeros = || Ok(vec![0.0; param.val().shape().num_elements()]);
        match self.gradients.get::<D>(param.id).map_or_else(zeros, to_vec) {
            Ok(values) => self.values.extend(values),
            Err(error) => self.error = Some(error),
        }
    }
}

/// Means over the rows of an epoch.
struct EpochLosses {
    loss: f64,
    reconstruction: f64,
    kl: f64,
}

/// The state that steps change.
struct Trainer<'a> {
    job: Job<'a>,
    device: Device,
    rows: Tensor<2>,
    vae: Vae,
    optimizer: ModuleOptimizer,
    steps: usize,
    last_rate: f64,
}

impl<'a> Trainer<'a> {
    fn new(job: Job<'a>, start: &Parameters) -> Self {
        let device = job.device.clone().autodiff();
        let batch = job.card.objective.batch;
        let adam = AdamConfig::new()
            .with_beta_1(job.settings.adam_beta1)
            .with_beta_2(job.settings.adam_beta2)
            .with_epsilon(job.settings.adam_epsilon);
        Self {
            rows: to_tensor(job.rows, &device),
            vae: Vae::new(start, &device),
            optimizer: adam.init(),
            steps: job.rows.nrows().div_ceil(batch) * job.settings.epochs,
            last_rate: 0.0,
            job,
            device,
        }
    }

    /// One pass over the rows, starting with step number `step`.
    fn epoch(
        &mut self,
        epoch: usize,
        mut step: usize,
        interrupt: &AtomicBool,
        observer: &mut dyn Observer,
    ) -> Result<EpochLosses> {
        let n = self.job.rows.nrows();
        let latent = self.job.card.architecture.latent;
        let (seed, batch) = (self.job.card.seed, self.job.card.objective.batch);
        let mut noise = Array2::zeros((n, latent));
        if let Some(values) = noise.as_slice_mut() {
            Generator::new(seed, Stream::PosteriorNoise, epoch as u64).normal(values);
        }
        let noise = to_tensor(noise.view(), &self.device);
        let batches = batches(n, batch, seed, epoch as u64);
        let rows = self.in_order(&batches.concat());

        // The sums stay on the device until the epoch ends: reading them back would stall a GPU.
        let mut sums: Option<Tensor<1>> = None;
        let mut first = 0;
        for count in batches.iter().map(Vec::len) {
            if interrupt.load(Ordering::Relaxed) {
                return Err(Error::interrupted(format!("stopped in epoch {epoch}")));
            }
            let beta = self.job.card.objective.beta_per_row(count);
            let x = rows.clone().narrow(0, first, count);
            let terms = losses(&self.vae, x, noise.clone().narrow(0, first, count), beta);
            let parts = [terms.loss.clone(), terms.reconstruction, terms.kl];
            let weighted = Tensor::cat(parts.map(Tensor::inner).to_vec(), 0) * count as f64;
            sums = Some(sums.map_or(weighted.clone(), |sums| sums + weighted));
            self.update(terms.loss, step);
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

    /// The rows in this order, gathered on the device.
    fn in_order(&self, order: &[usize]) -> Tensor<2> {
        let indices: Vec<i32> = order.iter().map(|&row| row as i32).collect();
        let data = TensorData::new(indices, [order.len()]);
        self.rows.clone().select(0, Tensor::<1, Int>::from_data(data, &self.device))
    }

    /// One Adam step along the gradient of `loss`.
    fn update(&mut self, loss: Tensor<1>, step: usize) {
        let mut gradients = GradientsParams::from_grads(loss.backward(), &self.vae);
        if let Some(limit) = self.job.settings.gradient_clip {
            gradients = clip(&self.vae, gradients, limit);
        }
        self.last_rate = learning_rate(self.job.settings, step, self.steps);
        self.vae = self.optimizer.step(self.last_rate, self.vae.clone(), gradients);
    }
}

/// Shortens the whole gradient to Euclidean norm `limit` where it is longer (Pascanu, Mikolov and
/// Bengio 2013, algorithm 1), without reading the norm back.
fn clip(vae: &Vae, gradients: GradientsParams, limit: f32) -> GradientsParams {
    struct SquaredNorm<'a>(&'a GradientsParams, Option<Tensor<1>>);
    impl ModuleVisitor for SquaredNorm<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(gradient) = self.0.get::<D>(param.id) {
                let square = gradient.square().sum();
                self.1 = Some(self.1.take().map_or(square.clone(), |sum| sum + square));
            }
        }
    }
    struct Scale(GradientsParams, Tensor<1>);
    impl ModuleVisitor for Scale {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(gradient) = self.0.remove::<D>(param.id) {
                let factor = self.1.clone().reshape([1; D]);
                self.0.register::<D>(param.id, gradient * factor);
            }
        }
    }
    let mut norm = SquaredNorm(&gradients, None);
    vae.visit(&mut norm);
    let Some(square) = norm.1 else { return gradients };
    let factor = (square.sqrt().clamp_min(f32::MIN_POSITIVE).recip() * limit).clamp_max(1.0);
    let mut scale = Scale(gradients, factor);
    vae.visit(&mut scale);
    scale.0
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
        .help("try a lower training.learning_rate, or --set training.gradient_clip=1")),
        None => Ok(()),
    }
}
