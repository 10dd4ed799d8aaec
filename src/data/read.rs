//! Reading a table, whole or in chunks: the format by the file's ending.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use super::rows::{Rows, Target};
use super::source::{Source, files, open};
use super::{Table, csv};
use crate::config::MOST_VALUES;
use crate::error::{Error, Result};
use crate::input::hash;

/// Which columns to read and what to do about missing values.
#[derive(Clone, Debug, Default)]
pub struct ReadOptions {
    /// The feature columns by name, in this order; else all columns but the label and pandas' index.
    pub columns: Option<Vec<String>>,
    /// A column that is a label and no feature. Its cells may be any text that is not empty.
    pub labels: Option<String>,
    /// Whether a file without the label column is read all the same, as one without labels.
    pub labels_optional: bool,
    /// Drop rows with a missing value instead of refusing them.
    pub drop_missing: bool,
    /// Refuse a feature column whose values single precision hardly tells apart, as where data come in.
    pub check_precision: bool,
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
    /// The BLAKE3 hash of the file's bytes, in hexadecimal; of a folder that of its files one after
    /// another.
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

/// Reads a table from a `.csv`, `.parquet` or `.npy` file, or from a folder whose `.parquet` files have
/// the same columns, in the order of their names; the case of the ending is ignored.
///
/// CSV: cells are separated by commas, semicolons or tabs, whichever the first line has most of;
/// white space around cells and a UTF-8 byte order mark are ignored. The first line is data, and
/// the columns are called `x0`, `x1`, …, where every feature cell in it is a number, or where it
/// has numbers and text in the same places as the second line. Else it is the header, as it always
/// is where the options name one of its cells, where it is quoted and the second line is not, or where
/// it is 0, 1, 2, …, which is what pandas calls columns without names.
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
    let files = files(path)?;
    let rows = read_rows(&files, options, None)?;
    let (named, dropped) = (rows.named, rows.dropped);
    Ok(Loaded {
        table: rows.into_table()?,
        named,
        dropped,
        hash: hash(&files, &AtomicBool::new(false))?,
    })
}

/// Whether there is something to read at a path, before anything is made of it.
///
/// # Errors
/// No such file, one that is no regular file or is empty, or a folder without `.parquet` files.
pub fn check_table(path: &Path) -> Result<()> {
    files(path)?.iter().try_for_each(|path| open(path).map(|_| ()))
}

/// Reads a file or folder as [`read`] does, but holds 65 536 rows of it at a time at most, which it
/// gives to `each`: tables whose labels are those of their own rows. Gives the number of rows that were
/// read and of those dropped for a missing value.
///
/// # Errors
/// As [`read`], and what `each` returns.
pub fn read_chunks(
    path: &Path,
    options: &ReadOptions,
    each: &mut dyn FnMut(Table) -> Result<()>,
) -> Result<(usize, usize)> {
    read_rows(&files(path)?, options, Some(each))?.finish_chunks()
}

fn read_rows<'a>(
    files: &'a [PathBuf],
    options: &'a ReadOptions,
    each: Option<&'a mut dyn FnMut(Table) -> Result<()>>,
) -> Result<Rows<'a>> {
    let target = Target { path: &files[0], options, each };
    let sources =
        files.iter().map(|path| Source::open(path)).collect::<Result<Option<Vec<_>>>>()?;
    let Some(sources) = sources else { return csv::read(open(target.path)?, target) };
    let (names, named) = sources[0].names();
    let mut rows = Rows::new(target, names, named)?;
    let choice = rows.choice().clone();
    // Equal values take next to nothing in a file, whatever their number.
    let claimed = sources.iter().flat_map(Source::pieces).map(|piece| piece.rows.end);
    let held = rows.holds(claimed.fold(0, u64::saturating_add));
    if held.saturating_mul(choice.features.len() as u64) > MOST_VALUES as u64 {
        let place = if files.len() > 1 { files[0].parent() } else { None };
        let place = place.unwrap_or(&files[0]).display();
        return Err(Error::input(format!("{place}: it holds more than {MOST_VALUES} values"))
            .help(
                "lower data.stream_above, so that it is not held in memory, or write fewer rows or \
                 columns to a file of their own",
            ));
    }
    for (path, source) in files.iter().zip(&sources) {
        rows.enter(path, &source.names().0)?;
        source.check(&choice)?;
        source.pieces().into_iter().try_for_each(|piece| source.read(&choice, piece, &mut rows))?;
    }
    Ok(rows)
}

/// The formats of data files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
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
            "npz" => Err(Error::input(format!("{}: this is an archive of arrays", path.display()))
                .help("save the one array alone, with numpy.save")),
            _ => Err(Error::input(format!(
                "{}: the name of a data file must end in .csv, .parquet or .npy",
                path.display()
            ))
            .help("rename the file after its format, or convert it to one of these")),
        }
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
        assert!(message("folder.csv").contains("this is a folder without .parquet files"));
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
