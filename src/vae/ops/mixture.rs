//! The log-density of a mixture of Gaussians with diagonal covariances.

use std::f64::consts::TAU;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, TensorMetadata, get_or_init_device_settings};
use burn::tensor::Shape;

use super::Kernels;

/// The mixture, and the points whose log-density it gives.
#[derive(Clone, Debug)]
pub(super) struct Gaussians<B: Backend> {
    /// n × latent.
    pub z: FloatTensor<B>,
    /// K × latent.
    pub means: FloatTensor<B>,
    /// K × latent, before they are clamped.
    pub log_variances: FloatTensor<B>,
    /// K.
    pub logits: FloatTensor<B>,
    /// What the log-variances are clamped to.
    pub range: (f32, f32),
}

impl<B: Backend> Gaussians<B> {
    /// n, K and the latent units.
    pub fn sizes(&self) -> [usize; 3] {
        let [rows, latent] = self.z.shape().dims();
        [rows, self.logits.shape().num_elements(), latent]
    }

    /// z − m, n × K × latent.
    fn distances(&self) -> FloatTensor<B> {
        let [rows, components, latent] = self.sizes();
        let z = B::float_reshape(self.z.clone(), Shape::new([rows, 1, latent]));
        let means = B::float_reshape(self.means.clone(), Shape::new([1, components, latent]));
        B::float_sub(z, means)
    }

    fn clamped_log_variances(&self) -> FloatTensor<B> {
        let (low, high) = self.range;
        B::float_clamp(self.log_variances.clone(), low.into(), high.into())
    }

    /// (z − m)/s, n × K × latent, of the distances z − m.
    fn pulls(&self, distances: FloatTensor<B>) -> FloatTensor<B> {
        let [_, components, latent] = self.sizes();
        let precisions = B::float_exp(B::float_neg(self.clamped_log_variances()));
        let precisions = B::float_reshape(precisions, Shape::new([1, components, latent]));
        B::float_mul(distances, precisions)
    }
}

/// The log-densities in burn's ops. The responsibilities, n × K, are kept.
pub(super) fn forward<B: Backend>(gaussians: Gaussians<B>) -> [FloatTensor<B>; 2] {
    let [rows, components, latent] = gaussians.sizes();
    let distances = gaussians.distances();
    let squares = B::float_mul(gaussians.pulls(distances.clone()), distances);
    let squares = B::float_reshape(B::float_sum_dim(squares, 2), Shape::new([rows, components]));
    let log_scales = B::float_sum_dim(gaussians.clamped_log_variances(), 1);
    let log_scales = B::float_reshape(log_scales, Shape::new([1, components]));
    let exponents = B::float_mul_scalar(B::float_add(squares, log_scales), (-0.5).into());
    let logits = B::float_reshape(gaussians.logits, Shape::new([1, components]));
    let terms = B::float_add(exponents, B::log_softmax(logits, 1));

    let largest = B::float_max_dim(terms.clone(), 1);
    let shares = B::float_exp(B::float_sub(terms, largest.clone()));
    let sum = B::float_sum_dim(shares.clone(), 1);
    let log_density = B::float_add(B::float_log(sum.clone()), largest);
    let log_density = B::float_sub_scalar(log_density, (0.5 * latent as f64 * TAU.ln()).into());
    [B::float_reshape(log_density, Shape::new([rows])), B::float_div(shares, sum)]
}

/// The gradients in burn's ops.
pub(super) fn backward<B: Backend>(
    gaussians: Gaussians<B>,
    responsibilities: FloatTensor<B>,
    gradient: FloatTensor<B>,
) -> [FloatTensor<B>; 4] {
    let [rows, components, latent] = gaussians.sizes();
    let gradient = B::float_reshape(gradient, Shape::new([rows, 1]));
    let shares = B::float_mul(responsibilities, gradient.clone());
    let mass = B::float_sum_dim(shares.clone(), 0);
    let shares = B::float_reshape(shares, Shape::new([rows, components, 1]));

    let distances = gaussians.distances();
    let pulls = B::float_mul(gaussians.pulls(distances.clone()), shares);
    let of_z = B::float_neg(B::float_sum_dim(pulls.clone(), 1));
    let of_means = B::float_sum_dim(pulls.clone(), 0);
    let squares = B::float_sum_dim(B::float_mul(pulls, distances), 0);
    let per_gaussian = Shape::new([components, latent]);
    let squares = B::float_reshape(squares, per_gaussian.clone());
    let column = B::float_reshape(mass.clone(), Shape::new([components, 1]));
    let of_log_variances = B::float_mul_scalar(B::float_sub(squares, column), 0.5.into());

    let weights = B::softmax(B::float_reshape(gaussians.logits.clone(), mass.shape()), 1);
    let of_logits = B::float_sub(mass, B::float_mul(weights, B::float_sum_dim(gradient, 0)));
    [
        B::float_reshape(of_z, Shape::new([rows, latent])),
        B::float_reshape(of_means, per_gaussian),
        where_unclamped(&gaussians, of_log_variances),
        B::float_reshape(of_logits, Shape::new([components])),
    ]
}

/// The gradient, and 0 where the clamp changed the log-variance.
fn where_unclamped<B: Backend>(
    gaussians: &Gaussians<B>,
    gradient: FloatTensor<B>,
) -> FloatTensor<B> {
    let flags = get_or_init_device_settings::<B>(&gradient.device()).bool_dtype;
    let clamped = gaussians.clamped_log_variances();
    let outside = B::float_not_equal(clamped, gaussians.log_variances.clone(), flags);
    B::float_mask_fill(gradient, outside, 0.0.into())
}

/// The op in burn's graph.
pub(super) fn tracked<B: Kernels, C: CheckpointStrategy>(
    z: FloatTensor<Autodiff<B, C>>,
    means: FloatTensor<Autodiff<B, C>>,
    log_variances: FloatTensor<Autodiff<B, C>>,
    logits: FloatTensor<Autodiff<B, C>>,
    range: (f32, f32),
) -> FloatTensor<Autodiff<B, C>> {
    let tensors = [z, means, log_variances, logits];
    let nodes = tensors.each_ref().map(|tensor| tensor.node());
    let [z, means, log_variances, logits] = tensors.map(|tensor| tensor.into_parts().0);
    let gaussians = Gaussians { z, means, log_variances, logits, range };
    match MixtureLogDensity.prepare::<C>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(op) => {
            let [log_density, kept] = B::mixture_forward(gaussians.clone());
            op.finish((gaussians, kept), log_density)
        }
        OpsKind::UnTracked(op) => {
            let [log_density, _] = B::mixture_forward(gaussians);
            op.finish(log_density)
        }
    }
}

#[derive(Debug)]
struct MixtureLogDensity;

impl<B: Kernels> Backward<B, 4> for MixtureLogDensity {
    type State = (Gaussians<B>, FloatTensor<B>);

    fn backward(self, ops: Ops<Self::State, 4>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<B>(&ops.node);
        let (gaussians, kept) = ops.state;
        let values = B::mixture_backward(gaussians, kept, gradient);
        for (parent, value) in ops.parents.into_iter().zip(values) {
            if let Some(parent) = parent {
                gradients.register::<B>(parent.id, value);
            }
        }
    }
}
