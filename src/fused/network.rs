//! What a fused step computes: where each tensor stands in the flat parameters, and the options.

use crate::config::{Activation, KlReduction, Likelihood, PosteriorVariance, PriorKind};
use crate::model::{Architecture, Objective, Role};

/// A dense layer y = f(xW + b).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Layer {
    /// Width of x.
    pub inputs: usize,
    /// Width of y.
    pub outputs: usize,
    /// Where W (inputs × outputs) begins in the flat parameters.
    pub weight: usize,
    /// Where b (outputs) begins in the flat parameters.
    pub bias: usize,
    /// Whether f is the activation, as it is between layers, or the identity.
    pub activated: bool,
}

/// Where a mixture prior stands in the flat parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MixturePrior {
    /// Number of Gaussians K.
    pub components: usize,
    /// Where the means (K × latent) begin.
    pub means: usize,
    /// Where the log-variances (K × latent) begin.
    pub log_variances: usize,
    /// Where the logits (K) begin.
    pub logits: usize,
}

/// A model and its objective as the fused trainer sees them.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    /// Columns of the data.
    pub features: usize,
    /// Latent units.
    pub latent: usize,
    /// From the data to the posterior's mean and head.
    pub encoder: Vec<Layer>,
    /// From the latents to the mean of the likelihood.
    pub decoder: Vec<Layer>,
    /// Between layers.
    pub activation: Activation,
    /// How the head becomes a variance.
    pub posterior_variance: PosteriorVariance,
    /// What the decoder's output means.
    pub likelihood: Likelihood,
    /// Where the learned log σ begin; nothing where none is learned.
    pub log_sigma: Option<usize>,
    /// How many of them there are.
    pub learned_sigmas: usize,
    /// ln σ where it is given.
    pub fixed_log_sigma: f32,
    /// The learned prior; nothing for N(0, I).
    pub prior: Option<MixturePrior>,
    /// Whether the KL divergence is summed over the batch instead of averaged.
    pub sums_kl: bool,
    /// Number of parameters.
    pub parameters: usize,
}

impl Network {
    /// The network of this architecture and objective.
    ///
    /// # Errors
    /// What the fused trainer does not do, in words that end the sentence "fused does not do …".
    pub fn new(architecture: &Architecture, objective: &Objective) -> Result<Self, String> {
        if architecture.prior == PriorKind::Vamp {
            return Err("a VampPrior".into());
        }
        if architecture.activation == Activation::Gelu {
            return Err("the activation gelu".into());
        }
        if objective.free_bits > 0.0 {
            return Err("free bits".into());
        }
        if objective.importance_samples > 1 {
            return Err("the importance-weighted bound".into());
        }
        let layout = architecture.layout();
        let place = |role| layout.iter().find(|spec| spec.role == role).map(|spec| spec.offset);
        let mut tensors = layout.iter();
        let mut layers = |widths: Vec<usize>| -> Vec<Layer> {
            let last = widths.len() - 2;
            let layer = |(index, pair): (usize, &[usize])| Layer {
                inputs: pair[0],
                outputs: pair[1],
                weight: tensors.next().map_or(0, |spec| spec.offset),
                bias: tensors.next().map_or(0, |spec| spec.offset),
                activated: index < last,
            };
            widths.windows(2).enumerate().map(layer).collect()
        };
        let (encoder, decoder) =
            (layers(architecture.encoder_widths()), layers(architecture.decoder_widths()));
        let prior = place(Role::PriorMeans)
            .zip(place(Role::PriorLogVariances))
            .zip(place(Role::PriorLogits))
            .map(|((means, log_variances), logits)| MixturePrior {
                components: architecture.prior_components,
                means,
                log_variances,
                logits,
            });
        Ok(Self {
            features: architecture.features,
            latent: architecture.latent,
            encoder,
            decoder,
            activation: architecture.activation,
            posterior_variance: architecture.posterior_variance,
            likelihood: architecture.likelihood,
            log_sigma: place(Role::LogSigma),
            learned_sigmas: architecture.learned_sigmas(),
            fixed_log_sigma: architecture.sigma.unwrap_or(1.0).ln() as f32,
            prior,
            sums_kl: objective.kl_reduction == KlReduction::Sum,
            parameters: layout.last().map_or(0, |spec| spec.range().end),
        })
    }

    /// Whether Mesa's llvmpipe, which simulates a GPU, computes steps of so many rows: it leaves the loops
    /// of a shader after 65 535 turns of all of them together.
    pub fn suits_simulated_gpu(&self, batch: usize) -> bool {
        const MOST_TURNS: usize = 65_535;
        let widths = self.layers().map(|layer| layer.inputs.max(layer.outputs));
        let longest = widths.fold(batch, usize::max);
        // The Gaussians of an invocation, sums over the 32 invocations of a row, and the way back.
        let of_prior = self.prior.map_or(0, |prior| {
            prior.components.div_ceil(32) * (self.latent + 3) + 96 + prior.components.div_ceil(4)
        });
        // The last for the short loops within a tile.
        longest + self.features + of_prior + 64 <= MOST_TURNS
    }

    /// Every layer in the order of a forward pass.
    pub fn layers(&self) -> impl Iterator<Item = &Layer> {
        self.encoder.iter().chain(&self.decoder)
    }
}
