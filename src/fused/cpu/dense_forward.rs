//! A dense layer, and the likelihood at the decoder's end. Twin of `shaders/dense_forward.wgsl`.

use pulp::{Arch, Simd, WithSimd};

use super::block::LayerRows;
use super::layout::PanelLayer;
use crate::config::Activation;
use crate::product::math::{exp, sigmoid, tanh};
use crate::product::{self, Matrix, Rows};

/// y = f(xW + b) and f′ for the first `rows` rows of `x`.
pub(super) fn dense_forward(
    arch: Arch,
    placed: &PanelLayer,
    activation: Activation,
    parameters: &[f32],
    x: &Matrix,
    rows: usize,
    out: &mut LayerRows,
) {
    let x = Rows::new(arch, x.rows(rows), x.stride, placed.layer.inputs);
    let (weights, biases) = (&parameters[placed.weights()], &parameters[placed.biases()]);
    product::dense(arch, &x, weights, biases, rows, &mut out.output);
    if placed.layer.activated {
        let (values, slopes) = (out.output.rows_mut(rows), out.slope.rows_mut(rows));
        arch.dispatch(Activate { activation, values, slopes });
    }
}

/// Replaces each value by f of it, and sets `slopes` to f′ there.
struct Activate<'a> {
    activation: Activation,
    values: &'a mut [f32],
    slopes: &'a mut [f32],
}

impl WithSimd for Activate<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let pairs = self.values.iter_mut().zip(self.slopes);
        match self.activation {
            Activation::Relu => pairs.for_each(
                #[inline(always)]
                |(value, slope)| {
                    *slope = if *value > 0.0 { 1.0 } else { 0.0 };
                    // Written so that NaN stays NaN.
                    *value = if *value < 0.0 { 0.0 } else { *value };
                },
            ),
            Activation::Tanh => pairs.for_each(
                #[inline(always)]
                |(value, slope)| {
                    *value = tanh(*value);
                    *slope = 1.0 - *value * *value;
                },
            ),
            Activation::Silu => pairs.for_each(
                #[inline(always)]
                |(value, slope)| {
                    let share = sigmoid(*value);
                    *slope = share * (1.0 + *value * (1.0 - share));
                    *value *= share;
                },
            ),
            Activation::Gelu => unreachable!("Network::new refuses it"),
        }
    }
}

/// The decoder's last step: the residual x̂ − x, and ∂loss/∂x̂ with the likelihood's `precisions` (one
/// a column) and `share` = 1 / rows of the batch.
pub(super) fn residual(
    x: &Matrix,
    rows: usize,
    precisions: &[f32],
    share: f32,
    out: &mut LayerRows,
    residual: &mut Matrix,
) {
    let features = precisions.len();
    for row in 0..rows {
        let (x, decoded) = (x.row(row, features), out.output.row(row, features));
        let residual = residual.row_mut(row, features);
        let delta = out.delta.row_mut(row, features);
        for column in 0..features {
            residual[column] = decoded[column] - x[column];
            delta[column] = residual[column] * precisions[column] * share;
        }
    }
}

/// The precision of the likelihood in each column: −ln p(x|z) rises by ½·precision·(x̂ − x)².
pub(super) fn precisions(log_sigma: &[f32], features: usize) -> Vec<f32> {
    (0..features).map(|column| exp(-2.0 * log_sigma[column % log_sigma.len()])).collect()
}
