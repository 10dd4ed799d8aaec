//! Tables to files, as many rows at a time as there are, in the format that the name ends in.

use std::io::{Seek, Write};
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
    let label = table.labels().map(|labels| labels.column.as_str());
    write_rows(path, table.columns(), label, |file| file.push(table.rows(), table.labels()))
}

/// Writes the rows that `fill` gives, without holding them: .csv with a header, .parquet or .npy. The
/// column `label`, if any, comes last. The file appears when it is complete.
///
/// # Errors
/// What `fill` returns, where it cannot be written, or a .npy file is to have labels.
pub fn write_rows(
    path: &Path,
    columns: &[String],
    label: Option<&str>,
    fill: impl FnOnce(&mut RowWriter) -> Result<()>,
) -> Result<()> {
    let format = writable(path, columns, label)?;
    let writing = |error| Error::io("writing", path, error);
    write_atomically(path, |file| {
        let sink = Sink::new(format, file, columns, label).map_err(writing)?;
        let shape = (columns.len(), label.is_some());
        let mut writer = RowWriter { path, shape, sink };
        fill(&mut writer)?;
        writer.sink.finish().map_err(writing)
    })
}

/// The format of a file to be written, with a column of labels or without.
///
/// # Errors
/// Where the name ends in none, the format takes no labels, or two columns would have one name.
pub fn writable(path: &Path, columns: &[String], label: Option<&str>) -> Result<Format> {
    let format = Format::of(path)?;
    let Some(label) = label else { return Ok(format) };
    if format == Format::Npy {
        return Err(Error::input(format!("{}: .npy files hold no labels", path.display()))
            .help("write .csv or .parquet, or leave --labels out"));
    }
    if columns.iter().any(|column| column == label) {
        let file = path.display();
        return Err(Error::input(format!("{file}: two columns would be called \"{label}\""))
            .help("rename the label's column, or leave --labels out"));
    }
    Ok(format)
}

/// A file that takes rows.
pub struct RowWriter<'a> {
    path: &'a Path,
    /// Number of columns, and whether one of labels follows.
    shape: (usize, bool),
    sink: Sink<'a>,
}

impl RowWriter<'_> {
    /// Adds rows (n × columns), with their labels where the file has a column for them.
    ///
    /// # Errors
    /// Where they are not of the file's columns, the labels are not one a row, or they cannot be written.
    pub fn push(&mut self, rows: ArrayView2<f32>, labels: Option<&Labels>) -> Result<()> {
        let fits = |labels: &Labels| {
            let known = |&label: &usize| label < labels.names.len();
            labels.of_row.len() == rows.nrows() && labels.of_row.iter().all(known)
        };
        if (rows.ncols(), labels.is_some()) != self.shape || !labels.is_none_or(fits) {
            let file = self.path.display();
            return Err(Error::input(format!("{file}: rows that do not fit the file's columns")));
        }
        let labels: Option<Vec<&str>> = labels.map(|labels| {
            labels.of_row.iter().map(|&label| labels.names[label].as_str()).collect()
        });
        self.sink
            .push(rows, labels.as_deref())
            .map_err(|error| Error::io("writing", self.path, error))
    }
}

/// What formats need of a file.
trait WriteSeek: Write + Seek + Send {}

impl<T: Write + Seek + Send> WriteSeek for T {}

type Out<'a> = &'a mut dyn WriteSeek;

/// The file in its format. There is one at a time, whatever its size.
#[cfg_attr(not(feature = "parquet"), allow(clippy::large_enum_variant))]
enum Sink<'a> {
    Csv(CsvWriter<Out<'a>>),
    Npy(NpyWriter<f32, Out<'a>>),
    #[cfg(feature = "parquet")]
    Parquet(ParquetWriter<Out<'a>>),
}

impl<'a> Sink<'a> {
    fn new(
        format: Format,
        file: Out<'a>,
        columns: &[String],
        label: Option<&str>,
    ) -> std::io::Result<Self> {
        Ok(match format {
            Format::Csv => Self::Csv(CsvWriter::new(file, columns, label)?),
            Format::Npy => {
                let options = npyz::WriteOptions::new().default_dtype().writer(file);
                Self::Npy(options.begin_2d(columns.len() as u64)?)
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
    use ndarray::{Array2, Axis, concatenate, s};

    use super::*;
    use crate::data::{ReadOptions, read, read_chunks};

    /// Written in two parts and read in one, each format gives the same table.
    #[test]
    fn what_is_written_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let values =
            Array2::from_shape_fn((5, 2), |(i, j)| (i as f32 + 0.1).powi(j as i32 * 9 - 4));
        let columns = ["x0".to_owned(), "x1".to_owned()];
        let names = vec!["a,b".to_owned(), "c".to_owned()];
        let of_row = vec![1, 0, 1, 1, 0];
        let labels = Labels { column: "kind".into(), names, of_row };
        let part = |labels: Option<&Labels>, rows: std::ops::Range<usize>| {
            labels.map(|l| Labels { of_row: l.of_row[rows].to_vec(), ..l.clone() })
        };
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
            let label = labels.map(|labels| labels.column.as_str());
            write_rows(&path, &columns, label, |file| {
                file.push(values.slice(s![..2, ..]), part(labels, 0..2).as_ref())?;
                file.push(values.slice(s![2.., ..]), part(labels, 2..5).as_ref())
            })
            .unwrap();
            let options =
                ReadOptions { labels: label.map(str::to_owned), ..ReadOptions::default() };
            let table = read(&path, &options).unwrap().table;
            assert_eq!(table.rows(), values, "{name}");
            assert_eq!((table.columns(), table.labels()), (&columns[..], labels), "{name}");
        }
        let path = folder.path().join("narrow.csv");
        let narrow =
            write_rows(&path, &columns, None, |file| file.push(values.slice(s![.., ..1]), None));
        assert!(narrow.unwrap_err().message().ends_with("do not fit the file's columns"));
        let unlabelled =
            write_rows(&path, &columns, Some("kind"), |file| file.push(values.view(), None));
        assert!(unlabelled.is_err() && !path.exists());
        let path = folder.path().join("l.npy");
        let error = write_rows(&path, &columns, Some("kind"), |_| Ok(())).unwrap_err();
        assert!(error.message().ends_with("l.npy: .npy files hold no labels"));
        assert!(!path.exists());
    }

    /// In chunks, each format gives the rows that it gives in one.
    #[test]
    fn chunks_are_the_rows_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let values = Array2::from_shape_fn((150_000, 2), |(i, j)| (2 * i + j) as f32);
        let columns = ["x0".to_owned(), "x1".to_owned()];
        let of_row: Vec<usize> = (0..150_000).map(|i| i % 7).collect();
        let names = (0..7).map(|label| label.to_string()).collect();
        let labels = Labels { column: "kind".into(), names, of_row };
        for (name, labels) in [
            ("t.csv", Some(&labels)),
            ("t.npy", None),
            #[cfg(feature = "parquet")]
            ("t.parquet", Some(&labels)),
        ] {
            let path = folder.path().join(name);
            let table = Table::new(columns.to_vec(), values.clone(), labels.cloned()).unwrap();
            write(&path, &table).unwrap();
            let options =
                ReadOptions { labels: labels.map(|l| l.column.clone()), ..ReadOptions::default() };
            let (mut parts, mut of_row) = (Vec::new(), Vec::new());
            let read = read_chunks(&path, &options, &mut |chunk| {
                of_row.extend(chunk.labels().into_iter().flat_map(|l| l.of_row.clone()));
                parts.push(chunk.rows().to_owned());
                Ok(())
            });
            assert_eq!(read.unwrap(), (150_000, 0));
            assert_eq!(
                parts.iter().map(Array2::nrows).collect::<Vec<_>>(),
                [65_536, 65_536, 18_928]
            );
            let views: Vec<_> = parts.iter().map(Array2::view).collect();
            assert_eq!(concatenate(Axis(0), &views).unwrap(), values, "{name}");
            assert_eq!(of_row, labels.map(|l| l.of_row.clone()).unwrap_or_default(), "{name}");
        }
    }
}
