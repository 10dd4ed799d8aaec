//! What is computed in a step and where its values stand, as plain numbers.

use bytemuck::{Pod, Zeroable};

use super::stages::Stage;
use crate::config::{Activation, Likelihood, PosteriorVariance, TrainingSettings};
use crate::fused::{Layer, Network};

/// Rows of a tile of a matrix product, and columns of a workgroup's tile: see
/// `shaders/common/layer.wgsl`.
const TILE: (usize, usize) = (8, 128);
/// Invocations of a workgroup of most stages.
const LANES: usize = 32;
/// Parts of the gradient's squared norm.
const SQUARES: usize = 64;
/// Most workgroups in a dimension, here and in `shaders/common/bindings.wgsl`.
pub(super) const MOST_GROUPS: usize = 65_535;

/// A constant of a pipeline: the name of a WGSL `override` and its value.
pub(super) type Constant = (&'static str, f64);

/// A dispatch of a step.
#[derive(Clone, Debug)]
pub(super) struct Pass {
    pub stage: Stage,
    pub constants: Vec<Constant>,
    /// Workgroups in x and y; z is the member.
    pub groups: [usize; 2],
}

/// A workgroup's share of the gradients, as `shaders/common/bindings.wgsl` has it.
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Tile {
    kind: u32,
    x: u32,
    y_gradient: u32,
    inputs: u32,
    outputs: u32,
    weight: u32,
    row: u32,
    column: u32,
}

/// The passes of a step in their order, and what they need.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub passes: Vec<Pass>,
    /// Entries for the stage `gradients`.
    pub tiles: Vec<Tile>,
    /// Length of a member's workspace in f32 values.
    pub workspace: usize,
}

/// Slots of a layer's values.
struct Slots {
    x: usize,
    x_gradient: usize,
    y: usize,
    y_gradient: usize,
}

impl Plan {
    /// The plan for `rows` training rows in batches of `batch`.
    pub fn new(network: &Network, rows: usize, batch: usize, settings: &TrainingSettings) -> Self {
        let padded = batch.next_multiple_of(TILE.0);
        let components = network.prior.map_or(0, |prior| prior.components);
        let mut workspace = 0;
        let mut slot = |length: usize| {
            workspace += length;
            workspace - length
        };
        let (batch_slot, noise) = (slot(padded * network.features), slot(padded * network.latent));
        let (sample, sample_gradient) =
            (slot(padded * network.latent), slot(padded * network.latent));
        let (kl, reconstruction) = (slot(padded), slot(padded));
        let responsibilities = slot(padded * components);
        let squares = slot(SQUARES);
        let mut chain = |layers: &[Layer], x: usize, x_gradient: usize| -> Vec<Slots> {
            let mut last = (x, x_gradient);
            let next = |layer: &Layer| {
                let (x, x_gradient) = last;
                last = (slot(padded * layer.outputs), slot(padded * layer.outputs));
                Slots { x, x_gradient, y: last.0, y_gradient: last.1 }
            };
            layers.iter().map(next).collect()
        };
        // Nothing needs the gradient of the batch.
        let encoder = chain(&network.encoder, batch_slot, 0);
        let decoder = chain(&network.decoder, sample, sample_gradient);
        let end =
            |slots: &[Slots]| slots.last().map_or((0, 0), |slots| (slots.y, slots.y_gradient));
        let (posterior, residual) = (end(&encoder), end(&decoder));

        let common = [
            of_network(network),
            vec![
                ("ROWS", rows as f64),
                ("WORKSPACE", workspace as f64),
                ("BATCH", batch_slot as f64),
                ("NOISE", noise as f64),
                ("POSTERIOR", posterior.0 as f64),
                ("POSTERIOR_GRADIENT", posterior.1 as f64),
                ("SAMPLE", sample as f64),
                ("SAMPLE_GRADIENT", sample_gradient as f64),
                ("KL", kl as f64),
                ("RECONSTRUCTION", reconstruction as f64),
                ("RESPONSIBILITIES", responsibilities as f64),
                ("RESIDUAL", residual.0 as f64),
                ("RESIDUAL_GRADIENT", residual.1 as f64),
                ("SQUARES", squares as f64),
            ],
        ]
        .concat();
        let tiles = tiles(network, &encoder, &decoder);
        let mut passes = Vec::new();
        let mut pass = |stage, own: Vec<Constant>, groups| {
            passes.push(Pass { stage, constants: [common.clone(), own].concat(), groups });
        };
        let blocks = (padded * network.latent).div_ceil(4) + 1;
        pass(Stage::Draw, vec![], [padded.max(blocks).div_ceil(64), 2]);
        let products = |width: usize| grid(padded / TILE.0 * width.div_ceil(TILE.1));
        let parts = [(&network.encoder, &encoder, 0.0), (&network.decoder, &decoder, 4.0)];
        for (part, (layers, slots, last)) in parts.into_iter().enumerate() {
            for (layer, slots) in layers.iter().zip(slots) {
                let function = if layer.activated { function(network.activation) } else { last };
                let own = [of_layer(layer, slots), vec![("FUNCTION", function)]].concat();
                pass(Stage::DenseForward, own, products(layer.outputs));
            }
            if part == 0 {
                match components {
                    0 => {
                        let groups = [padded.div_ceil(LANES), 1];
                        pass(Stage::PosteriorStandardNormal, vec![], groups);
                    }
                    _ => pass(Stage::PosteriorMixture, vec![], grid(padded)),
                }
            }
        }
        for (part, (layers, slots, _)) in parts.into_iter().enumerate().rev() {
            for (index, (layer, slots)) in layers.iter().zip(slots).enumerate().rev() {
                // The decoder's first layer brings the gradient back to the sample; the encoder's
                // first has only the batch before it.
                if index > 0 || part == 1 {
                    let activated = ("ACTIVATED", f64::from(index > 0));
                    let own = [of_layer(layer, slots), vec![activated]].concat();
                    pass(Stage::DenseBackward, own, products(layer.inputs));
                }
            }
            if part == 1 {
                let groups = grid((padded * network.latent).div_ceil(LANES));
                pass(Stage::PosteriorBackward, vec![], groups);
            }
        }
        pass(Stage::Gradients, vec![], grid(tiles.len()));
        if settings.gradient_clip.is_some() {
            pass(Stage::Norm, vec![], [SQUARES, 1]);
        }
        pass(Stage::Update, of_update(settings), grid(network.parameters.div_ceil(256)));
        Self { passes, tiles, workspace }
    }
}

/// At least `count` workgroups in two dimensions; `running` in `shaders/common/bindings.wgsl` numbers
/// them.
fn grid(count: usize) -> [usize; 2] {
    [count.min(MOST_GROUPS), count.div_ceil(MOST_GROUPS)]
}

/// What `dense_forward.wgsl` calls an activation.
fn function(activation: Activation) -> f64 {
    match activation {
        Activation::Relu => 1.0,
        Activation::Silu => 2.0,
        Activation::Tanh => 3.0,
        Activation::Gelu => unreachable!("Network::new refuses gelu"),
    }
}

fn of_network(network: &Network) -> Vec<Constant> {
    let prior = |place: fn(&crate::fused::MixturePrior) -> usize| {
        network.prior.as_ref().map_or(0.0, |prior| place(prior) as f64)
    };
    vec![
        ("FEATURES", network.features as f64),
        ("LATENT", network.latent as f64),
        ("PARAMETERS", network.parameters as f64),
        ("SQUARED_ERROR", f64::from(network.likelihood == Likelihood::MeanSquaredError)),
        ("LEARNED_SIGMAS", network.learned_sigmas as f64),
        ("LOG_SIGMA", network.log_sigma.unwrap_or(0) as f64),
        ("FIXED_LOG_SIGMA", network.fixed_log_sigma.into()),
        ("SOFTPLUS", f64::from(network.posterior_variance == PosteriorVariance::Softplus)),
        ("COMPONENTS", prior(|prior| prior.components)),
        ("PRIOR_MEANS", prior(|prior| prior.means)),
        ("PRIOR_LOG_VARIANCES", prior(|prior| prior.log_variances)),
        ("PRIOR_LOGITS", prior(|prior| prior.logits)),
    ]
}

fn of_layer(layer: &Layer, slots: &Slots) -> Vec<Constant> {
    vec![
        ("INPUTS", layer.inputs as f64),
        ("OUTPUTS", layer.outputs as f64),
        ("WEIGHT", layer.weight as f64),
        ("BIAS", layer.bias as f64),
        ("X", slots.x as f64),
        ("X_GRADIENT", slots.x_gradient as f64),
        ("Y", slots.y as f64),
        ("Y_GRADIENT", slots.y_gradient as f64),
    ]
}

fn of_update(settings: &TrainingSettings) -> Vec<Constant> {
    vec![
        ("FIRST_DECAY", settings.adam_beta1),
        ("SECOND_DECAY", settings.adam_beta2),
        ("FIRST_SHARE", 1.0 - settings.adam_beta1),
        ("SECOND_SHARE", 1.0 - settings.adam_beta2),
        ("EPSILON", settings.adam_epsilon),
        ("CLIP", settings.gradient_clip.unwrap_or(0.0)),
        ("AVERAGED", f64::from(settings.ema.is_some())),
    ]
}

/// The entries for the stage `gradients`, of the kinds that `shaders/gradients.wgsl` names.
fn tiles(network: &Network, encoder: &[Slots], decoder: &[Slots]) -> Vec<Tile> {
    let mut tiles = Vec::new();
    for (layer, slots) in network.layers().zip(encoder.iter().chain(decoder)) {
        for row in (0..layer.inputs).step_by(TILE.0) {
            for column in (0..layer.outputs).step_by(TILE.1) {
                tiles.push(Tile {
                    kind: 0,
                    x: slots.x as u32,
                    y_gradient: slots.y_gradient as u32,
                    inputs: layer.inputs as u32,
                    outputs: layer.outputs as u32,
                    weight: layer.weight as u32,
                    row: row as u32,
                    column: column as u32,
                });
            }
        }
    }
    let other = |kind: u32, row: usize| Tile { kind, row: row as u32, ..Tile::zeroed() };
    let mut push = |kind, elements: usize| {
        tiles.extend((0..elements).step_by(LANES).map(|first| other(kind, first)));
    };
    push(1, 1);
    if network.likelihood == Likelihood::LearnedSigmaPerColumn {
        push(2, network.features);
    }
    if let Some(prior) = network.prior {
        push(3, prior.components * network.latent);
        push(4, prior.components);
    }
    tiles
}
