//! The prior that follows the posterior, fitted after training.

use ndarray::{ArrayView2, s};

use super::{Watch, interruptible};
use crate::audit::em::{self, Covariance, Rows};
use crate::data::Mixture;
use crate::error::{Error, Result};
use crate::model::Prior;
use crate::random::Stream;
use crate::vae::Model;

/// Posterior draws of each row that the mixture is fitted to, and of all rows together.
const DRAWS_PER_ROW: usize = 5;
const MOST_DRAWS: usize = 20_000;
/// Rows for each component, and most components. The mixture need not count modes but be as near to
/// the mean of all posteriors as the rows allow; BIC, which charges for every component, chooses so
/// few that modes run into each other.
const ROWS_PER_COMPONENT: usize = 25;
const MOST_COMPONENTS: usize = 60;
/// Starts of the fit.
const STARTS: usize = 6;

/// A mixture with full covariances fitted to posterior draws of the rows (n × features, in the data's
/// units): the second stage of Dai and Wipf, "Diagnosing and Enhancing VAE Models" (ICLR 2019), with
/// a mixture in place of their second VAE.
pub(super) fn refit(
    model: &Model,
    training: ArrayView2<f32>,
    seed: u64,
    watch: Watch,
) -> Result<Prior> {
    let task = watch.progress.begin("fitting the prior", 1);
    let count = (DRAWS_PER_ROW * training.nrows()).min(MOST_DRAWS);
    let rows = training.nrows().min(count);
    let fewest = Covariance::Full.fewest_rows(model.card().architecture.latent);
    let components = (rows / ROWS_PER_COMPONENT.max(fewest)).clamp(1, MOST_COMPONENTS);
    let training = training.slice(s![..rows, ..]);
    let draws = model.posterior_draws(training, count, Stream::PriorFit, seed, watch.interrupt)?;
    interruptible(watch.interrupt, move || {
        let mixture = fit(draws.view(), components, seed)?;
        task.update(1, &format!("{} components", mixture.components()));
        Ok(Prior::Mixture(mixture))
    })
}

/// A mixture of `components` Gaussians, or of fewer where some lose all their rows.
fn fit(rows: ArrayView2<f32>, components: usize, seed: u64) -> Result<Mixture> {
    let rows = Rows::new(rows, seed)?;
    for k in (1..=components.min(rows.distinct())).rev() {
        let starts = em::starts(&rows, k, STARTS, seed);
        if let Some(fit) = em::fit(&rows, Covariance::Full, starts) {
            return rows.mixture(&fit);
        }
    }
    Err(Error::failed("no mixture could be fitted to the posterior"))
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::config::MixtureSettings;

    /// Kullback–Leibler divergence from the truth, by draws of it.
    #[test]
    fn a_mixture_of_many_components_comes_near_to_the_truth() {
        let settings = MixtureSettings { dimensions: 2, ..MixtureSettings::default() };
        let truth = Mixture::generate(&settings, 3).unwrap();
        let (rows, fresh) = (truth.draw(5000, 3, 0), truth.draw(5000, 3, 1));
        let fitted = fit(rows.rows(), 40, 1).unwrap();
        let mean = |mixture: &Mixture| {
            let densities = mixture.log_densities(fresh.rows());
            densities.iter().sum::<f64>() / densities.len() as f64
        };
        // 40 components have 239 parameters, each of which costs about 1/2n nats a row.
        let gap = mean(&truth) - mean(&fitted);
        assert!((0.0..0.05).contains(&gap), "{gap}");
    }

    #[test]
    fn posteriors_without_spread_have_a_prior_too() {
        assert_eq!(fit(Array2::zeros((50, 2)).view(), 2, 1).unwrap().components(), 1);
        let two = Array2::from_shape_fn((50, 1), |(row, _)| (row % 2) as f32);
        assert_eq!(fit(two.view(), 2, 1).unwrap().components(), 2);
    }
}
