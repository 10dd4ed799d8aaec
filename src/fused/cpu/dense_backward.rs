//! The gradient of the loss with respect to a layer's input. Twin of `shaders/dense_backward.wgsl`.

use pulp::{Arch, Simd, WithSimd};

use super::buffer::{Matrix, Panels};
use super::layout::PanelLayer;
use super::product::{Left, Product, Start};

/// Sets `out` to Wᵀ in panels over the layer's inputs, which are then columns to run along.
pub(super) struct Transpose<'a> {
    pub(super) placed: &'a PanelLayer,
    pub(super) parameters: &'a [f32],
    pub(super) out: &'a mut [f32],
}

impl WithSimd for Transpose<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        const SQUARE: usize = 16;
        let Self { placed, parameters, out } = self;
        let (inputs, outputs) = (placed.layer.inputs, placed.panels.columns());
        let (from, to) = (placed.panels.width, Panels::new(inputs).width);
        let weights = &parameters[placed.weights()];
        for first_output in (0..outputs).step_by(SQUARE) {
            let panel = &weights[first_output / from * placed.panel_len()..];
            for first_input in (0..inputs).step_by(SQUARE) {
                let mut square = [[0.0; SQUARE]; SQUARE];
                let rows = SQUARE.min(inputs - first_input);
                for (row, square) in square.iter_mut().take(rows).enumerate() {
                    let place = (first_input + row) * from + first_output % from;
                    square.copy_from_slice(&panel[place..place + SQUARE]);
                }
                let place = first_input / to * outputs * to + first_input % to;
                for column in 0..SQUARE {
                    let place = place + (first_output + column) * to;
                    for (out, row) in out[place..place + SQUARE].iter_mut().zip(&square) {
                        *out = row[column];
                    }
                }
            }
        }
    }
}

/// Values of a layer's [`Transpose`].
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
    for panel in 0..panels.count {
        let out_stride = out.stride;
        Product {
            left: Left::Rows(delta.rows(rows), delta.stride),
            right: &transposed[panel * outputs * panels.width..],
            right_stride: panels.width,
            start: Start::Zero,
            out: &mut out.rows_mut(rows)[panel * panels.width..],
            out_stride,
            rows,
            depth: placed.layer.outputs,
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
