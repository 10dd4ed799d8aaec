//! The likelihood of rows under a trained model, by importance sampling.

use std::f64::consts::TAU;
use std::sync::atomic::AtomicBool;

use burn::tensor::{Tensor, TensorData};
use ndarray::{Array2, ArrayView1, ArrayView2, Axis};

use super::objective::gaussian;
use super::{Model, to_tensor, to_vec};
use crate::data::log_sum_exp;
use crate::error::{Result, heed};
use crate::model::Prior;
use crate::random::{Generator, Stream};

/// Draws of the latent for each row.
const DRAWS: usize = 256;
/// What is added to the log-variance of the posterior to make the proposal: a proposal with lighter
/// tails than the true posterior would leave the weights without a variance.
const WIDENING: f64 = 0.2;
/// Latents decoded at once, which bounds memory.
const CHUNK: usize = 8192;

impl Model {
    /// log p(x) of each of `rows` (n × features), in nats, for densities in the data's own units.
    ///
    /// The mean of p(x|z)·p(z)/r(z) over 256 draws z from the proposal r, which is the
    /// posterior q(z|x) with 0.2 added to its log-variances (importance sampling as in Burda, Grosse
    /// and Salakhutdinov 2016, eq. 8, with a wider proposal). The logarithm of a mean of draws is
    /// low by about half its relative variance. The likelihood is that of
    /// [`Architecture::likelihood_variances`](crate::model::Architecture::likelihood_variances), the
    /// prior the one that samples are drawn from.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn log_likelihoods(
        &self,
        rows: ArrayView2<f32>,
        seed: u64,
        interrupt: &AtomicBool,
    ) -> Result<Vec<f64>> {
        let latents = self.encode(rows, interrupt)?;
        let scaled = self.card.scaling.apply(rows);
        let at_once = (CHUNK / DRAWS).max(1);
        let mut out = Vec::with_capacity(rows.nrows());
        for (index, x) in scaled.axis_chunks_iter(Axis(0), at_once).enumerate() {
            heed(interrupt)?;
            let range = index * at_once..index * at_once + x.nrows();
            let slice = ndarray::s![range, ..];
            let generator = Generator::new(seed, Stream::ImportanceDraw, index as u64);
            let proposal = Proposal::draw(
                latents.means.slice(slice),
                latents.log_variances.slice(slice),
                generator,
            );
            let decoded = self.vae.decode(to_tensor(proposal.z.view(), &self.device));
            let log_likelihoods = to_vec(self.log_gaussians(x, decoded))?;
            let log_priors = self.log_priors(proposal.z.view());
            let terms: Vec<f64> = log_likelihoods
                .iter()
                .zip(log_priors)
                .zip(&proposal.log_density)
                .map(|((&likelihood, prior), proposal)| f64::from(likelihood) + prior - proposal)
                .collect();
            let jacobian = self.card.scaling.log_jacobian();
            let of_row = |terms| log_sum_exp(terms) - (DRAWS as f64).ln() - jacobian;
            out.extend(terms.chunks_exact(DRAWS).map(of_row));
        }
        Ok(out)
    }

    /// log p(x|z) of each draw (rows · [`DRAWS`]), each row of `x` against its own draws.
    fn log_gaussians(&self, x: ArrayView2<f32>, decoded: Tensor<2>) -> Tensor<1> {
        let (rows, features) = x.dim();
        let x = to_tensor(x, &self.device).reshape([rows, 1, features]);
        let decoded = decoded.reshape([rows, DRAWS, features]);
        let residual = (x - decoded).reshape([rows * DRAWS, features]);
        let log_sigmas: Vec<f32> =
            self.variances.iter().map(|variance| (0.5 * variance.ln()) as f32).collect();
        let log_sigmas = Tensor::from_data(TensorData::new(log_sigmas, [features]), &self.device);
        gaussian(residual, log_sigmas)
    }

    /// log p(z) of each row of latents, under the prior that samples are drawn from.
    fn log_priors(&self, z: ArrayView2<f32>) -> Vec<f64> {
        match &self.card.prior {
            Prior::Mixture(mixture) => mixture.log_densities(z),
            Prior::StandardNormal => {
                let of_row = |z: ArrayView1<f32>| {
                    let square: f64 = z.iter().map(|&z| f64::from(z).powi(2)).sum();
                    -0.5 * (square + z.len() as f64 * TAU.ln())
                };
                z.rows().into_iter().map(of_row).collect()
            }
        }
    }
}

/// Draws from the widened posteriors of some rows.
struct Proposal {
    /// (rows · [`DRAWS`]) × latent, the draws of a row together.
    z: Array2<f32>,
    /// log r(z) of each draw.
    log_density: Vec<f64>,
}

impl Proposal {
    fn draw(means: ArrayView2<f32>, log_variances: ArrayView2<f32>, generator: Generator) -> Self {
        let (rows, units) = means.dim();
        let mut z = Array2::zeros((rows * DRAWS, units));
        if let Some(values) = z.as_slice_mut() {
            generator.normal(values);
        }
        let mut log_density = Vec::with_capacity(rows * DRAWS);
        for (draw, mut z) in z.rows_mut().into_iter().enumerate() {
            let row = draw / DRAWS;
            let mut twice = units as f64 * TAU.ln();
            for ((z, &mean), &log_variance) in
                z.iter_mut().zip(means.row(row)).zip(log_variances.row(row))
            {
                let log_variance = f64::from(log_variance) + WIDENING;
                twice += log_variance + f64::from(*z).powi(2);
                *z = (f64::from(mean) + (0.5 * log_variance).exp() * f64::from(*z)) as f32;
            }
            log_density.push(-0.5 * twice);
        }
        Self { z, log_density }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::config::{
        Activation, KlReduction, Likelihood, PosteriorVariance, PriorKind, ScalingKind,
    };
    use crate::data::{Mixture, Scaling};
    use crate::model::{Architecture, ModelCard, Objective, Parameters, SavedModel};

    /// One linear layer each way: with z from a mixture of N(m, s), x = w·z + c + σ·ε has the marginal
    /// of a mixture of N(w·m + c, s·w wᵀ + diag σ²), whatever the encoder says.
    #[test]
    fn a_linear_decoder_has_its_closed_form() {
        let sigmas = [0.6_f32, 0.7];
        let normal = (vec![1.0], vec![0.0], vec![1.0]);
        let mixture = (vec![0.3, 0.7], vec![-0.3, 0.4], vec![0.8, 1.2]);
        for (likelihood, sigmas) in [
            (Likelihood::LearnedSigma, [sigmas[0]; 2]),
            (Likelihood::LearnedSigmaPerColumn, sigmas),
            (Likelihood::FixedSigma, [sigmas[1]; 2]),
        ] {
            for (weights, means, variances) in [&normal, &mixture] {
                let one_by_one = variances.iter().map(|&v| vec![vec![v]]).collect();
                let columns = means.iter().map(|&m| vec![m]).collect();
                let latents = Mixture::new(weights.clone(), columns, one_by_one).unwrap();
                let prior = match weights.len() {
                    1 => Prior::StandardNormal,
                    _ => Prior::Mixture(latents.clone()),
                };
                check(likelihood, sigmas, prior, &latents);
            }
        }
    }

    fn check(likelihood: Likelihood, sigmas: [f32; 2], prior: Prior, latents: &Mixture) {
        let architecture = Architecture {
            features: 2,
            latent: 1,
            hidden: vec![],
            activation: Activation::Relu,
            likelihood,
            sigma: (likelihood == Likelihood::FixedSigma).then_some(f64::from(sigmas[0])),
            posterior_variance: PosteriorVariance::Exp,
            prior: PriorKind::StandardNormal,
            prior_components: 0,
        };
        let (w, c) = ([0.8_f32, -0.5], [0.1_f32, 0.2]);
        // Under N(0, 1) the true posterior has precision 1 + Σw²/σ² and mean Σw(x − c)/σ² over it; the
        // encoder here is a little off, as a trained one is.
        let precision: f32 = 1.0 + (0..2).map(|i| (w[i] / sigmas[i]).powi(2)).sum::<f32>();
        let slope = [0, 1].map(|i| w[i] / sigmas[i].powi(2) / precision);
        let offset = -(slope[0] * c[0] + slope[1] * c[1]) + 0.05;
        // Encoder weights [in, out] for mean and log-variance, its biases, the decoder.
        let mut values = vec![slope[0], 0.0, slope[1], 0.0, offset, -precision.ln() + 0.1];
        values.extend([w[0], w[1], c[0], c[1]]);
        values.extend(&sigmas.map(f32::ln)[..architecture.learned_sigmas()]);
        let rows = array![[0.4_f32, 1.0], [-2.0, 3.0], [1.5, -1.5]];
        let scaling = Scaling {
            kind: ScalingKind::ZScore,
            shift: vec![1.0, -2.0],
            scale: vec![2.0, 0.5],
            constant: Vec::new(),
        };
        let scaled = scaling.apply(rows.view());
        let jacobian = scaling.log_jacobian();
        let card = ModelCard {
            format: ModelCard::FORMAT,
            modescope: String::new(),
            recipe: String::new(),
            seed: 1,
            columns: vec!["a".into(), "b".into()],
            architecture: architecture.clone(),
            scaling,
            prior,
            objective: Objective {
                beta: 1.0,
                kl_reduction: KlReduction::Mean,
                free_bits: 0.0,
                importance_samples: 1,
                batch: 32,
            },
        };
        let saved = SavedModel { card, parameters: Parameters { architecture, values } };
        let mut model = Model::new(saved, &burn::tensor::Device::flex());
        model.card.scaling.constant = vec![1];
        let [noise, none] = model.noise_deviations().unwrap()[..] else { panic!("two columns") };
        assert!((noise - 2.0 * f64::from(sigmas[0])).abs() < 1e-6 && none == 0.0);
        model.card.scaling.constant.clear();
        let found = model.log_likelihoods(rows.view(), 7, &AtomicBool::new(false)).unwrap();

        let [w, c, sigmas] = [w, c, sigmas].map(|pair| pair.map(f64::from));
        let mean = |m: &Vec<f64>| [0, 1].map(|i| w[i] * m[0] + c[i]).to_vec();
        let covariance = |s: &Vec<Vec<f64>>| {
            let entry = |i: usize, j: usize| {
                s[0][0] * w[i] * w[j] + if i == j { sigmas[i].powi(2) } else { 0.0 }
            };
            (0..2).map(|i| (0..2).map(|j| entry(i, j)).collect()).collect()
        };
        let marginal = Mixture::new(
            latents.weights().to_vec(),
            latents.means().iter().map(mean).collect(),
            latents.covariances().iter().map(covariance).collect(),
        );
        let exact = marginal.unwrap().log_densities(scaled.view());
        for (exact, found) in exact.iter().zip(found) {
            // 256 draws from a proposal this close leave a relative error of about 0.02.
            assert!((found - (exact - jacobian)).abs() < 0.08, "{found} {}", exact - jacobian);
        }
    }
}
