//! Ops of burn's graph that are written by hand: a dense layer with its activation, and the
//! log-density of a mixture.
//!
//! A step of training is short on a GPU, and costs what its launches cost. Op by op a layer takes
//! eight of them, forward and back, and the mixture 74; by hand they take three each. [`Kernels`] is
//! what a backend computes, without derivatives: on wgpu the WGSL of `shaders/ops/`, launched by
//! `gpu.rs`, and elsewhere burn's own ops, but for layers of which nothing is derived, which `flex.rs`
//! computes on the processor. [`Ops`] puts it into burn's graph, with the derivatives of `dense.rs` and
//! `mixture.rs`.

// burn deprecates its ndarray backend, which is selectable here; see `device.rs`.
#![allow(deprecated)]

mod dense;
mod flex;
mod gpu;
mod mixture;
#[cfg(test)]
mod tests;

use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, NdArray, backend_extension};
use burn::tensor::Tensor;

pub(super) use dense::Function;
use dense::Layer;
use mixture::Gaussians;

/// y = f(xW + b) for `x` (n × inputs), `weight` (inputs × outputs) and `bias` (outputs):
/// n × outputs.
///
/// # Panics
/// Where the shapes do not fit each other.
pub(super) fn dense(
    x: Tensor<2>,
    weight: Tensor<2>,
    bias: Tensor<1>,
    function: Function,
) -> Tensor<2> {
    let ([_, inputs], [rows, outputs], [biases]) = (x.dims(), weight.dims(), bias.dims());
    assert_eq!((inputs, outputs), (rows, biases), "x, W and b do not fit each other");
    let (x, weight, bias) = (x.into_dispatch(), weight.into_dispatch(), bias.into_dispatch());
    Tensor::from_dispatch(Dispatch::dense(x, weight, bias, function))
}

/// ln Σ_k w_k N(z; m_k, diag s_k) of each row of `z` (n × latent) for the `means` m and the
/// `log_variances` ln s (each K × latent), which are clamped to `range`, and the `logits` (K) of the
/// weights w: n values.
///
/// # Panics
/// Where the shapes do not fit each other.
pub(super) fn mixture_log_density(
    z: Tensor<2>,
    means: Tensor<2>,
    log_variances: Tensor<2>,
    logits: Tensor<1>,
    range: (f32, f32),
) -> Tensor<1> {
    let ([_, latent], [components]) = (z.dims(), logits.dims());
    let shape = [components, latent];
    assert_eq!((means.dims(), log_variances.dims()), (shape, shape), "no such mixture");
    Tensor::from_dispatch(Dispatch::mixture_log_density(
        z.into_dispatch(),
        means.into_dispatch(),
        log_variances.into_dispatch(),
        logits.into_dispatch(),
        range,
    ))
}

/// The ops by backend, with derivatives where the backend takes them.
#[backend_extension(Autodiff, Cube, Flex, NdArray)]
trait Ops: Backend {
    /// See [`dense`].
    fn dense(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        function: Function,
    ) -> FloatTensor<Self>;

    /// See [`mixture_log_density`].
    fn mixture_log_density(
        z: FloatTensor<Self>,
        means: FloatTensor<Self>,
        log_variances: FloatTensor<Self>,
        logits: FloatTensor<Self>,
        range: (f32, f32),
    ) -> FloatTensor<Self>;
}

/// What a backend computes: values and gradients. What a `forward` keeps for its `backward` beside
/// its output is the backend's own affair.
trait Kernels: Backend {
    /// The layer's output, of which nothing is to be derived.
    fn dense_alone(layer: Layer<Self>) -> FloatTensor<Self> {
        let [y, _] = Self::dense_forward(layer);
        y
    }

    /// The layer's output, and what is kept.
    fn dense_forward(layer: Layer<Self>) -> [FloatTensor<Self>; 2] {
        dense::forward(layer)
    }

    /// The gradients of x, where it is `wanted`, of W and of b.
    fn dense_backward(
        layer: Layer<Self>,
        kept: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        wanted: bool,
    ) -> (Option<FloatTensor<Self>>, [FloatTensor<Self>; 2]) {
        dense::backward(layer, kept, gradient, wanted)
    }

    /// The log-densities, and what is kept.
    fn mixture_forward(gaussians: Gaussians<Self>) -> [FloatTensor<Self>; 2] {
        mixture::forward(gaussians)
    }

    /// The gradients of z, the means, the log-variances and the logits.
    fn mixture_backward(
        gaussians: Gaussians<Self>,
        kept: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
    ) -> [FloatTensor<Self>; 4] {
        mixture::backward(gaussians, kept, gradient)
    }
}

impl Kernels for NdArray {}

impl<B: Kernels> Ops for B {
    fn dense(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        function: Function,
    ) -> FloatTensor<Self> {
        B::dense_alone(Layer { x, weight, bias, function })
    }

    fn mixture_log_density(
        z: FloatTensor<Self>,
        means: FloatTensor<Self>,
        log_variances: FloatTensor<Self>,
        logits: FloatTensor<Self>,
        range: (f32, f32),
    ) -> FloatTensor<Self> {
        let [log_density, _] =
            B::mixture_forward(Gaussians { z, means, log_variances, logits, range });
        log_density
    }
}

impl<B: Kernels, C: CheckpointStrategy> Ops for Autodiff<B, C> {
    fn dense(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        function: Function,
    ) -> FloatTensor<Self> {
        dense::tracked::<B, C>(x, weight, bias, function)
    }

    fn mixture_log_density(
        z: FloatTensor<Self>,
        means: FloatTensor<Self>,
        log_variances: FloatTensor<Self>,
        logits: FloatTensor<Self>,
        range: (f32, f32),
    ) -> FloatTensor<Self> {
        mixture::tracked::<B, C>(z, means, log_variances, logits, range)
    }
}
