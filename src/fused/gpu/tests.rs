//! The shaders against burn's automatic differentiation.

mod draws;
mod shaders;

use ndarray::{Array2, ArrayView2, Axis};
use serde_json::{Value, json};

use super::*;
use crate::config::{Backend, ModelSettings, ScalingKind};
use crate::data::Scaling;
use crate::error::Kind;
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
        let mut gpu = trainer(self.job(&settings), &[self.member(seed)], target);
        take(&mut gpu, &[*step], true);
        // After one step from zeros: m = (1 − β₁)·g.
        let share = (1.0 - settings.adam_beta1) as f32;
        let moments = gpu.states().unwrap().remove(0).first_moments;
        let gradients = moments.into_iter().map(|moment| moment / share).collect();
        let outcome = gpu.collect().unwrap().remove(0);
        assert!(outcome.parameters[0].iter().all(|value| value.is_finite()), "{}", self.name);
        (outcome.losses[0][0], gradients)
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

/// Takes steps that must succeed.
fn take(gpu: &mut Gpu, steps: &[Step], snapshot: bool) {
    assert_eq!(gpu.steps(steps, snapshot, &mut |_| true).unwrap(), steps.len());
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

#[test]
fn a_step_equals_autodiff_on_every_golden_case() {
    let cases = goldens();
    assert!(cases.len() >= 9, "{} cases", cases.len());
    cases.iter().for_each(|case| case.assert_equals_autodiff(&STEP));
}

#[test]
fn a_step_equals_autodiff_on_odd_shapes() {
    let deep = json!({"hidden": [33, 130, 7], "latent": 5, "activation": "silu"});
    let wide = json!({
        "hidden": [260], "latent": 3, "prior": "mixture", "prior_components": 37,
        "likelihood": "learned-sigma-per-column", "activation": "tanh",
    });
    let shallow = json!({"hidden": [], "latent": 1, "kl_reduction": "sum", "beta": 0.1});
    // Enough rows for slices, and enough columns for tiles of 32 and of 64.
    let sliced = json!({
        "hidden": [16], "latent": 2, "prior": "mixture", "prior_components": 5,
        "likelihood": "learned-sigma-per-column", "sigma": 0.5,
    });
    let large = json!({"hidden": [70, 520], "latent": 2});
    // All that a block has room for: wide layers at every end, of no even width.
    let block = json!({
        "hidden": [33, 127, 65], "latent": 9, "activation": "silu",
        "prior": "mixture", "prior_components": 21,
    });
    // As wide and as narrow as the kinds of its products are, with a sample that is no narrow one.
    let widths = json!({
        "hidden": [16, 17, 128], "latent": 17, "prior": "mixture", "prior_components": 3,
    });
    // Large tiles, and biases by rows, undivided.
    let medium = json!({"hidden": [130, 129], "latent": 2, "activation": "tanh"});
    // The last batch of an epoch: not at a block of the noise, and shorter than a full one.
    for (settings, shape, batch) in [
        (deep, (83, 9), 37),
        (wide, (75, 35), 41),
        (shallow, (19, 1), 9),
        (sliced.clone(), (1100, 4), 1091),
        // The only column's σ comes with the losses.
        (sliced, (1040, 1), 1030),
        (large, (2069, 3), 2049),
        (block, (75, 35), 41),
        (widths, (42, 128), 33),
        (medium, (283, 4), 200),
    ] {
        let case = Case::drawn(settings, shape, batch);
        let first = shape.0 / batch * batch;
        let step = Step { epoch: 1 << 33, first, count: shape.0 - first, rate: 1.0, beta: 0.5 };
        case.assert_equals_autodiff(&step);
        case.assert_equals_autodiff(&Step { first: 0, count: batch, ..step });
    }
}

/// Parameters after a run of the reference.
fn reference_run(case: &Case, settings: &TrainingSettings, steps: &[Step]) -> Vec<f32> {
    let device = device::open(Backend::Cpu).unwrap().device;
    let mut trainer =
        Autodiff::new(&case.start.clone().into(), case.card.objective, settings, &device);
    for step in steps {
        let (x, noise) = case.batch(7, step);
        let tensor = |rows: ArrayView2<f32>| to_tensor(rows, trainer.device());
        let (x, noise) = (tensor(x.view()), tensor(noise.view()));
        let beta = step.beta * case.card.objective.beta_per_row(step.count);
        trainer.step(x, noise, beta, step.rate * 1e-3);
    }
    trainer.model().parameters(&case.card.architecture).unwrap().values
}

#[test]
fn runs_end_where_autodiff_ends() {
    let mixture = json!({
        "hidden": [16, 40], "prior": "mixture", "prior_components": 4,
        "likelihood": "learned-sigma-per-column",
    });
    let averaged = TrainingSettings { ema: Some(0.9), ..Default::default() };
    let clipped = TrainingSettings { gradient_clip: Some(0.5), ..averaged.clone() };
    let default = TrainingSettings::default();
    for (settings, training, (rows, batch), counts) in [
        (json!({"hidden": [16, 16]}), &default, (50, 16), &[10, 100][..]),
        (mixture.clone(), &clipped, (50, 16), &[10, 100]),
        (mixture, &averaged, (50, 16), &[10, 100]),
        // Tiles of every size, and biases by rows, which take their step.
        (json!({"hidden": [33, 70]}), &averaged, (50, 20), &[10]),
        (json!({"hidden": [20, 30]}), &averaged, (50, 20), &[10]),
        (json!({"hidden": [130, 140]}), &averaged, (450, 200), &[5]),
    ] {
        let case = Case::drawn(settings, (rows, 4), batch);
        for &count in counts {
            let steps = epochs(rows, batch, count);
            let expected = reference_run(&case, training, &steps);
            for target in TARGETS {
                // Behind another, whose state and weights it must not touch.
                let members = [case.member(8), case.member(7)];
                let mut gpu = trainer(case.job(training), &members, target);
                take(&mut gpu, &steps, true);
                let found = gpu.collect().unwrap().remove(0).parameters.remove(1);
                let mut apart = 0;
                for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
                    let (name, error) = (&case.name, (found - expected).abs());
                    assert!(error < 1e-3, "{name}, {target:?}, {count}, {i}: {found} {expected}");
                    apart += usize::from(error > 1e-5 * count as f32);
                }
                // Adam divides a gradient near zero by its own size, and so its rounding.
                let name = &case.name;
                assert!(apart <= found.len() / 20, "{name}, {target:?}, {count}: {apart} apart");
            }
        }
    }
}

/// Adam, clipping and the average with gradients in slices, the last batch of a row alone.
#[test]
fn a_run_in_slices_ends_where_autodiff_ends() {
    let prior = json!({"hidden": [16], "prior": "mixture", "prior_components": 3});
    let settings =
        TrainingSettings { gradient_clip: Some(0.5), ema: Some(0.9), ..Default::default() };
    let case = Case::drawn(prior, (2081, 3), 1040);
    let steps = epochs(2081, 1040, 9);
    let expected = reference_run(&case, &settings, &steps);
    let members = [case.member(8), case.member(7)];
    let mut gpu = trainer(case.job(&settings), &members, Target::GPU);
    assert_eq!(gpu.sizes.slices, 2);
    take(&mut gpu, &steps, true);
    let found = gpu.collect().unwrap().remove(0).parameters.remove(1);
    for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
        assert!((found - expected).abs() < 1e-3, "{i}: {found} {expected}");
    }
}

#[test]
fn members_are_as_if_alone_and_a_run_repeats_itself() {
    let prior = json!({"hidden": [10, 40], "prior": "mixture", "prior_components": 3});
    let averaged = TrainingSettings { ema: Some(0.9), ..Default::default() };
    let clipped = TrainingSettings { gradient_clip: Some(1.0), ..averaged.clone() };
    let case = Case::drawn(prior, (30, 3), 8);
    let other = Member { beta: 0.25, learning_rate: 3e-3, ..case.member(1 << 40) };
    let members = [case.member(7), other];
    let steps = epochs(30, 8, 40);
    let run = |members: &[Member], target, settings| {
        let mut gpu = trainer(case.job(settings), members, target);
        take(&mut gpu, &steps[..13], true);
        take(&mut gpu, &steps[13..], true);
        let outcomes = gpu.collect().unwrap();
        assert_eq!(outcomes.iter().map(|found| found.losses.len()).collect::<Vec<_>>(), [13, 27]);
        outcomes
    };
    for (target, settings) in TARGETS.into_iter().flat_map(|of| [(of, &clipped), (of, &averaged)]) {
        let both = run(&members, target, settings);
        assert_eq!(both, run(&members, target, settings));
        for (index, member) in members.iter().enumerate() {
            let alone = run(std::slice::from_ref(member), target, settings);
            for (alone, both) in alone.iter().zip(&both) {
                assert_eq!(alone.parameters[0], both.parameters[index]);
                let of_both = both.losses.iter().map(|losses| losses[index]);
                assert!(alone.losses.iter().map(|losses| losses[0]).eq(of_both));
            }
        }
        assert_ne!(both[1].parameters[0], both[1].parameters[1]);
    }
}

/// What waits on the device has bounded room; more than that is read back on the way.
#[test]
fn nothing_is_lost_where_the_room_for_what_waits_is_small() {
    let case = Case::drawn(json!({"hidden": [4]}), (30, 3), 8);
    let settings = TrainingSettings::default();
    let run = |slots: usize, snapshots: usize| {
        let mut gpu = Gpu::new(case.job(&settings), &[case.member(7)]).unwrap();
        assert!(gpu.sizes.slots > slots && gpu.sizes.snapshots > snapshots);
        (gpu.sizes.slots, gpu.sizes.snapshots) = (slots, snapshots);
        epochs(30, 8, 20).chunks(5).for_each(|steps| take(&mut gpu, steps, true));
        let outcomes = gpu.collect().unwrap();
        assert!(gpu.collect().unwrap().is_empty());
        outcomes
    };
    let outcomes = run(100, 20);
    assert!(outcomes.iter().all(|found| found.losses.len() == 5 && found.parameters.len() == 1));
    assert_eq!(outcomes, run(3, 1));
}

#[test]
fn training_stops_between_submissions_and_goes_on_to_the_same_bits() {
    let case = Case::drawn(json!({"hidden": [4, 20]}), (30, 3), 8);
    let settings = TrainingSettings { ema: Some(0.9), ..TrainingSettings::default() };
    let members = [case.member(7), case.member(8)];
    let steps = epochs(30, 8, 100);
    for target in TARGETS {
        let begin = |members: &[Member]| trainer(case.job(&settings), members, target);
        let mut whole = begin(&members);
        take(&mut whole, &steps, true);

        let mut gpu = begin(&members);
        let mut heard = 0;
        let stop = &mut |taken| {
            heard = taken;
            false
        };
        let taken = gpu.steps(&steps, true, stop).unwrap();
        assert_eq!((taken, heard), (1, 1));
        assert!(gpu.collect().unwrap()[0].parameters.is_empty());
        let on = |(member, start): (&Member, _)| Member { start, ..member.clone() };
        let members: Vec<Member> = members.iter().zip(gpu.states().unwrap()).map(on).collect();
        let mut resumed = begin(&members);
        take(&mut resumed, &steps[taken..], true);
        assert_eq!(resumed.states().unwrap(), whole.states().unwrap());
        let last = |gpu: &mut Gpu| gpu.collect().unwrap().remove(0).parameters;
        assert_eq!(last(&mut resumed), last(&mut whole));
    }
}

#[test]
fn what_does_not_fit_the_adapter_is_refused_in_words() {
    let case = Case::drawn(json!({"hidden": [64], "latent": 2}), (30, 3), 8);
    let network = &case.network;
    let error = buffers::check_loops(network, 65_536, Target::Simulated).unwrap_err();
    assert!(error.message().contains("a batch has 65536 rows"), "{error}");
    buffers::check_loops(network, 65_000, Target::Simulated).unwrap();
    buffers::check_loops(network, 1 << 20, Target::GPU).unwrap();
    let mut wide = network.clone();
    wide.decoder[0].outputs = 70_000;
    assert!(buffers::check_loops(&wide, 8, Target::Simulated).is_err());
    let settings = TrainingSettings::default();
    let job = case.job(&settings);
    let sizes = Sizes::new(&job, 1000, Target::GPU);
    let limits = |max_storage_buffer_binding_size| wgpu::Limits {
        max_storage_buffer_binding_size,
        ..wgpu::Limits::default()
    };
    sizes.check(&limits(128 << 20)).unwrap();
    let error = sizes.check(&limits(1 << 20)).unwrap_err();
    assert_eq!(error.kind(), crate::error::Kind::Device);
    assert!(error.message().contains("need 4 MiB, the adapter allows 1"), "{error}");
    let vast = wgpu::Limits { max_buffer_size: 1 << 40, ..limits(1 << 40) };
    let error = Sizes { members: 70_000, ..sizes }.check(&vast).unwrap_err();
    assert!(error.message().contains("70000 members are more than 65535"), "{error}");
    // Beyond what shaders can address, whatever the adapter allows.
    let error = Sizes { rows: 1 << 30, ..sizes }.check(&vast).unwrap_err();
    assert!(error.message().contains("the training rows need 4096 MiB"), "{error}");
}

#[test]
fn a_step_of_two_hidden_layers_has_sixteen_dispatches_at_most() {
    let settings = TrainingSettings::default();
    let of =
        |case: &Case, members| Plan::new(&case.job(&settings), members, Target::GPU).passes.len();
    let standard = Case::drawn(json!({}), (100, 3), 32);
    let mixture = Case::drawn(json!({"prior": "mixture"}), (100, 3), 32);
    // The step of a mixture's parameters is one of its own.
    assert_eq!([of(&standard, 1), of(&mixture, 1)], [15, 16]);
    // By blocks, of which every member has one.
    assert_eq!([of(&standard, 31), of(&standard, 32), of(&mixture, 32)], [15, 3, 4]);
    // The default recipe, by which blocks are checked before they are trusted.
    let default = crate::config::Settings::default();
    let case = Case::drawn(serde_json::to_value(&default.model).unwrap(), (100, 3), 32);
    let plan = Plan::new(&case.job(&settings), 1, Target::BLOCKS);
    assert!(plan.passes.iter().any(|pass| pass.stage == stages::Stage::Block));
    // Where an adapter has no room for one, as by wgpu's default limits, all go by layers. The one that
    // the tests run on has room.
    let without = Target::GPU.within(&wgpu::Limits::default());
    assert_eq!(Plan::new(&standard.job(&settings), 256, without).passes.len(), 15);
    let limits = device::wgpu_setup().unwrap().device.limits();
    assert_eq!(Target::BLOCKS.within(&limits), Target::BLOCKS);
    // A layer that a block has no room for.
    let wide = Case::drawn(json!({"hidden": [129, 128]}), (100, 3), 32);
    assert_eq!(of(&wide, 256), 15);
}

/// What a device finds wrong is an error, with a way out, and the device goes on.
#[test]
fn a_broken_shader_a_buffer_beyond_the_limits_and_a_full_memory_are_errors() {
    let device = &device::wgpu_setup().unwrap().device;
    let shader = |source: &str| {
        caught(device, "preparing", || {
            let source = wgpu::ShaderSource::Wgsl(source.to_owned().into());
            device.create_shader_module(wgpu::ShaderModuleDescriptor { label: None, source })
        })
    };
    let buffer = |size| {
        let usage = wgpu::BufferUsages::STORAGE;
        let descriptor =
            wgpu::BufferDescriptor { label: None, size, usage, mapped_at_creation: false };
        caught(device, "preparing", || device.create_buffer(&descriptor))
    };
    let poisoned = shader("@compute @workgroup_size(1) fn main() { x = 1; }").unwrap_err();
    let beyond = buffer(device.limits().max_buffer_size + 4).unwrap_err();
    let full = reported("preparing", wgpu::Error::OutOfMemory { source: "no more".into() });
    assert!(full.message().contains("out of memory"), "{full}");
    for error in [poisoned, beyond, full] {
        assert_eq!(error.kind(), Kind::Device);
        assert!(error.message().starts_with("preparing: the graphics device"), "{error}");
        assert!(error.remedy().unwrap().contains("--backend cpu"), "{error}");
    }
    shader("@compute @workgroup_size(1) fn main() {}").unwrap();
    buffer(4).unwrap();
}
