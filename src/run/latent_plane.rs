//! The plane of two latent units: what the decoder makes of it, and where the prior has holes.

use std::f64::consts::TAU;

use ndarray::{Array2, ArrayView2};

use super::Context;
use crate::data::{Mixture, log_sum_exp};
use crate::error::Result;
use crate::model::Prior;
use crate::plot::{LatentMap, PriorComponent, outlined};
use crate::vae::{Latents, Model};

/// Points along each side of the grid.
const SIDE: usize = 32;
/// A place is a hole of the prior where all posteriors together are less than this share as dense.
pub(super) const HOLE: f64 = 0.1;
/// Densities below this share of the largest are as good as none.
const FAINT: f64 = 1e-3;
/// Ratios of densities are shown up to this power of ten.
pub(super) const MOST_DECADES: f64 = 2.0;

/// A grid over a plane of latents.
pub(super) struct LatentPlane {
    /// Its points, as [`LatentMap::lattice`] lays them.
    pub latents: Array2<f32>,
    /// The decoder's mean at each, n × columns, in the data's units.
    pub decoded: Array2<f32>,
    /// log₁₀ of the density of all posteriors together over that of the prior, n × 1, held in
    /// [−2, 2]; not a number where both have none.
    pub ratio: Array2<f32>,
    /// The share of the prior's mass on the grid that lies in holes.
    pub hole_share: f64,
}

impl LatentPlane {
    /// The plane where the posteriors have their means and the outlines of the prior lie; nothing
    /// where there are not two units.
    pub fn find(context: &Context, model: &Model, posteriors: &Latents) -> Result<Option<Self>> {
        if posteriors.means.ncols() != 2 {
            return Ok(None);
        }
        let prior = prior_mixture(&model.card().prior, 2)?;
        let gaussians = components(&prior);
        let latents =
            LatentMap::lattice([0, 1].map(|unit| range(&posteriors.means, &gaussians, unit)), SIDE);
        let decoded = model.decode(latents.view(), context.watch.interrupt)?;
        let prior: Vec<f64> =
            prior.log_densities(latents.view()).into_iter().map(f64::exp).collect();
        let posterior = aggregate_posterior(latents.view(), posteriors);
        let largest = |densities: &[f64]| densities.iter().copied().fold(0.0, f64::max);
        let faint = [largest(&prior), largest(&posterior)].map(|density| FAINT * density);
        let pairs = || prior.iter().copied().zip(posterior.iter().copied());
        let decades = |(prior, posterior): (f64, f64)| {
            let ratio = (posterior / prior).log10().clamp(-MOST_DECADES, MOST_DECADES) as f32;
            if prior < faint[0] && posterior < faint[1] { f32::NAN } else { ratio }
        };
        let ratio = Array2::from_shape_fn((latents.nrows(), 1), |(point, _)| {
            decades((prior[point], posterior[point]))
        });
        let holes = pairs().filter(|(prior, posterior)| *posterior < HOLE * prior);
        // Unlike `sum`, which begins with −0.
        let in_holes = holes.fold(0.0, |sum, (prior, _)| sum + prior);
        let hole_share = in_holes / prior.iter().sum::<f64>().max(f64::MIN_POSITIVE);
        Ok(Some(Self { latents, decoded, ratio, hole_share }))
    }
}

/// From where to where the posterior means and the prior's outlines at two standard deviations lie in one
/// unit, with a margin.
fn range(means: &Array2<f32>, prior: &[PriorComponent], unit: usize) -> [f32; 2] {
    let means = means.column(unit);
    let ends = outlined(prior).flat_map(|gaussian| gaussian.reach(unit, 2.0));
    let (low, high) = means
        .iter()
        .copied()
        .chain(ends.map(|end| end as f32))
        .fold((f32::MAX, f32::MIN), |(low, high), value| (low.min(value), high.max(value)));
    let margin = 0.1 * (high - low).max(0.1);
    [low - margin, high + margin]
}

/// The density of the mean of all posteriors at points of the plane:
/// q(z) = 1/n Σ N(z; μᵢ, diag σᵢ²).
fn aggregate_posterior(points: ArrayView2<f32>, posteriors: &Latents) -> Vec<f64> {
    let [means, log_variances] =
        [&posteriors.means, &posteriors.log_variances].map(|values| values.mapv(f64::from));
    let mut terms = vec![0.0; means.nrows()];
    let density = |point: ndarray::ArrayView1<f32>| {
        let rows = means.rows().into_iter().zip(log_variances.rows());
        for (term, (mean, log_variance)) in terms.iter_mut().zip(rows) {
            let unit = |unit: usize| {
                let distance = f64::from(point[unit]) - mean[unit];
                let log_variance = log_variance[unit];
                distance * distance * (-log_variance).exp() + log_variance + TAU.ln()
            };
            *term = -0.5 * (unit(0) + unit(1));
        }
        (log_sum_exp(&terms) - (terms.len() as f64).ln()).exp()
    };
    points.rows().into_iter().map(density).collect()
}

/// A prior over `units` latents as a mixture, of one Gaussian where it is the standard normal.
pub(super) fn prior_mixture(prior: &Prior, units: usize) -> Result<Mixture> {
    match prior {
        Prior::Mixture(mixture) => Ok(mixture.clone()),
        Prior::StandardNormal => {
            let identity = Array2::<f64>::eye(units);
            let covariance = identity.rows().into_iter().map(|row| row.to_vec()).collect();
            Mixture::new(vec![1.0], vec![vec![0.0; units]], vec![covariance])
        }
    }
}

/// A mixture as figures take it.
pub(super) fn components(mixture: &Mixture) -> Vec<PriorComponent> {
    let parts = mixture.weights().iter().zip(mixture.means()).zip(mixture.covariances());
    parts
        .map(|((&weight, mean), covariance)| PriorComponent {
            weight,
            mean: mean.clone().into(),
            covariance: Array2::from_shape_fn((mean.len(), mean.len()), |(i, j)| covariance[i][j]),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    /// One posterior is a Gaussian, whose density at its mean is 1 / (2π σ₁ σ₂); a second one far
    /// away halves it.
    #[test]
    fn the_density_of_all_posteriors_is_their_mean() {
        let variances = [4.0_f32, 0.25];
        let own = [[1.0, -2.0], variances.map(f32::ln)];
        let expected = 1.0 / (TAU * f64::from(variances[0] * variances[1]).sqrt());
        let at = array![[1.0_f32, -2.0]];
        for (others, share) in [(&[][..], 1.0), (&[[[900.0, 0.0], [0.0, 0.0]]], 0.5)] {
            let of = |part: usize| {
                let rows: Vec<[f32; 2]> = [own].iter().chain(others).map(|row| row[part]).collect();
                ndarray::arr2(&rows)
            };
            let posteriors = Latents { means: of(0), log_variances: of(1) };
            let density = aggregate_posterior(at.view(), &posteriors)[0];
            assert!((density - share * expected).abs() < 1e-6, "{density}");
        }
    }

    #[test]
    fn a_plane_holds_the_means_and_the_outlines_of_all_but_the_lightest_components() {
        let component = |weight, mean: f64| PriorComponent {
            weight,
            mean: array![0.0, mean],
            covariance: Array2::eye(2),
        };
        let means = array![[5.0_f32, 0.1], [1.0, 0.2]];
        let prior = [component(0.999, 0.0), component(0.001, 900.0)];
        let range = |unit| range(&means, &prior, unit);
        assert!((range(0)[0] + 2.7).abs() < 1e-5 && (range(0)[1] - 5.7).abs() < 1e-5);
        assert!((range(1)[0] + 2.4).abs() < 1e-5 && (range(1)[1] - 2.4).abs() < 1e-5);
    }

    #[test]
    fn a_standard_normal_is_a_mixture_of_one() {
        let mixture = prior_mixture(&Prior::StandardNormal, 2).unwrap();
        let density = mixture.log_densities(array![[0.0_f32, 0.0]].view())[0];
        assert!((density + TAU.ln()).abs() < 1e-12);
        assert_eq!(components(&mixture)[0].covariance, Array2::<f64>::eye(2));
    }
}
