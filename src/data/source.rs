//! Files of which any rows can be read: Parquet and NumPy.

use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::Format;
use super::choice::Choice;
use super::npy::NpyArray;
#[cfg(feature = "parquet")]
use super::parquet::ParquetFile;
use super::rows::{NO_ROWS, RowSink};
use crate::error::{Error, Result};
use crate::input;

/// A file whose header or footer has been read and checked, and nothing more of it.
#[derive(Debug)]
pub(super) enum Source {
    Npy(NpyArray),
    #[cfg(feature = "parquet")]
    Parquet(ParquetFile),
}

/// Rows of a file that are stored together.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    /// The row group of a Parquet file; of an array it is 0.
    pub(super) group: usize,
    /// Its rows within that.
    pub(super) rows: Range<u64>,
    /// The number of its first row in the file, from 0.
    pub(super) first: u64,
}

impl Source {
    /// Opens a file; nothing where it is of a format that is read from its beginning to its end.
    pub(super) fn open(path: &Path) -> Result<Option<Self>> {
        open(path)?;
        Ok(match Format::of(path)? {
            Format::Csv => None,
            Format::Npy => Some(Self::Npy(NpyArray::open(path)?)),
            #[cfg(feature = "parquet")]
            Format::Parquet => Some(Self::Parquet(ParquetFile::open(path)?)),
        })
    }

    /// The names of its columns, and whether they are its own.
    pub(super) fn names(&self) -> (Vec<String>, bool) {
        match self {
            Self::Npy(array) => (array.names(), false),
            #[cfg(feature = "parquet")]
            Self::Parquet(file) => (file.names(), true),
        }
    }

    /// The rows as they are stored, as the file claims.
    pub(super) fn pieces(&self) -> Vec<Piece> {
        let groups = match self {
            Self::Npy(array) => vec![array.rows()],
            #[cfg(feature = "parquet")]
            Self::Parquet(file) => file.groups(),
        };
        let mut first = 0_u64;
        let piece = |(group, rows): (usize, u64)| {
            let piece = Piece { group, rows: 0..rows, first };
            first = first.saturating_add(rows);
            piece
        };
        groups.into_iter().enumerate().map(piece).collect()
    }

    /// Refuses chosen columns whose type cannot be read as what they are chosen for.
    #[cfg_attr(not(feature = "parquet"), allow(unused_variables, clippy::unnecessary_wraps))]
    pub(super) fn check(&self, choice: &Choice) -> Result<()> {
        match self {
            Self::Npy(_) => Ok(()),
            #[cfg(feature = "parquet")]
            Self::Parquet(file) => file.check(choice),
        }
    }

    /// Gives the rows of a piece, or of a part of one, to `sink`.
    pub(super) fn read(
        &self,
        choice: &Choice,
        piece: Piece,
        sink: &mut impl RowSink,
    ) -> Result<()> {
        match self {
            Self::Npy(array) => array.read(choice, piece.rows, sink),
            #[cfg(feature = "parquet")]
            Self::Parquet(file) => {
                file.read(choice, (piece.group, piece.rows), piece.first + 1, sink)
            }
        }
    }
}

/// Opens a file that is to hold a table.
pub(super) fn open(path: &Path) -> Result<File> {
    let file = input::open(path)?;
    let length = file.metadata().map_err(|error| Error::io("reading", path, error))?.len();
    match length {
        0 => Err(Error::input(format!("{}: the file is empty", path.display())).help(NO_ROWS)),
        _ => Ok(file),
    }
}

/// The files of a table: `path` itself, or the Parquet files of that folder in the order of their names.
///
/// # Errors
/// A folder that cannot be read or holds no such file.
pub(super) fn files(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let reading = |error| Error::io("reading", path, error);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(reading)? {
        let file = entry.map_err(reading)?.path();
        let hidden =
            file.file_name().is_some_and(|name| name.to_string_lossy().starts_with(['.', '_']));
        if file.is_dir() && !hidden {
            return Err(Error::input(format!(
                "{}: it holds folders, such as {}, which are not read",
                path.display(),
                file.display()
            ))
            .help("name a folder of files alone, or move them into one"));
        }
        let ending = file.extension().is_some_and(|end| end.eq_ignore_ascii_case("parquet"));
        // One that cannot be read is named when it is opened.
        files.extend((ending && !file.is_dir()).then_some(file));
    }
    files.sort();
    match files.is_empty() {
        true => Err(Error::input(format!(
            "{}: this is a folder without .parquet files",
            path.display()
        ))
        .help("name a .csv, .parquet or .npy file, or a folder of .parquet files")),
        false => Ok(files),
    }
}
