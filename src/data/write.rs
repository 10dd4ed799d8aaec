//! Tables to files, as many rows at a time as there are, in the format that the name ends in.

use std::io::Write;
use std::path::Path;

use ndarray::ArrayView2;
use npyz::{NpyWriter, WriterBuilder};

use super::csv::CsvWriter;
#[cfg(feature = "parquet")]
use super::parquet::ParquetWriter;
use super::read::Format;
use super::{Labels, Table};
use crate::error::{Error, Result};
use crate::files::write_atomically;

/// Writes a table; see [`write_rows`].
///
/// # Errors
/// As [`write_rows`].
pub fn write(path: &Path, table: &Table) -> Result<()> {
    let (columns, labels) = (table.columns(), table.labels());
    write_rows(path, columns, labels, table.len(), |file| file.push(table.rows()))
}

/// Writes a table of so many `rows` as `fill` gives them, without holding them: .csv with a header,
/// .parquet or .npy. Labels, one a row, come last. The file appears when it is complete.
///
/// # Errors
/// What `fill` returns, where it cannot be written, or a .npy file is to have labels.
pub fn write_rows(
    path: &Path,
    columns: &[String],
    labels: Option<&Labels>,
    rows: usize,
    fill: impl FnOnce(&mut RowWriter) -> Result<()>,
) -> Result<()> {
    let format = writable(path, labels.is_some())?;
    let writing = |error| Error::io("writing", path, error);
    write_atomically(path, |file| {
        let sink = Sink::new(format, file, columns, labels, rows).map_err(writing)?;
        let mut writer = RowWriter { path, labels, sink, written: 0 };
        fill(&mut writer)?;
        writer.sink.finish().map_err(writing)
    })
}

/// The format of a file to be written, with or without labels.
///
/// # Errors
/// Where the name ends in none, or the format takes no labels.
pub fn writable(path: &Path, labelled: bool) -> Result<Format> {
    let format = Format::of(path)?;
    if labelled && format == Format::Npy {
        return Err(Error::input(format!("{}: .npy files hold no labels", path.display()))
            .help("write .csv or .parquet, or leave --labels out"));
    }
    Ok(format)
}

/// A file that takes rows.
pub struct RowWriter<'a> {
    path: &'a Path,
    labels: Option<&'a Labels>,
    sink: Sink<'a>,
    written: usize,
}

impl RowWriter<'_> {
    /// Adds rows (n × columns).
    ///
    /// # Errors
    /// Where they cannot be written.
    pub fn push(&mut self, rows: ArrayView2<f32>) -> Result<()> {
        let range = self.written..self.written + rows.nrows();
        self.written = range.end;
        let of_row = self.labels.map(|labels| &labels.of_row[range]);
        let names = self.labels.map(|labels| &labels.names[..]).unwrap_or_default();
        let labels: Option<Vec<&str>> =
            of_row.map(|of_row| of_row.iter().map(|&label| names[label].as_str()).collect());
        self.sink
            .push(rows, labels.as_deref())
            .map_err(|error| Error::io("writing", self.path, error))
    }
}

/// The file in its format.
enum Sink<'a> {
    Csv(CsvWriter<&'a mut (dyn Write + Send)>),
    Npy(NpyWriter<f32, &'a mut (dyn Write + Send)>),
    #[cfg(feature = "parquet")]
    Parquet(ParquetWriter<&'a mut (dyn Write + Send)>),
}

impl<'a> Sink<'a> {
    fn new(
        format: Format,
        file: &'a mut (dyn Write + Send),
        columns: &[String],
        labels: Option<&Labels>,
        rows: usize,
    ) -> std::io::Result<Self> {
        let label = labels.map(|labels| labels.column.as_str());
        Ok(match format {
            Format::Csv => Self::Csv(CsvWriter::new(file, columns, label)?),
            Format::Npy => {
                let shape = [rows as u64, columns.len() as u64];
                let options = npyz::WriteOptions::new().default_dtype();
                Self::Npy(options.shape(&shape).writer(file).begin_nd()?)
            }
            #[cfg(feature = "parquet")]
            Format::Parquet => Self::Parquet(ParquetWriter::new(file, columns, label)?),
        })
    }

    fn push(&mut self, rows: ArrayView2<f32>, labels: Option<&[&str]>) -> std::io::Result<()> {
        match self {
            Self::Csv(csv) => {
                for (i, row) in rows.rows().into_iter().enumerate() {
                    csv.push(row, labels.map(|labels| labels[i]))?;
                }
                Ok(())
            }
            Self::Npy(npy) => npy.extend(rows.iter().copied()),
            #[cfg(feature = "parquet")]
            Self::Parquet(parquet) => parquet.push(rows, labels),
        }
    }

    fn finish(self) -> std::io::Result<()> {
        match self {
            Self::Csv(csv) => csv.finish(),
            Self::Npy(npy) => npy.finish(),
            #[cfg(feature = "parquet")]
            Self::Parquet(parquet) => parquet.finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, s};

    use super::*;
    use crate::data::{ReadOptions, read};

    /// Written in two parts, each format reads back to the same table.
    #[test]
    fn what_is_written_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let values =
            Array2::from_shape_fn((5, 2), |(i, j)| (i as f32 + 0.1).powi(j as i32 * 9 - 4));
        let columns = ["x0".to_owned(), "x1".to_owned()];
        let of_row = vec![1, 0, 1, 1, 0];
        let names = vec!["a,b".to_owned(), "c".to_owned()];
        let labels = Labels { column: "kind".into(), names, of_row };
        for (name, labels) in [
            ("t.csv", None),
            ("t.npy", None),
            ("l.csv", Some(&labels)),
            #[cfg(feature = "parquet")]
            ("t.parquet", None),
            #[cfg(feature = "parquet")]
            ("l.parquet", Some(&labels)),
        ] {
            let path = folder.path().join(name);
            write_rows(&path, &columns, labels, 5, |file| {
                file.push(values.slice(s![..2, ..]))?;
                file.push(values.slice(s![2.., ..]))
            })
            .unwrap();
            let options =
                ReadOptions { labels: labels.map(|l| l.column.clone()), ..ReadOptions::default() };
            let table = read(&path, &options).unwrap().table;
            assert_eq!(table.rows(), values, "{name}");
            assert_eq!((table.columns(), table.labels()), (&columns[..], labels), "{name}");
        }
        let path = folder.path().join("l.npy");
        let error = write_rows(&path, &columns, Some(&labels), 5, |_| Ok(())).unwrap_err();
        assert!(error.message().ends_with("l.npy: .npy files hold no labels"));
        assert!(!path.exists());
    }
}
