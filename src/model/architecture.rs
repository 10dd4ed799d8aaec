//! Shapes of the networks and the order of their parameters.

use serde::{Deserialize, Serialize};

use crate::config::{
    Activation, Likelihood, MOST_LAYERS, ModelSettings, PosteriorVariance, PriorKind,
};
use crate::error::{Error, Result};

/// The log-variance of an `exp` posterior is clamped to this range.
pub const LOG_VARIANCE_RANGE: (f32, f32) = (-12.0, 8.0);

/// The smallest variance of a softplus posterior, so that its logarithm stays finite.
pub const SMALLEST_VARIANCE: f32 = 1e-12;

/// The log-variances of a mixture prior are clamped to this range.
pub const PRIOR_LOG_VARIANCE_RANGE: (f32, f32) = (-8.0, 4.0);

/// Latent units where nothing is asked for: as many as columns, within these bounds. With fewer, modes
/// that lie side by side in the data lie across others in the latent space, and grow together.
const DEFAULT_LATENT: (usize, usize) = (2, 4);

/// More parameters than this are refused: 4 GiB of `f32`, far above what these models need, so that
/// a damaged file cannot ask for absurd memory.
const MAX_PARAMETERS: usize = 1 << 30;

/// The shape of a VAE of dense layers.
///
/// Encoder: `features → hidden… → 2·latent`, the first half of the output being the posterior mean
/// and the second half the head h of its variance. Decoder: `latent → reversed hidden… → features`,
/// the mean of the likelihood. The activation stands between layers, not after the last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Architecture {
    /// Columns of the data.
    pub features: usize,
    /// Widths of the encoder's hidden layers.
    pub hidden: Vec<usize>,
    /// Latent units.
    pub latent: usize,
    /// Non-linearity between layers.
    pub activation: Activation,
    /// What the decoder's output means.
    pub likelihood: Likelihood,
    /// Standard deviation of the likelihood in scaled units, where it is given instead of learned.
    pub sigma: Option<f64>,
    /// How h becomes the posterior's variance.
    pub posterior_variance: PosteriorVariance,
    /// The prior of training.
    pub prior: PriorKind,
    /// Gaussians or pseudo-inputs of that prior; a standard normal has none.
    pub prior_components: usize,
}

/// What a parameter tensor is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Weights or biases of a dense layer with this many inputs.
    Layer {
        /// Inputs of the layer.
        fan_in: usize,
    },
    /// Logarithm of the likelihood's standard deviation.
    LogSigma,
    /// Means of a mixture prior.
    PriorMeans,
    /// Log-variances of a mixture prior.
    PriorLogVariances,
    /// Logits of the weights of a mixture prior.
    PriorLogits,
    /// Rows in scaled units whose posteriors are the prior.
    PseudoInputs,
}

/// One parameter tensor: its name, shape and place in the flat vector.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorSpec {
    /// `encoder.0.weight`, `decoder.2.bias`, `log_sigma`, `prior.means`, …
    pub name: String,
    /// `[in, out]` for weights (y = xW + b), `[out]` for biases, `[1]` or `[features]` for log σ,
    /// `[components, latent]` for means and log-variances of a prior, `[components]` for its logits,
    /// `[components, features]` for pseudo-inputs.
    pub shape: Vec<usize>,
    /// Index of the first value in the flat vector.
    pub offset: usize,
    /// What it is for.
    pub role: Role,
}

impl TensorSpec {
    /// Number of values.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it has no values, which no tensor of a valid architecture has.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where its values stand in the flat vector.
    pub fn range(&self) -> std::ops::Range<usize> {
        self.offset..self.offset + self.len()
    }
}

impl Architecture {
    /// The architecture that `settings` ask for on data with this many columns.
    pub fn new(settings: &ModelSettings, features: usize) -> Self {
        Self {
            features,
            hidden: settings.hidden.clone(),
            latent: settings.latent.unwrap_or(features.clamp(DEFAULT_LATENT.0, DEFAULT_LATENT.1)),
            activation: settings.activation,
            likelihood: settings.likelihood,
            sigma: (settings.likelihood == Likelihood::FixedSigma).then_some(settings.sigma),
            posterior_variance: settings.posterior_variance,
            prior: settings.prior,
            prior_components: match settings.prior {
                PriorKind::StandardNormal => 0,
                PriorKind::Mixture | PriorKind::Vamp => settings.prior_components,
            },
        }
    }

    /// Widths of the encoder from input to output.
    pub fn encoder_widths(&self) -> Vec<usize> {
        let hidden = self.hidden.iter().copied();
        std::iter::once(self.features)
            .chain(hidden)
            .chain([self.latent.saturating_mul(2)])
            .collect()
    }

    /// Widths of the decoder from input to output.
    pub fn decoder_widths(&self) -> Vec<usize> {
        let hidden = self.hidden.iter().rev().copied();
        std::iter::once(self.latent).chain(hidden).chain([self.features]).collect()
    }

    /// Standard deviations of the likelihood that are parameters: none, one, or one a column.
    pub fn learned_sigmas(&self) -> usize {
        match self.likelihood {
            Likelihood::MeanSquaredError | Likelihood::FixedSigma => 0,
            Likelihood::LearnedSigma => 1,
            Likelihood::LearnedSigmaPerColumn => self.features,
        }
    }

    /// Variance of the Gaussian likelihood p(x|z) in each column, in scaled units, given the learned
    /// log σ, if any.
    ///
    /// A mean squared error is a Gaussian too: (1/D)‖x−x̂‖² is, up to a constant, −log p(x|z) with
    /// variance D/2.
    pub fn likelihood_variances(&self, log_sigma: &[f32]) -> Vec<f64> {
        let of_log = |log: f32| (2.0 * f64::from(log)).exp();
        let everywhere = match (self.likelihood, self.sigma) {
            (Likelihood::LearnedSigmaPerColumn, _) => {
                return log_sigma.iter().copied().map(of_log).collect();
            }
            (Likelihood::LearnedSigma, _) => log_sigma.first().copied().map_or(1.0, of_log),
            (Likelihood::FixedSigma, sigma) => sigma.unwrap_or(1.0).powi(2),
            (Likelihood::MeanSquaredError, _) => self.features as f64 / 2.0,
        };
        vec![everywhere; self.features]
    }

    /// The mean over the columns of [`likelihood_variances`](Self::likelihood_variances).
    pub fn mean_variance(&self, log_sigma: &[f32]) -> f64 {
        self.likelihood_variances(log_sigma).iter().sum::<f64>() / self.features as f64
    }

    /// Every parameter tensor in the order of the flat vector: encoder, decoder, log σ, prior.
    pub fn layout(&self) -> Vec<TensorSpec> {
        let mut specs: Vec<TensorSpec> = Vec::new();
        let mut push = |name: String, shape: Vec<usize>, role| {
            let offset = specs.last().map_or(0, |spec| spec.range().end);
            specs.push(TensorSpec { name, shape, offset, role });
        };
        for (part, widths) in
            [("encoder", self.encoder_widths()), ("decoder", self.decoder_widths())]
        {
            for (layer, pair) in widths.windows(2).enumerate() {
                let role = Role::Layer { fan_in: pair[0] };
                push(format!("{part}.{layer}.weight"), vec![pair[0], pair[1]], role);
                push(format!("{part}.{layer}.bias"), vec![pair[1]], role);
            }
        }
        if self.learned_sigmas() > 0 {
            push("log_sigma".into(), vec![self.learned_sigmas()], Role::LogSigma);
        }
        let components = self.prior_components;
        match self.prior {
            PriorKind::StandardNormal => {}
            PriorKind::Mixture => {
                let shape = vec![components, self.latent];
                push("prior.means".into(), shape.clone(), Role::PriorMeans);
                push("prior.log_variances".into(), shape, Role::PriorLogVariances);
                push("prior.logits".into(), vec![components], Role::PriorLogits);
            }
            PriorKind::Vamp => {
                let shape = vec![components, self.features];
                push("prior.pseudo_inputs".into(), shape, Role::PseudoInputs);
            }
        }
        specs
    }

    /// Checks the shapes and counts the parameters.
    ///
    /// # Errors
    /// Where there are more than 100 hidden layers, a width is 0, a prior has no components or a given σ is missing or not positive, or
    /// there are more than 2³⁰ parameters.
    pub fn parameter_count(&self) -> Result<usize> {
        if self.hidden.len() > MOST_LAYERS {
            return Err(Error::input(format!(
                "the model has more than {MOST_LAYERS} hidden layers"
            )));
        }
        let widths = [self.encoder_widths(), self.decoder_widths()];
        if widths.iter().flatten().any(|&width| width == 0) {
            return Err(Error::input("a layer of the model has width 0"));
        }
        if (self.prior == PriorKind::StandardNormal) != (self.prior_components == 0) {
            return Err(Error::input("the number of components does not fit the prior"));
        }
        let given = self.sigma.is_some_and(|sigma| (1e-6..=1e6).contains(&sigma));
        if given != (self.likelihood == Likelihood::FixedSigma) {
            return Err(Error::input("the given σ does not fit the likelihood"));
        }
        let of_component = match self.prior {
            PriorKind::StandardNormal => Some(0),
            PriorKind::Mixture => self.latent.checked_mul(2).and_then(|n| n.checked_add(1)),
            PriorKind::Vamp => Some(self.features),
        };
        let of_layers = widths.iter().flat_map(|widths| widths.windows(2)).map(|pair| {
            pair[0].checked_mul(pair[1]).and_then(|weights| weights.checked_add(pair[1]))
        });
        let of_prior = of_component.and_then(|values| values.checked_mul(self.prior_components));
        std::iter::once(of_prior)
            .chain(of_layers)
            .try_fold(self.learned_sigmas(), |count, part| count.checked_add(part?))
            .filter(|&count| count <= MAX_PARAMETERS)
            .ok_or_else(|| {
                Error::input("the model has more than 2^30 parameters")
                    .help("lower model.hidden, model.latent or model.prior_components")
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_model_has_its_known_size_and_order() {
        let settings = ModelSettings { latent: Some(2), ..ModelSettings::default() };
        let architecture = Architecture::new(&settings, 3);
        let layout = architecture.layout();
        // (3·128+128) + (128·128+128) + (128·4+4) + (2·128+128) + (128·128+128) + (128·3+3) + 1
        assert_eq!(architecture.parameter_count().unwrap(), 34_824);
        assert_eq!(layout.last().unwrap().range().end, 34_824);
        assert!(layout.windows(2).all(|pair| pair[0].range().end == pair[1].offset));
        let names: Vec<&str> = layout.iter().map(|spec| spec.name.as_str()).collect();
        assert_eq!(names[..3], ["encoder.0.weight", "encoder.0.bias", "encoder.1.weight"]);
        assert_eq!(names[6..8], ["decoder.0.weight", "decoder.0.bias"]);
    }

    #[test]
    fn there_are_as_many_latent_units_as_columns_within_bounds() {
        let units = |features| Architecture::new(&ModelSettings::default(), features).latent;
        assert_eq!([1, 2, 3, 4, 30].map(units), [2, 2, 3, 4, 4]);
    }

    #[test]
    fn absurd_sizes_are_refused_before_any_allocation() {
        let mut architecture = Architecture::new(&ModelSettings::default(), 3);
        architecture.hidden = vec![usize::MAX, usize::MAX];
        assert!(architecture.parameter_count().is_err());
        architecture.hidden = vec![1; 101];
        assert!(architecture.parameter_count().is_err());
        architecture.hidden = vec![0];
        assert!(architecture.parameter_count().is_err());
    }
}
