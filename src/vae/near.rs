//! An order of rows in which near ones follow one another.

use ndarray::Array2;

/// The grid that brings near rows together has at most 2 to this power of cells.
const CELL_BITS: usize = 12;

/// The rows of `z` in an order in which near ones follow one another: by the cells of a grid, along
/// Morton's curve, for the first twelve columns. Of a few such rows a decoder's rectifiers shut mostly
/// the same units.
pub(super) fn near_order(z: &Array2<f32>) -> Vec<usize> {
    let bits = (CELL_BITS / z.ncols()).max(1);
    let axes = CELL_BITS / bits;
    // A row's number, and above it the number of its cell.
    let mut keys: Vec<u64> = (0..z.nrows() as u64).collect();
    for (axis, column) in z.columns().into_iter().take(axes).enumerate() {
        let (low, high) = column
            .fold((f32::MAX, f32::MIN), |(low, high), value| (low.min(*value), high.max(*value)));
        // The bits of the axis lie between those of the others.
        let spread = |step: u64, bit: usize| (step >> bit & 1) << (32 + bit * axes + axis);
        let spread = |step: u64| (0..bits).map(|bit| spread(step, bit)).sum::<u64>();
        let steps: Vec<u64> = (0..1 << bits).map(spread).collect();
        let scale = steps.len() as f32 / (high - low);
        for (key, value) in keys.iter_mut().zip(column) {
            let step = ((value - low) * scale) as usize;
            *key |= steps[step.min(steps.len() - 1)];
        }
    }
    keys.sort_unstable();
    keys.into_iter().map(|key| key as u32 as usize).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Generator, Stream};

    #[test]
    fn near_rows_follow_one_another_and_each_comes_once() {
        let length = |z: &Array2<f32>, order: &[usize]| -> f64 {
            let step = |pair: &[usize]| {
                let step = &z.row(pair[0]) - &z.row(pair[1]);
                f64::from(step.dot(&step)).sqrt()
            };
            order.windows(2).map(step).sum()
        };
        for (latent, share) in [(1, 0.02), (2, 0.15), (3, 0.3), (30, 0.95)] {
            let mut values = vec![0.0; 1000 * latent];
            Generator::new(1, Stream::PriorDraw, 0).normal(&mut values);
            let mut z = Array2::from_shape_vec((1000, latent), values).unwrap();
            for equal in [false, true] {
                if equal {
                    z.column_mut(latent / 2).fill(0.5);
                }
                let order = near_order(&z);
                let mut sorted = order.clone();
                sorted.sort_unstable();
                assert!(sorted.iter().copied().eq(0..1000));
                let (drawn, found) = (length(&z, &sorted), length(&z, &order));
                assert!(found <= share * drawn, "{latent} columns: {found} of {drawn}");
            }
        }
    }
}
