//! The gradient of the loss with respect to a layer's input. Twin of `shaders/dense_backward.wgsl`.

use pulp::{Arch, Simd, WithSimd};

use super::layout::PanelLayer;
use crate::product::{Left, Matrix, Panels, Product, Rows, Start};

/// Sets `out` to Wᵀ in panels over the layer's inputs, which are then columns to run along.
pub(super) fn transpose(placed: &PanelLayer, parameters: &[f32], out: &mut [f32]) {
    match placed.panels.width {
        Panels::NARROW => transpose_panels::<{ Panels::NARROW }>(placed, parameters, out),
        _ => transpose_panels::<{ Panels::WIDE }>(placed, parameters, out),
    }
}

fn transpose_panels<const WIDTH: usize>(placed: &PanelLayer, parameters: &[f32], out: &mut [f32]) {
    let inputs = placed.layer.inputs;
    let (width, outputs) = (Panels::new(inputs).width, placed.panels.columns());
    let (rows, _) = parameters[placed.weights()].as_chunks::<WIDTH>();
    for (from, rows) in rows.chunks_exact(inputs).enumerate() {
        for (to, rows) in rows.chunks(width).enumerate() {
            let out = &mut out[(to * outputs + from * WIDTH) * width..];
            for (column, out) in out.chunks_exact_mut(width).take(WIDTH).enumerate() {
                out.iter_mut().zip(rows).for_each(|(out, row)| *out = row[column]);
            }
        }
    }
}

/// Values of what [`transpose`] makes of a layer.
pub(super) fn transposed_len(placed: &PanelLayer) -> usize {
    placed.panels.columns() * Panels::new(placed.layer.inputs).columns()
}

/// Sets `out` to ∂loss/∂x for the first `rows` rows, given those of y; times `slope`, the f′ of the
/// layer before, where there is one.
pub(super) fn dense_backward(
    arch: Arch,
    placed: &PanelLayer,
    transposed: &[f32],
    delta: &Matrix,
    rows: usize,
    slope: Option<&Matrix>,
    out: &mut Matrix,
) {
    let (panels, outputs) = (out.panels, placed.panels.columns());
    let delta = Rows::new(arch, delta.rows(rows), delta.stride, placed.layer.outputs);
    for panel in 0..panels.count {
        let out_stride = out.stride;
        Product {
            left: Left::Rows(&delta),
            right: &transposed[panel * outputs * panels.width..],
            right_stride: panels.width,
            start: Start::Zero,
            out: &mut out.rows_mut(rows)[panel * panels.width..],
            out_stride,
            rows,
            width: panels.width,
        }
        .compute(arch);
    }
    if let Some(slope) = slope {
        arch.dispatch(Multiply { values: out.rows_mut(rows), factors: slope.rows(rows) });
    }
}

struct Multiply<'a> {
    values: &'a mut [f32],
    factors: &'a [f32],
}

impl WithSimd for Multiply<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (value, factor) in self.values.iter_mut().zip(self.factors) {
            *value *= factor;
        }
    }
}
