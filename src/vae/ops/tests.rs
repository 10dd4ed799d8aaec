//! Values and gradients of the ops, on every backend, against burn's own ops and against finite
//! differences in double precision.

use std::f64::consts::TAU;

use burn::tensor::{Device, Tensor, activation};
use ndarray::{Array1, Array2, Axis};

use super::gpu::Kernel;
use super::*;
use crate::config::Backend;
use crate::data::log_sum_exp;
use crate::random::{Generator, Stream};
use crate::shaders::write_for_every_api;
use crate::vae::{to_tensor, to_vec};

const RANGE: (f32, f32) = (-1.5, 1.0);
const FUNCTIONS: [Function; 4] =
    [Function::Identity, Function::Relu, Function::Silu, Function::Tanh];
/// n, inputs and outputs: single values, narrow and wide, tails of every tile, and, last, too large
/// for the shaders.
const LAYERS: [[usize; 3]; 7] =
    [[1, 1, 1], [33, 17, 1], [1, 33, 17], [17, 1, 33], [70, 65, 130], [9, 257, 4], [170, 161, 160]];
/// n, K and latent units: likewise.
const MIXTURES: [[usize; 3]; 6] =
    [[1, 1, 1], [33, 1, 2], [1, 65, 3], [33, 17, 2], [130, 65, 8], [3, 2, 520]];

/// An op of matrices; vectors are matrices of one row.
type Op = dyn Fn(&[Tensor<2>]) -> Tensor<2>;

fn devices() -> [Device; 3] {
    [Backend::Cpu, Backend::Ndarray, Backend::Wgpu].map(|backend| {
        crate::device::open(backend).expect("every backend opens: software Vulkan is one").device
    })
}

fn drawn(seed: u64, shapes: &[[usize; 2]]) -> Vec<Array2<f32>> {
    let of_shape = |(i, &shape): (usize, &[usize; 2])| {
        let mut values = Array2::zeros(shape);
        let generator = Generator::new(seed, Stream::MixtureRows, i as u64);
        generator.normal(values.as_slice_mut().unwrap());
        values
    };
    shapes.iter().enumerate().map(of_shape).collect()
}

fn layer([rows, inputs, outputs]: [usize; 3]) -> Vec<Array2<f32>> {
    let mut drawn = drawn(1, &[[rows, inputs], [inputs, outputs], [1, outputs]]);
    drawn[1] /= (inputs as f32).sqrt();
    drawn
}

fn mixture([rows, components, latent]: [usize; 3]) -> Vec<Array2<f32>> {
    let gaussians = [components, latent];
    drawn(2, &[[rows, latent], gaussians, gaussians, [1, components]])
}

fn vector(matrix: &Tensor<2>) -> Tensor<1> {
    matrix.clone().flatten(0, 1)
}

fn dense_op(function: Function) -> impl Fn(&[Tensor<2>]) -> Tensor<2> {
    move |t| dense(t[0].clone(), t[1].clone(), vector(&t[2]), function)
}

fn mixture_op(t: &[Tensor<2>]) -> Tensor<2> {
    mixture_log_density(t[0].clone(), t[1].clone(), t[2].clone(), vector(&t[3]), RANGE).unsqueeze()
}

/// The values of an op, and the gradients of their sum weighted by draws with respect to each input
/// that is tracked.
fn evaluate(
    op: &Op,
    inputs: &[Array2<f32>],
    tracked: &[bool],
    device: &Device,
) -> (Vec<f32>, Vec<Option<Vec<f32>>>) {
    let device = device.clone().autodiff();
    let tensor = |(input, &tracked): (&Array2<f32>, &bool)| {
        to_tensor(input.view(), &device).set_require_grad(tracked)
    };
    let tensors: Vec<Tensor<2>> = inputs.iter().zip(tracked).map(tensor).collect();
    let y = op(&tensors);
    let weights = to_tensor(weights(y.dims()).view(), &device);
    let gradients = (y.clone() * weights).sum().backward();
    let gradient = |tensor: &Tensor<2>| tensor.grad(&gradients).map(|g| to_vec(g).unwrap());
    (to_vec(y.inner()).unwrap(), tensors.iter().map(gradient).collect())
}

fn weights(shape: [usize; 2]) -> Array2<f32> {
    drawn(3, &[shape]).remove(0)
}

fn assert_close(found: &[f32], expected: &[f32], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let scale = expected.iter().fold(1.0_f32, |most, value| most.max(value.abs()));
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        let close = (found - expected).abs() <= 3e-5 * scale;
        assert!(close, "{what}, value {i}: {found}, not {expected}");
    }
}

fn assert_same(op: &Op, plain: &Op, inputs: &[Array2<f32>], what: &str) {
    let all = vec![true; inputs.len()];
    let (expected, expected_gradients) = evaluate(plain, inputs, &all, &Device::flex());
    for device in devices() {
        let what = format!("{what} on {device:?}");
        let (found, gradients) = evaluate(op, inputs, &all, &device);
        assert_close(&found, &expected, &what);
        for (i, (found, expected)) in gradients.iter().zip(&expected_gradients).enumerate() {
            let (found, expected) = (found.as_ref().unwrap(), expected.as_ref().unwrap());
            assert_close(found, expected, &format!("{what}, gradient {i}"));
        }
    }
}

fn plain_dense_op(function: Function) -> impl Fn(&[Tensor<2>]) -> Tensor<2> {
    move |t| {
        let sum = t[0].clone().matmul(t[1].clone()) + t[2].clone();
        match function {
            Function::Identity => sum,
            Function::Relu => activation::relu(sum),
            Function::Silu => activation::silu(sum),
            Function::Tanh => activation::tanh(sum),
        }
    }
}

#[test]
fn a_dense_layer_equals_burns_own_ops() {
    for sizes in LAYERS {
        for function in FUNCTIONS {
            let what = format!("{function:?} of {sizes:?}");
            let plain = plain_dense_op(function);
            assert_same(&dense_op(function), &plain, &layer(sizes), &what);
        }
    }
}

/// Without automatic differentiation, on as many rows as two threads share too.
#[test]
fn a_dense_layer_alone_equals_burns_own_ops() {
    for sizes in LAYERS.into_iter().chain([[300, 5, 40], [513, 3, 3]]) {
        let layer = layer(sizes);
        let on = |device: &Device| -> Vec<Tensor<2>> {
            layer.iter().map(|input| to_tensor(input.view(), device)).collect()
        };
        for function in FUNCTIONS {
            let expected = to_vec(plain_dense_op(function)(&on(&Device::flex()))).unwrap();
            for device in devices() {
                let found = to_vec(dense_op(function)(&on(&device))).unwrap();
                assert_close(
                    &found,
                    &expected,
                    &format!("{function:?} of {sizes:?} on {device:?}"),
                );
            }
        }
    }
}

#[test]
fn a_mixture_equals_burns_own_ops() {
    let plain = |t: &[Tensor<2>]| {
        let latent = t[0].dims()[1] as f64;
        let log_variances = t[2].clone().clamp(RANGE.0, RANGE.1);
        let log_weights = activation::log_softmax(t[3].clone(), 1);
        let precisions = (-log_variances.clone()).exp().unsqueeze_dim::<3>(0);
        let distances = t[0].clone().unsqueeze_dim::<3>(1) - t[1].clone().unsqueeze_dim::<3>(0);
        let squares = (distances.square() * precisions).sum_dim(2).squeeze_dim::<2>(2);
        let log_scales = log_variances.sum_dim(1).transpose();
        let terms = log_weights - (squares + log_scales) * 0.5 - 0.5 * latent * TAU.ln();
        let largest = terms.clone().detach().max_dim(1);
        ((terms - largest.clone()).exp().sum_dim(1).log() + largest).transpose()
    };
    for sizes in MIXTURES {
        assert_same(&mixture_op, &plain, &mixture(sizes), &format!("{sizes:?}"));
    }
}

/// Compares an op with `exact`, and its gradients with central differences of it.
fn assert_exact(
    op: &Op,
    exact: &dyn Fn(&[Array2<f64>]) -> Array2<f64>,
    inputs: &[Array2<f32>],
    what: &str,
) {
    const STEP: f64 = 1e-5;
    let mut point: Vec<Array2<f64>> = inputs.iter().map(|input| input.mapv(f64::from)).collect();
    let values = exact(&point);
    let weights = weights([values.nrows(), values.ncols()]).mapv(f64::from);
    let mut differences = Vec::new();
    for i in 0..point.len() {
        let mut of_input = Vec::new();
        for index in ndarray::indices(point[i].dim()) {
            let start = point[i][index];
            let mut loss = |value: f64| {
                point[i][index] = value;
                (&exact(&point) * &weights).sum()
            };
            of_input.push(((loss(start + STEP) - loss(start - STEP)) / (2.0 * STEP)) as f32);
            point[i][index] = start;
        }
        differences.push(of_input);
    }
    let values: Vec<f32> = values.iter().map(|&value| value as f32).collect();
    for device in devices() {
        let what = format!("{what} on {device:?}");
        let (found, gradients) = evaluate(op, inputs, &vec![true; inputs.len()], &device);
        assert_close(&found, &values, &what);
        for (i, (found, expected)) in gradients.iter().zip(&differences).enumerate() {
            assert_close(found.as_ref().unwrap(), expected, &format!("{what}, gradient {i}"));
        }
    }
}

#[test]
fn a_dense_layer_equals_finite_differences() {
    for function in FUNCTIONS {
        let exact = move |t: &[Array2<f64>]| {
            (t[0].dot(&t[1]) + &t[2]).mapv(|sum| match function {
                Function::Identity => sum,
                Function::Relu => sum.max(0.0),
                Function::Silu => sum / (1.0 + (-sum).exp()),
                Function::Tanh => sum.tanh(),
            })
        };
        let what = format!("{function:?}");
        assert_exact(&dense_op(function), &exact, &layer([5, 7, 3]), &what);
    }
}

#[test]
fn a_mixture_equals_finite_differences() {
    let exact = |t: &[Array2<f64>]| {
        let (low, high) = (f64::from(RANGE.0), f64::from(RANGE.1));
        let total = log_sum_exp(t[3].as_slice().unwrap());
        let log_density = |z: ndarray::ArrayView1<f64>| {
            let term = |k: usize| {
                let unit = |(j, z): (usize, &f64)| {
                    let log_variance = t[2][[k, j]].clamp(low, high);
                    let distance = z - t[1][[k, j]];
                    TAU.ln() + log_variance + distance * distance / log_variance.exp()
                };
                t[3][[0, k]] - total - 0.5 * z.iter().enumerate().map(unit).sum::<f64>()
            };
            log_sum_exp(&(0..t[1].nrows()).map(term).collect::<Vec<f64>>())
        };
        let values: Array1<f64> = t[0].rows().into_iter().map(log_density).collect();
        values.insert_axis(Axis(0))
    };
    let inputs = mixture([6, 5, 3]);
    let clamped = inputs[2].iter().filter(|&&log| log < RANGE.0 || log > RANGE.1).count();
    assert!((1..10).contains(&clamped), "the clamp is tested on both sides: {clamped}");
    assert_exact(&mixture_op, &exact, &inputs, "mixture");
}

/// An input that is not tracked gets no gradient, and the others theirs.
#[test]
fn each_input_has_its_gradient_alone() {
    let cases: [(&Op, Vec<Array2<f32>>); 2] =
        [(&dense_op(Function::Tanh), layer([9, 5, 3])), (&mixture_op, mixture([9, 5, 3]))];
    for (op, inputs) in cases {
        for device in devices() {
            let (_, all) = evaluate(op, &inputs, &vec![true; inputs.len()], &device);
            for alone in 0..inputs.len() {
                let tracked: Vec<bool> = (0..inputs.len()).map(|i| i == alone).collect();
                let (_, gradients) = evaluate(op, &inputs, &tracked, &device);
                for (i, (found, expected)) in gradients.iter().zip(&all).enumerate() {
                    assert_eq!(found, if i == alone { expected } else { &None });
                }
            }
        }
    }
}

/// A matrix that lies transposed in memory is read as what it is.
#[test]
fn operands_may_lie_in_any_order() {
    for device in devices() {
        let inputs = layer([6, 5, 3]);
        let [x, weight, bias] = [0, 1, 2].map(|i| to_tensor(inputs[i].view(), &device));
        let turned = |i: usize| to_tensor(inputs[i].t(), &device).transpose();
        let op = |x, weight| dense(x, weight, vector(&bias), Function::Relu);
        let expected = to_vec(op(x, weight)).unwrap();
        assert_close(&to_vec(op(turned(0), turned(1))).unwrap(), &expected, "transposed");
    }
}

#[test]
fn every_shader_is_valid_and_is_written_for_every_api() {
    for kernel in Kernel::ALL {
        write_for_every_api(&format!("{kernel:?}"), kernel.wgsl(), "main", &Default::default());
    }
}
