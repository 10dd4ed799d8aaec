//! What is computed in a step and where its values stand, as plain numbers.

use super::stages::Stage;
use super::tiles::{self, LANES, Shape, Table, Target, Tile};
use crate::config::{Activation, Likelihood, PosteriorVariance, TrainingSettings};
use crate::fused::{Job, Layer, Network};

/// Slots of rows have room for a multiple of as many: see `shaders/common/bindings.wgsl`.
pub(super) const BLOCK_ROWS: usize = 8;
/// Parameters that a workgroup updates.
const UPDATED: usize = 1024;
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

impl Pass {
    /// The stage, and the layer that it is of.
    pub fn name(&self) -> String {
        let constant = |name| self.constants.iter().find(|of| of.0 == name).map(|of| of.1);
        match (constant("INPUTS"), constant("OUTPUTS")) {
            (Some(inputs), Some(outputs)) => {
                format!("{} {inputs} → {outputs}", self.stage.name())
            }
            _ => self.stage.name().into(),
        }
    }
}

/// The passes of a step in their order, and what they need.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub passes: Vec<Pass>,
    /// Entries for the stage `gradients`.
    pub tiles: Vec<Tile>,
    /// Parts of every gradient.
    pub slices: usize,
    /// Length of a member's workspace in f32 values.
    pub workspace: usize,
}

/// Slots of a layer's values.
pub(super) struct Slots {
    pub x: usize,
    x_gradient: usize,
    y: usize,
    pub y_gradient: usize,
}

impl Plan {
    /// The plan of a job with this number of members.
    pub fn new(job: &Job, members: usize, target: Target) -> Self {
        let Job { network, batch, settings, .. } = *job;
        let padded = batch.next_multiple_of(BLOCK_ROWS);
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

        let slices = tiles::slices(batch, network.parameters, members, target);
        let table = Table::new(network, [&encoder, &decoder], (batch, slices, members), target);
        let common = [
            of_network(network),
            vec![
                ("SLICES", slices as f64),
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
                ("SQUARES", squares as f64),
            ],
        ]
        .concat();
        let mut passes = Vec::new();
        let mut pass = |stage, own: Vec<Constant>, groups| {
            let constants = [common.clone(), own].concat();
            passes.push(Pass { stage, constants, groups });
        };
        let shape = |columns, depth| Shape::new([padded, columns, depth], members, target);
        let blocks = (padded * network.latent).div_ceil(4) + 1;
        pass(Stage::Draw, vec![], [padded.max(blocks).div_ceil(64), 2]);
        let parts = [(&network.encoder, &encoder, 0.0), (&network.decoder, &decoder, 4.0)];
        for (part, (layers, slots, last)) in parts.into_iter().enumerate() {
            for (layer, slots) in layers.iter().zip(slots) {
                let function = if layer.activated { function(network.activation) } else { last };
                let shape = shape(layer.outputs, layer.inputs);
                let own = [of_layer(layer, slots), shape.constants(), vec![("FUNCTION", function)]];
                let groups = grid(shape.count(padded, layer.outputs));
                pass(Stage::DenseForward(shape.products), own.concat(), groups);
            }
            if part == 0 {
                match components {
                    0 => {
                        pass(Stage::PosteriorStandardNormal, vec![], grid(padded.div_ceil(LANES)));
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
                    let activated = vec![("ACTIVATED", f64::from(index > 0))];
                    let shape = shape(layer.inputs, layer.outputs);
                    let own = [of_layer(layer, slots), shape.constants(), activated].concat();
                    let groups = grid(shape.count(padded, layer.inputs));
                    pass(Stage::DenseBackward(shape.products), own, groups);
                }
            }
            if part == 1 {
                let groups = grid((padded * network.latent).div_ceil(LANES));
                pass(Stage::PosteriorBackward, vec![], groups);
            }
        }
        for part in &table.parts {
            let shape = part.shape;
            let mut own = shape.constants();
            own.push(("FIRST_TILE", part.tiles.start as f64));
            own.push(("TILES", part.tiles.len() as f64));
            pass(Stage::Gradients(shape.products), own, grid(part.tiles.len()));
        }
        if settings.gradient_clip.is_some() {
            pass(Stage::Norm, vec![], [SQUARES, 1]);
        }
        let groups = grid(network.parameters.div_ceil(UPDATED));
        pass(Stage::Update, of_update(settings), groups);
        Self { passes, tiles: table.tiles, slices, workspace }
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
