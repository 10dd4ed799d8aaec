//! Reading a table: the format by the file's ending, and what all formats share — the choice of
//! columns, missing values and what makes a file unusable.

use std::collections::HashMap;
use std::fs::File;
use std::io::Seek;
use std::path::Path;

use ndarray::Array2;

use super::table::LabelColumn;
use super::{Table, csv, npy};
use crate::error::{Error, Result, nearest};
use crate::input;

/// The remedy for a file without rows.
pub(super) const NO_ROWS: &str = "name a file that holds at least one row of numbers";
/// The remedy for a file that is not what its ending says.
pub(super) const DAMAGED: &str = "the file is damaged or of another format: write it again";

/// Most columns of a file. The covariances of an audit have the square of their number.
const MOST_COLUMNS: usize = 10_000;
/// Rows that [`read_chunks`] holds at a time.
const CHUNK: usize = 1 << 16;
/// Characters of a cell that a message shows.
const SHOWN: usize = 40;

/// Which columns to read and what to do about missing values.
#[derive(Clone, Debug, Default)]
pub struct ReadOptions {
    /// The feature columns by name, in this order; else all columns but the label.
    pub columns: Option<Vec<String>>,
    /// A column that is a label and no feature. Its cells may be any text that is not empty.
    pub labels: Option<String>,
    /// Whether a file without the label column is read all the same, as one without labels.
    pub labels_optional: bool,
    /// Drop rows with a missing value instead of refusing them.
    pub drop_missing: bool,
}

/// A table and where it came from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What was read.
    pub table: Table,
    /// Whether the file names its columns; else they are called `x0`, `x1`, ….
    pub named: bool,
    /// Number of rows that were dropped for a missing value.
    pub dropped: usize,
    /// The BLAKE3 hash of the file's bytes, in hexadecimal.
    pub hash: String,
}

/// What to tell a user whose table lost rows to missing values; nothing where it lost none.
pub fn dropped_note(dropped: usize) -> Option<String> {
    match dropped {
        0 => None,
        1 => Some("1 row with missing values was dropped".into()),
        n => Some(format!("{n} rows with missing values were dropped")),
    }
}

/// Reads a table from a `.csv`, `.parquet` or `.npy` file; the case of the ending is ignored.
///
/// CSV: cells are separated by commas, semicolons or tabs, whichever the first line has most of;
/// white space around cells and a UTF-8 byte order mark are ignored. The first line is data, and
/// the columns are called `x0`, `x1`, …, where every feature cell in it is a number, or where it
/// has numbers and text in the same places as the second line. Else it is the header, as it always
/// is where the options name one of its cells or where it is quoted and the second line is not.
/// NumPy arrays have one or two axes, rows first; their columns are called `x0`, `x1`, … too.
///
/// A value is missing where it is empty, null, `NA`, `N/A`, `NaN`, `None`, `null` or infinite; a
/// label where it is empty or null. Constant columns are kept.
///
/// # Errors
/// A file that cannot be read or has another ending; an unknown, nameless or repeated column; a
/// cell that is no number, lies beyond f32's range, or is missing and not to be dropped; no rows.
/// The message names the file, the line (or row) and the column.
pub fn read(path: &Path, options: &ReadOptions) -> Result<Loaded> {
    let mut file = open(path)?;
    let reading = |error| Error::io("reading", path, error);
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(&mut file).map_err(reading)?;
    file.rewind().map_err(reading)?;
    let rows = read_rows(file, Target { path, options, each: None })?;
    let hash = hasher.finalize().to_hex().to_string();
    let (named, dropped) = (rows.named, rows.dropped);
    Ok(Loaded { table: rows.into_table()?, named, dropped, hash })
}

/// Reads a file as [`read`] does, but holds 65 536 rows of it at a time at most, which it gives to
/// `each`: tables whose labels are those of their own rows. Of a NumPy array in Fortran's order, whose
/// rows are spread over the file, it holds the bytes of all. Gives the number of rows that were read
/// and of those dropped for a missing value.
///
/// # Errors
/// As [`read`], and what `each` returns.
pub fn read_chunks(
    path: &Path,
    options: &ReadOptions,
    each: &mut dyn FnMut(Table) -> Result<()>,
) -> Result<(usize, usize)> {
    let mut rows = read_rows(open(path)?, Target { path, options, each: Some(each) })?;
    rows.check_any()?;
    if !rows.values.is_empty() {
        rows.give_chunk()?;
    }
    Ok((rows.count, rows.dropped))
}

/// What is read of a file, and where it goes.
pub(super) struct Target<'a> {
    pub(super) path: &'a Path,
    pub(super) options: &'a ReadOptions,
    /// Who gets the rows chunk by chunk; else they are kept.
    pub(super) each: Option<&'a mut dyn FnMut(Table) -> Result<()>>,
}

fn read_rows<'a>(file: File, target: Target<'a>) -> Result<Rows<'a>> {
    match Format::of(target.path)? {
        Format::Csv => csv::read(file, target),
        Format::Npy => npy::read(file, target),
        #[cfg(feature = "parquet")]
        Format::Parquet => super::parquet::read(file, target),
    }
}

/// The formats of data files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values.
    Csv,
    /// NumPy's array files.
    Npy,
    /// Apache Parquet.
    #[cfg(feature = "parquet")]
    Parquet,
}

impl Format {
    /// The format that the name of a file ends in; the case of the ending is ignored.
    ///
    /// # Errors
    /// Where it is none of them, or this build has no part for it.
    pub fn of(path: &Path) -> Result<Self> {
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        match ending.to_ascii_lowercase().as_str() {
            "csv" => Ok(Self::Csv),
            "npy" => Ok(Self::Npy),
            #[cfg(feature = "parquet")]
            "parquet" => Ok(Self::Parquet),
            #[cfg(not(feature = "parquet"))]
            "parquet" => Err(Error::input(format!(
                "{}: this build of modescope has no Parquet",
                path.display()
            ))
            .help("build it with `cargo build --release --features parquet`, or convert to .csv")),
            _ => Err(Error::input(format!(
                "{}: the name of a data file must end in .csv, .parquet or .npy",
                path.display()
            ))
            .help("rename the file after its format, or convert it to one of these")),
        }
    }
}

fn open(path: &Path) -> Result<File> {
    let file = input::open(path)?;
    let length = file.metadata().map_err(|error| Error::io("reading", path, error))?.len();
    match length {
        0 => Err(Error::input(format!("{}: the file is empty", path.display())).help(NO_ROWS)),
        _ => Ok(file),
    }
}

/// The chosen columns, as indices into the columns of the file.
#[derive(Debug)]
pub(super) struct Choice {
    pub(super) features: Vec<usize>,
    pub(super) label: Option<usize>,
}

impl Choice {
    /// Finds the columns that the options name among `names`.
    pub(super) fn new(path: &Path, names: &[String], options: &ReadOptions) -> Result<Self> {
        let file = path.display();
        let mut known = HashMap::new();
        for (i, name) in names.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
            if let Some(first) = known.insert(name, i) {
                return Err(Error::input(format!(
                    "{file}: columns {} and {} are both called \"{name}\"",
                    first + 1,
                    i + 1
                ))
                .help("rename one of them"));
            }
        }
        let find = |name: &String| {
            names.iter().position(|other| other == name).ok_or_else(|| {
                let known = || names.iter().map(String::as_str).filter(|name| !name.is_empty());
                let list = format!("the columns are: {}", known().collect::<Vec<_>>().join(", "));
                Error::input(format!("{file}: there is no column \"{name}\"")).help(
                    match nearest(name, known()) {
                        Some(guess) => format!("did you mean \"{guess}\"? {list}"),
                        None => list,
                    },
                )
            })
        };
        let wanted = options.labels.as_ref();
        let label = wanted
            .filter(|name| !options.labels_optional || names.contains(name))
            .map(find)
            .transpose()?;
        let features = match &options.columns {
            Some(chosen) => chosen.iter().map(find).collect::<Result<Vec<_>>>()?,
            None => (0..names.len()).filter(|&i| Some(i) != label).collect(),
        };
        for (i, &feature) in features.iter().enumerate() {
            let name = &names[feature];
            if name.is_empty() {
                return Err(Error::input(format!("{file}: column {} has no name", feature + 1))
                    .help("name it in the header, or choose the other columns with --columns"));
            }
            if features[..i].contains(&feature) {
                return Err(Error::input(format!("column \"{name}\" is chosen twice"))
                    .help("name each column once in --columns"));
            }
            if label == Some(feature) {
                return Err(Error::input(format!(
                    "column \"{name}\" is chosen both as a feature and as the label"
                ))
                .help("leave it out of --columns or of --labels"));
            }
        }
        if features.is_empty() {
            return Err(Error::input(format!("{file}: there is no feature column"))
                .help("choose at least one numeric column with --columns"));
        }
        Ok(Self { features, label })
    }
}

/// Refuses a file with so many columns before anything is set aside for each.
pub(super) fn check_width(path: &Path, columns: usize) -> Result<()> {
    if columns <= MOST_COLUMNS {
        return Ok(());
    }
    Err(Error::input(format!("{}: {columns} columns are more than {MOST_COLUMNS}", path.display()))
        .help("write the columns to model to a file of their own; rows are observations"))
}

/// The names of columns that have none: `x0`, `x1`, …
pub(super) fn positional(columns: usize) -> Vec<String> {
    (0..columns).map(|i| format!("x{i}")).collect()
}

/// Why a cell gives no feature value. Each holds the cell as it was written.
#[derive(Debug)]
pub(super) enum Flaw {
    Missing(String),
    Text(String),
    Range(String),
}

/// A feature value as a reader found it.
pub(super) type Cell = std::result::Result<f32, Flaw>;

/// A feature value that was a number in the file already.
pub(super) fn narrow(value: f64) -> Cell {
    let narrow = value as f32;
    match (value.is_finite(), narrow.is_finite()) {
        (true, true) => Ok(narrow),
        (true, false) => Err(Flaw::Range(format!("{value:?}"))),
        (false, _) => Err(Flaw::Missing(value.to_string())),
    }
}

/// What to do about text in a feature column.
pub(super) fn text_help(name: &str) -> String {
    format!("if it is a label, say --labels {name}; else choose the numeric columns with --columns")
}

/// A cell as a message shows it: its start where it is long.
fn shown(cell: &str) -> String {
    match cell.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &cell[..end]),
        None => cell.to_owned(),
    }
}

/// Collects the rows that a reader finds and makes tables of them.
pub(super) struct Rows<'a> {
    target: Target<'a>,
    names: Vec<String>,
    named: bool,
    choice: Choice,
    values: Vec<f32>,
    labels: LabelColumn,
    count: usize,
    dropped: usize,
}

impl<'a> Rows<'a> {
    /// For a file with these columns, no rows yet. `named` says whether the names are its own.
    pub(super) fn new(target: Target<'a>, names: Vec<String>, named: bool) -> Result<Self> {
        Ok(Self {
            choice: Choice::new(target.path, &names, target.options)?,
            target,
            names,
            named,
            values: Vec::new(),
            labels: LabelColumn::default(),
            count: 0,
            dropped: 0,
        })
    }

    /// Adds a row: the value of each feature in the order of the choice, and the label where one is
    /// chosen. `place` says where it is: "line 7".
    pub(super) fn push(
        &mut self,
        place: impl Fn() -> String,
        values: impl IntoIterator<Item = Cell>,
        label: Option<&str>,
    ) -> Result<()> {
        let start = self.values.len();
        let mut complete = true;
        for (i, value) in values.into_iter().enumerate() {
            match value {
                Ok(value) => self.values.push(value),
                Err(Flaw::Missing(_)) if self.target.options.drop_missing => complete = false,
                Err(flaw) => return Err(self.flawed(&place(), self.choice.features[i], &flaw)),
            }
        }
        if let (Some(column), Some(label)) = (self.choice.label, label.map(str::trim)) {
            match label.is_empty() {
                false if complete => self.labels.push(label),
                false => {}
                true if self.target.options.drop_missing => complete = false,
                true => {
                    let flaw = Flaw::Missing(String::new());
                    return Err(self.flawed(&place(), column, &flaw));
                }
            }
        }
        if !complete {
            self.values.truncate(start);
            self.dropped += 1;
            return Ok(());
        }
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

    fn into_table(mut self) -> Result<Table> {
        self.check_any()?;
        self.take_table()
    }

    /// Refuses a file without rows.
    fn check_any(&self) -> Result<()> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_hold_no_data_file_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let message = |name: &str| {
            let error = read(&folder.path().join(name), &ReadOptions::default()).unwrap_err();
            assert_eq!(error.kind(), crate::error::Kind::Input);
            assert!(error.message().contains(name), "{error}");
            error.to_string()
        };
        assert!(message("none.csv").contains("there is no such file"));
        std::fs::create_dir(folder.path().join("folder.csv")).unwrap();
        assert!(message("folder.csv").contains("this is a folder"));
        std::fs::write(folder.path().join("data.txt"), "a\n1\n2\n").unwrap();
        assert!(message("data.txt").contains(".csv, .parquet or .npy"));
        std::fs::write(folder.path().join("data"), "a\n1\n2\n").unwrap();
        assert!(message("data").contains(".csv, .parquet or .npy"));
        for name in ["empty.csv", "empty.npy", "empty.parquet"] {
            std::fs::write(folder.path().join(name), "").unwrap();
            assert!(message(name).contains("the file is empty"));
        }
    }

    #[test]
    fn the_hash_is_that_of_the_bytes_and_endings_ignore_case() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data.CSV");
        std::fs::write(&path, "a\n1\n2\n").unwrap();
        let loaded = read(&path, &ReadOptions::default()).unwrap();
        assert_eq!(loaded.hash, blake3::hash(b"a\n1\n2\n").to_hex().as_str());
        assert_eq!((loaded.dropped, loaded.table.len()), (0, 2));
    }

    #[cfg(not(feature = "parquet"))]
    #[test]
    fn a_build_without_parquet_says_how_to_get_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data.parquet");
        std::fs::write(&path, "PAR1").unwrap();
        let error = read(&path, &ReadOptions::default()).unwrap_err();
        assert!(error.remedy().unwrap().contains("--features parquet"));
    }
}
