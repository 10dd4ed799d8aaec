//! Random mixtures.

use rand_distr::{Distribution, Exp1, StandardNormal};

use super::gaussian::dot;
use super::{Mixture, uniform};
use crate::config::{MixtureCovariance, MixtureSettings, MixtureWeights};
use crate::error::{Error, Result};
use crate::random::{Draws, Generator, Stream};

/// Values that the means or the covariances of a generated mixture may hold: 0.8 GB.
const MOST_VALUES: usize = 100_000_000;

impl Mixture {
    /// A random mixture: means uniform in (−spread, spread), weights and covariances as the
    /// settings say. Means, weights and covariances come from streams of their own, so changing
    /// how one is drawn changes no other.
    ///
    /// # Errors
    /// Where settings are out of their range, there are more components than rows, or the mixture would not
    /// fit in memory.
    pub fn generate(settings: &MixtureSettings, seed: u64) -> Result<Self> {
        let &MixtureSettings { components, dimensions, rows, spread, .. } = settings;
        if components > rows {
            return Err(Error::input(format!(
                "the mixture has {components} components but only {rows} rows"
            ))
            .help("lower mixture.components or raise mixture.rows"));
        }
        let values = dimensions.checked_pow(2).and_then(|square| square.checked_mul(components));
        if values.is_none_or(|values| values > MOST_VALUES) {
            return Err(Error::input(format!(
                "a mixture of {components} components in {dimensions} dimensions is too large"
            ))
            .help("lower mixture.components or mixture.dimensions"));
        }
        settings.validate()?;
        let draws = |step| Generator::new(seed, Stream::MixtureShape, step).draws();
        let mut source = draws(0);
        let means = (0..components)
            .map(|_| (0..dimensions).map(|_| spread * (2.0 * uniform(&mut source) - 1.0)).collect())
            .collect();
        let weights = random_weights(settings.weights, components, &mut draws(1));
        let mut source = draws(2);
        let covariances = (0..components)
            .map(|_| random_covariance(settings.covariance, dimensions, &mut source))
            .collect();
        Self::new(weights, means, covariances)
    }
}

/// K weights that sum to 1. Exponential draws divided by their sum are one draw from the flat
/// Dirichlet distribution (Devroye, "Non-uniform random variate generation", 1986, ch. XI.4).
fn random_weights(kind: MixtureWeights, components: usize, source: &mut Draws) -> Vec<f64> {
    let draws: Vec<f64> = (0..components)
        .map(|_| match kind {
            MixtureWeights::Random => uniform(source),
            MixtureWeights::Uniform => 1.0,
            MixtureWeights::Dirichlet => Exp1.sample(source),
        })
        .collect();
    let sum: f64 = draws.iter().sum();
    draws.into_iter().map(|draw| draw / sum).collect()
}

/// A D × D covariance.
fn random_covariance(kind: MixtureCovariance, d: usize, source: &mut Draws) -> Vec<Vec<f64>> {
    let variance = |source: &mut Draws| 0.25 + 2.0 * uniform(source);
    let spherical = |variance: f64| {
        (0..d).map(|i| (0..d).map(|j| if i == j { variance } else { 0.0 }).collect()).collect()
    };
    match kind {
        MixtureCovariance::Identity => spherical(1.0),
        MixtureCovariance::Spherical => spherical(variance(source)),
        MixtureCovariance::Full => {
            let axes = random_rotation(d, source);
            let variances: Vec<f64> = (0..d).map(|_| variance(source)).collect();
            let entry = |i: usize, j: usize| {
                axes.iter().zip(&variances).map(|(axis, v)| axis[i] * axis[j] * v).sum()
            };
            (0..d).map(|i| (0..d).map(|j| entry(i, j)).collect()).collect()
        }
    }
}

/// D orthonormal vectors, uniform over all rotations and reflections: Gram–Schmidt of Gaussian
/// vectors (Stewart, SIAM J. Numer. Anal. 17, 1980), each orthogonalised twice, which keeps them
/// orthogonal to rounding.
fn random_rotation(d: usize, source: &mut Draws) -> Vec<Vec<f64>> {
    let mut axes: Vec<Vec<f64>> = Vec::with_capacity(d);
    while axes.len() < d {
        let mut axis: Vec<f64> = (0..d).map(|_| StandardNormal.sample(source)).collect();
        for other in axes.iter().chain(&axes) {
            let along = dot(&axis, other);
            axis.iter_mut().zip(other).for_each(|(x, o)| *x -= along * o);
        }
        let length = dot(&axis, &axis).sqrt();
        // A vector that all but lies in the span of the others is drawn again.
        if length > 1e-6 {
            axis.iter_mut().for_each(|x| *x /= length);
            axes.push(axis);
        }
    }
    axes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(weights: MixtureWeights, covariance: MixtureCovariance) -> MixtureSettings {
        MixtureSettings { weights, covariance, ..MixtureSettings::default() }
    }

    #[test]
    fn a_generated_mixture_depends_on_its_seed_and_fits_its_settings() {
        let settings = settings(MixtureWeights::Random, MixtureCovariance::Identity);
        let mixture = Mixture::generate(&settings, 4).unwrap();
        assert_eq!((mixture.components(), mixture.dimensions()), (10, 3));
        assert!(mixture.means().iter().flatten().all(|mean| mean.abs() < 5.0));
        assert_eq!(mixture, Mixture::generate(&settings, 4).unwrap());
        assert_ne!(mixture, Mixture::generate(&settings, 5).unwrap());
        let identity = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
        assert!(mixture.covariances().iter().all(|covariance| *covariance == identity));
    }

    #[test]
    fn parts_of_a_mixture_come_from_streams_of_their_own() {
        let of =
            |weights, covariance| Mixture::generate(&settings(weights, covariance), 1).unwrap();
        let one = of(MixtureWeights::Random, MixtureCovariance::Identity);
        let other = of(MixtureWeights::Dirichlet, MixtureCovariance::Full);
        assert_eq!(one.means(), other.means());
        let third = of(MixtureWeights::Uniform, MixtureCovariance::Full);
        assert_eq!(third.covariances(), other.covariances());
        assert_eq!(third.weights(), [0.1; 10]);
    }

    #[test]
    fn weights_have_the_moments_of_their_distributions() {
        let second_moment = |kind| {
            let draws = (0..4000).flat_map(|seed| {
                random_weights(kind, 3, &mut Generator::new(seed, Stream::MixtureShape, 1).draws())
            });
            draws.map(|weight| weight * weight).sum::<f64>() / 12_000.0
        };
        // Dirichlet(1, 1, 1): E w² = 2 / (3 · 4). Three weights of one draw count as one.
        assert!((second_moment(MixtureWeights::Dirichlet) - 1.0 / 6.0).abs() < 0.005);
        assert!(second_moment(MixtureWeights::Random) < 0.15);
    }

    /// The characteristic polynomial at its roots: a 2 × 2 covariance has the eigenvalues that its
    /// trace and determinant say.
    #[test]
    fn full_covariances_have_variances_in_range() {
        let mut source = Generator::new(2, Stream::MixtureShape, 2).draws();
        let (mut least, mut most) = (f64::MAX, f64::MIN);
        for _ in 0..2000 {
            let c = random_covariance(MixtureCovariance::Full, 2, &mut source);
            assert_eq!(c[0][1], c[1][0]);
            let (trace, determinant) = (c[0][0] + c[1][1], c[0][0] * c[1][1] - c[0][1] * c[1][0]);
            let root = (trace * trace / 4.0 - determinant).sqrt();
            least = least.min(trace / 2.0 - root);
            most = most.max(trace / 2.0 + root);
        }
        assert!((0.25..0.26).contains(&least) && (2.24..2.25).contains(&most), "{least} {most}");
    }

    #[test]
    fn axes_are_orthonormal_in_many_dimensions() {
        let mut source = Generator::new(3, Stream::MixtureShape, 2).draws();
        let axes = random_rotation(60, &mut source);
        for (i, axis) in axes.iter().enumerate() {
            for (j, other) in axes.iter().enumerate() {
                assert!((dot(axis, other) - f64::from(i == j)).abs() < 1e-14);
            }
        }
    }

    #[test]
    fn impossible_mixtures_are_refused() {
        let few = MixtureSettings { rows: 9, ..MixtureSettings::default() };
        let error = Mixture::generate(&few, 1).unwrap_err();
        assert_eq!(error.message(), "the mixture has 10 components but only 9 rows");
        assert!(error.remedy().unwrap().contains("mixture.rows"));
        let wide = MixtureSettings { dimensions: usize::MAX, ..MixtureSettings::default() };
        assert!(Mixture::generate(&wide, 1).unwrap_err().message().ends_with("is too large"));
        let far = MixtureSettings { spread: 1e31, ..MixtureSettings::default() };
        assert!(Mixture::generate(&far, 1).unwrap_err().message().starts_with("means[0]["));
    }
}
