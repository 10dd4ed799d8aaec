//! A dense layer with its activation.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend};

use super::Kernels;

/// What follows the sum xW + b. The numbers are those of `shaders/common/activation.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::vae) enum Function {
    Identity = 0,
    Relu = 1,
    Silu = 2,
    Tanh = 3,
}

/// What a layer computes from.
#[derive(Clone, Debug)]
pub(super) struct Layer<B: Backend> {
    /// n × inputs.
    pub x: FloatTensor<B>,
    /// inputs × outputs.
    pub weight: FloatTensor<B>,
    /// outputs.
    pub bias: FloatTensor<B>,
    pub function: Function,
}

/// y in burn's ops, and what is kept.
pub(super) fn forward<B: Backend>(layer: Layer<B>) -> [FloatTensor<B>; 2] {
    let Layer { x, weight, bias, function } = layer;
    activate::<B>(B::linear(x, weight, Some(bias)), function)
}

/// f of the sum xW + b in burn's ops, and what is kept: the sum of silu, of the others f itself.
pub(super) fn activate<B: Backend>(sum: FloatTensor<B>, function: Function) -> [FloatTensor<B>; 2] {
    let y = match function {
        Function::Identity => sum,
        Function::Relu => B::relu(sum),
        Function::Tanh => B::float_tanh(sum),
        Function::Silu => {
            return [B::float_mul(sum.clone(), B::sigmoid(sum.clone())), sum];
        }
    };
    [y.clone(), y]
}

/// The gradients in burn's ops.
pub(super) fn backward<B: Backend>(
    layer: Layer<B>,
    kept: FloatTensor<B>,
    gradient: FloatTensor<B>,
    wanted: bool,
) -> (Option<FloatTensor<B>>, [FloatTensor<B>; 2]) {
    let one_minus = |values| B::float_add_scalar(B::float_neg(values), 1.0.into());
    let of_sum = match layer.function {
        Function::Identity => gradient,
        Function::Relu => B::relu_backward(kept, gradient),
        Function::Tanh => B::float_mul(gradient, one_minus(B::float_mul(kept.clone(), kept))),
        Function::Silu => {
            let sigmoid = B::sigmoid(kept.clone());
            let rest = B::float_mul(kept, one_minus(sigmoid.clone()));
            let slope = B::float_mul(sigmoid, B::float_add_scalar(rest, 1.0.into()));
            B::float_mul(gradient, slope)
        }
    };
    let of_x = wanted.then(|| B::linear_x_backward(layer.weight, of_sum.clone()));
    let of_weight = B::linear_weight_backward(layer.x, of_sum.clone());
    (of_x, [of_weight, B::linear_bias_backward(of_sum)])
}

/// The op in burn's graph.
pub(super) fn tracked<B: Kernels, C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<B, C>>,
    weight: FloatTensor<Autodiff<B, C>>,
    bias: FloatTensor<Autodiff<B, C>>,
    function: Function,
) -> FloatTensor<Autodiff<B, C>> {
    let [(x, of_x), (weight, of_weight), (bias, of_bias)] =
        [x, weight, bias].map(|tensor| tensor.into_parts());
    let layer = Layer { x, weight, bias, function };
    match Dense.prepare::<C>([of_x, of_weight, of_bias]).compute_bound().stateful() {
        OpsKind::Tracked(op) => {
            let [y, kept] = B::dense_forward(layer.clone());
            op.finish((layer, kept), y)
        }
        OpsKind::UnTracked(op) => {
            let y = B::dense_alone(layer);
            op.finish(y)
        }
    }
}

#[derive(Debug)]
struct Dense;

impl<B: Kernels> Backward<B, 3> for Dense {
    type State = (Layer<B>, FloatTensor<B>);

    fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let [x, weight, bias] = ops.parents;
        let gradient = gradients.consume::<B>(&ops.node);
        let (layer, kept) = ops.state;
        let (of_x, [of_weight, of_bias]) = B::dense_backward(layer, kept, gradient, x.is_some());
        for (parent, value) in [(x, of_x), (weight, Some(of_weight)), (bias, Some(of_bias))] {
            if let (Some(parent), Some(value)) = (parent, value) {
                gradients.register::<B>(parent.id, value);
            }
        }
    }
}
