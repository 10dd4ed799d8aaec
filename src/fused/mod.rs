//! The fused trainer: the whole training step (gather a batch, encoder, sample z, decoder, loss,
//! backward, Adam) in a few passes over buffers that stay where they are computed with.
//!
//! It exists twice. `shaders/` holds the WGSL that a GPU runs, and [`Cpu`] the same stages in Rust,
//! file for file (`block.wgsl` is many of them at once): the fast path of `--backend cpu` and the
//! shaders' oracle. Both train several *members* at once, models of one shape with their own seeds and
//! settings on the same rows.
//!
//! burn's automatic differentiation is the reference that both equal; see `tests/fused.rs`.

mod cpu;
mod gpu;
mod network;

pub use cpu::Cpu;
pub use gpu::{Gpu, Kernels};
pub use network::{Layer, MixturePrior, Network};

use std::time::Duration;

use ndarray::{Array2, ArrayView2};

use crate::config::TrainingSettings;
use crate::error::Result;
use crate::model::TrainingState;

/// One of the models that are trained together.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// Seed of its shuffles and noise.
    pub seed: u64,
    /// Weight of its KL divergence.
    pub beta: f64,
    /// Its full learning rate.
    pub learning_rate: f64,
    /// Where its training begins.
    pub start: TrainingState,
}

/// What the steps of a training run have in common.
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    /// The model and its objective.
    pub network: &'a Network,
    /// Training rows in scaled units, n × features.
    pub rows: ArrayView2<'a, f32>,
    /// Rows that there is to be room for, where others may be loaded in the place of these.
    pub most_rows: usize,
    /// Rows of a full batch.
    pub batch: usize,
    /// Adam's constants, clipping and averaging; rates and schedules come with each step.
    pub settings: &'a TrainingSettings,
}

/// One training step of every member.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// The epoch, which keys the shuffle and the noise.
    pub epoch: u64,
    /// Place in the epoch of the batch's first row.
    pub first: usize,
    /// Rows of the batch.
    pub count: usize,
    /// Share of the full learning rate.
    pub rate: f64,
    /// Share of the full weight of the KL divergence.
    pub beta: f64,
}

/// The losses of a member's batch, before its step: see [`Losses`](crate::vae::Losses).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BatchLosses {
    /// Mean squared error, or −log p(x|z) in nats a row.
    pub reconstruction: f32,
    /// KL(q(z|x) ‖ p(z)) in nats a row.
    pub kl: f32,
    /// The weight that it had in the loss.
    pub beta: f32,
}

impl BatchLosses {
    /// What was minimised.
    pub fn loss(&self) -> f32 {
        self.reconstruction + self.beta * self.kl
    }
}

/// What some steps left.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The losses of each step and, within it, each member; on a GPU NaN in the last of them where the
    /// member's weights after it are no longer finite.
    pub losses: Vec<Vec<BatchLosses>>,
    /// The flat weights of each member after the last step, averaged where the settings want that;
    /// none where no snapshot was asked for or not every step was taken.
    pub parameters: Vec<Vec<f32>>,
}

/// The fused trainer: in Rust on the processor, or in WGSL on burn's wgpu device.
pub trait Fused: Send {
    /// Takes `steps`; with `snapshot` the weights after the last of them are kept for
    /// [`collect`](Self::collect). `go_on` hears now and then how many of them were taken, or handed
    /// to the device, and says whether to take more. Returns how many were.
    ///
    /// # Errors
    /// Where the device fails.
    ///
    /// # Panics
    /// On a GPU, where a step has no rows or more than a batch.
    fn steps(
        &mut self,
        steps: &[Step],
        snapshot: bool,
        go_on: &mut dyn FnMut(usize) -> bool,
    ) -> Result<usize>;

    /// Takes other training rows in the place of those that it has, n × features in scaled units, for
    /// the steps of another epoch.
    ///
    /// # Errors
    /// Where the device fails.
    ///
    /// # Panics
    /// Where there are none or they have other columns, or on a GPU more than the job says.
    fn load(&mut self, rows: Array2<f32>) -> Result<()>;

    /// What every call of [`steps`](Self::steps) since the last of this one left.
    ///
    /// # Errors
    /// Where the device fails.
    fn collect(&mut self) -> Result<Vec<Outcome>>;

    /// Time that should pass between two calls of [`collect`](Self::collect) where nothing else asks
    /// for one, so that nobody waits for the reader.
    fn read_interval(&self) -> Duration;

    /// Where the training of each member stands.
    ///
    /// # Errors
    /// Where the device fails.
    fn states(&mut self) -> Result<Vec<TrainingState>>;

    /// The stages of a step by their names in `shaders/`, each with the layer that it is of.
    fn stages(&self) -> Vec<String>;

    /// The time that one of the [`stages`](Self::stages) takes, `repeats` times over on what the last
    /// step left: on the CPU that of one member, on a GPU of all. What is trained is of no use
    /// afterwards.
    ///
    /// # Errors
    /// Where the device fails.
    ///
    /// # Panics
    /// On a GPU, where no step was taken.
    fn time_stage(&mut self, stage: usize, repeats: usize) -> Result<Duration>;
}

/// Adam's constants, as both twins and burn's Adam have them: what is kept of a moment in single
/// precision, and the share of the new gradient such that both add up to 1.
#[derive(Clone, Copy, Debug)]
struct Adam {
    first_decay: f32,
    first_share: f32,
    second_decay: f32,
    second_share: f32,
    epsilon: f32,
}

impl Adam {
    fn new(settings: &TrainingSettings) -> Self {
        let (first_decay, second_decay) = (settings.adam_beta1 as f32, settings.adam_beta2 as f32);
        Self {
            first_decay,
            first_share: 1.0 - first_decay,
            second_decay,
            second_share: 1.0 - second_decay,
            epsilon: settings.adam_epsilon as f32,
        }
    }
}

/// Factors of Adam's update and of the average in one step.
#[derive(Clone, Copy, Debug)]
struct Update {
    /// 1 / (1 − β₁ᵗ), for the step's number t from 1.
    first_correction: f32,
    /// 1 / (1 − β₂ᵗ).
    second_correction: f32,
    /// Share of the weights in the new average.
    average_share: f32,
}

impl Update {
    /// The factors of step number `t`, from 1.
    fn new(settings: &TrainingSettings, t: u64) -> Self {
        let correction = |beta: f64| (1.0 / (1.0 - beta.powf(t as f64))) as f32;
        let rising = (1.0 + t as f64) / (10.0 + t as f64);
        Self {
            first_correction: correction(settings.adam_beta1),
            second_correction: correction(settings.adam_beta2),
            average_share: 1.0 - settings.ema.unwrap_or(0.0).min(rising) as f32,
        }
    }
}
