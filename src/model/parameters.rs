//! The values of a model's parameters as one flat vector.

use super::Architecture;
use crate::error::Result;
use crate::random::{Generator, Stream};

/// A model's parameters: an architecture and its values in the order of
/// [`Architecture::layout`].
#[derive(Clone, Debug, PartialEq)]
pub struct Parameters {
    /// The shapes.
    pub architecture: Architecture,
    /// The values, one flat vector.
    pub values: Vec<f32>,
}

impl Parameters {
    /// Fresh parameters: weights and biases uniform in ±1/√fan_in (PyTorch's default for dense
    /// layers; LeCun et al., "Efficient BackProp", 1998), log σ = ln `initial_sigma`.
    ///
    /// Drawn from [`Stream::Weights`], so every backend starts from the same values.
    ///
    /// # Errors
    /// As [`Architecture::parameter_count`].
    pub fn initialise(architecture: Architecture, initial_sigma: f64, seed: u64) -> Result<Self> {
        let mut values = vec![initial_sigma.ln() as f32; architecture.parameter_count()?];
        for (index, spec) in architecture.layout().iter().enumerate() {
            if spec.fan_in == 0 {
                continue;
            }
            let bound = 1.0 / (spec.fan_in as f32).sqrt();
            let values = &mut values[spec.range()];
            Generator::new(seed, Stream::Weights, index as u64).uniform(values);
            values.iter_mut().for_each(|value| *value = (2.0 * *value - 1.0) * bound);
        }
        Ok(Self { architecture, values })
    }

    /// The observation's standard deviation in scaled units, where it is learned.
    pub fn sigma(&self) -> Option<f32> {
        self.architecture.learns_sigma().then(|| self.values.last().map(|s| s.exp())).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ModelSettings;

    #[test]
    fn initial_weights_fill_their_bounds_evenly() {
        let architecture = Architecture::new(&ModelSettings::default(), 3);
        let parameters = Parameters::initialise(architecture.clone(), 0.5, 1).unwrap();
        assert_eq!(parameters.sigma(), Some(0.5));
        let spec = &architecture.layout()[2];
        let (values, bound) = (&parameters.values[spec.range()], 1.0 / 128f64.sqrt());
        assert!(values.iter().all(|value| f64::from(value.abs()) <= bound));
        // A uniform variable on ±b has variance b²/3; its sample variance a relative standard
        // error of √(0.8/n).
        let n = values.len() as f64;
        let variance = values.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / n;
        assert!((variance * 3.0 / bound.powi(2) - 1.0).abs() < 4.0 * (0.8 / n).sqrt());
    }

    #[test]
    fn seeds_give_different_weights_and_one_seed_the_same() {
        let start = |seed| {
            let architecture = Architecture::new(&ModelSettings::default(), 3);
            Parameters::initialise(architecture, 1.0, seed).unwrap()
        };
        assert_eq!(start(1), start(1));
        assert_ne!(start(1), start(2));
    }
}
