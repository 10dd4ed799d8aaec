//! The evidence lower bound and its parts.

use std::f64::consts::TAU;

use burn::tensor::Tensor;

use super::prior::log_sum_exp_rows;
use super::{Posterior, Vae};
use crate::model::Objective;

/// The terms of the loss on one batch, each of shape `[1]`, in scaled units.
#[derive(Clone, Debug)]
pub struct Losses {
    /// `reconstruction + β·kl`, the KL divergence with its free nats; with several draws a row the
    /// negative importance-weighted bound.
    pub loss: Tensor<1>,
    /// Mean squared error over all elements, or −log p(x|z) in nats a row; see
    /// [`Likelihood`](crate::config::Likelihood). The mean over the draws.
    pub reconstruction: Tensor<1>,
    /// KL(q(z|x) ‖ p(z)) in nats, mean over rows; by the draws where the prior is no standard
    /// normal.
    pub kl: Tensor<1>,
}

impl Losses {
    /// The same values without their history of operations.
    #[must_use]
    pub fn inner(self) -> Self {
        let [loss, reconstruction, kl] =
            [self.loss, self.reconstruction, self.kl].map(Tensor::inner);
        Self { loss, reconstruction, kl }
    }
}

/// The loss of rows `x` (n × features) with weight `beta` on the KL divergence a row, and standard
/// normal `noise` (n × (draws · latent), the draws of a row one after the other).
pub fn losses(
    vae: &Vae,
    x: Tensor<2>,
    noise: Tensor<2>,
    objective: &Objective,
    beta: f64,
) -> Losses {
    let posterior = vae.encode(x.clone());
    if objective.importance_samples > 1 {
        return importance_weighted(vae, x, posterior, noise, objective.importance_samples);
    }
    let z = posterior.sample(noise.clone());
    let residual = x - vae.decode(z.clone());
    let reconstruction = match vae.log_sigma() {
        None => residual.square().mean(),
        Some(log_sigma) => -gaussian(residual, log_sigma).mean(),
    };
    let kl = vae.kl(&posterior, z, noise);
    let cost = match objective.free_bits > 0.0 {
        true => posterior.kl_per_unit().clamp_min(objective.free_bits).sum(),
        false => kl.clone(),
    };
    Losses { loss: reconstruction.clone() + cost * beta, reconstruction, kl }
}

/// −ln (1/k) Σ p(x|z)·p(z)/q(z|x) over k draws a row, mean over rows (Burda, Grosse and Salakhutdinov,
/// "Importance Weighted Autoencoders", ICLR 2016, eq. 8).
fn importance_weighted(
    vae: &Vae,
    x: Tensor<2>,
    posterior: Posterior,
    noise: Tensor<2>,
    draws: usize,
) -> Losses {
    let ([rows, features], latent) = (x.dims(), posterior.mean.dims()[1]);
    let noise = noise.reshape([rows * draws, latent]);
    let posterior = posterior.repeated(draws);
    let z = posterior.sample(noise.clone());
    let x = x.unsqueeze_dim::<3>(1).expand([rows, draws, features]);
    let residual = x.reshape([rows * draws, features]) - vae.decode(z.clone());
    // A mean squared error as a density has the variance features / 2.
    let of_error = || Tensor::full([1], 0.5 * (0.5 * features as f64).ln(), &residual.device());
    let log_sigma = vae.log_sigma().unwrap_or_else(of_error);
    let log_likelihood = gaussian(residual, log_sigma);
    let ratio = posterior.log_density(noise) - vae.log_prior(z);
    let log_weights = (log_likelihood.clone() - ratio.clone()).reshape([rows, draws]);
    let bound = log_sum_exp_rows(log_weights).mean() - (draws as f64).ln();
    Losses { loss: -bound, reconstruction: -log_likelihood.mean(), kl: ratio.mean() }
}

/// log N(x; x̂, σ²) in nats of each row of the residual x − x̂ (n × features), with one log σ or one
/// a column: n values.
pub(crate) fn gaussian(residual: Tensor<2>, log_sigma: Tensor<1>) -> Tensor<1> {
    let features = residual.dims()[1];
    let log_sigma = log_sigma.expand([features]);
    let scaled = residual * (-log_sigma.clone()).exp().unsqueeze_dim::<2>(0);
    scaled.square().sum_dim(1).flatten::<1>(0, 1) * -0.5
        - (log_sigma.sum() + 0.5 * features as f64 * TAU.ln())
}
