//! The objective, its gradients and its Adam steps, on every backend, against JAX in float64
//! (`scripts/goldens_jax.py`) and against finite differences.

use modescope::config::{Backend, TrainingSettings};
use modescope::device;
use modescope::model::Parameters;
use modescope::train::{Autodiff, Gradient, gradient};
use modescope::vae::to_tensor;
use ndarray::Array2;

#[path = "common/objective.rs"]
mod goldens;
use goldens::{Case, cases};

fn gradient_of(case: &Case, parameters: &Parameters, backend: Backend) -> Gradient {
    let device = device::open(backend).expect("every backend opens: software Vulkan serves wgpu");
    gradient(&case.card, parameters, case.x.view(), case.noise.view(), &device.device).unwrap()
}

fn assert_close(what: &str, found: f64, golden: f64, relative: f64) {
    let error = (found - golden).abs() / golden.abs().max(1e-3);
    assert!(error <= relative, "{what}: {found} against {golden}, relative error {error:.2e}");
}

/// Loss to 1e-5 and every gradient tensor to 1e-4, relative to the tensor's largest value.
fn assert_equals_jax(backend: Backend) {
    for case in cases() {
        let golden = &case.golden;
        let found = gradient_of(&case, &case.parameters, backend);
        let name = format!("{} on {backend:?}", golden.name);
        assert_close(&format!("{name}, loss"), found.loss.into(), golden.loss, 1e-5);
        let reconstruction = found.reconstruction.into();
        assert_close(
            &format!("{name}, reconstruction"),
            reconstruction,
            golden.reconstruction,
            1e-5,
        );
        // Found by draws, it is a difference of log-densities of size 1 and more.
        let objective = &case.card.objective;
        let exact =
            case.card.architecture.prior_components == 0 && objective.importance_samples == 1;
        let size = if exact { golden.kl } else { golden.kl.abs().max(1.0) };
        let tolerance = 1e-5 * size / golden.kl.abs();
        assert_close(&format!("{name}, KL"), found.kl.into(), golden.kl, tolerance);
        assert_eq!(found.values.len(), golden.gradients.len(), "{name}");
        for spec in case.card.architecture.layout() {
            let (found, golden) = (&found.values[spec.range()], &golden.gradients[spec.range()]);
            let largest = golden.iter().fold(1e-6, |largest: f64, g| largest.max(g.abs()));
            for (i, (&found, &golden)) in found.iter().zip(golden).enumerate() {
                let error = (f64::from(found) - golden).abs() / largest;
                assert!(error <= 1e-4, "{name}, {}[{i}]: {found} against {golden}", spec.name);
            }
        }
    }
}

#[test]
fn cpu_equals_jax() {
    assert_equals_jax(Backend::Cpu);
}

#[test]
fn ndarray_equals_jax() {
    assert_equals_jax(Backend::Ndarray);
}

#[test]
fn wgpu_equals_jax() {
    assert_equals_jax(Backend::Wgpu);
}

/// Along each tensor's own gradient g the loss must rise by |g| a unit of length.
#[test]
fn gradients_equal_finite_differences() {
    const STEP: f64 = 2e-3;
    for case in cases() {
        let gradient = gradient_of(&case, &case.parameters, Backend::Cpu);
        for spec in case.card.architecture.layout() {
            let slope = &gradient.values[spec.range()];
            let norm = slope.iter().map(|&g| f64::from(g).powi(2)).sum::<f64>().sqrt();
            let loss = |sign: f64| {
                let mut moved = case.parameters.clone();
                for (value, &g) in moved.values[spec.range()].iter_mut().zip(slope) {
                    *value += (sign * STEP * f64::from(g) / norm.max(1e-12)) as f32;
                }
                f64::from(gradient_of(&case, &moved, Backend::Cpu).loss)
            };
            let difference = (loss(1.0) - loss(-1.0)) / (2.0 * STEP);
            // The loss is rounded to 24 bits, which the division by the step magnifies.
            let rounding = 4.0 * case.golden.loss.abs() * f64::from(f32::EPSILON) / STEP;
            let error = (difference - norm).abs();
            assert!(
                error <= 0.01 * norm + rounding,
                "{}, {}: slope {norm} against difference {difference}",
                case.golden.name,
                spec.name
            );
        }
    }
}

/// The trainer's Adam takes PyTorch's steps.
#[test]
fn three_adam_steps_equal_jax() {
    let device = device::open(Backend::Cpu).unwrap().device;
    for case in cases() {
        let settings = TrainingSettings::default();
        let mut trainer =
            Autodiff::new(&case.parameters.clone().into(), case.card.objective, &settings, &device);
        let beta = case.card.objective.beta_per_row(case.x.nrows());
        for _ in 0..3 {
            let tensor = |rows: &Array2<f32>| to_tensor(rows.view(), trainer.device());
            let (x, noise) = (tensor(&case.x), tensor(&case.noise));
            trainer.step(x, noise, beta, 1e-3);
        }
        let found = trainer.model().parameters(&case.card.architecture).unwrap();
        let golden = &case.golden.parameters_after_3_steps;
        assert_eq!(found.values.len(), golden.len(), "{}", case.golden.name);
        for (i, (&found, &golden)) in found.values.iter().zip(golden).enumerate() {
            let error = (f64::from(found) - golden).abs();
            assert!(error <= 1e-5, "{}, parameter {i}: {found} against {golden}", case.golden.name);
        }
    }
}
