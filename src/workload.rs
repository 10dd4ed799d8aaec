//! The jobs that the benches and `modescope bench` time.

use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use burn::tensor::Device;
use ndarray::Array2;

use crate::config::{Backend, Engine, PriorKind, ScalingKind, Settings};
use crate::data::{Mixture, Scaling};
use crate::device::Chosen;
use crate::error::{Error, Result};
use crate::fused::{Fused, Member, Step};
use crate::model::{ModelCard, Parameters, SavedModel};
use crate::train::{Epochs, Job, fused_trainer, time_members, train};
use crate::vae::Model;

/// A model and batch to time, on the reference mixture with the two latent units of the reference
/// experiment and the default settings.
#[derive(Clone, Copy, Debug)]
pub struct Workload {
    /// Rows a step.
    pub batch: usize,
    /// Width of both hidden layers.
    pub hidden: usize,
    /// Models trained side by side.
    pub members: usize,
}

/// The workloads that are reported: the reference job, alone and many times over, and two that fill a
/// GPU.
pub const WORKLOADS: [Workload; 6] = [
    Workload { batch: 32, hidden: 128, members: 1 },
    Workload { batch: 32, hidden: 128, members: 16 },
    Workload { batch: 32, hidden: 128, members: 64 },
    Workload { batch: 32, hidden: 128, members: 256 },
    Workload { batch: 1024, hidden: 512, members: 1 },
    Workload { batch: 8192, hidden: 512, members: 1 },
];

impl std::fmt::Display for Workload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "batch {}, hidden {}", self.batch, self.hidden)?;
        match self.members {
            1 => Ok(()),
            several => write!(f, ", {several} members"),
        }
    }
}

impl Workload {
    fn model(&self, prior: PriorKind) -> Result<(Settings, SavedModel)> {
        let mut settings = Settings::default();
        settings.model.prior = prior;
        settings.model.latent = Some(2);
        settings.model.hidden = vec![self.hidden; 2];
        let features = settings.mixture.dimensions;
        let columns: Vec<String> = (0..features).map(|i| format!("x{i}")).collect();
        let scaling = Scaling::fit(ScalingKind::None, Array2::zeros((1, features)).view());
        let card = ModelCard::untrained(&settings, settings.seed, &columns, scaling, self.batch);
        let (architecture, sigma) = (card.architecture.clone(), settings.model.sigma);
        let none = Array2::zeros((0, features));
        let parameters = Parameters::initialise(architecture, sigma, none.view(), settings.seed)?;
        Ok((settings, SavedModel { card, parameters }))
    }

    /// The engines that can train it on this backend. Autodiff trains one model at a time, so that
    /// members make no difference to it.
    pub fn engines(&self, backend: Backend) -> &'static [Engine] {
        match (backend, self.members) {
            (Backend::Ndarray, 1) => &[Engine::Autodiff],
            (Backend::Ndarray, _) => &[],
            (Backend::Cpu | Backend::Wgpu, 1) => &[Engine::Fused, Engine::Autodiff],
            (Backend::Cpu | Backend::Wgpu, _) => &[Engine::Fused],
        }
    }

    /// The time that `steps` training steps of every member take.
    ///
    /// # Errors
    /// Where training fails or is interrupted.
    pub fn train(
        &self,
        steps: usize,
        engine: Engine,
        chosen: &Chosen,
        interrupt: &AtomicBool,
    ) -> Result<Duration> {
        self.with_job(PriorKind::StandardNormal, steps, engine, chosen, |job, start, members| {
            if engine == Engine::Fused {
                return time_members(job, members, interrupt);
            }
            let history = train(job, start, None, interrupt, &mut ())?.history;
            let seconds = history.last().map(|record| record.seconds);
            seconds
                .map(Duration::from_secs_f64)
                .ok_or_else(|| Error::failed("training recorded no epoch"))
        })
    }

    /// The fused trainer of all members after one step, under a mixture prior so that every stage has
    /// its full work.
    ///
    /// # Errors
    /// Where training fails.
    pub fn fused(&self, chosen: &Chosen) -> Result<Box<dyn Fused>> {
        self.with_job(PriorKind::Mixture, 1, Engine::Fused, chosen, |job, _, members| {
            let mut fused = fused_trainer(&job, members)?;
            fused.steps(&[self.step()], false, &mut |_| true)?;
            fused.collect()?;
            Ok(fused)
        })
    }

    /// A whole batch.
    pub fn step(&self) -> Step {
        Step { epoch: 0, first: 0, count: self.batch, rate: 1.0, beta: 1.0 }
    }

    fn with_job<T>(
        &self,
        prior: PriorKind,
        steps: usize,
        engine: Engine,
        chosen: &Chosen,
        then: impl FnOnce(Job, &Parameters, &[Member]) -> Result<T>,
    ) -> Result<T> {
        let (settings, model) = self.model(prior)?;
        let mixture = Mixture::generate(&settings.mixture, settings.seed)?;
        let table = mixture.draw(self.batch * steps, settings.seed, 0);
        let rows = Scaling::fit(ScalingKind::Rms, table.rows()).apply(table.rows());
        let none = Array2::zeros((0, rows.ncols()));
        let job = Job {
            card: &model.card,
            settings: &settings.training,
            epochs: &Epochs::passes(rows.nrows(), rows.nrows()),
            engine,
            backend: chosen.backend,
            device: &chosen.device,
            rows: rows.view(),
            held_out: none.view(),
        };
        let member = |number: usize| Member {
            seed: number as u64,
            beta: settings.training.beta,
            learning_rate: settings.training.learning_rate,
            start: model.parameters.clone().into(),
        };
        let members: Vec<Member> = (0..self.members).map(member).collect();
        then(job, &model.parameters, &members)
    }

    /// The time that drawing `rows` samples takes.
    ///
    /// # Errors
    /// Where the device fails or the work is interrupted.
    pub fn sample(&self, rows: usize, device: &Device, interrupt: &AtomicBool) -> Result<Duration> {
        let model = Model::new(self.model(PriorKind::StandardNormal)?.1, device);
        let clock = Instant::now();
        model.sample(rows, true, 1, interrupt)?;
        Ok(clock.elapsed())
    }
}
