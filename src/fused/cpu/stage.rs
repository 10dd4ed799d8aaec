//! What a block of rows goes through in a step.

use super::block::{Block, LayerRows};
use super::layout::{Layout, PanelLayer};
use super::posterior::MixtureTerms;
use super::{Task, dense_backward, dense_forward, draw, posterior, posterior_backward};
use crate::fused::Step;
use crate::product::{Buffer, Matrix};
use crate::random::Shuffle;

/// One of the two networks.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part {
    Encoder,
    Decoder,
}

/// A stage of a block of rows, named as in `shaders/`, with the number of its layer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stage {
    Draw,
    DenseForward(Part, usize),
    Posterior,
    DenseBackward(Part, usize),
    PosteriorBackward,
}

/// What all blocks of a batch have in common.
pub(super) struct Batch<'a> {
    pub(super) task: &'a Task,
    pub(super) step: &'a Step,
    pub(super) seed: u64,
    pub(super) shuffle: Option<&'a Shuffle>,
    pub(super) parameters: &'a [f32],
    pub(super) transposed: &'a [Vec<Buffer>; 2],
    pub(super) prior: Option<&'a MixtureTerms>,
    pub(super) precisions: Vec<f32>,
    /// Weight of the KL divergence.
    pub(super) beta: f32,
}

impl Stage {
    /// The stages in their order.
    pub(super) fn of_blocks(layout: &Layout) -> Vec<Self> {
        use Part::{Decoder, Encoder};
        let forward = |part, layers: &[PanelLayer]| {
            (0..layers.len()).map(move |layer| Self::DenseForward(part, layer))
        };
        // The decoder's first layer brings the gradient back to the sample; the encoder's first has
        // only the batch before it.
        let backward = |part, layers: &[PanelLayer], first| {
            (first..layers.len()).rev().map(move |layer| Self::DenseBackward(part, layer))
        };
        std::iter::once(Self::Draw)
            .chain(forward(Encoder, &layout.encoder))
            .chain([Self::Posterior])
            .chain(forward(Decoder, &layout.decoder))
            .chain(backward(Decoder, &layout.decoder, 0))
            .chain([Self::PosteriorBackward])
            .chain(backward(Encoder, &layout.encoder, 1))
            .collect()
    }

    /// The file in `shaders/`, and the layer.
    pub(super) fn name(self, layout: &Layout) -> String {
        let of_layer = |name: &str, part, index: usize| {
            let layer = match part {
                Part::Encoder => layout.encoder[index].layer,
                Part::Decoder => layout.decoder[index].layer,
            };
            format!("{name} {} → {}", layer.inputs, layer.outputs)
        };
        match self {
            Self::Draw => "draw".into(),
            Self::DenseForward(part, index) => of_layer("dense_forward", part, index),
            Self::Posterior => "posterior".into(),
            Self::DenseBackward(part, index) => of_layer("dense_backward", part, index),
            Self::PosteriorBackward => "posterior_backward".into(),
        }
    }

    /// Computes it for a block that the stages before it are done with.
    pub(super) fn compute(self, batch: &Batch, block: &mut Block) {
        let Batch { task, step, parameters, prior, .. } = *batch;
        let Task { arch, network, layout, .. } = task;
        let share = 1.0 / step.count as f32;
        match self {
            Self::Draw => {
                if let Some(shuffle) = batch.shuffle {
                    draw::draw(block, &task.rows, shuffle, batch.seed, step);
                }
            }
            Self::DenseForward(part, index) => {
                let count = block.count;
                let (layers, input, rows) = match part {
                    Part::Encoder => (&layout.encoder, &block.x, &mut block.encoder),
                    Part::Decoder => (&layout.decoder, &block.latents, &mut block.decoder),
                };
                let (before, rows) = rows.split_at_mut(index);
                let input = before.last().map_or(input, |before| &before.output);
                let (layer, function, out) = (&layers[index], network.activation, &mut rows[0]);
                dense_forward::dense_forward(*arch, layer, function, parameters, input, count, out);
                if matches!(part, Part::Decoder) && index + 1 == layers.len() {
                    let (x, residual) = (&block.x, &mut block.residual);
                    dense_forward::residual(x, count, &batch.precisions, share, out, residual);
                }
            }
            Self::Posterior => posterior::posterior(*arch, network, prior, block),
            Self::DenseBackward(part, index) => {
                let count = block.count;
                let (layers, transposed, rows) = match part {
                    Part::Encoder => (&layout.encoder, &batch.transposed[0], &mut block.encoder),
                    Part::Decoder => (&layout.decoder, &batch.transposed[1], &mut block.decoder),
                };
                let (before, rows) = rows.split_at_mut(index);
                let (slope, out): (Option<&Matrix>, &mut Matrix) = match before.last_mut() {
                    Some(LayerRows { slope, delta, .. }) => (Some(slope), delta),
                    None => (None, &mut block.latents_delta),
                };
                let (layer, delta) = (&layers[index], &rows[0].delta);
                let transposed = &transposed[index];
                dense_backward::dense_backward(*arch, layer, transposed, delta, count, slope, out);
            }
            Self::PosteriorBackward => {
                posterior_backward::posterior_backward(network, batch.beta * share, block);
            }
        }
    }
}
