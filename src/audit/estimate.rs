//! Figures with their intervals.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

/// Confidence of every interval that is shown.
pub const CONFIDENCE: f64 = 0.95;
/// Groups of rows that the jackknife leaves out in turn.
pub const GROUPS: usize = 20;

/// A figure and its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Estimate {
    /// The figure.
    pub value: f64,
    /// Lower and upper end of its 95 % interval.
    pub interval: [f64; 2],
}

impl Estimate {
    /// A share of `trials` independent trials, with the interval of [`wilson`].
    ///
    /// # Panics
    /// Where there are no trials.
    pub fn share(successes: usize, trials: usize) -> Self {
        let value = successes as f64 / trials as f64;
        Self { value, interval: wilson(successes, trials, CONFIDENCE) }
    }

    /// The mean of `values`, ± t standard errors; of a single one nothing is known but itself.
    ///
    /// # Panics
    /// Where there are no values.
    pub fn mean(values: &[f64]) -> Self {
        assert!(!values.is_empty(), "a mean of values");
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
        let error = (squares / (n * (n - 1.0).max(1.0))).sqrt();
        let reach = t(values.len() - 1).map_or(0.0, |t| t * error);
        Self { value: mean, interval: [mean - reach, mean + reach] }
    }

    /// `value`, ± t standard errors of the grouped jackknife: `left_out` holds the same figure with
    /// each group of rows left out in turn (Efron and Tibshirani 1993, eq. 11.5, with a group in place
    /// of a row). So few groups leave the error itself uncertain: t is Student's quantile, with one
    /// degree of freedom less than groups.
    pub fn jackknife(value: f64, left_out: &[f64]) -> Self {
        let groups = left_out.len().max(1) as f64;
        let mean = left_out.iter().sum::<f64>() / groups;
        let squares = left_out.iter().map(|other| (other - mean).powi(2)).sum::<f64>();
        let error = ((groups - 1.0) / groups * squares).sqrt();
        // One group left out leaves nothing, so it shows no error.
        let reach = t(left_out.len().saturating_sub(1)).map_or(0.0, |t| t * error);
        Self { value, interval: [value - reach, value + reach] }
    }

    /// The same figure held within `[low, high]`, where only such values have a meaning.
    #[must_use]
    pub fn within(self, low: f64, high: f64) -> Self {
        let [from, to] = self.interval;
        Self { interval: [from.clamp(low, high), to.clamp(low, high)], ..self }
    }
}

/// Half the width, in standard errors, of a two-sided normal interval: 1.96 for 0.95.
///
/// # Panics
/// Where `confidence` is not in [0, 1].
pub fn z(confidence: f64) -> f64 {
    Normal::standard().inverse_cdf(0.5 + confidence / 2.0)
}

/// Half the width, in standard errors, of the 95 % interval by Student's t; nothing without a degree of
/// freedom.
pub fn t(freedom: usize) -> Option<f64> {
    let student = StudentsT::new(0.0, 1.0, freedom as f64).ok()?;
    Some(student.inverse_cdf(0.5 + CONFIDENCE / 2.0))
}

/// The score interval of a share (Wilson 1927), which holds its level near 0 and 1 too.
///
/// # Panics
/// Where there are no trials or `confidence` is not in [0, 1].
pub fn wilson(successes: usize, trials: usize, confidence: f64) -> [f64; 2] {
    assert!(trials > 0, "a share of trials");
    let (n, z) = (trials as f64, z(confidence));
    let share = successes as f64 / n;
    let centre = share + z * z / (2.0 * n);
    let reach = z * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z * z / n;
    // Their ends where all or none succeed, which rounding would miss.
    let low = if successes == 0 { 0.0 } else { ((centre - reach) / scale).max(0.0) };
    let high = if successes == trials { 1.0 } else { ((centre + reach) / scale).min(1.0) };
    [low, high]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// scipy.stats.binomtest(k, n).proportion_ci(method="wilson"), scipy 1.17.
    #[test]
    fn wilson_intervals_equal_scipys() {
        for ((k, n), [low, high]) in [
            ((0, 10), [0.0, 0.2775327998628892]),
            ((3, 10), [0.10779126740630105, 0.6032218525388553]),
            ((50, 50), [0.9286524008666412, 1.0]),
        ] {
            let [found_low, found_high] = wilson(k, n, 0.95);
            assert!((found_low - low).abs() < 1e-9, "{k}/{n}: {found_low}");
            assert!((found_high - high).abs() < 1e-9, "{k}/{n}: {found_high}");
        }
    }

    /// The jackknife of a mean, one row a group, is its standard error; t is 2.776445 with four degrees of
    /// freedom (scipy.stats.t.ppf).
    #[test]
    fn the_jackknife_of_a_mean_is_its_standard_error() {
        let values = [1.0, 4.0, 2.0, 8.0, 5.0];
        let total: f64 = values.iter().sum();
        let left_out: Vec<f64> = values.iter().map(|value| (total - value) / 4.0).collect();
        let (jackknife, mean) =
            (Estimate::jackknife(total / 5.0, &left_out), Estimate::mean(&values));
        assert_eq!(jackknife.value, mean.value);
        let reach = 2.7764451051977934 * (7.5_f64 / 5.0).sqrt();
        for found in [jackknife, mean] {
            let [low, high] = found.interval;
            assert!((low - 4.0 + reach).abs() < 1e-9 && (high - 4.0 - reach).abs() < 1e-9);
        }
        assert_eq!(Estimate::mean(&[2.0]).interval, [2.0, 2.0]);
    }
}
