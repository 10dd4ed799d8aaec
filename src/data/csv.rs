//! Comma-separated values.

mod ahead;
mod number;
mod raw;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;

use csv::{QuoteStyle, ReaderBuilder, StringRecord, WriterBuilder};
use ndarray::ArrayView1;

use self::number::plain_decimal;
use self::raw::{Survey, delimiter, line, only_first_line_quoted, survey};
use super::ReadOptions;
use super::choice::{Choice, check_width, in_one_line, positional};
use super::rows::{Cell, Flaw, NO_ROWS, Number, Rows, Target};
use crate::error::{Error, Result};

/// How files begin that are taken for CSV, and what they are.
const ARCHIVES: [(&[u8], &str); 4] = [
    (b"\x1f\x8b", "gzip"),
    (b"PK\x03\x04", "zip or Excel"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\xfd7zXZ", "xz"),
];
/// How a missing value may be written, in any case.
const MISSING: [&str; 6] = ["", "na", "n/a", "nan", "none", "null"];
/// The remedy for cells that are not told apart.
const SEPARATORS: &str =
    "cells are told apart by commas, semicolons or tabs: write one of these between them";
/// The remedy for commas within numbers.
const DECIMAL_COMMAS: &str =
    "decimal commas are not read: write decimal points, and nothing between thousands";

/// Reads the rows of a CSV file; see [`super::read()`] for what is a header.
pub(super) fn read<'a>(file: File, target: Target<'a>) -> Result<Rows<'a>> {
    let Target { path, options, .. } = target;
    let mut file = BufReader::with_capacity(1 << 16, file);
    let start = file.fill_buf().map_err(|error| Error::io("reading", path, error))?;
    if let Some((_, what)) = ARCHIVES.iter().find(|(magic, _)| start.starts_with(magic)) {
        return Err(Error::input(format!("{}: this is a {what} file, not text", path.display()))
            .help("unpack it, or export it as CSV"));
    }
    let (delimiter, quoted) = (delimiter(start), only_first_line_quoted(start));
    let Survey { open_quote, widest } = survey(path, delimiter)?;
    // The csv crate takes forty times a record's length for one of many cells.
    check_width(path, widest)?;
    if let Some(byte) = open_quote {
        let place = format!("{}, line {}", path.display(), line(path, byte));
        return Err(Error::input(format!("{place}: a double quote is never closed"))
            .help("close it, or write the cell without quotes"));
    }
    let mut records = ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        .flexible(true)
        .from_reader(file);
    let unreadable = |error| unreadable(path, error);
    let (mut first, mut record) = (StringRecord::new(), StringRecord::new());
    if !records.read_record(&mut first).map_err(unreadable)? {
        return Err(Error::input(format!("{}: the file is empty", path.display())).help(NO_ROWS));
    }
    check_width(path, first.len())?;
    let second = records.read_record(&mut record);
    let shown = matches!(second, Ok(true)).then_some(&record);
    let headless = !quoted && is_data(path, &first, shown, options);
    if !headless && matches!(second, Ok(false)) {
        return Err(Error::input(format!(
            "{}: the file has a header only and no rows",
            path.display()
        ))
        .help(NO_ROWS));
    }
    let width = first.len();
    let names = match headless {
        true => positional(width),
        false => first.iter().map(|name| in_one_line(name).into_owned()).collect(),
    };
    let mut rows = Rows::new(target, names, !headless)?;
    let features = rows.choice().features.clone();
    let label = rows.choice().label;
    let mut push = |record: &StringRecord| {
        let place = || format!("line {}", line(path, start_of(record.position())));
        if record.len() == width {
            let values = features.iter().map(|&column| parse(&record[column]));
            let pushed = rows.push(place, values, label.map(|column| &record[column]));
            return pushed.map_err(|error| match several_numbers(record, &features) {
                Some(help) => error.help(help),
                None => error,
            });
        }
        // A line of white space is as good as an empty one, which is skipped.
        if record.len() == 1 && record[0].trim().is_empty() {
            return Ok(());
        }
        let (file, place, cells) = (path.display(), place(), record.len());
        Err(Error::input(format!("{file}, {place}: {width} cells expected, {cells} found"))
            .help(uneven_help([&first, record], cells > width)))
    };
    if headless {
        push(&first)?;
    }
    if second.map_err(unreadable)? {
        push(&record)?;
        ahead::for_each(records, push, unreadable)?;
    }
    Ok(rows)
}

/// Whether the first record is a row of data and not a header.
fn is_data(
    path: &Path,
    first: &StringRecord,
    second: Option<&StringRecord>,
    options: &ReadOptions,
) -> bool {
    let named = options.columns.iter().flatten().chain(&options.labels);
    if named.into_iter().any(|name| first.iter().any(|cell| in_one_line(cell) == *name)) {
        return false;
    }
    if is_count_of_columns(first) {
        return false;
    }
    // A boolean may be the name of a column: that of a table of counts by yes and no.
    let is_number = |cell: &str| boolean(cell).is_none() && parse(cell).is_ok();
    let is_text = |cell: &str| boolean(cell).is_some() || matches!(parse(cell), Err(Flaw::Text(_)));
    let features = match Choice::new(path, &positional(first.len()), false, options) {
        Ok(choice) => choice.features,
        Err(_) => (0..first.len()).collect(),
    };
    let numeric = features.iter().all(|&column| !is_text(&first[column]));
    let alike = |second: &StringRecord| {
        first.len() == second.len() && first.iter().map(is_text).eq(second.iter().map(is_text))
    };
    first.iter().any(is_number) && (numeric || second.is_some_and(alike))
}

/// Whether these are the names that pandas gives to columns without any: 0, 1, 2, …, behind an empty
/// one where the index is written too. One cell or two say too little: a table of 0 and 1 may begin so.
fn is_count_of_columns(first: &StringRecord) -> bool {
    let index = usize::from(first.get(0).is_some_and(|cell| cell.trim().is_empty()));
    let mut numbers = first.iter().skip(index).enumerate();
    first.len() > 2 && numbers.all(|(number, cell)| cell.trim() == number.to_string())
}

/// What to do about the first feature that is no number, where it is one with a decimal comma, a piece of
/// such numbers that were taken apart at their commas, or numbers between separators that are none here.
fn several_numbers(record: &StringRecord, features: &[usize]) -> Option<&'static str> {
    let cell = features.iter().map(|&column| &record[column]).find(|cell| parse(cell).is_err())?;
    let are_numbers =
        |parts: Vec<&str>| parts.len() > 1 && parts.iter().all(|part| parse(part).is_ok());
    if are_numbers(cell.split(',').collect()) || are_numbers(cell.split(';').collect()) {
        return Some(DECIMAL_COMMAS);
    }
    let between = |c: char| c == '|' || c.is_whitespace();
    let parts = cell.split(between).filter(|part| !part.is_empty()).collect();
    are_numbers(parts).then_some(SEPARATORS)
}

/// What to do about a line that has not as many cells as the first.
fn uneven_help(lines: [&StringRecord; 2], has_more: bool) -> &'static str {
    let is_comment =
        |line: &StringRecord| line.get(0).is_some_and(|cell| cell.trim_start().starts_with('#'));
    match lines.into_iter().any(is_comment) {
        true => "comment lines are not read: take out those that begin with #",
        false if has_more => "put cells that contain the separator in double quotes",
        false => "is the file whole? cells without a value stay between two separators",
    }
}

/// A cell as a feature value; white space about it does not count.
fn parse(cell: &str) -> Cell {
    if let Some(number) = plain_decimal(cell.as_bytes()) {
        return Ok(number);
    }
    let cell = cell.trim();
    match cell.parse::<f32>() {
        Ok(kept) if kept.is_finite() => {
            Ok(Number { kept, written: cell.parse().unwrap_or_else(|_| f64::from(kept)) })
        }
        Ok(_) if cell.contains(|c: char| c.is_ascii_digit()) => Err(Flaw::Range(cell.into())),
        Ok(_) => Err(Flaw::Missing(cell.into())),
        Err(_) if MISSING.iter().any(|marker| cell.eq_ignore_ascii_case(marker)) => {
            Err(Flaw::Missing(cell.into()))
        }
        Err(_) => boolean(cell).ok_or_else(|| Flaw::Text(cell.into())),
    }
}

/// A boolean, as pandas writes it: 1 or 0, as in other formats.
fn boolean(cell: &str) -> Option<Number> {
    let number = |kept: f32| Number { kept, written: f64::from(kept) };
    let is = |word: &str| cell.trim().eq_ignore_ascii_case(word);
    if is("true") { Some(number(1.0)) } else { is("false").then(|| number(0.0)) }
}

/// Where a record starts; the csv crate counts empty lines before it to the record.
fn start_of(position: Option<&csv::Position>) -> u64 {
    position.map_or(0, csv::Position::byte)
}

/// What the csv crate could not read: in practice the disk, or text that is not UTF-8.
fn unreadable(path: &Path, error: csv::Error) -> Error {
    let place = format!("{}, line {}", path.display(), line(path, start_of(error.position())));
    match error.into_kind() {
        csv::ErrorKind::Io(error) => Error::io("reading", path, error),
        csv::ErrorKind::Utf8 { err, .. } => {
            Error::input(format!("{place}, column {}: the text is not UTF-8", err.field() + 1))
                .help("save the file as UTF-8")
        }
        kind => Error::input(format!("{place}: {kind:?}")),
    }
}

/// Writes rows as CSV with a header, the label last. Every value is the shortest text that reads back
/// to the same f32.
pub(super) struct CsvWriter<W: Write> {
    writer: csv::Writer<W>,
    text: String,
}

impl<W: Write> CsvWriter<W> {
    /// Writes the header.
    pub(super) fn new(mut file: W, columns: &[String], label: Option<&str>) -> csv::Result<Self> {
        let names = || columns.iter().map(String::as_str).chain(label);
        // Quotes keep a header from being read as data, or with a separator that is part of a name.
        let style = match names().any(|name| parse(name).is_ok() || name.contains([';', '\t'])) {
            true => QuoteStyle::Always,
            false => QuoteStyle::Necessary,
        };
        let mut header = WriterBuilder::new().quote_style(style).from_writer(&mut file);
        header.write_record(names())?;
        header.flush()?;
        drop(header);
        Ok(Self { writer: csv::Writer::from_writer(file), text: String::new() })
    }

    /// Writes one row.
    pub(super) fn push(&mut self, row: ArrayView1<f32>, label: Option<&str>) -> csv::Result<()> {
        for value in row {
            self.text.clear();
            // The shortest text, with an exponent where that is shorter; a String takes any.
            let _ = write!(self.text, "{value:?}");
            self.writer.write_field(&self.text)?;
        }
        label.map_or(Ok(()), |label| self.writer.write_field(label))?;
        self.writer.write_record(None::<&[u8]>)
    }

    pub(super) fn finish(mut self) -> std::io::Result<()> {
        self.writer.flush()
    }
}
