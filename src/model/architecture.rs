//! Shapes of the networks and the order of their parameters.

use serde::{Deserialize, Serialize};

use crate::config::{Activation, Likelihood, ModelSettings, PosteriorVariance};
use crate::error::{Error, Result};

/// The log-variance of an `exp` posterior is clamped to this range.
pub const LOG_VARIANCE_RANGE: (f32, f32) = (-12.0, 8.0);

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
    /// How h becomes the posterior's variance.
    pub posterior_variance: PosteriorVariance,
}

/// One parameter tensor: its name, shape and place in the flat vector.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorSpec {
    /// `encoder.0.weight`, `decoder.2.bias`, `log_sigma`, …
    pub name: String,
    /// `[in, out]` for weights (y = xW + b), `[out]` for biases, `[1]` for log σ.
    pub shape: Vec<usize>,
    /// Index of the first value in the flat vector.
    pub offset: usize,
    /// Inputs of the layer it belongs to; 0 for log σ, which is no layer.
    pub fan_in: usize,
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
            latent: settings.latent,
            activation: settings.activation,
            likelihood: settings.likelihood,
            posterior_variance: settings.posterior_variance,
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

    /// Whether the observation's standard deviation is a parameter.
    pub fn learns_sigma(&self) -> bool {
        self.likelihood == Likelihood::LearnedSigma
    }

    /// Every parameter tensor in the order of the flat vector: encoder, decoder, log σ.
    pub fn layout(&self) -> Vec<TensorSpec> {
        let mut specs = Vec::new();
        let mut offset = 0;
        let mut push = |name: String, shape: Vec<usize>, fan_in| {
            let spec = TensorSpec { name, shape, offset, fan_in };
            offset += spec.len();
            specs.push(spec);
        };
        for (part, widths) in
            [("encoder", self.encoder_widths()), ("decoder", self.decoder_widths())]
        {
            for (layer, pair) in widths.windows(2).enumerate() {
                push(format!("{part}.{layer}.weight"), vec![pair[0], pair[1]], pair[0]);
                push(format!("{part}.{layer}.bias"), vec![pair[1]], pair[0]);
            }
        }
        if self.learns_sigma() {
            push("log_sigma".into(), vec![1], 0);
        }
        specs
    }

    /// Number of parameters.
    ///
    /// # Errors
    /// Where a width is 0 or there are more than 2³⁰ parameters.
    pub fn parameter_count(&self) -> Result<usize> {
        let widths = [self.encoder_widths(), self.decoder_widths()];
        if widths.iter().flatten().any(|&width| width == 0) {
            return Err(Error::input("a layer of the model has width 0"));
        }
        let mut count = usize::from(self.learns_sigma());
        for pair in widths.iter().flat_map(|widths| widths.windows(2)) {
            let layer = pair[0].checked_mul(pair[1]).and_then(|n| n.checked_add(pair[1]));
            count = layer
                .and_then(|layer| count.checked_add(layer))
                .filter(|&count| count <= MAX_PARAMETERS)
                .ok_or_else(|| {
                    Error::input("the model has more than 2^30 parameters")
                        .help("lower model.hidden or model.latent")
                })?;
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_model_has_its_known_size_and_order() {
        let architecture = Architecture::new(&ModelSettings::default(), 3);
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
    fn absurd_sizes_are_refused_before_any_allocation() {
        let mut architecture = Architecture::new(&ModelSettings::default(), 3);
        architecture.hidden = vec![usize::MAX, usize::MAX];
        assert!(architecture.parameter_count().is_err());
        architecture.hidden = vec![0];
        assert!(architecture.parameter_count().is_err());
    }
}
