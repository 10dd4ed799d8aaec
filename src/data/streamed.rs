//! Tables that stay in their files: read once to see that every row can be used, then part by part.

mod uses;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use rayon::prelude::*;

use self::uses::{Draw, Sorting, Training};
use super::rows::{Rows, Target};
use super::source::{Piece, Source, files, open};
use super::span::Span;
use super::{ReadOptions, Table};
use crate::error::{Error, Result};
use crate::input::hash;

/// A block has one of so many parts of the values that memory is to hold: one is trained on, by a
/// trainer that may have it twice, while the next is read.
const BLOCKS_IN_MEMORY: usize = 4;
/// Parts that a block has at least, where the table has as many.
const PARTS_OF_BLOCK: usize = 32;
/// Most parts of a table, about: where there would be more they are longer.
const MOST_PARTS: u64 = 1_000_000;
/// Rows that the first reading takes together, of one row group: many parts, because those that begin
/// within a page decode the whole of it.
const ROWS_AT_ONCE: u64 = 1 << 17;
/// Stretches of so many rows that are looked at between two reports of how far the first reading is.
const STRETCHES_AT_ONCE: usize = 16;
/// Values that the sample has, and the rows held out at most, in the mean.
const SAMPLE_VALUES: usize = 1_000_000;
/// Fewest and most rows that this may be.
const SAMPLE_ROWS: [usize; 2] = [1000, 100_000];
/// Most rows that are held out, in the mean: they are measured after every block.
const MOST_HELD_OUT: usize = 20_000;

/// A table whose rows are read from its files whenever they are needed.
///
/// It is divided into parts: the row groups of Parquet files, in pieces where they are long, and runs of
/// rows of a NumPy array.
#[derive(Debug)]
pub struct Streamed {
    files: Vec<PathBuf>,
    /// Length and time of change of each when it was first read.
    stamps: Vec<(u64, Option<SystemTime>)>,
    sources: Vec<Source>,
    options: ReadOptions,
    parts: Vec<Part>,
    block_rows: usize,
    draw: Draw,
}

/// Rows that are read together.
#[derive(Clone, Debug)]
struct Part {
    source: usize,
    piece: Piece,
    /// The number of the file's first row in the table, from 0.
    file_begins: u64,
    /// Its rows to train on: neither held out nor left out for a missing value.
    training: usize,
}

/// What the first reading of a table gives.
#[derive(Debug)]
pub struct Scanned {
    /// The table.
    pub streamed: Streamed,
    /// A random sample of the rows to train on, in the order of the files.
    pub sample: Table,
    /// The number in the table of each row of the sample, from 0.
    pub sample_rows: Vec<usize>,
    /// The rows held out, a random sample of all; may be none.
    pub held_out: Table,
    /// Rows that were left out for a missing value.
    pub dropped: usize,
    /// As that of [`Loaded`](super::Loaded).
    pub hash: String,
}

impl Streamed {
    /// Reads every row of a table once; nothing comes of one that has at most `most_values` values, or
    /// that is a CSV file, which is read from its beginning to its end.
    ///
    /// Every row decides by a draw of its own whether it is held out, which happens to a share of
    /// `held_out` of them, but in the mean to no more than 20 000, or than a block or the sample has.
    /// `on_rows` hears how many rows of how many were read, and may stop the reading by an error.
    ///
    /// # Errors
    /// As [`read`](super::read()), and what `on_rows` returns.
    pub fn scan(
        path: &Path,
        options: &ReadOptions,
        most_values: usize,
        (held_out, seed): (f64, u64),
        on_rows: &(dyn Fn(u64, u64) -> Result<()> + Sync),
    ) -> Result<Option<Scanned>> {
        let files = files(path)?;
        let sources = files.iter().map(|path| Source::open(path)).collect::<Result<Option<_>>>()?;
        let Some(sources): Option<Vec<Source>> = sources else { return Ok(None) };
        let (names, named) = sources[0].names();
        let first = Target { path: &files[0], options, each: None };
        let mut checked = Rows::new(first, names, named)?;
        let choice = checked.choice().clone();
        let width = choice.features.len();
        let pieces: Vec<Vec<Piece>> = sources.iter().map(Source::pieces).collect();
        let claimed = pieces.iter().flatten().map(|piece| piece.rows.end);
        let rows = claimed.fold(0, u64::saturating_add);
        if rows.saturating_mul(width as u64) <= most_values as u64 {
            return Ok(None);
        }
        for (path, source) in files.iter().zip(&sources) {
            checked.enter(path, &source.names().0)?;
            source.check(&choice)?;
        }
        drop(checked);
        let block_rows = (most_values / BLOCKS_IN_MEMORY / width).max(1);
        let [fewest, most] = SAMPLE_ROWS;
        let sample = (SAMPLE_VALUES / width).clamp(fewest, most);
        let most_held_out = sample.min(MOST_HELD_OUT).min(block_rows) as f64;
        let held_out = held_out.min(most_held_out / rows as f64);
        let draw = Draw::new(seed, held_out, sample as f64 / rows as f64);
        let of_part = (block_rows.div_ceil(PARTS_OF_BLOCK) as u64).max(rows / MOST_PARTS);
        let parts = divide(pieces, of_part);
        let options = options.clone();
        let stamps = files.iter().map(|path| stamp(path)).collect::<Result<_>>()?;
        let mut streamed = Self { files, stamps, sources, options, parts, block_rows, draw };
        let failed = AtomicBool::new(false);
        let look =
            || streamed.look(rows, on_rows).inspect_err(|_| failed.store(true, Ordering::Relaxed));
        let (found, hash) = rayon::join(look, || hash(&streamed.files, &failed));
        let (found, hash) = (found?, hash?);
        let (mut sample, mut held_out, mut sample_rows) = (Vec::new(), Vec::new(), Vec::new());
        let (mut dropped, mut spans) = (0, vec![Span::default(); width]);
        let training = found.iter().flat_map(|found| &found.training);
        streamed.parts.iter_mut().zip(training).for_each(|(part, &rows)| part.training = rows);
        for found in found {
            dropped += found.dropped;
            spans.iter_mut().zip(&found.spans).for_each(|(span, found)| span.extend(found));
            sample.extend(found.sample);
            sample_rows.extend(found.sample_rows);
            held_out.extend(found.held_out);
        }
        if streamed.options.check_precision {
            streamed.rows(0, None)?.check_spans(&spans)?;
        }
        let Some(sample) = Table::concatenate(sample)? else {
            return Err(Error::input(format!(
                "{}: hardly a row has all its values, too few for a sample",
                path.display()
            ))
            .help("choose columns with fewer missing values with --columns"));
        };
        let constant = sample.constant_columns();
        for (name, Span { low, high, .. }) in sample.columns().iter().zip(&spans) {
            if low < high && constant.contains(&name.as_str()) {
                return Err(Error::input(format!(
                    "{}: column \"{name}\" reaches from {low} to {high}, but has one value in all {} rows \
                     of a sample, which its scale is taken from",
                    path.display(),
                    sample.len()
                ))
                .help("choose other columns with --columns, or raise data.stream_above"));
            }
        }
        let none = sample.select(&[]);
        let held_out = Table::concatenate(held_out)?.unwrap_or(none);
        Ok(Some(Scanned { streamed, sample, sample_rows, held_out, dropped, hash }))
    }

    /// Number of rows to train on.
    pub fn training_rows(&self) -> usize {
        self.parts.iter().map(|part| part.training).sum()
    }

    /// Number of rows that a block is to have.
    pub(super) fn block_rows(&self) -> usize {
        self.block_rows
    }

    /// Number of rows to train on of each part.
    pub(super) fn parts(&self) -> Vec<usize> {
        self.parts.iter().map(|part| part.training).collect()
    }

    /// The rows of a part to train on; nothing where there are none.
    ///
    /// # Errors
    /// Where the file cannot be read any longer, or not as before.
    pub(super) fn read(&self, part: usize) -> Result<Option<Table>> {
        let Part { source, piece, file_begins, training } = &self.parts[part];
        let rows = self.rows(*source, None)?;
        let mut sink = Training { draw: self.draw, file_begins: *file_begins, rows };
        let choice = sink.rows.choice().clone();
        let read = self.sources[*source].read(&choice, piece.clone(), &mut sink);
        // Whatever was read of a file that is another now, also where it could not be.
        let path = &self.files[*source];
        let changed = stamp(path)? != self.stamps[*source];
        let table = if changed { None } else { read.and_then(|()| sink.rows.into_part())? };
        match !changed && table.as_ref().map_or(0, Table::len) == *training {
            true => Ok(table),
            false => {
                Err(Error::input(format!("{} has changed since it was first read", path.display()))
                    .help("put the file back as it was, or run again with --force"))
            }
        }
    }

    /// Nobody's rows yet, of a file.
    fn rows<'a>(
        &'a self,
        source: usize,
        each: Option<&'a mut dyn FnMut(Table) -> Result<()>>,
    ) -> Result<Rows<'a>> {
        let (names, named) = self.sources[source].names();
        Rows::new(Target { path: &self.files[source], options: &self.options, each }, names, named)
    }

    /// Looks at every part.
    fn look(
        &self,
        rows: u64,
        on_rows: &(dyn Fn(u64, u64) -> Result<()> + Sync),
    ) -> Result<Vec<Found>> {
        let stretches = self.stretches();
        let (mut found, mut done) = (Vec::with_capacity(stretches.len()), 0);
        for stretches in stretches.chunks(STRETCHES_AT_ONCE) {
            on_rows(done, rows)?;
            let looked: Vec<Result<Found>> =
                stretches.par_iter().map(|parts| self.look_at(parts)).collect();
            // Of several errors the first in the file.
            for found_here in looked {
                found.push(found_here?);
            }
            done += stretches.iter().copied().flatten().map(Part::rows).sum::<u64>();
        }
        on_rows(done, rows)?;
        Ok(found)
    }

    /// Parts that follow each other in one row group, of so many rows that a reader is worth its while.
    fn stretches(&self) -> Vec<&[Part]> {
        let together = |a: &Part, b: &Part| (a.source, a.piece.group) == (b.source, b.piece.group);
        let each = |parts: &[Part]| (ROWS_AT_ONCE / parts[0].rows().max(1)).max(1) as usize;
        self.parts.chunk_by(together).flat_map(|group| group.chunks(each(group))).collect()
    }

    fn look_at(&self, parts: &[Part]) -> Result<Found> {
        let Part { source, piece: Piece { group, rows, first }, file_begins, .. } = &parts[0];
        let end = parts.last().map_or(rows.end, |last| last.piece.rows.end);
        let piece = Piece { group: *group, rows: rows.start..end, first: *first };
        let mut forget = |_| Ok(());
        let mut sorting = Sorting::new(
            (self.draw, *file_begins),
            parts,
            [self.rows(*source, None)?, self.rows(*source, None)?],
            self.rows(*source, Some(&mut forget))?,
        );
        let choice = sorting.others.choice().clone();
        self.sources[*source].read(&choice, piece, &mut sorting)?;
        sorting.end_part();
        let Sorting { held_out, sample, others, sample_rows, training, .. } = sorting;
        let mut spans = others.spans().to_vec();
        for rows in [&held_out, &sample] {
            spans.iter_mut().zip(rows.spans()).for_each(|(span, other)| span.extend(other));
        }
        Ok(Found {
            spans,
            training,
            dropped: held_out.dropped + sample.dropped + others.dropped,
            sample: sample.into_part()?,
            held_out: held_out.into_part()?,
            sample_rows,
        })
    }
}

impl Part {
    fn rows(&self) -> u64 {
        self.piece.rows.end - self.piece.rows.start
    }
}

/// Length and time of change of a file.
fn stamp(path: &Path) -> Result<(u64, Option<SystemTime>)> {
    let metadata = open(path)?.metadata().map_err(|error| Error::io("reading", path, error))?;
    Ok((metadata.len(), metadata.modified().ok()))
}

/// The pieces of each file, in parts of at most so many rows.
fn divide(pieces: Vec<Vec<Piece>>, most: u64) -> Vec<Part> {
    let (mut parts, mut file_begins) = (Vec::new(), 0_u64);
    for (source, pieces) in pieces.into_iter().enumerate() {
        let mut rows_of_file = 0;
        for Piece { group, rows, first } in pieces {
            let count = rows.end.div_ceil(most).max(1);
            for index in 0..count {
                // As even as whole numbers allow.
                let cut = |index: u64| {
                    (u128::from(rows.end) * u128::from(index) / u128::from(count)) as u64
                };
                let piece =
                    Piece { group, rows: cut(index)..cut(index + 1), first: first + cut(index) };
                parts.push(Part { source, piece, file_begins, training: 0 });
            }
            rows_of_file += rows.end;
        }
        file_begins += rows_of_file;
    }
    parts
}

/// What looking at parts finds.
struct Found {
    /// Rows to train on of each.
    training: Vec<usize>,
    dropped: usize,
    /// How far the values of each feature reach.
    spans: Vec<Span>,
    sample: Option<Table>,
    sample_rows: Vec<usize>,
    held_out: Option<Table>,
}

#[cfg(test)]
mod tests;
