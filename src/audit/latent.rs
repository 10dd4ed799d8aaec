//! What each latent unit carries.

use ndarray::{ArrayView1, ArrayView2, Axis, Zip};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::bic::BicChoice;
use super::clusters::KChoice;
use super::hdbscan::DensityClusters;
use super::ledger::{Counts, Judged, Mode, Verdict};
use crate::model::ACTIVE_UNIT_VARIANCE;

/// Nats a row below which a posterior says nothing.
const COLLAPSED: f64 = 0.1;

/// How much of the data each latent unit carries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LatentSummary {
    /// Units whose posterior mean has a variance above 0.01 over the rows.
    pub active_units: usize,
    /// For each unit the variance of its posterior mean over the rows (the mean squared deviation).
    pub mean_variance: Vec<f64>,
    /// For each unit the KL divergence of the posterior from N(0, 1), in nats, as the mean over the
    /// rows.
    pub kl_per_unit: Vec<f64>,
    /// For each unit the KL divergence of the posterior from the Gaussian that has the mean and
    /// variance of all posteriors together, in nats, as the mean over the rows: the most that the
    /// unit can tell of a row, whatever the prior.
    pub information_per_unit: Vec<f64>,
}

impl LatentSummary {
    /// Whether the posterior has collapsed and says nothing of x: no unit in use, and next to no
    /// information in any.
    pub fn collapsed(&self) -> bool {
        self.active_units == 0 && self.information() < COLLAPSED
    }

    /// The most that the posterior can tell of a row, in nats.
    pub fn information(&self) -> f64 {
        self.information_per_unit.iter().sum()
    }
}

/// What the latent space of a run holds, and what the prior makes of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LatentDiagnosis {
    /// What each unit carries.
    #[serde(flatten)]
    pub summary: LatentSummary,
    /// Variance of the likelihood in scaled units, mean over the columns: σ² where it is learned or
    /// given, half the columns for a mean squared error.
    pub likelihood_variance: f64,
    /// The variance that the loss acts by: the likelihood's, times β. A direction of the data whose
    /// variance is below it is not worth telling.
    pub implied_variance: f64,
    /// The largest eigenvalues of the covariance of the scaled training rows, descending.
    pub eigenvalues: Vec<f64>,
    /// Modes that decoded posterior draws reach and decoded prior draws do not; absent where the
    /// data have too few rows for an audit.
    pub prior_hole: Option<PriorHole>,
    /// K-means on the posterior means.
    pub clusters: KChoice,
    /// Gaussian mixtures on the posterior means.
    pub mixture: BicChoice,
    /// HDBSCAN on the posterior means.
    pub density: DensityClusters,
}

/// The ledger of decoded posterior draws beside that of decoded prior draws.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PriorHole {
    /// Rows decoded from draws of the prior: the samples.
    pub prior: Counts,
    /// Rows decoded from draws of the posteriors of the training rows.
    pub posterior: Counts,
    /// Modes captured from the posterior and not from the prior.
    pub modes: Vec<usize>,
}

impl PriorHole {
    /// Compares the ledgers of both.
    pub fn find(prior: &Judged, posterior: &Judged) -> Self {
        let pairs = prior.modes.iter().zip(&posterior.modes);
        let lost = pairs.filter(|(prior, posterior)| lost_to_the_prior(prior, posterior));
        let modes = lost.map(|(prior, _)| prior.id).collect();
        Self { prior: prior.counts, posterior: posterior.counts, modes }
    }
}

/// Whether a mode is captured from the posterior and not from the prior, and the difference is no
/// chance: the intervals of the two ratios do not meet.
pub(super) fn lost_to_the_prior(prior: &Mode, posterior: &Mode) -> bool {
    let apart = match (prior.ratio_ci, posterior.ratio_ci) {
        (Some([_, prior]), Some([posterior, _])) => prior < posterior,
        _ => false,
    };
    prior.verdict != Verdict::TooSmall && !prior.captured() && posterior.captured() && apart
}

/// Summarises posteriors N(mean, exp(log-variance)), both n × units.
///
/// Active units are counted by the statistic `A_u = Cov_x(E_{u∼q(u|x)}[u]) > 10⁻²` of Burda, Grosse
/// and Salakhutdinov 2016; the KL divergence is −½(1 + log σ² − μ² − σ²), appendix B of Kingma and
/// Welling 2014. The information is an upper bound of the mutual information of x and the unit: the
/// mean of KL(q(u|x) ‖ r(u)) is least for the mixture of all posteriors as r. Without rows every
/// figure is 0.
///
/// # Panics
/// Where the two shapes differ.
pub fn summarise(means: ArrayView2<f32>, log_variances: ArrayView2<f32>) -> LatentSummary {
    assert_eq!(means.dim(), log_variances.dim(), "one log-variance a mean");
    let mean_variance: Vec<f64> = means.axis_iter(Axis(1)).map(variance).collect();
    let units = || means.axis_iter(Axis(1)).zip(log_variances.axis_iter(Axis(1)));
    let kl_per_unit = units().map(|(means, log_variances)| kl(means, log_variances)).collect();
    let information_per_unit =
        units().map(|(means, log_variances)| information(means, log_variances)).collect();
    let active_units = mean_variance.iter().filter(|&&v| v > ACTIVE_UNIT_VARIANCE).count();
    LatentSummary { active_units, mean_variance, kl_per_unit, information_per_unit }
}

/// The mean squared deviation from the mean, in two passes; 0 without values.
pub(super) fn variance(values: ArrayView1<f32>) -> f64 {
    let n = values.len().max(1) as f64;
    let mean = values.iter().copied().map(f64::from).sum::<f64>() / n;
    values.iter().map(|&value| (f64::from(value) - mean).powi(2)).sum::<f64>() / n
}

/// The mean KL divergence of one unit's posteriors from N(0, 1).
fn kl(means: ArrayView1<f32>, log_variances: ArrayView1<f32>) -> f64 {
    let sum = Zip::from(means).and(log_variances).fold(0.0, |sum, &mean, &log_variance| {
        let (mean, log_variance) = (f64::from(mean), f64::from(log_variance));
        // exp_m1 keeps the digits of a posterior that is nearly the prior.
        sum + 0.5 * (mean * mean + log_variance.exp_m1() - log_variance)
    });
    sum / means.len().max(1) as f64
}

/// The mean KL divergence of one unit's posteriors from the Gaussian with their common mean and
/// variance, ½(ln v − mean of log σ²): the other terms cancel.
fn information(means: ArrayView1<f32>, log_variances: ArrayView1<f32>) -> f64 {
    let n = log_variances.len().max(1) as f64;
    let mean = |f: fn(f64) -> f64| log_variances.iter().map(|&log| f(log.into())).sum::<f64>() / n;
    let whole = variance(means) + mean(f64::exp);
    if whole > 0.0 { (0.5 * (whole.ln() - mean(|log| log))).max(0.0) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    /// A collapse onto another place than N(0, I), as a learned prior allows it.
    #[test]
    fn a_collapse_is_seen_wherever_it_is() {
        let n = 50;
        let place = summarise(
            ndarray::Array2::from_elem((n, 2), 3.0).view(),
            ndarray::Array2::from_elem((n, 2), -4.0).view(),
        );
        assert!(place.collapsed() && place.kl_per_unit[0] > 4.0);
        let telling = ndarray::Array2::from_shape_fn((n, 2), |(row, _)| row as f32 / n as f32);
        let narrow = ndarray::Array2::from_elem((n, 2), -6.0);
        assert!(!summarise(telling.view(), narrow.view()).collapsed());
    }

    #[test]
    fn the_prior_itself_has_no_active_unit_and_no_divergence() {
        let zeros = ndarray::Array2::zeros((5, 3));
        let summary = summarise(zeros.view(), zeros.view());
        assert_eq!(summary.active_units, 0);
        assert_eq!(summary.mean_variance, vec![0.0; 3]);
        assert_eq!(summary.kl_per_unit, vec![0.0; 3]);
        assert_eq!(summary.information_per_unit, vec![0.0; 3]);
    }

    /// KL(N(μ, σ²) ‖ N(0, 1)) = ½(μ² + σ² − 1) − ln σ, worked out by hand.
    #[test]
    fn figures_agree_with_the_closed_form() {
        let means = array![[1.0_f32, 0.05], [-1.0, -0.05], [2.0, 0.05], [-2.0, -0.05]];
        let log_variances = array![[0.0_f32, -2.0], [0.0, -2.0], [0.0, -2.0], [0.0, -2.0]];
        let summary = summarise(means.view(), log_variances.view());
        assert_eq!(summary.active_units, 1);
        assert!((summary.mean_variance[0] - 2.5).abs() < 1e-12);
        assert!((summary.mean_variance[1] - 0.0025).abs() < 1e-9);
        assert!((summary.kl_per_unit[0] - 1.25).abs() < 1e-12);
        let second = 0.5 * (0.0025 + (-2.0_f64).exp() - 1.0) + 1.0;
        assert!((summary.kl_per_unit[1] - second).abs() < 1e-9);
        // KL(N(±1, 1) ‖ N(0, 3.5)) and KL(N(±2, 1) ‖ N(0, 3.5)), half of the rows each.
        let from_common = |mean: f64| 0.5 * (3.5_f64.ln() + (1.0 + mean * mean) / 3.5 - 1.0);
        let expected = 0.5 * (from_common(1.0) + from_common(2.0));
        assert!((summary.information_per_unit[0] - expected).abs() < 1e-9);
    }
}
