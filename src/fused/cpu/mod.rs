//! The fused step on the processor, stage by stage as in `shaders/`.
//!
//! Rows of a large batch are divided into blocks of a fixed size and members are trained side by
//! side, so that results do not depend on how many threads share the work.

mod block;
mod dense_backward;
mod dense_forward;
mod draw;
mod gradients;
mod layout;
mod posterior;
mod posterior_backward;
mod stage;
mod update;

use std::hint::black_box;
use std::time::{Duration, Instant};

use ndarray::Array2;
use pulp::Arch;
use rayon::prelude::*;

use self::block::Block;
use self::layout::Layout;
use self::posterior::MixtureTerms;
use self::stage::{Batch, Stage};
use self::update::Moments;
use super::{BatchLosses, Fused, Job, Member, Network, Outcome, Step, Update};
use crate::config::{Likelihood, TrainingSettings};
use crate::error::Result;
use crate::model::{Architecture, Parameters, TrainingState};
use crate::product::Buffer;
use crate::random::{Generator, Shuffle, Stream};

/// Rows that one thread computes at a time.
const BLOCK_ROWS: usize = 128;
/// Rows × parameters between two looks at whether to go on: some hundredths of a second.
const WORK_AT_ONCE: usize = 1 << 27;
/// Steps of a member before the next one's turn, where they are short: its state then stays in the
/// cache for a while.
const STEPS_AT_ONCE: usize = 32;

/// The fused trainer on the processor.
pub struct Cpu {
    task: Task,
    members: Vec<State>,
    outcomes: Vec<Outcome>,
}

/// What all members share.
struct Task {
    arch: Arch,
    architecture: Architecture,
    network: Network,
    layout: Layout,
    settings: TrainingSettings,
    /// n × features.
    rows: Vec<f32>,
    count: usize,
    /// Rows of a full batch.
    batch: usize,
    /// What every block of rows goes through.
    stages: Vec<Stage>,
}

/// A member as it stands.
struct State {
    seed: u64,
    beta: f64,
    learning_rate: f64,
    steps: u64,
    parameters: Buffer,
    moments: Moments,
    gradient: Buffer,
    /// Wᵀ of the encoder's and the decoder's layers; empty for the first of the encoder.
    transposed: [Vec<Buffer>; 2],
    prior: Option<MixtureTerms>,
    blocks: Vec<Block>,
    /// The shuffle of an epoch.
    shuffle: Option<(u64, Shuffle)>,
}

impl Cpu {
    /// Makes everything ready for the next step.
    ///
    /// # Panics
    /// Where there are no members, or a member's state is not of the job's network.
    pub fn new(job: Job, members: &[Member]) -> Self {
        let layout = Layout::new(job.network);
        let task = Task {
            arch: Arch::new(),
            architecture: members[0].start.parameters.architecture.clone(),
            network: job.network.clone(),
            settings: job.settings.clone(),
            rows: job.rows.iter().copied().collect(),
            count: job.rows.nrows(),
            batch: job.batch,
            stages: Stage::of_blocks(&layout),
            layout,
        };
        let members = members.iter().map(|member| State::new(&task, member)).collect();
        Self { task, members, outcomes: Vec::new() }
    }

    /// The flat weights of each member, averaged where the settings want that.
    fn parameters(&self) -> Vec<Vec<f32>> {
        let of_member = |state: &State| {
            let values = state.moments.average().unwrap_or(&state.parameters);
            self.task.layout.flatten(values, self.task.network.parameters)
        };
        self.members.iter().map(of_member).collect()
    }
}

impl Fused for Cpu {
    fn steps(
        &mut self,
        steps: &[Step],
        snapshot: bool,
        go_on: &mut dyn FnMut(usize) -> bool,
    ) -> Result<usize> {
        let task = &self.task;
        let work = (task.batch * task.network.parameters).max(1);
        let of_all = WORK_AT_ONCE / (work * self.members.len()).max(1);
        let at_once = of_all.max(STEPS_AT_ONCE.min(WORK_AT_ONCE / work)).max(1);
        let mut losses = Vec::with_capacity(steps.len());
        for steps in steps.chunks(at_once) {
            let of_member =
                |state: &mut State| steps.iter().map(|step| state.step(task, step)).collect();
            let of_members: Vec<Vec<BatchLosses>> = match &mut self.members[..] {
                [one] => vec![of_member(one)],
                several => several.par_iter_mut().map(of_member).collect(),
            };
            let of_step = |step| of_members.iter().map(|losses| losses[step]).collect();
            losses.extend((0..steps.len()).map(of_step));
            if !go_on(losses.len()) {
                break;
            }
        }
        let taken = losses.len();
        let parameters = match snapshot && taken == steps.len() {
            true => self.parameters(),
            false => Vec::new(),
        };
        self.outcomes.push(Outcome { losses, parameters });
        Ok(taken)
    }

    fn load(&mut self, rows: Array2<f32>) -> Result<()> {
        assert!(!rows.is_empty(), "rows to train on");
        self.task.count = rows.nrows();
        let (standard, len) = (rows.is_standard_layout(), rows.len());
        let rows = if standard { rows } else { rows.as_standard_layout().into_owned() };
        // A block is large: it is taken as it is where the array holds nothing else.
        let (mut values, offset) = rows.into_raw_vec_and_offset();
        values.drain(..offset.unwrap_or_default());
        values.truncate(len);
        self.task.rows = values;
        self.members.iter_mut().for_each(|member| member.shuffle = None);
        Ok(())
    }

    fn collect(&mut self) -> Result<Vec<Outcome>> {
        Ok(std::mem::take(&mut self.outcomes))
    }

    fn read_interval(&self) -> Duration {
        Duration::ZERO
    }

    fn states(&mut self) -> Result<Vec<TrainingState>> {
        let Task { architecture, layout, network, .. } = &self.task;
        let flat = |values: &[f32]| layout.flatten(values, network.parameters);
        let of_member = |state: &State| TrainingState {
            parameters: Parameters {
                architecture: architecture.clone(),
                values: flat(&state.parameters),
            },
            steps: state.steps,
            first_moments: flat(state.moments.first()),
            second_moments: flat(state.moments.second()),
            average: state.moments.average().map(|average| flat(average)),
        };
        Ok(self.members.iter().map(of_member).collect())
    }

    fn stages(&self) -> Vec<String> {
        let of_blocks = self.task.stages.iter().map(|stage| stage.name(&self.task.layout));
        let [first, others @ ..] = ["prepare", "gradients", "update"].map(String::from);
        std::iter::once(first).chain(of_blocks).chain(others).collect()
    }

    fn time_stage(&mut self, stage: usize, repeats: usize) -> Result<Duration> {
        let Self { task, members, .. } = self;
        let (state, stages) = (&mut members[0], &task.stages);
        let step = Step { epoch: 0, first: 0, count: task.batch, rate: 1.0, beta: 1.0 };
        let clock = Instant::now();
        for _ in 0..repeats {
            match stage.checked_sub(1) {
                None => state.prepare(task, &step),
                Some(of_blocks) if of_blocks < stages.len() => {
                    state.through_blocks(task, &step, &stages[of_blocks..=of_blocks]);
                }
                Some(of_blocks) if of_blocks == stages.len() => {
                    black_box(state.gradients(task, &step));
                }
                Some(_) => state.update(task, &step),
            }
        }
        Ok(clock.elapsed())
    }
}

impl State {
    fn new(task: &Task, member: &Member) -> Self {
        let Task { network, layout, batch, .. } = task;
        let start = &member.start;
        let parameters = layout.arrange(&start.parameters.values);
        let transposed = |layers: &[layout::PanelLayer], skip: usize| {
            let buffer = |(index, layer)| match index < skip {
                true => Buffer::zeros(0),
                false => Buffer::zeros(dense_backward::transposed_len(layer)),
            };
            layers.iter().enumerate().map(buffer).collect()
        };
        let blocks = (0..*batch).step_by(BLOCK_ROWS);
        let blocks =
            blocks.map(|first| Block::new(network, first, BLOCK_ROWS.min(batch - first))).collect();
        Self {
            seed: member.seed,
            beta: member.beta,
            learning_rate: member.learning_rate,
            steps: start.steps,
            moments: Moments::new(layout, start, task.settings.ema.is_some()),
            gradient: Buffer::zeros(layout.len),
            transposed: [transposed(&layout.encoder, 1), transposed(&layout.decoder, 0)],
            prior: MixtureTerms::new(network),
            blocks,
            shuffle: None,
            parameters,
        }
    }

    /// One training step; the losses before it.
    fn step(&mut self, task: &Task, step: &Step) -> BatchLosses {
        self.prepare(task, step);
        self.through_blocks(task, step, &task.stages);
        let losses = self.gradients(task, step);
        self.update(task, step);
        losses
    }

    /// Weight of the KL divergence in the loss.
    fn beta(&self, task: &Task, step: &Step) -> f32 {
        let rows = if task.network.sums_kl { step.count as f64 } else { 1.0 };
        (step.beta * self.beta * rows) as f32
    }

    /// What depends on the parameters alone, and the order of the epoch's rows.
    fn prepare(&mut self, task: &Task, step: &Step) {
        let layers = [&task.layout.encoder, &task.layout.decoder];
        for (layers, transposed) in layers.into_iter().zip(&mut self.transposed) {
            for (placed, out) in layers.iter().zip(transposed).filter(|(_, out)| !out.is_empty()) {
                dense_backward::transpose(placed, &self.parameters, out);
            }
        }
        if let Some(prior) = &mut self.prior {
            prior.prepare(&task.network, &task.layout, &self.parameters);
        }
        if self.shuffle.as_ref().is_none_or(|(epoch, _)| *epoch != step.epoch) {
            let generator = Generator::new(self.seed, Stream::Shuffle, step.epoch);
            self.shuffle = Some((step.epoch, generator.shuffle(task.count)));
        }
    }

    /// Takes every block of the batch through these stages.
    fn through_blocks(&mut self, task: &Task, step: &Step, stages: &[Stage]) {
        let beta = self.beta(task, step);
        let batch = Batch {
            task,
            step,
            seed: self.seed,
            shuffle: self.shuffle.as_ref().map(|(_, shuffle)| shuffle),
            parameters: &self.parameters,
            transposed: &self.transposed,
            prior: self.prior.as_ref(),
            precisions: precisions(task, &self.parameters),
            beta,
        };
        let through = |block: &mut Block| {
            // The last batch of an epoch may be short.
            block.count = BLOCK_ROWS.min(step.count - block.first);
            stages.iter().for_each(|stage| stage.compute(&batch, block));
        };
        match &mut self.blocks[..step.count.div_ceil(BLOCK_ROWS)] {
            [one] => through(one),
            several => several.par_iter_mut().for_each(through),
        }
    }

    /// The losses of the batch, and the gradient from what the blocks hold.
    fn gradients(&mut self, task: &Task, step: &Step) -> BatchLosses {
        let Task { arch, network, layout, .. } = task;
        let beta = self.beta(task, step);
        let precisions = precisions(task, &self.parameters);
        let blocks = &mut self.blocks[..step.count.div_ceil(BLOCK_ROWS)];
        gradients::layers(*arch, layout, blocks, &mut self.gradient);
        gradients::rest(
            network,
            layout,
            blocks,
            self.prior.as_ref(),
            (log_sigma(network, layout, &self.parameters), &precisions),
            (step.count, beta),
            &mut self.gradient,
        )
    }

    /// Adam's step along the gradient.
    fn update(&mut self, task: &Task, step: &Step) {
        self.steps += 1;
        let factors = Update::new(&task.settings, self.steps);
        let rate = (step.rate * self.learning_rate) as f32;
        let (parameters, moments) = (&mut self.parameters, &mut self.moments);
        let gradient = &self.gradient;
        update::update(task.arch, &task.settings, factors, rate, gradient, parameters, moments);
    }
}

/// ln σ of the likelihood, one for all columns or one each; nothing for a mean squared error.
fn log_sigma<'a>(
    network: &'a Network,
    layout: &Layout,
    parameters: &'a [f32],
) -> Option<&'a [f32]> {
    match network.likelihood {
        Likelihood::MeanSquaredError => None,
        Likelihood::FixedSigma => Some(std::slice::from_ref(&network.fixed_log_sigma)),
        Likelihood::LearnedSigma | Likelihood::LearnedSigmaPerColumn => {
            let place = layout.of_rest(network.log_sigma?);
            Some(&parameters[place..place + network.learned_sigmas])
        }
    }
}

/// The precision of the likelihood in each column.
fn precisions(task: &Task, parameters: &[f32]) -> Vec<f32> {
    let features = task.network.features;
    match log_sigma(&task.network, &task.layout, parameters) {
        Some(log_sigma) => dense_forward::precisions(log_sigma, features),
        None => vec![2.0 / features as f32; features],
    }
}
