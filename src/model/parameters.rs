//! The values of a model's parameters as one flat vector.

use ndarray::ArrayView2;

use super::{Architecture, Role, TensorSpec};
use crate::error::{Error, Result};
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
    /// layers; LeCun et al., "Efficient BackProp", 1998), log σ = ln `sigma`; the means of a mixture
    /// prior standard normal, its log-variances −2, its weights equal; the pseudo-inputs of a
    /// VampPrior a random choice of `rows` (n × features, in scaled units).
    ///
    /// Drawn from [`Stream::Weights`], so every backend starts from the same values.
    ///
    /// # Errors
    /// As [`Architecture::parameter_count`], or where there are no rows to start pseudo-inputs at.
    pub fn initialise(
        architecture: Architecture,
        sigma: f64,
        rows: ArrayView2<f32>,
        seed: u64,
    ) -> Result<Self> {
        let mut values = vec![0.0; architecture.parameter_count()?];
        for (index, spec) in architecture.layout().iter().enumerate() {
            let values = &mut values[spec.range()];
            let generator = Generator::new(seed, Stream::Weights, index as u64);
            match spec.role {
                Role::Layer { fan_in } => {
                    let bound = 1.0 / (fan_in as f32).sqrt();
                    generator.uniform(values);
                    values.iter_mut().for_each(|value| *value = (2.0 * *value - 1.0) * bound);
                }
                Role::LogSigma => values.fill(sigma.ln() as f32),
                Role::PriorMeans => generator.normal(values),
                Role::PriorLogVariances => values.fill(-2.0),
                Role::PriorLogits => values.fill(0.0),
                Role::PseudoInputs => {
                    if rows.is_empty() {
                        return Err(Error::input("there are no rows to start pseudo-inputs at"));
                    }
                    let order = generator.permutation(rows.nrows());
                    let starts = values.chunks_exact_mut(rows.ncols()).zip(order.iter().cycle());
                    for (value, &row) in starts {
                        value.iter_mut().zip(rows.row(row)).for_each(|(value, x)| *value = *x);
                    }
                }
            }
        }
        Ok(Self { architecture, values })
    }

    /// The values of the tensor with this role; none where the model has none.
    pub fn of(&self, role: Role) -> &[f32] {
        let layout = self.architecture.layout();
        let spec = layout.iter().find(|spec| spec.role == role);
        spec.map_or(&[], |spec| &self.values[spec.range()])
    }

    /// The first tensor that holds a value which is not finite.
    pub fn first_broken_tensor(&self) -> Option<String> {
        let is_broken =
            |spec: &TensorSpec| self.values[spec.range()].iter().any(|value| !value.is_finite());
        self.architecture.layout().into_iter().find(is_broken).map(|spec| spec.name)
    }

    /// Variance of the likelihood in each column; see [`Architecture::likelihood_variances`].
    pub fn likelihood_variances(&self) -> Vec<f64> {
        self.architecture.likelihood_variances(self.of(Role::LogSigma))
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::config::{ModelSettings, PriorKind};

    #[test]
    fn initial_weights_fill_their_bounds_evenly() {
        let architecture = Architecture::new(&ModelSettings::default(), 3);
        let none = Array2::zeros((0, 3));
        let parameters = Parameters::initialise(architecture.clone(), 0.5, none.view(), 1).unwrap();
        let variances = parameters.likelihood_variances();
        assert!(variances.len() == 3 && variances.iter().all(|v| (v - 0.25).abs() < 1e-7));
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
            Parameters::initialise(architecture, 1.0, Array2::zeros((0, 3)).view(), seed).unwrap()
        };
        assert_eq!(start(1), start(1));
        assert_ne!(start(1), start(2));
    }

    #[test]
    fn pseudo_inputs_start_at_different_rows_while_there_are_any() {
        let settings =
            ModelSettings { prior: PriorKind::Vamp, prior_components: 5, ..Default::default() };
        let rows = Array2::from_shape_fn((3, 2), |(row, column)| (10 * row + column) as f32);
        let start = |rows: &Array2<f32>| {
            Parameters::initialise(Architecture::new(&settings, 2), 1.0, rows.view(), 1)
        };
        let parameters = start(&rows).unwrap();
        let inputs: Vec<&[f32]> = parameters.of(Role::PseudoInputs).chunks(2).collect();
        assert_eq!((inputs.len(), inputs[3], inputs[4]), (5, inputs[0], inputs[1]));
        assert!(inputs.iter().all(|input| input[0] % 10.0 == 0.0 && input[1] == input[0] + 1.0));
        assert!(inputs[0] != inputs[1] && inputs[1] != inputs[2] && inputs[0] != inputs[2]);
        assert!(start(&Array2::zeros((0, 2))).is_err());
    }
}
