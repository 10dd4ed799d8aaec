//! A dense layer of which nothing is derived, on the processor: bias and activation in the product.
//!
//! Samples, encodings and likelihoods are made of such layers. A layer that is trained keeps burn's
//! own ops, as what the fused trainer is held against must not be made of its product.

use burn::backend::Flex;
use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::FloatTensor;
use burn::tensor::TensorData;
use pulp::Arch;
use rayon::prelude::*;

use super::Kernels;
use super::dense::{Function, Layer, activate};
use crate::product::{Left, Panels, Product, Rows, Start};

/// Rows that a thread computes at a time, so that all panels find them in its cache.
const ROWS: usize = 256;

impl Kernels for Flex {
    fn dense_alone(layer: Layer<Self>) -> FloatTensor<Self> {
        let Layer { x, weight, bias, function } = layer;
        let [x, weight, bias] = [x, weight, bias].map(|tensor| tensor.to_contiguous());
        let weights = Weights::new(values(&weight), values(&bias));
        let Weights { inputs, outputs, .. } = weights;
        let mut y = vec![0.0; values(&x).len() / inputs * outputs];
        y.par_chunks_mut(ROWS * outputs)
            .zip(values(&x).par_chunks(ROWS * inputs))
            .for_each(|(y, x)| weights.layer(x, function == Function::Relu, y));
        let shape = [y.len() / outputs, outputs];
        let y = Self::float_from_data(TensorData::new(y, shape), &Default::default());
        match function {
            Function::Relu => y,
            function => {
                let [y, _] = activate::<Self>(y, function);
                y
            }
        }
    }
}

/// What a contiguous tensor holds.
fn values(tensor: &FloatTensor<Flex>) -> &[f32] {
    let (start, end) = tensor.layout().contiguous_offsets().expect("a contiguous tensor");
    &tensor.storage()[start..end]
}

/// A layer's weights and biases.
struct Weights<'a> {
    arch: Arch,
    inputs: usize,
    outputs: usize,
    /// inputs × outputs.
    weights: &'a [f32],
    biases: &'a [f32],
    width: usize,
    /// Outputs that fill no panel.
    rest: usize,
    /// Their columns, filled up with zeros: inputs × width. None where there is no rest.
    rest_weights: Vec<f32>,
    /// Their biases: width.
    rest_biases: Vec<f32>,
}

impl<'a> Weights<'a> {
    /// From `weights`, inputs × outputs, and the `biases` of the outputs.
    fn new(weights: &'a [f32], biases: &'a [f32]) -> Self {
        let outputs = biases.len();
        let (inputs, Panels { width, .. }) = (weights.len() / outputs, Panels::new(outputs));
        let rest = outputs % width;
        let filled = |rows: &[f32]| {
            let mut filled = vec![0.0; rows.len() / outputs * width];
            for (to, from) in filled.chunks_exact_mut(width).zip(rows.chunks_exact(outputs)) {
                to[..rest].copy_from_slice(&from[outputs - rest..]);
            }
            filled
        };
        let (rest_weights, rest_biases) = match rest {
            0 => Default::default(),
            _ => (filled(weights), filled(biases)),
        };
        let arch = Arch::new();
        Self { arch, inputs, outputs, weights, biases, width, rest, rest_weights, rest_biases }
    }

    /// Sets `y` (n × outputs) to xW + b for `x` (n × inputs), or to what relu makes of it.
    fn layer(&self, x: &[f32], relu: bool, y: &mut [f32]) {
        let Self { arch, inputs, outputs, width, rest, .. } = *self;
        let rows = x.len() / inputs;
        let x = Rows::new(arch, x, inputs, inputs);
        let panel = |right: &[f32], right_stride, bias: &[f32], out: &mut [f32], out_stride| {
            let (left, start) = (Left::Rows(&x), Start::Bias(bias));
            Product { left, right, right_stride, start, out, out_stride, rows, width }
                .compute(arch);
        };
        for first in (0..outputs - rest).step_by(width) {
            let bias = &self.biases[first..first + width];
            panel(&self.weights[first..], outputs, bias, &mut y[first..], outputs);
        }
        if rest > 0 {
            let mut filled = vec![0.0; rows * width];
            panel(&self.rest_weights, width, &self.rest_biases, &mut filled, width);
            for (y, filled) in y.chunks_exact_mut(outputs).zip(filled.chunks_exact(width)) {
                y[outputs - rest..].copy_from_slice(&filled[..rest]);
            }
        }
        if relu {
            arch.dispatch(
                #[inline(always)]
                || {
                    // Written so that NaN stays NaN.
                    y.iter_mut().for_each(|y| *y = if *y < 0.0 { 0.0 } else { *y });
                },
            );
        }
    }
}
