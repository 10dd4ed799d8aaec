//! What is computed in a step and where its values stand, as plain numbers.

use super::slots::{self, ROW_PADDING, Slots};
use super::stages::{Products, Stage};
use super::tiles::{self, BLOCK, Dense, LANES, Shape, Table, Target, Tile};
use crate::config::{Likelihood, PosteriorVariance, TrainingSettings};
use crate::fused::{Adam, Job, Network};
use crate::model::{LOG_VARIANCE_RANGE, PRIOR_LOG_VARIANCE_RANGE, SMALLEST_VARIANCE};

/// Parameters that a workgroup updates.
pub(super) const UPDATED: usize = 1024;
/// Parts of the gradient's squared norm.
pub(super) const SQUARES: usize = 64;
/// Most workgroups in a dimension.
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
    /// The layers, then entries for the stage `gradients`.
    pub tiles: Vec<Tile>,
}

impl Plan {
    /// The plan of a job with this number of members, and with at most so many workgroups in a dimension.
    pub fn within(job: &Job, members: usize, target: Target, most_groups: usize) -> Self {
        let Job { network, batch, settings, .. } = *job;
        let padded = batch.next_multiple_of(ROW_PADDING);
        let components = network.prior.map_or(0, |prior| prior.components);
        let slots = Slots::new(network, batch);
        let slices = tiles::slices(batch, network.parameters, members, target);
        let table = Table::new(network, &slots, (batch, slices, members), target);
        let of_job = vec![("SLICES", slices as f64), ("MOST_GROUPS", most_groups as f64)];
        let common = [of_network(network), slots.constants(), of_job].concat();
        let mut passes = Vec::new();
        // `running` in `shaders/common/bindings.wgsl` numbers workgroups in two dimensions.
        let grid = |count: usize| [count.min(most_groups), count.div_ceil(most_groups)];
        let mut pass = |stage, own: Vec<Constant>, groups| {
            let constants = [common.clone(), own].concat();
            passes.push(Pass { stage, constants, groups });
        };
        let noises = (padded * network.latent).div_ceil(4) + 1;
        let [x, y] = grid(padded.max(noises).div_ceil(64));
        pass(Stage::Draw, vec![], [x, 2 * y]);
        if target.takes_blocks(network, batch, members) {
            let [encoder, decoder] =
                [&slots.encoder, &slots.decoder].map(|layers| layers.len() as f64);
            let own = vec![
                ("ENCODER", encoder),
                ("DECODER", decoder),
                ("ACTIVATION", slots::function(network.activation).into()),
            ];
            pass(Stage::Block, own, grid(batch.div_ceil(BLOCK)));
        } else {
            let shape = |width: u32, depth: u32| {
                Shape::new([padded, width as usize, depth as usize], members, target)
            };
            let mut pass = |stage, own, count| pass(stage, own, grid(count));
            by_layer(&slots, [padded, network.latent, components], &shape, &mut pass);
        }
        // What is divided or clipped has to be added up before its step is known.
        let descends =
            slices == 1 && settings.gradient_clip.is_none() && target != Target::Simulated;
        for part in &table.parts {
            let mut own = [part.shape.constants(), of_adam(settings)].concat();
            own.push(("FIRST_TILE", part.tiles.start as f64));
            own.push(("TILES", part.tiles.len() as f64));
            own.push(("DESCENDS", descends.into()));
            pass(Stage::Gradients(part.shape.products), own, grid(part.tiles.len()));
        }
        if settings.gradient_clip.is_some() {
            pass(Stage::Norm, vec![], [SQUARES, 1]);
        }
        // The layers come first of all parameters, then σ.
        let stepped = match network.learned_sigmas {
            1 => network.log_sigma.map(|place| place + 1),
            _ => slots.layers().last().map(Dense::end),
        };
        let first = stepped.filter(|_| descends).unwrap_or(0);
        let others = network.parameters - first;
        if others > 0 {
            let mut own = of_adam(settings);
            own.push(("CLIP", settings.gradient_clip.unwrap_or(0.0)));
            own.push(("FIRST", first as f64));
            pass(Stage::Update, own, grid(others.div_ceil(UPDATED)));
        }
        Self { passes, tiles: table.tiles }
    }
}

/// The passes from the batch through encoder and decoder and back, one for each layer.
fn by_layer(
    Slots { encoder, decoder, .. }: &Slots,
    [padded, latent, components]: [usize; 3],
    shape: &dyn Fn(u32, u32) -> Shape,
    pass: &mut dyn FnMut(Stage, Vec<Constant>, usize),
) {
    let product = |stage: fn(Products) -> Stage, layer: &Dense, [width, depth]: [u32; 2]| {
        let shape = shape(width, depth);
        let own = [of_layer(layer), shape.constants()].concat();
        (stage(shape.products), own, shape.count(padded, width as usize))
    };
    let forward =
        |layer: &Dense| product(Stage::DenseForward, layer, [layer.outputs, layer.inputs]);
    let backward =
        |layer: &Dense| product(Stage::DenseBackward, layer, [layer.inputs, layer.outputs]);
    let posterior = match components {
        0 => (Stage::PosteriorStandardNormal, vec![], padded.div_ceil(LANES)),
        _ => (Stage::PosteriorMixture, vec![], padded),
    };
    let gradient = (Stage::PosteriorBackward, vec![], (padded * latent).div_ceil(LANES));
    let passes = (encoder.iter().map(forward))
        .chain([posterior])
        .chain(decoder.iter().map(forward))
        // The decoder's first layer brings the gradient back to the sample; the encoder's first has
        // only the batch before it.
        .chain(decoder.iter().rev().map(backward))
        .chain([gradient])
        .chain(encoder[1..].iter().rev().map(backward));
    passes.for_each(|(stage, own, count)| pass(stage, own, count));
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
        ("LOWEST_LOG_VARIANCE", LOG_VARIANCE_RANGE.0.into()),
        ("HIGHEST_LOG_VARIANCE", LOG_VARIANCE_RANGE.1.into()),
        ("SMALLEST_VARIANCE", SMALLEST_VARIANCE.into()),
        ("COMPONENTS", prior(|prior| prior.components)),
        ("PRIOR_MEANS", prior(|prior| prior.means)),
        ("PRIOR_LOG_VARIANCES", prior(|prior| prior.log_variances)),
        ("PRIOR_LOGITS", prior(|prior| prior.logits)),
        ("PRIOR_LOWEST_LOG_VARIANCE", PRIOR_LOG_VARIANCE_RANGE.0.into()),
        ("PRIOR_HIGHEST_LOG_VARIANCE", PRIOR_LOG_VARIANCE_RANGE.1.into()),
    ]
}

fn of_layer(layer: &Dense) -> Vec<Constant> {
    vec![
        ("INPUTS", layer.inputs.into()),
        ("OUTPUTS", layer.outputs.into()),
        ("WEIGHT", layer.weight.into()),
        ("BIAS", layer.bias.into()),
        ("X", layer.x.into()),
        ("X_GRADIENT", layer.x_gradient.into()),
        ("Y", layer.y.into()),
        ("Y_GRADIENT", layer.y_gradient.into()),
        ("FUNCTION", layer.function.into()),
        ("ACTIVATED", layer.activated.into()),
    ]
}

fn of_adam(settings: &TrainingSettings) -> Vec<Constant> {
    let Adam { first_decay, first_share, second_decay, second_share, epsilon } =
        Adam::new(settings);
    vec![
        ("FIRST_DECAY", first_decay.into()),
        ("FIRST_SHARE", first_share.into()),
        ("SECOND_DECAY", second_decay.into()),
        ("SECOND_SHARE", second_share.into()),
        ("EPSILON", epsilon.into()),
        ("AVERAGED", f64::from(settings.ema.is_some())),
    ]
}
