//! An order of rows in which near ones follow one another.

use ndarray::{Array2, ArrayView1};

/// The grid that brings near rows together has at most 2 to this power of cells.
const CELL_BITS: usize = 12;

/// The rows of `z` in an order in which near ones follow one another: by the cells of a grid, along
/// Morton's curve, for the first twelve columns. Of a few such rows a decoder's rectifiers shut mostly
/// the same units.
pub(super) fn near_order(z: &Array2<f32>) -> Vec<usize> {
    let bits = (CELL_BITS / z.ncols()).max(1);
    let axes = CELL_BITS / bits;
    // What a step along an axis adds to the number of a cell: bits between those of the other axes.
    let spread = |step: usize, bit: usize| (step >> bit & 1) << (bit * axes);
    let spread = |step: usize| (0..bits).map(|bit| spread(step, bit)).sum::<usize>();
    let steps: Vec<usize> = (0..1 << bits).map(spread).collect();
    let (mut lows, mut highs) = (vec![f32::MAX; axes], vec![f32::MIN; axes]);
    for row in z.rows() {
        for ((low, high), value) in lows.iter_mut().zip(&mut highs).zip(row) {
            (*low, *high) = (low.min(*value), high.max(*value));
        }
    }
    let scale = |(low, high): (&f32, &f32)| steps.len() as f32 / (high - low);
    let scales: Vec<f32> = lows.iter().zip(&highs).map(scale).collect();
    let cell = |row: ArrayView1<f32>| -> usize {
        let along = row.iter().zip(&lows).zip(&scales).enumerate();
        let step = |(axis, ((value, low), scale))| {
            let step = ((value - low) * scale) as usize;
            steps[step.min(steps.len() - 1)] << axis
        };
        along.map(step).sum()
    };
    let cells: Vec<usize> = z.rows().into_iter().map(cell).collect();
    // Sorted by counting: where the next row of each cell goes.
    let mut next = vec![0; 1 << CELL_BITS];
    cells.iter().for_each(|&cell| next[cell] += 1);
    let mut first = 0;
    for next in &mut next {
        first += std::mem::replace(next, first);
    }
    let mut order = vec![0; cells.len()];
    for (row, cell) in cells.into_iter().enumerate() {
        order[next[cell]] = row;
        next[cell] += 1;
    }
    order
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
