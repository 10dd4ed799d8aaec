//! A dense layer without gradients, on the processor.
//!
//! Likelihoods and held-out bounds are made of such layers. A layer that is trained keeps burn's own ops:
//! it is the reference for the fused trainer, and must not share the fused trainer's matrix product.

use burn::backend::Flex;
use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::FloatTensor;
use burn::tensor::TensorData;
use rayon::prelude::*;

use super::Kernels;
use super::dense::{Function, Layer};
use crate::config::Activation;
use crate::vae::layers::Layers;

/// Rows that a thread computes at a time.
const ROWS: usize = 256;

impl Kernels for Flex {
    fn dense_alone(layer: Layer<Self>) -> FloatTensor<Self> {
        let Layer { x, weight, bias, function } = layer;
        let [x, weight, bias] = [x, weight, bias].map(|tensor| tensor.to_contiguous());
        let (weights, biases) = (values(&weight), values(&bias));
        let (inputs, outputs) = (weights.len() / biases.len(), biases.len());
        let layer = Layers::one(weights, biases, function.into());
        let mut y = vec![0.0; values(&x).len() / inputs * outputs];
        y.par_chunks_mut(ROWS * outputs)
            .zip(values(&x).par_chunks(ROWS * inputs))
            .for_each(|(y, x)| layer.forward(x, y));
        let shape = [y.len() / outputs, outputs];
        Self::float_from_data(TensorData::new(y, shape), &Default::default())
    }
}

/// What a contiguous tensor holds.
fn values(tensor: &FloatTensor<Flex>) -> &[f32] {
    let (start, end) = tensor.layout().contiguous_offsets().expect("a contiguous tensor");
    &tensor.storage()[start..end]
}

impl From<Function> for Option<Activation> {
    fn from(function: Function) -> Self {
        match function {
            Function::Identity => None,
            Function::Relu => Some(Activation::Relu),
            Function::Silu => Some(Activation::Silu),
            Function::Tanh => Some(Activation::Tanh),
        }
    }
}
