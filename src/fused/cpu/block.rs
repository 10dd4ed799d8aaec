//! What the twin computes with for a part of a batch.

use crate::fused::{Layer, Network};
use crate::product::{Buffer, Matrix};

/// What one layer makes of a block's rows.
#[derive(Clone, Debug)]
pub(super) struct LayerRows {
    /// y.
    pub(super) output: Matrix,
    /// f′ at every y; nothing computed where f is the identity.
    pub(super) slope: Matrix,
    /// ∂loss/∂ of what f was applied to.
    pub(super) delta: Matrix,
}

impl LayerRows {
    fn new(rows: usize, layer: &Layer) -> Self {
        let matrix = || Matrix::zeros(rows, layer.outputs);
        Self { output: matrix(), slope: matrix(), delta: matrix() }
    }
}

/// Some consecutive rows of a batch. Blocks share nothing, so threads may compute them in any order.
#[derive(Clone, Debug)]
pub(super) struct Block {
    /// Place in the batch of the first row.
    pub(super) first: usize,
    /// Rows that the present batch has here.
    pub(super) count: usize,
    pub(super) features: usize,
    pub(super) latent: usize,
    pub(super) x: Matrix,
    /// ε, rows × latent.
    pub(super) noise: Vec<f32>,
    pub(super) encoder: Vec<LayerRows>,
    /// z.
    pub(super) latents: Matrix,
    /// −∂ln p(z)/∂z under a mixture prior.
    pub(super) prior_slope: Matrix,
    /// ∂loss/∂z of the likelihood.
    pub(super) latents_delta: Matrix,
    pub(super) decoder: Vec<LayerRows>,
    /// x̂ − x.
    pub(super) residual: Matrix,
    /// Sum over the rows of the KL divergence.
    pub(super) kl: f64,
    /// Sums over the rows for the mixture prior: see [`PriorSums`].
    pub(super) prior: PriorSums,
}

/// Sums over rows of the gradient of −ln p(z) with respect to a mixture prior's parameters, each
/// arranged as [`MixtureTerms`](super::posterior::MixtureTerms) are.
#[derive(Clone, Debug)]
pub(super) struct PriorSums {
    pub(super) means: Buffer,
    pub(super) log_variances: Buffer,
    /// Responsibilities.
    pub(super) weights: Buffer,
    /// The responsibilities of one row.
    pub(super) terms: Buffer,
}

impl PriorSums {
    pub(super) fn clear(&mut self) {
        self.means.fill(0.0);
        self.log_variances.fill(0.0);
        self.weights.fill(0.0);
    }

    /// Adds the sums over other rows.
    pub(super) fn add(&mut self, other: &Self) {
        let pairs = [
            (&mut self.means, &other.means),
            (&mut self.log_variances, &other.log_variances),
            (&mut self.weights, &other.weights),
        ];
        for (sums, others) in pairs {
            sums.iter_mut().zip(others.iter()).for_each(|(sum, other)| *sum += other);
        }
    }
}

impl Block {
    /// Room for `rows` rows from place `first` of the batch.
    pub(super) fn new(network: &Network, first: usize, rows: usize) -> Self {
        let of_layers =
            |layers: &[Layer]| layers.iter().map(|layer| LayerRows::new(rows, layer)).collect();
        let components = super::posterior::padded_components(network);
        let sums = || Buffer::zeros(network.latent * components);
        Self {
            first,
            count: rows,
            features: network.features,
            latent: network.latent,
            x: Matrix::zeros(rows, network.features),
            noise: vec![0.0; rows * network.latent],
            encoder: of_layers(&network.encoder),
            latents: Matrix::zeros(rows, network.latent),
            prior_slope: Matrix::zeros(rows, network.latent),
            latents_delta: Matrix::zeros(rows, network.latent),
            decoder: of_layers(&network.decoder),
            residual: Matrix::zeros(rows, network.features),
            kl: 0.0,
            prior: PriorSums {
                means: sums(),
                log_variances: sums(),
                weights: Buffer::zeros(components),
                terms: Buffer::zeros(components),
            },
        }
    }
}
