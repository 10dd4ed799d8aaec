//! The likelihood of rows under a trained model, by importance sampling.

use std::f64::consts::TAU;
use std::sync::atomic::AtomicBool;

use burn::tensor::Tensor;
use ndarray::{Array2, ArrayView2, Axis};

use super::generate::check;
use super::{Model, to_tensor, to_vec};
use crate::data::log_sum_exp;
use crate::error::Result;
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
    /// [`ModelCard::likelihood_variance`](crate::model::ModelCard::likelihood_variance).
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
            check(interrupt)?;
            let range = index * at_once..index * at_once + x.nrows();
            let slice = ndarray::s![range, ..];
            let generator = Generator::new(seed, Stream::ImportanceDraw, index as u64);
            let proposal = Proposal::draw(
                latents.means.slice(slice),
                latents.log_variances.slice(slice),
                generator,
            );
            let decoded = self.vae.decode(to_tensor(proposal.z.view(), &self.device));
            let squares = to_vec(squared_errors(x, decoded))?;
            for (row, squares) in squares.chunks_exact(DRAWS).enumerate() {
                let terms: Vec<f64> = squares
                    .iter()
                    .zip(row * DRAWS..)
                    .map(|(&square, draw)| {
                        self.log_gaussian(f64::from(square)) + self.log_prior(&proposal, draw)
                            - proposal.log_density[draw]
                    })
                    .collect();
                let jacobian = self.card.scaling.log_jacobian();
                out.push(log_sum_exp(&terms) - (DRAWS as f64).ln() - jacobian);
            }
        }
        Ok(out)
    }

    /// log N(x; x̂, v·I) from ‖x − x̂‖².
    fn log_gaussian(&self, square: f64) -> f64 {
        let variance = self.card.likelihood_variance(self.sigma);
        let features = self.card.architecture.features as f64;
        -0.5 * (square / variance + features * (TAU * variance).ln())
    }

    fn log_prior(&self, proposal: &Proposal, draw: usize) -> f64 {
        let z = proposal.z.row(draw);
        match self.card.prior {
            Prior::StandardNormal => {
                let square: f64 = z.iter().map(|&z| f64::from(z).powi(2)).sum();
                -0.5 * (square + z.len() as f64 * TAU.ln())
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

/// ‖x − x̂‖² of each draw (rows · [`DRAWS`]), each row of `x` against its own draws.
fn squared_errors(x: ArrayView2<f32>, decoded: Tensor<2>) -> Tensor<1> {
    let (rows, features) = x.dim();
    let x = to_tensor(x, &decoded.device()).reshape([rows, 1, features]);
    let decoded = decoded.reshape([rows, DRAWS, features]);
    (decoded - x).square().sum_dim(2).reshape([rows * DRAWS])
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;
    use crate::config::{Activation, KlReduction, Likelihood, PosteriorVariance, ScalingKind};
    use crate::data::Scaling;
    use crate::model::{Architecture, ModelCard, Objective, Parameters, SavedModel};

    /// One linear layer each way: x = w·z + c + σ·ε has the marginal N(c, w wᵀ + σ² I), whatever the
    /// encoder says.
    #[test]
    fn a_linear_decoder_has_its_closed_form() {
        let architecture = Architecture {
            features: 2,
            latent: 1,
            hidden: vec![],
            activation: Activation::Relu,
            likelihood: Likelihood::LearnedSigma,
            posterior_variance: PosteriorVariance::Exp,
        };
        let (w, c, sigma) = ([0.8_f32, -0.5], [0.1_f32, 0.2], 0.6_f32);
        // The true posterior has precision 1 + ‖w‖²/σ², mean wᵀ(x − c)/σ² over it; the encoder here
        // is a little off, as a trained one is.
        let precision = 1.0 + (w[0] * w[0] + w[1] * w[1]) / (sigma * sigma);
        let slope = w.map(|w| w / (sigma * sigma) / precision);
        let offset = -(slope[0] * c[0] + slope[1] * c[1]) + 0.05;
        let values = vec![
            slope[0],
            0.0,
            slope[1],
            0.0, // encoder weights [in, out]: mean, log-variance
            offset,
            -precision.ln() + 0.1, // its biases
            w[0],
            w[1],
            c[0],
            c[1], // decoder
            sigma.ln(),
        ];
        let rows = array![[0.4_f32, 1.0], [-2.0, 3.0], [1.5, -1.5]];
        let scaling =
            Scaling { kind: ScalingKind::ZScore, shift: vec![1.0, -2.0], scale: vec![2.0, 0.5] };
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
            prior: Prior::StandardNormal,
            objective: Objective { beta: 1.0, kl_reduction: KlReduction::Mean, batch: 32 },
        };
        let saved = SavedModel { card, parameters: Parameters { architecture, values } };
        let model = Model::new(saved, &burn::tensor::Device::flex());
        let found = model.log_likelihoods(rows.view(), 7, &AtomicBool::new(false)).unwrap();
        let (w, sigma) = (w.map(f64::from), f64::from(sigma));
        let covariance =
            |i: usize, j: usize| w[i] * w[j] + f64::from(u8::from(i == j)) * sigma * sigma;
        let determinant = covariance(0, 0) * covariance(1, 1) - covariance(0, 1).powi(2);
        for (x, found) in scaled.rows().into_iter().zip(found) {
            let [a, b] = [0, 1].map(|i| f64::from(x[i]) - f64::from(c[i]));
            let square = (covariance(1, 1) * a * a - 2.0 * covariance(0, 1) * a * b
                + covariance(0, 0) * b * b)
                / determinant;
            let exact = -0.5 * (square + determinant.ln()) - TAU.ln() - jacobian;
            // 256 draws from a proposal this close leave a relative error of about 0.02.
            assert!((found - exact).abs() < 0.06, "{found} {exact}");
        }
    }
}
