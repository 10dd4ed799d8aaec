//! The shaders against burn's automatic differentiation, and what the tests of a topic share.

mod draws;
mod limits;
mod runs;
mod shaders;
mod steps;

use ndarray::{Array2, ArrayView2, Axis};
use serde_json::Value;

use super::*;
use crate::config::{Backend, ModelSettings, ScalingKind};
use crate::data::Scaling;
use crate::fused::Network;
use crate::model::{Architecture, ModelCard, Objective, Parameters, Prior};
use crate::random::{Generator, Stream};
use crate::train::{Autodiff, Gradient, gradient};
use crate::vae::to_tensor;

/// A model with data to take steps on.
struct Case {
    name: String,
    card: ModelCard,
    network: Network,
    start: Parameters,
    rows: Array2<f32>,
    batch: usize,
}

impl Case {
    /// The case of these settings, those of a golden file; nothing where fused does not do it.
    fn new(name: &str, settings: &Value, rows: Array2<f32>, batch: usize) -> Option<Self> {
        let features = rows.ncols();
        let of = |keys: &[&str]| -> Value {
            let given = keys.iter().filter_map(|&key| Some((key, settings.get(key)?.clone())));
            given.map(|(key, value)| (key.to_owned(), value)).collect()
        };
        let model: ModelSettings = serde_json::from_value(of(&[
            "latent",
            "hidden",
            "activation",
            "likelihood",
            "posterior_variance",
            "sigma",
            "prior",
            "prior_components",
        ]))
        .unwrap();
        let training: TrainingSettings = serde_json::from_value(of(&[
            "beta",
            "kl_reduction",
            "free_bits",
            "importance_samples",
        ]))
        .unwrap();
        let architecture = Architecture::new(&model, features);
        let objective = Objective {
            beta: training.beta,
            kl_reduction: training.kl_reduction,
            free_bits: training.free_bits,
            importance_samples: training.importance_samples,
            batch,
        };
        let network = Network::new(&architecture, &objective).ok()?;
        let card = ModelCard {
            format: ModelCard::FORMAT,
            modescope: String::new(),
            recipe: name.into(),
            seed: 1,
            columns: vec![String::new(); features],
            architecture: architecture.clone(),
            scaling: Scaling::fit(ScalingKind::None, rows.view()),
            prior: Prior::StandardNormal,
            objective,
        };
        let start = Parameters::initialise(architecture, model.sigma, rows.view(), 1).unwrap();
        Some(Self { name: name.into(), card, network, start, rows, batch })
    }

    /// As [`new`](Self::new), on normal rows.
    fn drawn(settings: Value, (rows, features): (usize, usize), batch: usize) -> Self {
        let mut values = Array2::zeros((rows, features));
        Generator::new(5, Stream::MixtureRows, 0).normal(values.as_slice_mut().unwrap());
        Self::new(&settings.to_string(), &settings, values, batch).unwrap()
    }

    fn job<'a>(&'a self, settings: &'a TrainingSettings) -> Job<'a> {
        Job {
            network: &self.network,
            rows: self.rows.view(),
            most_rows: 0,
            batch: self.batch,
            settings,
        }
    }

    fn member(&self, seed: u64) -> Member {
        let beta = self.card.objective.beta;
        Member { seed, beta, learning_rate: 1e-3, start: self.start.clone().into() }
    }

    /// The batch of a step and its noise, as the reference sees them.
    fn batch(&self, seed: u64, step: &Step) -> (Array2<f32>, Array2<f32>) {
        let shuffle = Generator::new(seed, Stream::Shuffle, step.epoch).shuffle(self.rows.nrows());
        let places = step.first..step.first + step.count;
        let order: Vec<usize> = places.map(|place| shuffle.row(place)).collect();
        let mut noise = Array2::zeros((step.count, self.network.latent));
        let generator = Generator::new(seed, Stream::PosteriorNoise, step.epoch);
        let first = step.first * self.network.latent;
        generator.normal_from(first, noise.as_slice_mut().unwrap());
        (self.rows.select(Axis(0), &order), noise)
    }

    fn reference(&self, seed: u64, step: &Step) -> Gradient {
        let (x, noise) = self.batch(seed, step);
        let mut card = self.card.clone();
        card.objective.beta *= step.beta;
        let device = device::open(Backend::Cpu).unwrap().device;
        gradient(&card, &self.start, x.view(), noise.view(), &device).unwrap()
    }

    /// One step on the device: its losses and gradients.
    fn step(&self, seed: u64, step: &Step, target: Target) -> (BatchLosses, Vec<f32>) {
        let settings = TrainingSettings::default();
        let gpu = trainer(self.job(&settings), &[self.member(seed)], target);
        self.first_step(gpu, step).remove(0)
    }

    /// The first of all steps: losses and gradients of each member.
    fn first_step(&self, mut gpu: Gpu, step: &Step) -> Vec<(BatchLosses, Vec<f32>)> {
        take(&mut gpu, &[*step], true);
        // After one step from zeros: m = (1 − β₁)·g.
        let share = 1.0 - gpu.settings.adam_beta1 as f32;
        let gradients = gpu.states().unwrap().into_iter().map(|state| {
            state.first_moments.into_iter().map(|moment| moment / share).collect::<Vec<f32>>()
        });
        let mut outcome = gpu.collect().unwrap().remove(0);
        let finite = |values: &Vec<f32>| values.iter().all(|value| value.is_finite());
        assert!(outcome.parameters.iter().all(finite), "{}", self.name);
        outcome.losses.remove(0).into_iter().zip(gradients).collect()
    }

    /// Loss to 1e-5 and every gradient tensor to 1e-4 of its largest value.
    fn assert_equals_autodiff(&self, step: &Step) {
        let reference = self.reference(7, step);
        for target in TARGETS {
            self.assert_equals(&reference, self.step(7, step, target), target);
        }
    }

    fn assert_equals(
        &self,
        reference: &Gradient,
        (losses, gradients): (BatchLosses, Vec<f32>),
        target: Target,
    ) {
        let name = format!("{}, {target:?}", self.name);
        let close = |what: &str, found: f32, expected: f32, size: f32| {
            let error = (found - expected).abs() / size;
            assert!(error <= 1e-5, "{name}, {what}: {found} against {expected}, {error:.1e}");
        };
        // By draws, the KL divergence is a difference of log-densities of size 1 and more.
        close("loss", losses.loss(), reference.loss, reference.loss.abs().max(1.0));
        let size = reference.reconstruction.abs().max(1.0);
        close("reconstruction", losses.reconstruction, reference.reconstruction, size);
        close("KL", losses.kl, reference.kl, reference.kl.abs().max(1.0));
        assert_eq!(gradients.len(), reference.values.len());
        for spec in self.card.architecture.layout() {
            let (found, expected) = (&gradients[spec.range()], &reference.values[spec.range()]);
            let largest = expected.iter().fold(1e-6_f32, |largest, g| largest.max(g.abs()));
            for (i, (&found, &expected)) in found.iter().zip(expected).enumerate() {
                let error = (found - expected).abs() / largest;
                assert!(error <= 1e-4, "{name}, {}[{i}]: {found}, not {expected}", spec.name);
            }
        }
    }
}

impl Plan {
    /// As on any adapter.
    fn new(job: &Job, members: usize, target: Target) -> Self {
        Self::within(job, members, target, MOST_GROUPS)
    }
}

/// What a GPU takes and what a simulated one takes: both compute the same on any adapter.
const TARGETS: [Target; 4] = [Target::GPU, Target::PRODUCTS, Target::BLOCKS, Target::Simulated];

fn trainer(job: Job, members: &[Member], target: Target) -> Gpu {
    Gpu::with(job, members, target).unwrap()
}

/// Every golden case that fused does.
fn goldens() -> Vec<Case> {
    let text = include_str!("../../../tests/golden/objective.json");
    let goldens: Vec<Value> = serde_json::from_str(text).unwrap();
    let floats = |value: &Value| -> Vec<f32> { serde_json::from_value(value.clone()).unwrap() };
    let case = |golden: &Value| {
        let features = golden["features"].as_u64().unwrap() as usize;
        let x = floats(&golden["x"]);
        let x = Array2::from_shape_vec((x.len() / features, features), x).unwrap();
        let mut settings = golden["settings"].clone();
        for key in ["latent", "hidden"] {
            settings[key] = golden[key].clone();
        }
        let batch = x.nrows();
        let mut case = Case::new(golden["name"].as_str().unwrap(), &settings, x, batch)?;
        case.start.values = floats(&golden["parameters"]);
        Some(case)
    };
    goldens.iter().filter_map(case).collect()
}

const STEP: Step = Step { epoch: 3, first: 0, count: 5, rate: 1.0, beta: 1.0 };

/// Takes steps that must succeed, and write nothing past the end of a buffer.
fn take(gpu: &mut Gpu, steps: &[Step], snapshot: bool) {
    assert_eq!(gpu.steps(steps, snapshot, &mut |_| true).unwrap(), steps.len());
    let Buffers { rows, parameters, gradients, moments, workspace, losses, .. } = &gpu.buffers;
    for (buffer, name) in [rows, parameters, gradients, moments, workspace, losses]
        .into_iter()
        .zip(["rows", "parameters", "gradients", "moments", "workspace", "losses"])
    {
        let values = gpu.read(buffer, buffer.size() as usize / 4, "reading").unwrap();
        let guard = &values[values.len() - buffers::GUARD / 4..];
        assert!(
            guard.iter().all(|value| value.to_bits() == u32::MAX),
            "past the end of the {name}"
        );
    }
}

/// The steps of whole epochs over `rows` rows, with shares that change.
fn epochs(rows: usize, batch: usize, count: usize) -> Vec<Step> {
    let per_epoch = rows.div_ceil(batch);
    let step = |number: usize| {
        let first = number % per_epoch * batch;
        Step {
            epoch: (number / per_epoch) as u64,
            first,
            count: batch.min(rows - first),
            rate: 1.0 - 0.5 * number as f64 / count as f64,
            beta: ((number + 1) as f64 / 20.0).min(1.0),
        }
    };
    (0..count).map(step).collect()
}
