//! The order in which a training goes through a table that memory does not hold.

use std::sync::Arc;

use ndarray::{Array2, ArrayViewMut2, Axis};
use rayon::prelude::*;

use super::{Scaling, Streamed};
use crate::error::Result;
use crate::random::{Generator, Stream};

/// The blocks of rows that a training goes through, pass after pass over the table.
///
/// In every pass the table's parts are dealt to the blocks in a new random order, and whoever trains on
/// a block shuffles its rows. So a batch is drawn from the parts of one block, never from fewer: where
/// rows that are alike lie together in the file, the share of some kind of rows in a block differs from
/// its share p in the table by √(p(1 − p)/m · (M − m)/(M − 1)) in the root mean square, at the worst, when the
/// block has m of M parts of equal size, each of rows of one kind (the variance of a hypergeometric
/// distribution).
#[derive(Debug)]
pub struct Blocks {
    table: Arc<Streamed>,
    scaling: Scaling,
    seed: u64,
    /// Rows of each part.
    parts: Vec<usize>,
    /// The first block of each pass: they need not have the same number, as a long part may be the end
    /// of two.
    passes: Vec<usize>,
    /// Rows of each block of all passes.
    rows: Vec<usize>,
}

impl Blocks {
    /// As many as hold `visits` rows, of passes over a table whose rows are to be scaled.
    pub fn new(table: Arc<Streamed>, scaling: Scaling, visits: usize, seed: u64) -> Self {
        let parts = table.parts();
        let mut blocks = Self { table, scaling, seed, parts, passes: Vec::new(), rows: Vec::new() };
        let mut missing = visits;
        for pass in 0..visits.div_ceil(blocks.table.training_rows().max(1)) {
            blocks.passes.push(blocks.rows.len());
            for block in blocks.pass(pass) {
                let rows = block.iter().map(|&part| blocks.parts[part]).sum();
                if missing > 0 {
                    blocks.rows.push(rows);
                }
                missing = missing.saturating_sub(rows);
            }
        }
        blocks
    }

    /// The parts of each block of a pass.
    fn pass(&self, pass: usize) -> Vec<Vec<usize>> {
        let generator = Generator::new(self.seed, Stream::Parts, pass as u64);
        deal(&self.parts, &generator.permutation(self.parts.len()), blocks_of_pass(&self.table))
    }

    /// The parts of a block.
    fn parts_of(&self, block: usize) -> Vec<usize> {
        let pass = self.passes.partition_point(|&first| first <= block) - 1;
        self.pass(pass).swap_remove(block - self.passes[pass])
    }

    /// Number of blocks of all passes.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is nothing to go through.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Number of rows of a block.
    pub fn rows(&self, block: usize) -> usize {
        self.rows[block]
    }

    /// Number of rows of the largest block.
    pub fn most_rows(&self) -> usize {
        self.rows.iter().copied().max().unwrap_or_default()
    }

    /// The rows of a block in scaled units, n × columns, read by the threads of the pool that this is
    /// called on.
    ///
    /// # Errors
    /// Where a file cannot be read any longer, or not as before.
    pub fn read(&self, block: usize) -> Result<Array2<f32>> {
        let parts = self.parts_of(block);
        let mut rows = Array2::zeros((self.rows(block), self.scaling.scale.len()));
        let mut rest = rows.view_mut();
        let mut places: Vec<(usize, ArrayViewMut2<f32>)> = Vec::with_capacity(parts.len());
        for part in parts {
            let (place, others) = rest.split_at(Axis(0), self.parts[part]);
            places.push((part, place));
            rest = others;
        }
        places.par_iter_mut().try_for_each(|(part, place)| {
            if let Some(table) = self.table.read(*part)? {
                place.assign(&self.scaling.apply(table.rows()));
            }
            Ok(())
        })?;
        Ok(rows)
    }
}

/// Number of blocks that a pass over a table has.
pub fn blocks_of_pass(table: &Streamed) -> usize {
    table.training_rows().div_ceil(table.block_rows()).max(1)
}

/// Deals parts of these sizes, taken in this order, to blocks of about equal size.
fn deal(parts: &[usize], order: &[usize], blocks: usize) -> Vec<Vec<usize>> {
    let all: usize = parts.iter().sum();
    let mut dealt = vec![Vec::new()];
    let mut taken = 0_u128;
    for &part in order.iter().filter(|&&part| parts[part] > 0) {
        // A block ends with the part that reaches its share of all rows.
        if taken * blocks as u128 >= dealt.len() as u128 * all as u128 {
            dealt.push(Vec::new());
        }
        if let Some(block) = dealt.last_mut() {
            block.push(part);
        }
        taken += parts[part] as u128;
    }
    dealt
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_dealt_once_and_blocks_are_of_about_equal_size() {
        let parts: Vec<usize> = (0..100).map(|part| 900 + 7 * (part % 30)).collect();
        let order = Generator::new(1, Stream::Parts, 0).permutation(parts.len());
        let blocks = deal(&parts, &order, 9);
        assert_eq!(blocks.len(), 9);
        assert_eq!(blocks.concat(), order);
        let mean = parts.iter().sum::<usize>() / 9;
        for block in &blocks {
            let rows: usize = block.iter().map(|&part| parts[part]).sum();
            assert!(rows.abs_diff(mean) <= 1103, "{rows} rows, {mean} in the mean");
        }
        assert_eq!(deal(&[5, 0, 5], &[1, 0, 2], 2), [[0], [2]]);
        assert_eq!(deal(&[1, 100, 1], &[0, 1, 2], 3), [vec![0, 1], vec![2]]);
    }

    /// Half of the parts are of one kind of rows: the worst that a sorted file can be.
    #[test]
    fn the_share_of_a_kind_of_rows_in_a_block_varies_as_stated() {
        let (parts, blocks) = (vec![10; 96], 8);
        let (mut squares, mut count) = (0.0, 0.0);
        for pass in 0..400 {
            let order = Generator::new(3, Stream::Parts, pass).permutation(parts.len());
            for block in deal(&parts, &order, blocks) {
                let share = block.iter().filter(|&&part| part < 48).count() as f64 / 12.0;
                squares += (share - 0.5).powi(2);
                count += 1.0;
            }
        }
        let (found, m, all) = ((squares / count).sqrt(), 12.0_f64, 96.0);
        // Finite-population correction (M − m)/(M − 1).
        let stated = (0.25 / m * (all - m) / (all - 1.0)).sqrt();
        assert!((found / stated - 1.0).abs() < 0.05, "{found} for {stated}");
    }
}
