//! Encoder, decoder and learned noise.

use std::f64::consts::{FRAC_1_SQRT_2, TAU};

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor, TensorData, activation};

use super::ops::{Function, dense};
use super::prior::{LearnedPrior, MixturePrior, VampPrior};
use super::to_vec;
use crate::config::{Activation, PosteriorVariance, PriorKind};
use crate::error::Result;
use crate::model::{Architecture, LOG_VARIANCE_RANGE, Parameters, SMALLEST_VARIANCE};

/// A VAE of dense layers with the shapes of an [`Architecture`].
#[derive(Module, Debug)]
pub struct Vae {
    encoder: Vec<Dense>,
    decoder: Vec<Dense>,
    log_sigma: Option<Param<Tensor<1>>>,
    pub(super) prior: Option<LearnedPrior>,
    /// log σ where it is given.
    #[module(skip)]
    fixed_log_sigma: Option<f32>,
    #[module(skip)]
    activation: Activation,
    #[module(skip)]
    posterior_variance: PosteriorVariance,
}

/// A dense layer.
#[derive(Module, Debug)]
struct Dense {
    /// inputs × outputs.
    weight: Param<Tensor<2>>,
    /// outputs.
    bias: Param<Tensor<1>>,
}

/// The approximate posterior q(z|x) of each row: a diagonal Gaussian.
#[derive(Clone, Debug)]
pub struct Posterior {
    /// n × latent.
    pub mean: Tensor<2>,
    /// n × latent.
    pub variance: Tensor<2>,
    /// n × latent.
    pub log_variance: Tensor<2>,
}

impl Posterior {
    /// z = μ + √variance · ε for standard normal `noise` (n × latent): the reparameterised sample
    /// (Kingma and Welling 2014, §2.4).
    pub fn sample(&self, noise: Tensor<2>) -> Tensor<2> {
        self.mean.clone() + (self.log_variance.clone() * 0.5).exp() * noise
    }

    /// ln q(z|x) of the sample that `noise` (n × latent) gives: n values.
    pub fn log_density(&self, noise: Tensor<2>) -> Tensor<1> {
        let latent = noise.dims()[1] as f64;
        let terms = self.log_variance.clone() + noise.square();
        terms.sum_dim(1).flatten::<1>(0, 1) * -0.5 - 0.5 * latent * TAU.ln()
    }

    /// KL(q ‖ N(0, I)) in nats of each latent unit, mean over rows (Kingma and Welling 2014, appendix
    /// B).
    pub fn kl_per_unit(&self) -> Tensor<1> {
        let Self { mean, variance, log_variance } = self.clone();
        let [rows, latent] = mean.dims();
        let terms = mean.square() + variance - log_variance - 1.0;
        terms.sum_dim(0).reshape([latent]) * (0.5 / rows as f64)
    }

    /// Each row `times` times in turn: (n · times) × latent.
    #[must_use]
    pub fn repeated(self, times: usize) -> Self {
        let repeat = |values: Tensor<2>| {
            let [rows, latent] = values.dims();
            let values = values.unsqueeze_dim::<3>(1).expand([rows, times, latent]);
            values.reshape([rows * times, latent])
        };
        let Self { mean, variance, log_variance } = self;
        Self { mean: repeat(mean), variance: repeat(variance), log_variance: repeat(log_variance) }
    }
}

impl Vae {
    /// A network on `device` with these parameters.
    ///
    /// On a device with automatic differentiation the parameters are tracked.
    ///
    /// # Panics
    /// Where the values do not fill the architecture's layout, which every constructor of
    /// [`Parameters`] guarantees.
    pub fn new(parameters: &Parameters, device: &Device) -> Self {
        let architecture = &parameters.architecture;
        let layout = architecture.layout();
        let mut tensors =
            layout.iter().map(|spec| (spec.shape.as_slice(), &parameters.values[spec.range()]));
        let mut next = || tensors.next().expect("the layout ends with the last layer");
        let mut layers = |widths: Vec<usize>| -> Vec<Dense> {
            let dense = |_| Dense { weight: param(next(), device), bias: param(next(), device) };
            widths.windows(2).map(dense).collect()
        };
        let encoder = layers(architecture.encoder_widths());
        let decoder = layers(architecture.decoder_widths());
        Self {
            encoder,
            decoder,
            log_sigma: (architecture.learned_sigmas() > 0).then(|| param(next(), device)),
            prior: match architecture.prior {
                PriorKind::StandardNormal => None,
                PriorKind::Mixture => Some(LearnedPrior::Mixture(MixturePrior {
                    means: param(next(), device),
                    log_variances: param(next(), device),
                    logits: param(next(), device),
                })),
                PriorKind::Vamp => {
                    Some(LearnedPrior::Vamp(VampPrior { pseudo_inputs: param(next(), device) }))
                }
            },
            fixed_log_sigma: architecture.sigma.map(|sigma| sigma.ln() as f32),
            activation: architecture.activation,
            posterior_variance: architecture.posterior_variance,
        }
    }

    /// Copies the parameters back from the device.
    ///
    /// # Errors
    /// Where the device fails to give them back.
    pub fn parameters(&self, architecture: &Architecture) -> Result<Parameters> {
        let mut collect = Collect { values: Vec::new(), error: None };
        self.visit(&mut collect);
        match collect.error {
            Some(error) => Err(error),
            None => Ok(Parameters { architecture: architecture.clone(), values: collect.values }),
        }
    }

    /// q(z|x) of rows `x` (n × features).
    pub fn encode(&self, x: Tensor<2>) -> Posterior {
        self.posterior(self.forward(&self.encoder, x))
    }

    /// q(z|x) of what the encoder gives, n × 2·latent: means, then heads.
    pub(super) fn posterior(&self, output: Tensor<2>) -> Posterior {
        let latent = output.dims()[1] / 2;
        let mean = output.clone().narrow(1, 0, latent);
        let head = output.narrow(1, latent, latent);
        match self.posterior_variance {
            PosteriorVariance::Exp => {
                let (low, high) = LOG_VARIANCE_RANGE;
                let log_variance = head.clamp(low, high);
                Posterior { mean, variance: log_variance.clone().exp(), log_variance }
            }
            PosteriorVariance::Softplus => {
                let variance = activation::softplus(head * 0.5, 1.0).clamp_min(SMALLEST_VARIANCE);
                Posterior { mean, log_variance: variance.clone().log(), variance }
            }
        }
    }

    /// The mean of p(x|z) for latents `z` (n × latent): n × features.
    pub fn decode(&self, z: Tensor<2>) -> Tensor<2> {
        self.forward(&self.decoder, z)
    }

    /// log σ of the likelihood, one for all columns or one each; nothing for a mean squared error.
    pub fn log_sigma(&self) -> Option<Tensor<1>> {
        let given = |log: f32| Tensor::from_floats([log], &self.decoder[0].weight.val().device());
        self.log_sigma.as_ref().map(Param::val).or_else(|| self.fixed_log_sigma.map(given))
    }

    fn forward(&self, layers: &[Dense], input: Tensor<2>) -> Tensor<2> {
        layers.iter().enumerate().fold(input, |hidden, (i, layer)| {
            let activation = (i + 1 < layers.len()).then_some(self.activation);
            layer.forward(hidden, activation)
        })
    }
}

impl Dense {
    fn forward(&self, x: Tensor<2>, activation: Option<Activation>) -> Tensor<2> {
        let layer = |function| dense(x, self.weight.val(), self.bias.val(), function);
        match activation {
            None => layer(Function::Identity),
            Some(Activation::Relu) => layer(Function::Relu),
            Some(Activation::Silu) => layer(Function::Silu),
            Some(Activation::Tanh) => layer(Function::Tanh),
            // Spelled out, because on most backends burn's own gelu differentiates another function,
            // the approximation by tanh.
            Some(Activation::Gelu) => {
                let sum = layer(Function::Identity);
                (sum.clone() * FRAC_1_SQRT_2).erf().add_scalar(1.0) * sum * 0.5
            }
        }
    }
}

fn param<const D: usize>((shape, values): (&[usize], &[f32]), device: &Device) -> Param<Tensor<D>> {
    Param::from_data(TensorData::new(values.to_vec(), shape.to_vec()), device)
}

/// Reads every parameter in the order of the layout, which is the order of the module's fields.
struct Collect {
    values: Vec<f32>,
    error: Option<crate::error::Error>,
}

impl ModuleVisitor for Collect {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        match to_vec(param.val()) {
            Ok(values) => self.values.extend(values),
            Err(error) => self.error = Some(error),
        }
    }
}
