//! Whether a backend computes a training step as the CPU does.

use burn::tensor::Device;
use ndarray::{Array2, Axis};
use serde::Serialize;

use super::trainer::{fused_trainer, with_fused_job};
use super::{Epochs, Gradient, Job, gradient};
use crate::config::{Backend, Engine, Layers, ScalingKind, Settings};
use crate::data::{Scaling, epoch_order};
use crate::device;
use crate::error::{Error, Result};
use crate::fused::{Gpu, Kernels, Member};
use crate::model::{ModelCard, Parameters};
use crate::random::{Generator, Stream};

/// Rows of the step: no multiple of a tile or a vector.
const ROWS: usize = 37;
/// Rows of one that a GPU takes with the kernels of large jobs, and of one that it divides.
const MANY_ROWS: usize = 999;
const DIVIDED_ROWS: usize = 1031;
/// Columns of its data.
const COLUMNS: [&str; 3] = ["x0", "x1", "x2"];
const SEED: u64 = 1;
/// Largest difference of a tensor's gradient, as a share of its largest value, that rounding explains:
/// ten times what correct backends show.
const TOLERANCE: f64 = 1e-3;

/// A tensor whose gradient was compared.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TensorDifference {
    /// The tensor, or `loss`.
    pub tensor: String,
    /// Largest difference from the reference, as a share of its largest value; infinite where a value
    /// is no number.
    pub difference: f64,
}

/// One step of the default recipe on some backend and engine, held against automatic differentiation
/// on the CPU.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Checkup {
    /// The loss, then every tensor in the order of the parameters; of a GPU under fused again with the
    /// kernels of large jobs and of many members.
    pub compared: Vec<TensorDifference>,
}

impl Checkup {
    /// The largest difference.
    pub fn worst(&self) -> Option<&TensorDifference> {
        self.compared.iter().max_by(|a, b| a.difference.total_cmp(&b.difference))
    }

    /// Whether rounding explains every difference.
    pub fn is_right(&self) -> bool {
        self.compared.iter().all(|compared| compared.difference <= TOLERANCE)
    }
}

/// Refuses a graphics device that takes a training step otherwise than the CPU: drivers have been seen
/// to compute wrong gradients in silence.
///
/// # Errors
/// Where a difference is too large, whose tensor the message names, or the device fails.
pub fn refuse_wrong_adapter(backend: Backend, engine: Engine, device: &Device) -> Result<()> {
    match backend {
        Backend::Wgpu => refuse_wrong(&check_up(backend, engine, device)?),
        Backend::Cpu | Backend::Ndarray => Ok(()),
    }
}

fn refuse_wrong(checkup: &Checkup) -> Result<()> {
    match checkup.worst().filter(|_| !checkup.is_right()) {
        None => Ok(()),
        Some(TensorDifference { tensor, difference }) => Err(Error::device(format!(
            "a training step on this graphics device is wrong: {tensor} differs from the CPU's by \
             {difference:.1e} of its size"
        ))
        .help(
            "update the graphics driver, or use --backend cpu; `modescope doctor` has the details",
        )),
    }
}

/// Takes one step with `engine` on `device` and compares its loss and gradients.
///
/// # Errors
/// Where the device fails.
pub fn check_up(backend: Backend, engine: Engine, device: &Device) -> Result<Checkup> {
    let mut checkup = check_up_by(None, ROWS, backend, engine, device)?;
    if backend == Backend::Wgpu && engine == Engine::Fused {
        let known = Gpu::kernels()?;
        let steps = [(Kernels::Products, MANY_ROWS), (Kernels::Blocks, DIVIDED_ROWS)];
        for (kernels, rows) in steps.into_iter().filter(|_| !known.is_empty()) {
            // Without room for blocks it is a step in slices by layers.
            let by_blocks = kernels == Kernels::Blocks && known.contains(&kernels);
            let with = if by_blocks { " by blocks" } else { "" };
            let others = check_up_by(Some(kernels), rows, backend, engine, device)?;
            checkup.compared.extend(others.compared.into_iter().map(|compared| TensorDifference {
                tensor: format!("{} of {rows} rows{with}", compared.tensor),
                ..compared
            }));
        }
    }
    Ok(checkup)
}

/// With some kernels of a GPU, or those that suit the step.
fn check_up_by(
    kernels: Option<Kernels>,
    count: usize,
    backend: Backend,
    engine: Engine,
    device: &Device,
) -> Result<Checkup> {
    let settings = Settings::resolve(&Layers::default())?;
    let mut rows = Array2::zeros((count, COLUMNS.len()));
    if let Some(values) = rows.as_slice_mut() {
        Generator::new(SEED, Stream::MixtureRows, 0).normal(values);
        // Twice as far out as σ says: its gradient is then no difference of equals.
        values.iter_mut().for_each(|value| *value *= 2.0);
    }
    let scaling = Scaling::fit(ScalingKind::None, rows.view());
    let card = ModelCard::untrained(&settings, SEED, &COLUMNS.map(String::from), scaling, count);
    let (architecture, sigma) = (card.architecture.clone(), settings.model.sigma);
    let start = Parameters::initialise(architecture, sigma, rows.view(), SEED)?;
    let mut noise = Array2::zeros((count, card.architecture.latent));
    if let Some(values) = noise.as_slice_mut() {
        Generator::new(SEED, Stream::PosteriorNoise, 0).normal(values);
    }
    let by_autodiff = |device: &_| {
        let batch = rows.select(Axis(0), &epoch_order(count, SEED, 0));
        gradient(&card, &start, batch.view(), noise.view(), device)
    };
    let reference = by_autodiff(&device::open(Backend::Cpu)?.device)?;
    let found = match engine {
        Engine::Fused => {
            let none = Array2::zeros((0, COLUMNS.len()));
            let job = Job {
                card: &card,
                settings: &settings.training,
                epochs: &Epochs::passes(rows.nrows(), rows.nrows()),
                engine,
                backend,
                device,
                rows: rows.view(),
                held_out: none.view(),
            };
            by_fused(job, &start, kernels)?
        }
        Engine::Autodiff => by_autodiff(device)?,
    };
    Ok(compare(&start, &found, &reference))
}

/// The same step by the fused engine, at the full weight of the KL divergence.
fn by_fused(job: Job, start: &Parameters, kernels: Option<Kernels>) -> Result<Gradient> {
    let member = Member {
        seed: SEED,
        beta: job.card.objective.beta,
        learning_rate: job.settings.learning_rate,
        start: start.clone().into(),
    };
    let mut fused = match kernels {
        None => fused_trainer(&job, &[member])?,
        Some(kernels) => {
            Box::new(with_fused_job(&job, |job| Gpu::with_kernels(job, &[member], kernels))?)
        }
    };
    let mut steps = job.steps(0);
    steps.iter_mut().for_each(|step| step.beta = 1.0);
    fused.steps(&steps, false, &mut |_| true)?;
    let nothing = || Error::failed("the step left nothing");
    let losses = fused.collect()?.pop().and_then(|outcome| outcome.losses.concat().pop());
    let losses = losses.ok_or_else(nothing)?;
    // After one step from zeros: m = (1 − β₁)·g (Kingma and Ba 2015, algorithm 1).
    let share = 1.0 - job.settings.adam_beta1 as f32;
    let state = fused.states()?.pop().ok_or_else(nothing)?;
    let values = state.first_moments.iter().map(|moment| moment / share).collect();
    let (loss, reconstruction, kl) = (losses.loss(), losses.reconstruction, losses.kl);
    Ok(Gradient { loss, reconstruction, kl, values })
}

fn compare(start: &Parameters, found: &Gradient, reference: &Gradient) -> Checkup {
    let difference = |found: &[f32], reference: &[f32]| {
        let size =
            reference.iter().fold(f64::MIN_POSITIVE, |size, &v| size.max(f64::from(v.abs())));
        let apart = |(&a, &b): (&f32, &f32)| match (f64::from(a) - f64::from(b)).abs() / size {
            share if share.is_nan() => f64::INFINITY,
            share => share,
        };
        found.iter().zip(reference).map(apart).fold(0.0, f64::max)
    };
    let loss = difference(&[found.loss], &[reference.loss]);
    let layout = start.architecture.layout();
    let tensors = layout.into_iter().map(|spec| TensorDifference {
        difference: difference(&found.values[spec.range()], &reference.values[spec.range()]),
        tensor: spec.name,
    });
    let loss = TensorDifference { tensor: "loss".into(), difference: loss };
    Checkup { compared: std::iter::once(loss).chain(tensors).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every backend and engine here is right, and a gradient that is a little or no number is not.
    #[test]
    fn backends_that_are_right_pass_and_a_wrong_gradient_does_not() {
        for (backend, engine) in [
            (Backend::Cpu, Engine::Fused),
            (Backend::Ndarray, Engine::Autodiff),
            (Backend::Wgpu, Engine::Fused),
            (Backend::Wgpu, Engine::Autodiff),
        ] {
            let device = device::open(backend).unwrap().device;
            let checkup = check_up(backend, engine, &device).unwrap();
            assert!(checkup.is_right(), "{backend:?} {engine:?}: {:?}", checkup.worst());
            assert!(checkup.compared.len() > 12);
        }
        let device = device::open(Backend::Wgpu).unwrap().device;
        for (kernels, rows) in [(Kernels::Products, MANY_ROWS), (Kernels::Blocks, DIVIDED_ROWS)] {
            let (backend, engine) = (Backend::Wgpu, Engine::Fused);
            let found = check_up_by(Some(kernels), rows, backend, engine, &device).unwrap();
            let worst = found.worst().unwrap();
            assert!(worst.difference < TOLERANCE / 10.0, "{kernels:?}: {worst:?}");
        }
        let architecture =
            crate::model::Architecture::new(&Settings::default().model, COLUMNS.len());
        let none = Array2::zeros((0, COLUMNS.len()));
        let start = Parameters::initialise(architecture, 1.0, none.view(), 1).unwrap();
        let right =
            Gradient { loss: 1.0, reconstruction: 1.0, kl: 0.0, values: start.values.clone() };
        for wrong in [f32::NAN, 2.0] {
            let mut found = right.clone();
            found.values[7] = wrong;
            let checkup = compare(&start, &found, &right);
            assert_eq!(checkup.worst().unwrap().tensor, "encoder.0.weight");
            let error = refuse_wrong(&checkup).unwrap_err();
            assert!(error.message().contains("encoder.0.weight"), "{error}");
        }
        assert!(compare(&start, &right, &right).is_right());
    }
}
