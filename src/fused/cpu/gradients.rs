//! The gradient of every parameter: sums over the rows of a batch. Twin of `shaders/gradients.wgsl`.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::block::{Block, LayerRows};
use super::layout::{Layout, PanelLayer};
use super::posterior::MixtureTerms;
use crate::fused::{BatchLosses, Network};
use crate::product::{Buffer, Left, Matrix, Product, Start};

/// The input and what is known of the output of one layer in one block.
type OfBlock<'a> = (usize, &'a Matrix, &'a LayerRows);

/// Sets the gradient of every layer.
pub(super) fn layers(arch: Arch, layout: &Layout, blocks: &[Block], gradient: &mut Buffer) {
    for (index, placed) in layout.encoder.iter().enumerate() {
        let rows = blocks.iter().map(|block| {
            let x = if index == 0 { &block.x } else { &block.encoder[index - 1].output };
            (block.count, x, &block.encoder[index])
        });
        layer(arch, placed, &rows.collect::<Vec<_>>(), gradient);
    }
    for (index, placed) in layout.decoder.iter().enumerate() {
        let rows = blocks.iter().map(|block| {
            let x = if index == 0 { &block.latents } else { &block.decoder[index - 1].output };
            (block.count, x, &block.decoder[index])
        });
        layer(arch, placed, &rows.collect::<Vec<_>>(), gradient);
    }
}

/// Of W: xᵀ·∂loss/∂y; of b: the sum of ∂loss/∂y over the rows.
fn layer(arch: Arch, placed: &PanelLayer, blocks: &[OfBlock], gradient: &mut Buffer) {
    let width = placed.panels.width;
    let weights = &mut gradient[placed.weights()];
    let some_panels = |(first, panels): (usize, &mut [f32])| {
        // A block's rows stay in the cache while one panel after the other is summed up.
        for (index, (rows, x, of_layer)) in blocks.iter().enumerate() {
            for (panel, out) in panels.chunks_exact_mut(placed.panel_len()).enumerate() {
                Product {
                    left: Left::Columns(x.rows(*rows), x.stride),
                    right: &of_layer.delta.rows(*rows)[(first + panel) * width..],
                    right_stride: of_layer.delta.stride,
                    start: if index == 0 { Start::Zero } else { Start::Sum },
                    out,
                    out_stride: width,
                    rows: placed.layer.inputs,
                    width,
                }
                .compute(arch);
            }
        }
    };
    match blocks.len() {
        // Too little work to share.
        1 => some_panels((0, weights)),
        _ => {
            let of_thread = placed.panels.count.div_ceil(rayon::current_num_threads());
            let parts = weights.par_chunks_mut(of_thread * placed.panel_len()).enumerate();
            parts.for_each(|(part, panels)| some_panels((part * of_thread, panels)));
        }
    }
    let biases = &mut gradient[placed.biases()];
    biases.fill(0.0);
    for (rows, _, of_layer) in blocks {
        let delta = &of_layer.delta;
        arch.dispatch(SumRows { rows: delta.rows(*rows), stride: delta.stride, sums: biases });
    }
}

/// Adds each row to `sums`.
struct SumRows<'a> {
    rows: &'a [f32],
    stride: usize,
    sums: &'a mut [f32],
}

impl WithSimd for SumRows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for row in self.rows.chunks_exact(self.stride) {
            for (sum, value) in self.sums.iter_mut().zip(row) {
                *sum += value;
            }
        }
    }
}

/// Sets the gradient of log σ and of the prior, and returns the losses of the batch of `rows` rows.
/// `log_sigma` and `precisions` are the likelihood's, `beta` the weight of the KL divergence.
pub(super) fn rest(
    network: &Network,
    layout: &Layout,
    blocks: &mut [Block],
    prior: Option<&MixtureTerms>,
    (log_sigma, precisions): (Option<&[f32]>, &[f32]),
    (rows, beta): (usize, f32),
    gradient: &mut Buffer,
) -> BatchLosses {
    let share = 1.0 / rows as f32;
    let mut squares = vec![0.0; network.features];
    for block in &*blocks {
        for row in 0..block.count {
            let residual = block.residual.row(row, network.features);
            squares.iter_mut().zip(residual).for_each(|(sum, r)| *sum += f64::from(r * r));
        }
    }
    // Σ precision · r² / rows of each column.
    let scaled: Vec<f64> = squares
        .iter()
        .zip(precisions)
        .map(|(square, &precision)| square * f64::from(precision) / rows as f64)
        .collect();
    let mut reconstruction = 0.5 * scaled.iter().sum::<f64>();
    if let Some(log_sigma) = log_sigma {
        let of_column = |column: usize| f64::from(log_sigma[column % log_sigma.len()]);
        let half_log_tau = 0.5 * std::f64::consts::TAU.ln();
        reconstruction +=
            (0..network.features).map(|column| of_column(column) + half_log_tau).sum::<f64>();
    }
    if let (Some(flat), Some(log_sigma)) = (network.log_sigma, log_sigma) {
        let place = layout.of_rest(flat);
        let out = &mut gradient[place..place + log_sigma.len()];
        out.fill(0.0);
        for (column, scaled) in scaled.iter().enumerate() {
            out[column % log_sigma.len()] += (1.0 - scaled) as f32;
        }
    }
    if let (Some(prior), Some(place)) = (prior, network.prior)
        && let Some((first, others)) = blocks.split_first_mut()
    {
        others.iter().for_each(|other| first.prior.add(&other.prior));
        let sums = (&first.prior, rows);
        prior.gradients(&place, layout, sums, beta * share, gradient);
    }
    let kl: f64 = blocks.iter().map(|block| block.kl).sum();
    BatchLosses { reconstruction: reconstruction as f32, kl: (kl / rows as f64) as f32, beta }
}
