//! The evidence lower bound and its parts.

use burn::tensor::Tensor;

use super::{Posterior, Vae};

/// The terms of the loss on one batch, each of shape `[1]`, in scaled units.
#[derive(Clone, Debug)]
pub struct Losses {
    /// `reconstruction + β·kl`.
    pub loss: Tensor<1>,
    /// Mean squared error over all elements, or −log p(x|z) in nats a row; see
    /// [`Likelihood`](crate::config::Likelihood).
    pub reconstruction: Tensor<1>,
    /// KL(q(z|x) ‖ N(0, I)) in nats, mean over rows.
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

/// The loss of rows `x` (n × features) with standard normal `noise` (n × latent) and weight `beta`
/// on the KL divergence a row.
pub fn losses(vae: &Vae, x: Tensor<2>, noise: Tensor<2>, beta: f64) -> Losses {
    let posterior = vae.encode(x.clone());
    let residual = x - vae.decode(posterior.sample(noise));
    let reconstruction = match vae.log_sigma() {
        None => residual.square().mean(),
        Some(log_sigma) => gaussian(residual, log_sigma),
    };
    let kl = kl_standard_normal(&posterior);
    Losses { loss: reconstruction.clone() + kl.clone() * beta, reconstruction, kl }
}

/// −log N(x; x̂, σ²I) in nats, mean over rows.
fn gaussian(residual: Tensor<2>, log_sigma: Tensor<1>) -> Tensor<1> {
    let [rows, features] = residual.dims();
    let precision = (log_sigma.clone() * -2.0).exp();
    let half_log_tau = 0.5 * std::f64::consts::TAU.ln();
    residual.square().sum() * precision * (0.5 / rows as f64)
        + (log_sigma + half_log_tau) * features as f64
}

/// KL(q ‖ N(0, I)) in nats, summed over units, mean over rows (Kingma and Welling 2014,
/// appendix B).
pub fn kl_standard_normal(posterior: &Posterior) -> Tensor<1> {
    let Posterior { mean, variance, log_variance } = posterior.clone();
    let rows = mean.dims()[0];
    (mean.square() + variance - log_variance - 1.0).sum() * (0.5 / rows as f64)
}
