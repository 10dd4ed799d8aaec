//! Priors that are learned, and log-densities of latents.

use std::f64::consts::TAU;

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use ndarray::{Array2, ArrayView1, Axis};

use super::ops::mixture_log_density;
use super::{Posterior, Vae, to_array, to_vec};
use crate::data::{Mixture, log_sum_exp};
use crate::error::Result;
use crate::model::{PRIOR_LOG_VARIANCE_RANGE, Prior};

/// The parameters of a prior that is learned with the networks.
#[derive(Module, Debug)]
pub enum LearnedPrior {
    /// A mixture of diagonal Gaussians.
    Mixture(MixturePrior),
    /// The mean posterior of pseudo-inputs (Tomczak and Welling, "VAE with a VampPrior", AISTATS
    /// 2018, eq. 9).
    Vamp(VampPrior),
}

/// A mixture of K diagonal Gaussians over the latents.
#[derive(Module, Debug)]
pub struct MixturePrior {
    /// K × latent.
    pub(super) means: Param<Tensor<2>>,
    /// K × latent, used within [`PRIOR_LOG_VARIANCE_RANGE`].
    pub(super) log_variances: Param<Tensor<2>>,
    /// Logits of the weights, K.
    pub(super) logits: Param<Tensor<1>>,
}

/// The pseudo-inputs of a VampPrior.
#[derive(Module, Debug)]
pub struct VampPrior {
    /// K × features, in scaled units.
    pub(super) pseudo_inputs: Param<Tensor<2>>,
}

/// K diagonal Gaussians with the logits of their weights.
struct Gaussians {
    /// K × latent.
    means: Tensor<2>,
    /// K × latent, used within `range`.
    log_variances: Tensor<2>,
    range: (f32, f32),
    /// K.
    logits: Tensor<1>,
}

impl Vae {
    /// KL(q(z|x) ‖ p(z)) in nats for the prior of training, as the mean over n rows: in closed form
    /// for a standard normal prior, else by the draws `z` (n × latent) made of `noise` (n × latent).
    pub fn kl(&self, posterior: &Posterior, z: Tensor<2>, noise: Tensor<2>) -> Tensor<1> {
        match self.prior {
            None => posterior.kl_per_unit().sum(),
            Some(_) => (posterior.log_density(noise) - self.log_prior(z)).mean(),
        }
    }

    /// ln p(z) under the prior of training for latents `z` (n × latent): n values.
    pub fn log_prior(&self, z: Tensor<2>) -> Tensor<1> {
        match self.gaussians() {
            None => {
                let latent = z.dims()[1] as f64;
                z.square().sum_dim(1).flatten::<1>(0, 1) * -0.5 - 0.5 * latent * TAU.ln()
            }
            Some(Gaussians { means, log_variances, range, logits }) => {
                mixture_log_density(z, means, log_variances, logits, range)
            }
        }
    }

    /// See [`Model::trained_prior`](super::Model::trained_prior).
    pub(super) fn trained_prior(&self) -> Result<Prior> {
        let Some(Gaussians { means, log_variances, range, logits }) = self.gaussians() else {
            return Ok(Prior::StandardNormal);
        };
        let (means, log_variances) = (to_array(means)?, to_array(log_variances)?);
        let log_variances = log_variances.mapv(|log| log.clamp(range.0, range.1));
        let logits: Vec<f64> = to_vec(logits)?.into_iter().map(f64::from).collect();
        let total = log_sum_exp(&logits);
        let weights = logits.iter().map(|logit| (logit - total).exp()).collect();
        let means = means.rows().into_iter().map(|mean| mean.mapv(f64::from).to_vec()).collect();
        let covariance = |log_variances: ArrayView1<f32>| {
            let variances = log_variances.mapv(|log| f64::from(log).exp());
            let matrix = Array2::from_diag(&variances);
            matrix.axis_iter(Axis(0)).map(|row| row.to_vec()).collect()
        };
        let covariances = log_variances.rows().into_iter().map(covariance).collect();
        Ok(Prior::Mixture(Mixture::new(weights, means, covariances)?))
    }

    /// The learned prior as Gaussians; nothing where it is standard normal.
    fn gaussians(&self) -> Option<Gaussians> {
        self.prior.as_ref().map(|prior| match prior {
            LearnedPrior::Mixture(prior) => Gaussians {
                means: prior.means.val(),
                log_variances: prior.log_variances.val(),
                range: PRIOR_LOG_VARIANCE_RANGE,
                logits: prior.logits.val(),
            },
            LearnedPrior::Vamp(prior) => {
                let inputs = prior.pseudo_inputs.val();
                let logits = Tensor::zeros([inputs.dims()[0]], &inputs.device());
                let Posterior { mean, log_variance, .. } = self.encode(inputs);
                let range = (f32::MIN, f32::MAX);
                Gaussians { means: mean, log_variances: log_variance, range, logits }
            }
        })
    }
}

/// ln Σ exp of each row of n × K terms, without overflow: n values.
pub(super) fn log_sum_exp_rows(terms: Tensor<2>) -> Tensor<1> {
    let largest = terms.clone().detach().max_dim(1);
    ((terms - largest.clone()).exp().sum_dim(1).log() + largest).flatten::<1>(0, 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ModelSettings, PriorKind};
    use crate::model::{Architecture, Parameters, Role};
    use crate::random::{Generator, Stream};
    use crate::vae::to_tensor;

    /// The density that training sees is that of the mixture which samples are drawn from.
    #[test]
    fn a_learned_prior_is_one_mixture_in_training_and_after() {
        let device = burn::tensor::Device::flex();
        let mut rows = Array2::zeros((20, 3));
        Generator::new(5, Stream::MixtureRows, 0).normal(rows.as_slice_mut().unwrap());
        for prior in [PriorKind::Mixture, PriorKind::Vamp] {
            let settings = ModelSettings {
                latent: Some(2),
                prior,
                prior_components: 4,
                hidden: vec![8],
                ..ModelSettings::default()
            };
            let architecture = Architecture::new(&settings, 3);
            let layout = architecture.layout();
            let mut parameters = Parameters::initialise(architecture, 1.0, rows.view(), 1).unwrap();
            // Away from equal weights and variances, and past an end of the clamp.
            for spec in layout.iter().filter(|spec| spec.role == Role::PriorLogits) {
                parameters.values[spec.range()].copy_from_slice(&[0.5, -1.0, 2.0, 0.0]);
            }
            for spec in layout.iter().filter(|spec| spec.role == Role::PriorLogVariances) {
                parameters.values[spec.range()][..3].copy_from_slice(&[-0.5, 7.0, 1.0]);
            }
            let vae = Vae::new(&parameters, &device);
            let Prior::Mixture(mixture) = vae.trained_prior().unwrap() else { panic!("learned") };
            assert_eq!(mixture.components(), 4);
            let z = rows.slice(ndarray::s![.., ..2]);
            let found = to_vec(vae.log_prior(to_tensor(z, &device))).unwrap();
            for (found, expected) in found.iter().zip(mixture.log_densities(z)) {
                assert!((f64::from(*found) - expected).abs() < 1e-5, "{found} {expected}");
            }
        }
    }
}
