//! What the readers of all formats share: missing values, the rows as they are found, and what makes a
//! file unusable.

use std::path::Path;

use ndarray::Array2;

use super::choice::{Choice, in_one_line};
use super::span::Span;
use super::table::LabelColumn;
use super::{ReadOptions, Table};
use crate::error::{Error, Result};

/// The remedy for a file without rows.
pub(super) const NO_ROWS: &str = "name a file that holds at least one row of numbers";
/// The remedy for a file that is not what its ending says.
pub(super) const DAMAGED: &str = "the file is damaged or of another format: write it again";

/// Rows that [`read_chunks`](super::read_chunks) holds at a time.
const CHUNK: usize = 1 << 16;
/// Characters of a cell that a message shows.
const SHOWN: usize = 40;

/// What is read of a file, and where it goes.
pub(super) struct Target<'a> {
    pub(super) path: &'a Path,
    pub(super) options: &'a ReadOptions,
    /// Who gets the rows chunk by chunk; else they are kept.
    pub(super) each: Option<&'a mut dyn FnMut(Table) -> Result<()>>,
}

/// Why a cell gives no feature value. Each holds the cell as it was written.
#[derive(Debug)]
pub(super) enum Flaw {
    Missing(String),
    Text(String),
    Range(String),
}

/// A number as it is kept, and as it stands in the file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Number {
    pub(super) kept: f32,
    pub(super) written: f64,
}

/// A feature value as a reader found it.
pub(super) type Cell = std::result::Result<Number, Flaw>;

/// A feature value that was a number in the file already.
#[inline]
pub(super) fn narrow(value: f64) -> Cell {
    let kept = value as f32;
    match (value.is_finite(), kept.is_finite()) {
        (true, true) => Ok(Number { kept, written: value }),
        (true, false) => Err(Flaw::Range(format!("{value:?}"))),
        (false, _) => Err(Flaw::Missing(value.to_string())),
    }
}

/// What to do about text in a feature column.
pub(super) fn text_help(name: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    let name = match name.chars().all(is_plain) {
        true => name.to_owned(),
        false => format!("'{}'", name.replace('\'', r"'\''")),
    };
    format!("if it is a label, say --labels {name}; else choose the numeric columns with --columns")
}

/// A cell as a message shows it: in one line, its start where it is long.
fn shown(cell: &str) -> String {
    let (start, more) = match cell.char_indices().nth(SHOWN) {
        Some((end, _)) => (&cell[..end], "…"),
        None => (cell, ""),
    };
    format!("{}{more}", start.replace(['\n', '\r'], " "))
}

/// Who takes the rows that a reader finds.
pub(super) trait RowSink {
    /// Row `number` of its file, from 1: the value of each feature in the order of the choice, and the
    /// label where one is chosen.
    fn row(
        &mut self,
        number: u64,
        values: impl Iterator<Item = Cell>,
        label: Option<&str>,
    ) -> Result<()>;
}

impl RowSink for Rows<'_> {
    fn row(
        &mut self,
        number: u64,
        values: impl Iterator<Item = Cell>,
        label: Option<&str>,
    ) -> Result<()> {
        self.push(|| format!("row {number}"), values, label)
    }
}

/// Collects the rows that a reader finds and makes tables of them.
pub(super) struct Rows<'a> {
    target: Target<'a>,
    names: Vec<String>,
    /// Whether the names are the file's own.
    pub(super) named: bool,
    choice: Choice,
    values: Vec<f32>,
    /// Of each feature.
    spans: Vec<Span>,
    /// The row that is being read: room that is used again.
    row: Vec<Number>,
    labels: LabelColumn,
    /// Rows that were read so far, also those that were given away.
    pub(super) count: usize,
    /// Rows that were dropped for a missing value.
    pub(super) dropped: usize,
}

impl<'a> Rows<'a> {
    /// For a file with these columns, no rows yet. `named` says whether the names are its own.
    pub(super) fn new(target: Target<'a>, names: Vec<String>, named: bool) -> Result<Self> {
        let choice = Choice::new(target.path, &names, named, target.options)?;
        Ok(Self {
            spans: vec![Span::default(); choice.features.len()],
            row: Vec::new(),
            choice,
            target,
            names,
            named,
            values: Vec::new(),
            labels: LabelColumn::default(),
            count: 0,
            dropped: 0,
        })
    }

    /// The rows that follow are of another file, whose columns must be the same.
    pub(super) fn enter(&mut self, path: &'a Path, names: &[String]) -> Result<()> {
        if names != self.names {
            let of = |names: &[String], index: usize| match names.get(index) {
                Some(name) => format!("\"{name}\""),
                None => "missing".into(),
            };
            let differs = (0..).find(|&index| names.get(index) != self.names.get(index));
            let index = differs.unwrap_or_default();
            return Err(Error::input(format!(
                "{}: its columns are not those of {}: column {} is {}, not {}",
                path.display(),
                self.target.path.display(),
                index + 1,
                of(names, index),
                of(&self.names, index),
            ))
            .help("the files of a folder make one table: move those of others elsewhere"));
        }
        self.target.path = path;
        Ok(())
    }

    /// Adds a row: the value of each feature in the order of the choice, and the label where one is
    /// chosen. `place` says where it is: "line 7".
    pub(super) fn push(
        &mut self,
        place: impl Fn() -> String,
        values: impl IntoIterator<Item = Cell>,
        label: Option<&str>,
    ) -> Result<()> {
        let mut complete = true;
        self.row.clear();
        for (i, value) in values.into_iter().enumerate() {
            match value {
                Ok(number) => self.row.push(number),
                Err(Flaw::Missing(_)) if self.target.options.drop_missing => complete = false,
                Err(flaw) => return Err(self.flawed(&place(), self.choice.features[i], &flaw)),
            }
        }
        if let (Some(column), Some(label)) = (self.choice.label, label.map(in_one_line)) {
            match label.is_empty() {
                false if complete => self.labels.push(&label),
                false => {}
                true if self.target.options.drop_missing => complete = false,
                true => {
                    let flaw = Flaw::Missing(String::new());
                    return Err(self.flawed(&place(), column, &flaw));
                }
            }
        }
        if !complete {
            self.dropped += 1;
            return Ok(());
        }
        self.values.extend(self.row.iter().map(|number| number.kept));
        self.spans.iter_mut().zip(&self.row).for_each(|(span, number)| span.take(*number));
        self.count += 1;
        match self.target.each.is_some() && self.count.is_multiple_of(CHUNK) {
            true => self.give_chunk(),
            false => Ok(()),
        }
    }

    fn flawed(&self, place: &str, column: usize, flaw: &Flaw) -> Error {
        let (file, name) = (self.target.path.display(), &self.names[column]);
        let bad = |what: &str| {
            Error::input(format!("{file}, {place}, column {} (\"{name}\"): {what}", column + 1))
        };
        let drop = "leave out rows with missing values by --drop-missing, or choose other columns \
                    with --columns";
        match flaw {
            Flaw::Missing(cell) if cell.is_empty() => bad("the value is missing").help(drop),
            Flaw::Missing(cell) => bad(&format!("the value is {cell}")).help(drop),
            Flaw::Text(cell) => {
                bad(&format!("\"{}\" is not a number", shown(cell))).help(text_help(name))
            }
            Flaw::Range(cell) => bad(&format!("{} is too large for a 32-bit float", shown(cell)))
                .help("rescale the column to within ±3.4e38, or choose others with --columns"),
        }
    }

    /// How many of so many rows are held at once.
    pub(super) fn holds(&self, rows: u64) -> u64 {
        if self.target.each.is_some() { rows.min(CHUNK as u64) } else { rows }
    }

    /// The chosen columns.
    pub(super) fn choice(&self) -> &Choice {
        &self.choice
    }

    /// Hands over the rows that are kept.
    fn give_chunk(&mut self) -> Result<()> {
        let table = self.take_table()?;
        self.target.each.as_mut().map_or(Ok(()), |each| each(table))
    }

    /// Hands over the last rows; how many there were, and how many were dropped.
    pub(super) fn finish_chunks(mut self) -> Result<(usize, usize)> {
        self.check()?;
        if !self.values.is_empty() {
            self.give_chunk()?;
        }
        Ok((self.count, self.dropped))
    }

    /// The rows that are kept, if any; those that were given away are not among them.
    pub(super) fn into_part(mut self) -> Result<Option<Table>> {
        if self.values.is_empty() { Ok(None) } else { self.take_table().map(Some) }
    }

    /// The table of all rows.
    pub(super) fn into_table(mut self) -> Result<Table> {
        self.check()?;
        self.take_table()
    }

    /// How far the values of each feature reached so far.
    pub(super) fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// Refuses features whose values single precision does not keep apart.
    pub(super) fn check_spans(&self, spans: &[Span]) -> Result<()> {
        let (file, mut features) = (self.target.path.display(), self.choice.features.iter());
        let lost = spans.iter().zip(&mut features).find(|(span, _)| span.is_lost());
        lost.map_or(Ok(()), |(Span { low, high, .. }, &feature)| {
            Err(Error::input(format!(
                "{file}: column \"{}\": single precision, about seven digits, hardly tells its values \
                 apart, from {low} to {high}",
                self.names[feature]
            ))
            .help(
                "subtract a number near them from all its values, or give them in another unit; or \
                 choose other columns with --columns",
            ))
        })
    }

    /// Refuses a file without rows, and one with features that cannot be kept.
    fn check(&self) -> Result<()> {
        if self.target.options.check_precision {
            self.check_spans(&self.spans)?;
        }
        let file = self.target.path.display();
        match (self.count, self.dropped) {
            (0, 0) => Err(Error::input(format!("{file}: the file has no row")).help(NO_ROWS)),
            (0, dropped) => {
                Err(Error::input(format!("{file}: all {dropped} rows have missing values"))
                    .help("choose columns with fewer missing values with --columns"))
            }
            _ => Ok(()),
        }
    }

    /// The table of the rows that are kept, which are kept no longer.
    fn take_table(&mut self) -> Result<Table> {
        let columns: Vec<String> =
            self.choice.features.iter().map(|&i| self.names[i].clone()).collect();
        let values = std::mem::take(&mut self.values);
        let rows = Array2::from_shape_vec((values.len() / columns.len(), columns.len()), values)
            .map_err(|error| {
                Error::failed(format!("reading {}: {error}", self.target.path.display()))
            })?;
        let labels = std::mem::take(&mut self.labels);
        let labels = self.choice.label.map(|column| labels.named(&self.names[column]));
        Table::new(columns, rows, labels)
    }
}
