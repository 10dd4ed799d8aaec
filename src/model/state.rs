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
