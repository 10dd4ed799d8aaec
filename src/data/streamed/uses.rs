//! What becomes of each row of a streamed table, and who takes it.

use super::Part;
use crate::data::rows::{Cell, RowSink, Rows};
use crate::error::Result;
use crate::random::{Generator, Stream};

/// What becomes of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    HeldOut,
    /// Trained on, and in the sample.
    Sampled,
    Trained,
}

/// Decides it: a function of the row's number alone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Draw {
    seed: u64,
    /// Shares of 2³².
    held_out: u64,
    sampled: u64,
}

impl Draw {
    /// For these shares of the rows: held out, and in the sample.
    pub(super) fn new(seed: u64, held_out: f64, sampled: f64) -> Self {
        let share = |share: f64| (share.clamp(0.0, 1.0) * 2_f64.powi(32)) as u64;
        Self { seed, held_out: share(held_out), sampled: share(sampled) }
    }

    fn of(self, row: u64) -> Use {
        // Four rows a block of words.
        let generator = Generator::new(self.seed, Stream::StreamedRows, row >> 34);
        let word = u64::from(generator.words((row >> 2) as u32)[(row & 3) as usize]);
        match word {
            word if word < self.held_out => Use::HeldOut,
            word if word < self.held_out + self.sampled => Use::Sampled,
            _ => Use::Trained,
        }
    }
}

/// Sorts rows by what becomes of them.
pub(super) struct Sorting<'a> {
    draw: Draw,
    file_begins: u64,
    pub(super) held_out: Rows<'a>,
    pub(super) sample: Rows<'a>,
    /// Who only counts them.
    pub(super) others: Rows<'a>,
    pub(super) sample_rows: Vec<usize>,
    /// The parts that they are of, one after another, and the rows to train on of those that have ended.
    parts: &'a [Part],
    pub(super) training: Vec<usize>,
    /// Rows to train on of all that have ended.
    before: usize,
}

impl<'a> Sorting<'a> {
    /// For rows of these parts: who takes those held out and those of the sample, and who the others.
    pub(super) fn new(
        (draw, file_begins): (Draw, u64),
        parts: &'a [Part],
        [held_out, sample]: [Rows<'a>; 2],
        others: Rows<'a>,
    ) -> Self {
        let (sample_rows, training) = (Vec::new(), Vec::with_capacity(parts.len()));
        let before = 0;
        Self { draw, file_begins, held_out, sample, others, sample_rows, parts, training, before }
    }

    /// The rows that follow are of the next part, or there are none.
    pub(super) fn end_part(&mut self) {
        let all = self.sample.count + self.others.count;
        self.training.push(all - self.before);
        self.before = all;
    }
}

impl RowSink for Sorting<'_> {
    fn row(
        &mut self,
        number: u64,
        values: impl Iterator<Item = Cell>,
        label: Option<&str>,
    ) -> Result<()> {
        let row = self.file_begins + number - 1;
        if self.parts.get(self.training.len() + 1).is_some_and(|next| number > next.piece.first) {
            self.end_part();
        }
        match self.draw.of(row) {
            Use::HeldOut => self.held_out.row(number, values, label),
            Use::Trained => self.others.row(number, values, label),
            Use::Sampled => {
                self.sample.row(number, values, label)?;
                if self.sample.count > self.sample_rows.len() {
                    self.sample_rows.push(row as usize);
                }
                Ok(())
            }
        }
    }
}

/// Keeps the rows to train on.
pub(super) struct Training<'a> {
    pub(super) draw: Draw,
    pub(super) file_begins: u64,
    pub(super) rows: Rows<'a>,
}

impl RowSink for Training<'_> {
    fn row(
        &mut self,
        number: u64,
        values: impl Iterator<Item = Cell>,
        label: Option<&str>,
    ) -> Result<()> {
        match self.draw.of(self.file_begins + number - 1) {
            Use::HeldOut => Ok(()),
            Use::Sampled | Use::Trained => self.rows.row(number, values, label),
        }
    }
}
