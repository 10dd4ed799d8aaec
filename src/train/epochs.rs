//! The epochs of a training.

use std::sync::Arc;

use crate::data::Blocks;

/// What a training goes through: passes over its rows or, where memory does not hold all of them, the
/// blocks of such passes. The last epoch ends with the last row to be visited, be that in the middle of
/// its rows.
#[derive(Clone, Debug)]
pub struct Epochs {
    of: Kind,
    len: usize,
    /// Rows that the last one visits.
    last: usize,
}

#[derive(Clone, Debug)]
enum Kind {
    /// Passes over so many rows.
    Passes(usize),
    Blocks(Arc<Blocks>),
}

impl Epochs {
    /// Passes over `rows` rows in memory, until `visits` of them have been visited, each once a pass.
    ///
    /// # Panics
    /// Where there are no rows to visit.
    pub fn passes(rows: usize, visits: usize) -> Self {
        assert!(rows > 0 && visits > 0, "rows to visit");
        let len = visits.div_ceil(rows);
        Self { of: Kind::Passes(rows), len, last: visits - (len - 1) * rows }
    }

    /// Blocks of rows, until `visits` of them have been visited or all blocks are done.
    ///
    /// # Panics
    /// Where there are no rows to visit.
    pub fn blocks(blocks: Arc<Blocks>, visits: usize) -> Self {
        let len = blocks.len();
        assert!(len > 0 && visits > 0, "rows to visit");
        let before: usize = (0..len - 1).map(|block| blocks.rows(block)).sum();
        let last = blocks.rows(len - 1).min(visits.saturating_sub(before));
        Self { of: Kind::Blocks(blocks), len, last }
    }

    /// The blocks, where they are blocks.
    pub fn in_blocks(&self) -> Option<&Arc<Blocks>> {
        match &self.of {
            Kind::Passes(_) => None,
            Kind::Blocks(blocks) => Some(blocks),
        }
    }

    /// Number of epochs.
    #[expect(clippy::len_without_is_empty, reason = "there is always one")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Rows that an epoch visits.
    pub fn rows(&self, epoch: usize) -> usize {
        match &self.of {
            _ if epoch + 1 == self.len => self.last,
            Kind::Passes(rows) => *rows,
            Kind::Blocks(blocks) => blocks.rows(epoch),
        }
    }

    /// Steps of an epoch in batches of so many rows, the last of which may be shorter.
    pub fn steps(&self, epoch: usize, batch: usize) -> usize {
        self.rows(epoch).div_ceil(batch)
    }

    /// Steps of the epochs before this one.
    pub fn steps_before(&self, epoch: usize, batch: usize) -> usize {
        match &self.of {
            Kind::Passes(_) if epoch < self.len => epoch * self.steps(0, batch),
            Kind::Passes(rows) => (self.len - 1) * rows.div_ceil(batch) + self.last.div_ceil(batch),
            Kind::Blocks(_) => (0..epoch.min(self.len)).map(|epoch| self.steps(epoch, batch)).sum(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_pass_ends_with_the_last_row_to_be_visited() {
        let rows = |epochs: &Epochs| (0..epochs.len()).map(|e| epochs.rows(e)).collect::<Vec<_>>();
        let whole = Epochs::passes(100, 300);
        assert_eq!(rows(&whole), [100, 100, 100]);
        assert_eq!((whole.steps_before(2, 32), whole.steps_before(3, 32)), (8, 12));
        let partial = Epochs::passes(100, 233);
        assert_eq!(rows(&partial), [100, 100, 33]);
        assert_eq!([0, 1, 2, 3].map(|epoch| partial.steps_before(epoch, 32)), [0, 4, 8, 10]);
        let part_of_one = Epochs::passes(100, 33);
        assert_eq!(rows(&part_of_one), [33]);
        assert_eq!([0, 1].map(|epoch| part_of_one.steps_before(epoch, 32)), [0, 2]);
    }
}
