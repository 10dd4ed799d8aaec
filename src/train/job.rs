//! What a training is of, and who watches it.

use std::sync::Arc;

use burn::tensor::Device;
use ndarray::ArrayView2;

use super::{EpochRecord, beta_share, learning_rate};
use crate::config::{Backend, Engine, TrainingSettings};
use crate::data::Blocks;
use crate::fused::Step;
use crate::model::{ModelCard, Parameters};
use crate::vae::Vae;

/// What a training run needs beside its first weights.
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    /// The model; its objective's batch is the rows of a step.
    pub card: &'a ModelCard,
    /// Rates and options.
    pub settings: &'a TrainingSettings,
    /// Passes over the rows, or blocks of rows where they come in blocks.
    pub epochs: usize,
    /// Who takes the steps.
    pub engine: Engine,
    /// The backend behind `device`.
    pub backend: Backend,
    /// Where burn computes.
    pub device: &'a Device,
    /// Training rows in scaled units, n × features; where they come in blocks, a sample of them.
    pub rows: ArrayView2<'a, f32>,
    /// The rows of each epoch, where memory does not hold all.
    pub blocks: Option<&'a Arc<Blocks>>,
    /// Held-out rows in scaled units; may be none.
    pub held_out: ArrayView2<'a, f32>,
}

/// Who watches a training run.
pub trait Observer: Send {
    /// `steps` steps have been taken in all.
    fn on_step(&mut self, steps: usize);
    /// An epoch has ended. One that ended before, in a training that diverged later, may end again.
    fn on_epoch(&mut self, record: &EpochRecord);
    /// The model that the epoch left, in evaluation mode.
    fn on_model(&mut self, _model: &Vae) {}
    /// Something worth reading: that training goes on from a checkpoint, or again with a lower rate.
    fn on_note(&mut self, note: &str);
}

/// Nobody watches.
impl Observer for () {
    fn on_step(&mut self, _: usize) {}
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
    /// Rows that an epoch visits.
    pub(super) fn rows_of_epoch(&self, epoch: usize) -> usize {
        self.blocks.map_or(self.rows.nrows(), |blocks| blocks.rows(epoch))
    }

    pub(super) fn steps_of_epoch(&self, epoch: usize) -> usize {
        self.rows_of_epoch(epoch).div_ceil(self.card.objective.batch)
    }

    /// Steps of the epochs before this one.
    pub(super) fn steps_before(&self, epoch: usize) -> usize {
        match self.blocks {
            None => epoch * self.steps_of_epoch(0),
            Some(_) => (0..epoch).map(|epoch| self.steps_of_epoch(epoch)).sum(),
        }
    }

    /// Steps in all.
    pub fn step_count(&self) -> usize {
        self.steps_before(self.epochs)
    }

    /// The steps of an epoch.
    pub fn steps(&self, epoch: usize) -> Vec<Step> {
        let (n, batch) = (self.rows_of_epoch(epoch), self.card.objective.batch);
        let (before, all) = (self.steps_before(epoch), self.step_count());
        let step = |index| Step {
            epoch: epoch as u64,
            first: index * batch,
            count: batch.min(n - index * batch),
            rate: learning_rate(self.settings, before + index, all) / self.settings.learning_rate,
            beta: beta_share(self.settings, before + index, all),
        };
        (0..self.steps_of_epoch(epoch)).map(step).collect()
    }
}
