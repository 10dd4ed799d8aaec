//! The driver of `shaders/`: many steps to a command buffer, and few words between host and device.

mod buffers;
#[allow(unsafe_code)] // wgpu asks for a promise before it leaves a check out.
mod module;
mod pace;
mod plan;
mod read;
mod slots;
mod stages;
#[cfg(test)]
mod tests;
mod tiles;

use std::time::{Duration, Instant};

use burn::tensor::wgpu::{WgpuSetup, wgpu};
use bytemuck::{Pod, Zeroable};
use ndarray::Array2;

use self::buffers::{Buffers, MOST_STEPS, STEP_STRIDE, Sizes};
use self::pace::Pace;
use self::plan::{MOST_GROUPS, Plan};
use self::read::Waiting;
use self::stages::Dispatch;
use self::tiles::Target;
use super::{BatchLosses, Fused, Job, Member, Outcome, Step, Update};
use crate::config::{Backend, TrainingSettings};
use crate::device;
use crate::error::{Error, Result};
use crate::model::{Architecture, Parameters, TrainingState};

/// The fused trainer on burn's wgpu device.
///
/// Parameters, Adam's state and the rows stay on the device; losses and snapshots wait there until
/// [`collect`](Self::collect) brings them back.
#[derive(Debug)]
pub struct Gpu {
    setup: &'static WgpuSetup,
    settings: TrainingSettings,
    architecture: Architecture,
    latent: usize,
    sums_kl: bool,
    /// Training rows that it has.
    rows: usize,
    /// Most rows of a step.
    batch: usize,
    /// β of each member.
    betas: Vec<f32>,
    sizes: Sizes,
    buffers: Buffers,
    dispatches: Vec<Dispatch>,
    /// Steps taken since the beginning, which Adam counts.
    taken: u64,
    pace: Pace,
    /// The latest submission, while it may be running.
    in_flight: Option<InFlight>,
    waiting: Waiting,
}

/// Kernels that a GPU takes for large jobs, or for many members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernels {
    /// Large tiles, wherever a product has the size of one.
    Products,
    /// A workgroup that takes a block of rows through all layers, wherever it has room for them.
    Blocks,
}

/// A submission that may be running.
#[derive(Debug)]
struct InFlight {
    index: wgpu::SubmissionIndex,
    /// Its steps and when it was submitted; nothing where its end will not be seen in time to say
    /// how long they took.
    timed: Option<(usize, Instant)>,
}

/// A step as `shaders/common/bindings.wgsl` has it.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct StepUniform {
    epoch: [u32; 2],
    rows: u32,
    first: u32,
    count: u32,
    noise_block: u32,
    noise_skip: u32,
    slot: u32,
    beta: f32,
    rate: f32,
    first_correction: f32,
    second_correction: f32,
    average_share: f32,
}

impl Gpu {
    /// The trainer where the members' trainings begin, all after as many steps.
    ///
    /// # Errors
    /// Where there is no adapter, the job does not fit it, or the device fails.
    ///
    /// # Panics
    /// Where a member's state is not of the job's network.
    pub fn new(job: Job, members: &[Member]) -> Result<Self> {
        let is_gpu = device::is_gpu(device::wgpu_setup()?);
        let target = if is_gpu { Target::GPU } else { Target::Simulated };
        Self::with(job, members, target)
    }

    /// The kernels that the adapter takes besides those of small jobs; none where it is no GPU.
    ///
    /// # Errors
    /// Where there is no adapter.
    pub fn kernels() -> Result<&'static [Kernels]> {
        let setup = device::wgpu_setup()?;
        Ok(match (device::is_gpu(setup), Target::has_room(&setup.device.limits())) {
            (true, true) => &[Kernels::Products, Kernels::Blocks],
            (true, false) => &[Kernels::Products],
            (false, _) => &[],
        })
    }

    /// Bytes of the largest buffer that a member of this job has on a GPU, and on no adapter a larger one.
    pub fn largest_buffer(job: &Job) -> usize {
        Sizes::new(job, 1, Target::GPU).largest()
    }

    /// As [`new`](Self::new), with some kernels of a GPU wherever they do the job: what is checked
    /// before they are trusted.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_kernels(job: Job, members: &[Member], kernels: Kernels) -> Result<Self> {
        let target = match kernels {
            Kernels::Products => Target::PRODUCTS,
            Kernels::Blocks => Target::BLOCKS,
        };
        Self::with(job, members, target)
    }

    /// As [`new`](Self::new) on a device, which may not be of the kind that is planned for.
    fn with(job: Job, members: &[Member], target: Target) -> Result<Self> {
        Self::within(job, members, target, MOST_GROUPS)
    }

    /// The same with at most so many workgroups in a dimension.
    fn within(job: Job, members: &[Member], target: Target, most_groups: usize) -> Result<Self> {
        if members.is_empty() || job.rows.is_empty() || job.batch == 0 {
            return Err(Error::input("there is nothing to train"));
        }
        let fits = |m: &Member| m.start.parameters.values.len() == job.network.parameters;
        assert!(members.iter().all(fits), "members of one shape");
        let setup = device::wgpu_setup()?;
        let device = &setup.device;
        let target = target.within(&device.limits());
        let sizes = Sizes::new(&job, members.len(), target);
        sizes.check(&device.limits())?;
        buffers::check_loops(job.network, job.batch, target)?;
        let plan = Plan::within(&job, members.len(), target, most_groups);
        let (buffers, dispatches) = caught(device, "preparing the fused trainer", || {
            let layout = stages::bindings(device);
            let tiles = bytemuck::cast_slice(&plan.tiles);
            let on = (device, &setup.queue);
            let buffers = Buffers::new(on, &layout, &sizes, tiles, &job, members);
            (buffers, stages::dispatches(setup, &layout, &plan, members.len()))
        })?;
        Ok(Self {
            setup,
            settings: job.settings.clone(),
            architecture: members[0].start.parameters.architecture.clone(),
            latent: job.network.latent,
            sums_kl: job.network.sums_kl,
            rows: job.rows.nrows(),
            batch: job.batch,
            betas: members.iter().map(|member| member.beta as f32).collect(),
            sizes,
            buffers,
            dispatches,
            taken: members[0].start.steps,
            pace: Pace::default(),
            in_flight: None,
            waiting: Waiting::default(),
        })
    }

    /// Hands these steps to the device in one command buffer.
    fn submit(&mut self, steps: &[Step]) -> Result<wgpu::SubmissionIndex> {
        let mut uniforms = vec![0; steps.len() * STEP_STRIDE];
        for (step, bytes) in steps.iter().zip(uniforms.chunks_exact_mut(STEP_STRIDE)) {
            let uniform = self.uniform(step);
            bytes[..size_of::<StepUniform>()].copy_from_slice(bytemuck::bytes_of(&uniform));
            let beta = |own: &f32| BatchLosses { beta: uniform.beta * own, ..Default::default() };
            self.waiting.push(self.betas.iter().map(beta).collect());
            self.taken += 1;
        }
        let WgpuSetup { device, queue, .. } = self.setup;
        caught(device, "training", || {
            queue.write_buffer(&self.buffers.steps, 0, &uniforms);
            let mut encoder = device.create_command_encoder(&Default::default());
            let mut pass = encoder.begin_compute_pass(&Default::default());
            for index in 0..steps.len() {
                let offset = (index * STEP_STRIDE) as u32;
                pass.set_bind_group(0, &self.buffers.group, &[offset]);
                for Dispatch { pipeline, groups: [x, y, z], .. } in &self.dispatches {
                    pass.set_pipeline(pipeline);
                    pass.dispatch_workgroups(*x, *y, *z);
                }
            }
            drop(pass);
            queue.submit([encoder.finish()])
        })
    }

    /// The next step, whose losses go to the next free slot.
    ///
    /// # Panics
    /// Where it has no rows, by whose number sums are divided, or more than a batch has room for.
    fn uniform(&self, step: &Step) -> StepUniform {
        assert!((1..=self.batch).contains(&step.count), "a step of 1 to {} rows", self.batch);
        let update = Update::new(&self.settings, self.taken + 1);
        let noise = step.first as u64 * self.latent as u64;
        StepUniform {
            epoch: [step.epoch as u32, (step.epoch >> 32) as u32],
            rows: self.rows as u32,
            first: step.first as u32,
            count: step.count as u32,
            noise_block: (noise / 4) as u32,
            noise_skip: (noise % 4) as u32,
            slot: self.waiting.slots as u32,
            beta: (step.beta * if self.sums_kl { step.count as f64 } else { 1.0 }) as f32,
            rate: step.rate as f32,
            first_correction: update.first_correction,
            second_correction: update.second_correction,
            average_share: update.average_share,
        }
    }

    /// Waits for a submission and learns from it how long steps take.
    fn wait(&mut self, InFlight { index, timed }: InFlight) -> Result<()> {
        let wait = wgpu::PollType::Wait { submission_index: Some(index), timeout: None };
        poll(&self.setup.device, "training", wait)?;
        if let Some((count, submitted)) = timed {
            self.pace.finished(count, submitted);
        }
        Ok(())
    }

    /// Between two calls the device may have been done for long without anyone looking.
    fn stop_clock(&mut self) {
        if let Some(in_flight) = &mut self.in_flight {
            in_flight.timed = None;
        }
    }
}

impl Fused for Gpu {
    // `go_on` hears after each submission how many steps were handed over. The device is at most two
    // submissions, some 40 ms, behind, and may still be at work on return.
    fn steps(
        &mut self,
        steps: &[Step],
        snapshot: bool,
        go_on: &mut dyn FnMut(usize) -> bool,
    ) -> Result<usize> {
        self.waiting.begin();
        self.stop_clock();
        let mut begun = 0;
        while begun < steps.len() {
            if self.waiting.slots == self.sizes.slots {
                self.drain()?;
            }
            let room = (self.sizes.slots - self.waiting.slots).min(MOST_STEPS);
            let count = self.pace.steps().min(room).min(steps.len() - begun);
            let submitted = Instant::now();
            let index = self.submit(&steps[begun..begun + count])?;
            if let Some(previous) =
                self.in_flight.replace(InFlight { index, timed: Some((count, submitted)) })
            {
                self.wait(previous)?;
            }
            begun += count;
            if !go_on(begun) {
                break;
            }
        }
        if snapshot && begun == steps.len() {
            self.keep_snapshot()?;
        }
        Ok(begun)
    }

    // The steps that were handed over before still see the rows that were there then.
    fn load(&mut self, rows: Array2<f32>) -> Result<()> {
        assert_eq!(rows.ncols(), self.architecture.features, "rows of the job's columns");
        assert!((1..=self.sizes.rows).contains(&rows.len()), "room for the rows");
        self.rows = rows.nrows();
        let WgpuSetup { device, queue, .. } = self.setup;
        caught(device, "loading rows", || {
            buffers::write_rows(queue, &self.buffers.rows, rows.view())
        })
    }

    fn collect(&mut self) -> Result<Vec<Outcome>> {
        self.stop_clock();
        self.drain()?;
        Ok(self.waiting.outcomes(self.betas.len(), self.sizes.parameters))
    }

    fn read_interval(&self) -> Duration {
        Duration::from_millis(200)
    }

    fn states(&mut self) -> Result<Vec<TrainingState>> {
        let Sizes { parameters: count, members, states, .. } = self.sizes;
        let Buffers { parameters, moments, .. } = &self.buffers;
        let parameters = self.read(parameters, count * members, "reading the weights")?;
        let moments = self.read(moments, count * members * states, "reading Adam's state")?;
        let of_member = |(values, kept): (&[f32], &[f32])| {
            let mut kept = kept.chunks(count).map(<[f32]>::to_vec);
            TrainingState {
                parameters: Parameters {
                    architecture: self.architecture.clone(),
                    values: values.to_vec(),
                },
                steps: self.taken,
                first_moments: kept.next().unwrap_or_default(),
                second_moments: kept.next().unwrap_or_default(),
                average: kept.next(),
            }
        };
        let members = parameters.chunks(count).zip(moments.chunks(count * states));
        Ok(members.map(of_member).collect())
    }

    fn stages(&self) -> Vec<String> {
        self.dispatches.iter().map(|dispatch| dispatch.name.clone()).collect()
    }

    fn time_stage(&mut self, stage: usize, repeats: usize) -> Result<Duration> {
        let WgpuSetup { device, queue, .. } = self.setup;
        self.drain()?;
        assert!(self.taken > 0, "a step whose stages are timed");
        let Dispatch { pipeline, groups: [x, y, z], .. } = &self.dispatches[stage];
        let clock = Instant::now();
        let index = caught(device, "timing a stage", || {
            let mut encoder = device.create_command_encoder(&Default::default());
            let mut pass = encoder.begin_compute_pass(&Default::default());
            pass.set_bind_group(0, &self.buffers.group, &[0]);
            pass.set_pipeline(pipeline);
            (0..repeats).for_each(|_| pass.dispatch_workgroups(*x, *y, *z));
            drop(pass);
            queue.submit([encoder.finish()])
        })?;
        self.wait(InFlight { index, timed: None })?;
        Ok(clock.elapsed())
    }
}

/// Does `work`, and gives what wgpu finds wrong with it as an error in place of a panic.
fn caught<T>(device: &wgpu::Device, doing: &str, work: impl FnOnce() -> T) -> Result<T> {
    use wgpu::ErrorFilter::{Internal, OutOfMemory, Validation};
    let scopes = [Validation, OutOfMemory, Internal].map(|filter| device.push_error_scope(filter));
    let done = work();
    // Scopes end in the reverse of their order.
    let errors = scopes.into_iter().rev().map(|scope| pollster::block_on(scope.pop()));
    match errors.fold(None, Option::or) {
        None => Ok(done),
        Some(error) => Err(reported(doing, error)),
    }
}

/// Waits; wgpu panics where the device was lost.
fn poll(device: &wgpu::Device, doing: &str, wait: wgpu::PollType) -> Result<()> {
    device::guarded(Backend::Wgpu, || {
        device.poll(wait).map(drop).map_err(|error| lost(doing, error))
    })
}

fn reported(doing: &str, error: wgpu::Error) -> Error {
    match error {
        wgpu::Error::OutOfMemory { .. } => {
            Error::device(format!("{doing}: the graphics device is out of memory"))
                .help("lower training.batch, train fewer members together, or use --backend cpu")
        }
        error => lost(doing, error),
    }
}

fn lost(doing: &str, error: impl std::fmt::Display) -> Error {
    Error::device(format!("{doing}: the graphics device failed: {error}"))
}
