//! A training between two steps.

use super::Parameters;

/// Everything that the next training step depends on beside the job.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingState {
    /// The weights.
    pub parameters: Parameters,
    /// Steps taken, which Adam and the average count.
    pub steps: u64,
    /// Adam's first moments, in the flat order of the parameters.
    pub first_moments: Vec<f32>,
    /// Adam's second moments.
    pub second_moments: Vec<f32>,
    /// The average of the weights, where the settings want one and a step was taken.
    pub average: Option<Vec<f32>>,
}

impl From<Parameters> for TrainingState {
    /// The state before the first step.
    fn from(parameters: Parameters) -> Self {
        let zeros = vec![0.0; parameters.values.len()];
        Self {
            parameters,
            steps: 0,
            first_moments: zeros.clone(),
            second_moments: zeros,
            average: None,
        }
    }
}

impl TrainingState {
    /// The first tensor, of the weights before those of the optimiser, that holds a value which is not
    /// finite.
    pub fn first_broken_tensor(&self) -> Option<String> {
        let layout = self.parameters.architecture.layout();
        let parts = [
            ("", Some(&self.parameters.values)),
            (" (Adam's first moments)", Some(&self.first_moments)),
            (" (Adam's second moments)", Some(&self.second_moments)),
            (" (average)", self.average.as_ref()),
        ];
        let broken = |(part, values): (&str, Option<&Vec<f32>>)| {
            let values = values?;
            let is_broken = |range: std::ops::Range<usize>| {
                values[range].iter().any(|value: &f32| !value.is_finite())
            };
            let spec = layout.iter().find(|spec| is_broken(spec.range()))?;
            Some(format!("{}{part}", spec.name))
        };
        parts.into_iter().find_map(broken)
    }
}
