//! From ∂loss/∂z to the encoder's output. Twin of `shaders/posterior_backward.wgsl`.

use super::block::Block;
use super::posterior::Variance;
use crate::fused::Network;
use crate::product::math::exp;

/// Sets ∂loss/∂(μ, head), where ∂loss/∂z of the likelihood stands in the block and the KL divergence
/// of each row weighs `weight` = β / rows of the batch.
pub(super) fn posterior_backward(network: &Network, weight: f32, block: &mut Block) {
    let latent = network.latent;
    let Some(output) = block.encoder.last_mut() else { return };
    for row in 0..block.count {
        let (mean, head) = output.output.row(row, 2 * latent).split_at(latent);
        let (mean_delta, head_delta) = output.delta.row_mut(row, 2 * latent).split_at_mut(latent);
        let noise = &block.noise[row * latent..][..latent];
        let z_delta = block.latents_delta.row(row, latent);
        for unit in 0..latent {
            let Variance { log, variance, slope } =
                Variance::of(head[unit], network.posterior_variance);
            let (mut to_mean, to_log) = match network.prior {
                None => (z_delta[unit], 0.5 * weight * (variance - 1.0)),
                Some(_) => {
                    let prior = block.prior_slope.row(row, latent)[unit];
                    (z_delta[unit] + weight * prior, -0.5 * weight)
                }
            };
            let to_log = to_log + to_mean * 0.5 * exp(0.5 * log) * noise[unit];
            if network.prior.is_none() {
                to_mean += weight * mean[unit];
            }
            mean_delta[unit] = to_mean;
            head_delta[unit] = to_log * slope;
        }
    }
}
