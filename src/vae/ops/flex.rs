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
use crate::product::{Left, Panels, Product, Start};

/// Rows that a thread computes at a time, so that all panels find them in its cache.
const ROWS: usize = 256;

impl Kernels for Flex {
    fn dense_alone(layer: Layer<Self>) -> FloatTensor<Self> {
        let Layer { x, weight, bias, function } = layer;
        let [x, weight, bias] = [x, weight, bias].map(|tensor| tensor.to_contiguous());
        let outputs = values(&bias).len();
        let inputs = values(&weight).len() / outputs;
        let weights = Weights::new(values(&weight), values(&bias), inputs);
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

/// A layer's weights and biases in panels of its outputs.
struct Weights {
    arch: Arch,
    panels: Panels,
    inputs: usize,
    outputs: usize,
    /// Panel after panel, each inputs × width.
    weights: Vec<f32>,
    biases: Vec<f32>,
}

impl Weights {
    /// From `weight`, inputs × outputs, and the biases of the outputs.
    fn new(weight: &[f32], bias: &[f32], inputs: usize) -> Self {
        let (outputs, panels) = (bias.len(), Panels::new(bias.len()));
        let mut weights = vec![0.0; inputs * panels.columns()];
        for (panel, weights) in weights.chunks_exact_mut(inputs * panels.width).enumerate() {
            let columns = panel * panels.width..outputs.min((panel + 1) * panels.width);
            let rows = weight.chunks_exact(outputs).map(|row| &row[columns.clone()]);
            for (to, from) in weights.chunks_exact_mut(panels.width).zip(rows) {
                to[..from.len()].copy_from_slice(from);
            }
        }
        let mut biases = vec![0.0; panels.columns()];
        biases[..outputs].copy_from_slice(bias);
        Self { arch: Arch::new(), panels, inputs, outputs, weights, biases }
    }

    /// Sets `y` (n × outputs) to xW + b for `x` (n × inputs), or to what relu makes of it.
    fn layer(&self, x: &[f32], relu: bool, y: &mut [f32]) {
        let Self { arch, panels: Panels { width, .. }, inputs, outputs, .. } = *self;
        let rows = x.len() / inputs;
        // Where the last panel's columns go that are no outputs.
        let mut filled = Vec::new();
        for (panel, weights) in self.weights.chunks_exact(inputs * width).enumerate() {
            let first = panel * width;
            let whole = first + width <= outputs;
            let (out, out_stride) = match whole {
                true => (&mut y[first..], outputs),
                false => {
                    filled.resize(rows * width, 0.0);
                    (&mut filled[..], width)
                }
            };
            Product {
                left: Left::Rows(x, inputs),
                right: weights,
                right_stride: width,
                start: Start::Bias(&self.biases[first..first + width]),
                out,
                out_stride,
                rows,
                depth: inputs,
                width,
            }
            .compute(arch);
        }
        for (y, filled) in y.chunks_exact_mut(outputs).zip(filled.chunks_exact(width)) {
            let y = &mut y[outputs - outputs % width..];
            y.copy_from_slice(&filled[..y.len()]);
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
