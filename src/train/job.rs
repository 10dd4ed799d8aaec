//! What a training is of, and who watches it.

use burn::tensor::Device;
use ndarray::ArrayView2;

use super::{Epochs, beta_share, learning_rate};
use crate::config::{Backend, Engine, TrainingSettings};
use crate::fused::Step;
use crate::history::EpochRecord;
use crate::model::{ModelCard, Parameters};
use crate::vae::Vae;

/// What a training run needs beside its first weights.
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    /// The model; its objective's batch is the rows of a step.
    pub card: &'a ModelCard,
    /// Rates and options.
    pub settings: &'a TrainingSettings,
    /// What it goes through: passes over `rows`, or blocks.
    pub epochs: &'a Epochs,
    /// Who takes the steps.
    pub engine: Engine,
    /// The backend behind `device`.
    pub backend: Backend,
    /// Where burn computes.
    pub device: &'a Device,
    /// Training rows in scaled units, n × features; where they come in blocks, a sample of them.
    pub rows: ArrayView2<'a, f32>,
    /// Held-out rows in scaled units; may be none.
    pub held_out: ArrayView2<'a, f32>,
}

/// Who watches a training run.
pub trait Observer: Send {
    /// `steps` steps have been taken in all.
    fn on_step(&mut self, steps: usize);
    /// Training begins after these epochs: at first, and again where it had diverged.
    fn on_begin(&mut self, history: &[EpochRecord]);
    /// An epoch has ended.
    fn on_epoch(&mut self, record: &EpochRecord);
    /// The model that the epoch left, in evaluation mode.
    fn on_model(&mut self, _model: &Vae) {}
    /// Something worth reading: that training goes on from a checkpoint, or again with a lower rate.
    fn on_note(&mut self, note: &str);
}

/// Nobody watches.
impl Observer for () {
    fn on_step(&mut self, _: usize) {}
    fn on_begin(&mut self, _: &[EpochRecord]) {}
    fn on_epoch(&mut self, _: &EpochRecord) {}
    fn on_note(&mut self, _: &str) {}
}

/// What training gives.
#[derive(Clone, Debug)]
pub struct Trained {
    /// The last weights, or the best by held-out ELBO where early stopping is on.
    pub parameters: Parameters,
    /// One record an epoch.
    pub history: Vec<EpochRecord>,
}

impl Job<'_> {
    /// Steps of the epochs before this one.
    pub(super) fn steps_before(&self, epoch: usize) -> usize {
        self.epochs.steps_before(epoch, self.card.objective.batch)
    }

    /// Steps in all.
    pub fn step_count(&self) -> usize {
        self.steps_before(self.epochs.len())
    }

    /// The steps of an epoch.
    pub fn steps(&self, epoch: usize) -> Vec<Step> {
        let (n, batch) = (self.epochs.rows(epoch), self.card.objective.batch);
        let (before, all) = (self.steps_before(epoch), self.step_count());
        let step = |index| Step {
            epoch: epoch as u64,
            first: index * batch,
            count: batch.min(n - index * batch),
            rate: learning_rate(self.settings, before + index, all) / self.settings.learning_rate,
            beta: beta_share(self.settings, before + index, all),
        };
        (0..n.div_ceil(batch)).map(step).collect()
    }
}
