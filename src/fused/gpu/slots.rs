//! Where the values of a batch stand in a member's workspace.

use super::plan::{Constant, SQUARES};
use super::tiles::Dense;
use crate::config::Activation;
use crate::fused::{Layer, Network};

/// Slots of rows have room for a multiple of as many: see `shaders/common/bindings.wgsl`.
pub(super) const ROW_PADDING: usize = 8;

// What makes y of xW + b, as `activation.wgsl` and `residual.wgsl` in `shaders/common/` have it.
const IDENTITY: u32 = 0;
const RELU: u32 = 1;
const SILU: u32 = 2;
const TANH: u32 = 3;
const RESIDUAL: u32 = 4;

/// The slots, by their names in `shaders/common/bindings.wgsl`, and the layers with theirs.
#[derive(Clone, Debug)]
pub(super) struct Slots {
    batch: usize,
    noise: usize,
    sample: usize,
    sample_gradient: usize,
    kl: usize,
    reconstruction: usize,
    responsibilities: usize,
    logit_sum: usize,
    squares: usize,
    pub encoder: Vec<Dense>,
    pub decoder: Vec<Dense>,
    /// Length of all in f32 values.
    pub len: usize,
}

impl Slots {
    /// Those of a batch.
    pub fn new(network: &Network, batch: usize) -> Self {
        let rows = batch.next_multiple_of(ROW_PADDING);
        let mut len = 0;
        let mut slot = |length: usize| {
            len += length;
            len - length
        };
        let (x, noise) = (slot(rows * network.features), slot(rows * network.latent));
        let sample = (slot(rows * network.latent), slot(rows * network.latent));
        let (kl, reconstruction) = (slot(rows), slot(rows));
        let [responsibilities, logit_sum] =
            network.prior.map_or([0; 2], |prior| [slot(rows * prior.components), slot(1)]);
        let squares = slot(SQUARES);
        let mut chain = |layers: &[Layer], first: (usize, usize), last| -> Vec<Dense> {
            let mut before = first;
            let mut activated = false;
            let next = |layer: &Layer| {
                let y = (slot(rows * layer.outputs), slot(rows * layer.outputs));
                let dense = Dense {
                    inputs: layer.inputs as u32,
                    outputs: layer.outputs as u32,
                    weight: layer.weight as u32,
                    bias: layer.bias as u32,
                    x: before.0 as u32,
                    x_gradient: before.1 as u32,
                    y: y.0 as u32,
                    y_gradient: y.1 as u32,
                    function: if layer.activated { function(network.activation) } else { last },
                    activated: activated.into(),
                };
                (before, activated) = (y, layer.activated);
                dense
            };
            layers.iter().map(next).collect()
        };
        // Nothing needs the gradient of the batch.
        let encoder = chain(&network.encoder, (x, 0), IDENTITY);
        let decoder = chain(&network.decoder, sample, RESIDUAL);
        Self {
            batch: x,
            noise,
            sample: sample.0,
            sample_gradient: sample.1,
            kl,
            reconstruction,
            responsibilities,
            logit_sum,
            squares,
            encoder,
            decoder,
            len,
        }
    }

    /// Every layer in the order of a forward pass.
    pub fn layers(&self) -> impl Iterator<Item = &Dense> {
        self.encoder.iter().chain(&self.decoder)
    }

    /// What the shaders have to know.
    pub fn constants(&self) -> Vec<Constant> {
        let end = |layers: &[Dense]| layers.last().map_or((0, 0), |last| (last.y, last.y_gradient));
        let (posterior, residual) = (end(&self.encoder), end(&self.decoder));
        vec![
            ("WORKSPACE", self.len as f64),
            ("BATCH", self.batch as f64),
            ("NOISE", self.noise as f64),
            ("POSTERIOR", posterior.0.into()),
            ("POSTERIOR_GRADIENT", posterior.1.into()),
            ("SAMPLE", self.sample as f64),
            ("SAMPLE_GRADIENT", self.sample_gradient as f64),
            ("KL", self.kl as f64),
            ("RECONSTRUCTION", self.reconstruction as f64),
            ("RESPONSIBILITIES", self.responsibilities as f64),
            ("LOGIT_SUM", self.logit_sum as f64),
            ("RESIDUAL", residual.0.into()),
            ("SQUARES", self.squares as f64),
        ]
    }
}

/// The number of an activation.
pub(super) fn function(activation: Activation) -> u32 {
    match activation {
        Activation::Relu => RELU,
        Activation::Silu => SILU,
        Activation::Tanh => TANH,
        Activation::Gelu => unreachable!("Network::new refuses gelu"),
    }
}
