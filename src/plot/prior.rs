//! A prior over latents, as figures outline it.

use std::f64::consts::TAU;

use ndarray::{Array1, Array2, Axis};

use super::axis;

/// Points of an outline.
const ROUND: usize = 90;

/// One Gaussian of a prior.
#[derive(Clone, Debug)]
pub struct PriorComponent {
    /// Its weight in the mixture.
    pub weight: f64,
    /// Its mean, one value a dimension.
    pub mean: Array1<f64>,
    /// Its covariance, dimensions × dimensions.
    pub covariance: Array2<f64>,
}

impl PriorComponent {
    /// Its marginal distribution in some dimensions.
    pub fn marginal(&self, dimensions: &[usize]) -> Self {
        let mean = self.mean.select(Axis(0), dimensions);
        let covariance = self.covariance.select(Axis(0), dimensions).select(Axis(1), dimensions);
        Self { weight: self.weight, mean, covariance }
    }

    /// So many standard deviations about the mean in one dimension.
    pub fn reach(&self, dimension: usize, deviations: f64) -> [f64; 2] {
        let mean = self.mean[dimension];
        let far = deviations * self.covariance[[dimension, dimension]].sqrt();
        [mean - far, mean + far]
    }
}

/// The share of a prior that a Gaussian of some weight holds.
const LIGHT: f64 = 0.005;

/// The Gaussians of a prior that axes make room for: those that hold at least half a percent of it, since
/// the others would widen the axes for nothing.
pub fn outlined(prior: &[PriorComponent]) -> impl Iterator<Item = &PriorComponent> {
    let total: f64 = prior.iter().map(|gaussian| gaussian.weight).sum();
    prior.iter().filter(move |gaussian| gaussian.weight >= LIGHT * total)
}

/// An outline of one Gaussian.
pub(super) struct Ring {
    /// Its places, the first of them again at the end.
    pub places: Vec<(f64, f64)>,
    /// The heavier the Gaussian, the more opaque.
    pub opacity: f64,
    /// Whether the Gaussian holds less than half a percent of the prior.
    pub is_light: bool,
}

/// Outlines of a prior in two dimensions: the points at 1, 2 and 3 standard deviations of one Gaussian, at
/// 2 of each of several.
///
/// The points at distance r are m + r·L·(cos t, sin t) with L Lᵀ the covariance of the two
/// dimensions.
pub(super) fn rings(prior: &[PriorComponent], (i, j): (usize, usize)) -> Vec<Ring> {
    let radii: &[f64] = if prior.len() == 1 { &[1.0, 2.0, 3.0] } else { &[2.0] };
    let heaviest = prior.iter().map(|gaussian| gaussian.weight).fold(f64::MIN_POSITIVE, f64::max);
    let total: f64 = prior.iter().map(|gaussian| gaussian.weight).sum();
    let mut rings = Vec::new();
    for gaussian in prior.iter().filter(|gaussian| gaussian.weight > 0.0) {
        let c = &gaussian.covariance;
        let a = c[[i, i]].max(0.0).sqrt();
        let b = if a > 0.0 { c[[i, j]] / a } else { 0.0 };
        let d = (c[[j, j]] - b * b).max(0.0).sqrt();
        let opacity = 0.25 + 0.75 * (gaussian.weight / heaviest).clamp(0.0, 1.0);
        for radius in radii {
            let point = |step: usize| {
                let (sin, cos) = (TAU * step as f64 / ROUND as f64).sin_cos();
                (
                    gaussian.mean[i] + radius * a * cos,
                    gaussian.mean[j] + radius * (b * cos + d * sin),
                )
            };
            let is_light = gaussian.weight < LIGHT * total;
            rings.push(Ring { places: (0..=ROUND).map(point).collect(), opacity, is_light });
        }
    }
    rings
}

/// The prior's marginal density in one dimension along an axis, as points of a curve; none where
/// there is no prior.
pub(super) fn density(prior: &[PriorComponent], i: usize, axis: &axis::Axis) -> Vec<(f64, f64)> {
    if prior.is_empty() {
        return Vec::new();
    }
    let total = prior.iter().map(|gaussian| gaussian.weight).sum::<f64>().max(f64::MIN_POSITIVE);
    let at = |x: f64| {
        let part = |gaussian: &PriorComponent| {
            let (d, v) = (x - gaussian.mean[i], gaussian.covariance[[i, i]].max(1e-12));
            gaussian.weight / total * (-d * d / (2.0 * v)).exp() / (TAU * v).sqrt()
        };
        prior.iter().map(part).sum::<f64>()
    };
    let steps = 200;
    let x = |step: usize| axis.lo + axis.span() * step as f64 / steps as f64;
    (0..=steps).map(|step| (x(step), at(x(step)))).collect()
}
