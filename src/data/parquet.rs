//! Parquet files, through arrow.

mod claims;

use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{BooleanType, Float64Type};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, Float32Array, RecordBatch, StringArray};
use ndarray::{Array2, ArrayView1, ArrayView2};
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::arrow::{ArrowWriter, ProjectionMask};
use parquet::basic::Compression;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::properties::WriterProperties;

use self::claims::{footer_holds, pages_hold};
use super::choice::{Choice, check_width, in_one_line};
use super::guard::panic_as_error;
use super::rows::{DAMAGED, Flaw, RowSink, narrow, text_help};
use crate::error::{Error, Result};
use crate::input;

/// Most rows that a file is believed to have, so that sums over files stay in range.
const MOST_ROWS: i64 = 1 << 48;
/// Rows that are decoded at a time.
const DECODED_ROWS: usize = 8192;

/// A Parquet file whose footer has been read and checked.
#[derive(Debug)]
pub(super) struct ParquetFile {
    path: PathBuf,
    metadata: ArrowReaderMetadata,
}

impl ParquetFile {
    /// Reads the footer.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let reading = |error| Error::io("reading", path, error);
        let mut file = input::open(path)?;
        let length = file.metadata().map_err(reading)?.len();
        if !footer_holds(&mut file, length).map_err(reading)? {
            return Err(unreadable(path, &"its footer claims more than it has bytes for"));
        }
        // What is behind a damaged footer, or in a damaged page, the library does not expect.
        let metadata =
            panic_as_error(|| ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()))
                .map_err(|what| unreadable(path, &what))?
                .map_err(|error| unreadable(path, &error))?;
        if !lies_within(metadata.metadata(), length) {
            return Err(unreadable(path, &"its columns reach beyond its end"));
        }
        if let Some(codec) = unknown_codec(metadata.metadata()) {
            return Err(Error::input(format!(
                "{}: it is compressed with {codec}, which is not read",
                path.display()
            ))
            .help("write it with Snappy, zstd, gzip or LZ4"));
        }
        let mut groups = metadata.metadata().row_groups().iter().map(|group| group.num_rows());
        let rows = groups.try_fold(0, |sum: i64, rows| {
            let known = (0..=MOST_ROWS).contains(&rows);
            known.then_some(sum + rows).filter(|sum| *sum <= MOST_ROWS)
        });
        if rows.is_none() {
            return Err(unreadable(path, &"it claims a number of rows that no file has"));
        }
        check_width(path, metadata.schema().fields().len())?;
        Ok(Self { path: path.to_owned(), metadata })
    }

    /// The names of its columns.
    pub(super) fn names(&self) -> Vec<String> {
        let fields = self.metadata.schema().fields().iter();
        fields.map(|field| in_one_line(field.name()).into_owned()).collect()
    }

    /// The number of rows that each row group claims.
    pub(super) fn groups(&self) -> Vec<u64> {
        let groups = self.metadata.metadata().row_groups().iter();
        groups.map(|group| group.num_rows() as u64).collect()
    }

    /// Refuses features that are neither of a numeric type nor booleans. Labels may be of any type that
    /// has a text form.
    pub(super) fn check(&self, choice: &Choice) -> Result<()> {
        for &column in &choice.features {
            let field = self.metadata.schema().field(column);
            let (name, kind) = (field.name(), field.data_type());
            if !kind.is_numeric() && *kind != BooleanType::DATA_TYPE {
                let what = format!("column {} (\"{name}\") holds {kind}, not numbers", column + 1);
                return Err(
                    Error::input(format!("{}: {what}", self.path.display())).help(text_help(name))
                );
            }
        }
        Ok(())
    }

    /// Gives these rows of a row group to `sink`; the first is row `number` of the file, from 1.
    pub(super) fn read(
        &self,
        choice: &Choice,
        (group, rows): (usize, Range<u64>),
        mut number: u64,
        sink: &mut impl RowSink,
    ) -> Result<()> {
        let panicked = |what: String| unreadable(&self.path, &what);
        let schema = self.metadata.schema();
        let mut chosen: Vec<usize> = choice.features.iter().copied().chain(choice.label).collect();
        chosen.sort_unstable();
        let file = input::open(&self.path)?;
        let builder =
            ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone());
        let mask = ProjectionMask::roots(builder.parquet_schema(), chosen.iter().copied());
        self.check_pages(group, &mask)?;
        let count = rows.end - rows.start;
        let builder = builder
            .with_projection(mask)
            .with_row_groups(vec![group])
            .with_offset(rows.start as usize)
            .with_limit(count as usize)
            .with_batch_size(DECODED_ROWS);
        let mut batches = panic_as_error(|| builder.build())
            .map_err(panicked)?
            .map_err(|error| unreadable(&self.path, &error))?;
        let (double, text) = (Float64Type::DATA_TYPE, StringArray::DATA_TYPE);
        let end = number + count;
        while let Some(batch) = panic_as_error(|| batches.next()).map_err(panicked)? {
            let batch = batch.map_err(|error| unreadable(&self.path, &error))?;
            let cast = |column: usize, kind| -> Result<ArrayRef> {
                // A batch holds the chosen columns in the order of the file.
                let array = batch.column(chosen.partition_point(|&other| other < column));
                let name = schema.field(column).name();
                arrow_cast::cast(array, kind).map_err(|error| {
                    let file = self.path.display();
                    Error::input(format!("{file}: column {} (\"{name}\"): {error}", column + 1))
                })
            };
            let values = choice.features.iter().map(|&column| cast(column, &double));
            let values = values.collect::<Result<Vec<_>>>()?;
            let values: Vec<_> =
                values.iter().map(|array| array.as_primitive::<Float64Type>()).collect();
            let labels = choice.label.map(|column| cast(column, &text)).transpose()?;
            let labels = labels.as_ref().map(|labels| labels.as_string::<i32>());
            for row in 0..batch.num_rows() {
                let cells = values.iter().map(|array| match array.is_valid(row) {
                    true => narrow(array.value(row)),
                    false => Err(Flaw::Missing("null".into())),
                });
                let label = labels.map(|labels| match labels.is_valid(row) {
                    true => labels.value(row),
                    false => "",
                });
                sink.row(number, cells, label)?;
                number += 1;
            }
        }
        match number == end {
            true => Ok(()),
            false => Err(unreadable(&self.path, &"a row group has fewer rows than it claims")),
        }
    }

    /// Refuses a row group of whose chosen columns a page claims more than it has bytes for.
    fn check_pages(&self, group: usize, mask: &ProjectionMask) -> Result<()> {
        let group = self.metadata.metadata().row_group(group);
        let mut file = input::open(&self.path)?;
        for leaf in (0..group.num_columns()).filter(|leaf| mask.leaf_included(*leaf)) {
            let hold = pages_hold(&mut file, group.column(leaf));
            if !hold.map_err(|error| Error::io("reading", &self.path, error))? {
                return Err(unreadable(&self.path, &"a page claims more than it has bytes for"));
            }
        }
        Ok(())
    }
}

fn unreadable(path: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::input(format!("{}: not a readable Parquet file: {error}", path.display())).help(DAMAGED)
}

/// How a column is compressed that this build of the library does not know to read.
fn unknown_codec(metadata: &ParquetMetaData) -> Option<&'static str> {
    let columns = metadata.row_groups().iter().flat_map(|group| group.columns());
    columns.map(|column| column.compression()).find_map(|compression| match compression {
        Compression::BROTLI(_) => Some("Brotli"),
        Compression::LZO => Some("LZO"),
        _ => None,
    })
}

/// Whether every column chunk lies within a file of this length, so that a damaged size cannot make
/// the reader set aside more memory than there are bytes.
fn lies_within(metadata: &ParquetMetaData, length: u64) -> bool {
    let within = |value: i64| u64::try_from(value).is_ok_and(|value| value <= length);
    metadata.row_groups().iter().flat_map(|group| group.columns()).all(|chunk| {
        let start = chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset());
        let size = chunk.compressed_size();
        within(start) && within(size) && start.checked_add(size).is_some_and(within)
    })
}

/// Values of a row group, which the writer holds until it is full.
const GROUP_VALUES: usize = 1 << 20;

/// Writes rows as Parquet: columns of 32-bit floats, the label as text last. Values are not
/// compressed, as those of continuous columns hardly get smaller.
pub(super) struct ParquetWriter<W: Write + Send> {
    writer: ArrowWriter<W>,
    columns: Vec<String>,
    label: Option<String>,
}

impl<W: Write + Send> ParquetWriter<W> {
    /// Starts a file.
    pub(super) fn new(file: W, columns: &[String], label: Option<&str>) -> std::io::Result<Self> {
        let (columns, label) = (columns.to_vec(), label.map(str::to_owned));
        let none = Array2::zeros((0, columns.len()));
        let empty = batch(&columns, label.as_deref(), none.view(), &[])?;
        let properties = WriterProperties::builder()
            .set_dictionary_enabled(false)
            .set_max_row_group_row_count(Some((GROUP_VALUES / columns.len()).max(1)))
            .build();
        let writer = ArrowWriter::try_new(file, empty.schema(), Some(properties))?;
        Ok(Self { writer, columns, label })
    }

    /// Adds rows (n × columns), with the label of each where there are labels.
    pub(super) fn push(
        &mut self,
        rows: ArrayView2<f32>,
        labels: Option<&[&str]>,
    ) -> std::io::Result<()> {
        let labels = labels.unwrap_or_default();
        let batch = batch(&self.columns, self.label.as_deref(), rows, labels)?;
        Ok(self.writer.write(&batch)?)
    }

    pub(super) fn finish(self) -> std::io::Result<()> {
        self.writer.close()?;
        Ok(())
    }
}

/// Rows as arrow has them.
fn batch(
    columns: &[String],
    label: Option<&str>,
    rows: ArrayView2<f32>,
    labels: &[&str],
) -> std::io::Result<RecordBatch> {
    let values = |column: ArrayView1<f32>| -> ArrayRef {
        Arc::new(Float32Array::from_iter_values(column.iter().copied()))
    };
    let values = rows.columns().into_iter().map(values);
    let text = || -> ArrayRef { Arc::new(StringArray::from_iter_values(labels)) };
    let columns = columns.iter().map(String::as_str).zip(values);
    RecordBatch::try_from_iter(columns.chain(label.map(|label| (label, text()))))
        .map_err(std::io::Error::other)
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use arrow_array::types::Decimal128Type;
    use arrow_array::{BooleanArray, Float64Array, Int64Array, PrimitiveArray};
    use ndarray::array;

    use super::*;
    use crate::data::{Loaded, ReadOptions, read as read_table};

    fn written(columns: &[(&str, ArrayRef)], options: &ReadOptions) -> Result<Loaded> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data.Parquet");
        let batch = RecordBatch::try_from_iter(columns.iter().cloned()).unwrap();
        let file = File::create(&path).unwrap();
        let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        read_table(&path, options)
    }

    fn floats(values: &[Option<f64>]) -> ArrayRef {
        Arc::new(Float64Array::from(values.to_vec()))
    }

    fn strings(values: &[Option<&str>]) -> ArrayRef {
        Arc::new(StringArray::from(values.to_vec()))
    }

    fn labelled(column: &str) -> ReadOptions {
        ReadOptions { labels: Some(column.into()), ..ReadOptions::default() }
    }

    #[test]
    fn every_numeric_type_is_read() {
        let decimals = PrimitiveArray::<Decimal128Type>::from(vec![125, -50]);
        let columns: [(&str, ArrayRef); 5] = [
            ("single", Arc::new(Float32Array::from(vec![0.1, 2.0]))),
            ("double", floats(&[Some(0.1), Some(1e30)])),
            ("whole", Arc::new(Int64Array::from(vec![-3, 1 << 40]))),
            ("truth", Arc::new(BooleanArray::from(vec![true, false]))),
            ("money", Arc::new(decimals.with_precision_and_scale(10, 2).unwrap())),
        ];
        let table = written(&columns, &ReadOptions::default()).unwrap().table;
        assert_eq!(table.columns(), ["single", "double", "whole", "truth", "money"]);
        let expected =
            array![[0.1, 0.1, -3.0, 1.0, 1.25], [2.0, 1e30, 1_099_511_627_776.0, 0.0, -0.5]];
        assert_eq!(table.rows(), expected);
    }

    #[test]
    fn columns_come_in_the_order_asked_for_with_the_label_apart() {
        let columns = [
            ("kind", strings(&[Some("b"), Some("a"), Some("b")])),
            ("x", floats(&[Some(1.0), Some(2.0), Some(3.0)])),
            ("y", floats(&[Some(4.0), Some(5.0), Some(6.0)])),
            ("unused", strings(&[None; 3])),
        ];
        let chosen = Some(vec!["y".to_owned(), "x".to_owned()]);
        let table =
            written(&columns, &ReadOptions { columns: chosen, ..labelled("kind") }).unwrap().table;
        assert_eq!(table.columns(), ["y", "x"]);
        assert_eq!(table.rows(), array![[4.0, 1.0], [5.0, 2.0], [6.0, 3.0]]);
        let labels = table.labels().unwrap();
        assert_eq!((labels.names.join(","), &labels.of_row), ("a,b".to_owned(), &vec![1, 0, 1]));
        let whole: ArrayRef = Arc::new(Int64Array::from(vec![10, 9, 9]));
        let numbered = written(&[("k", whole), columns[1].clone()], &labelled("k")).unwrap().table;
        assert_eq!(numbered.labels().unwrap().names, ["9", "10"]);
    }

    #[test]
    fn nulls_are_named_or_dropped() {
        let columns = [
            ("x", floats(&[Some(1.0), Some(2.0), None, Some(4.0), Some(5.0)])),
            ("kind", strings(&[Some("a"), None, Some("b"), Some("a"), Some("a")])),
        ];
        let error = written(&columns, &labelled("kind")).unwrap_err();
        let message = "data.Parquet, row 2, column 2 (\"kind\"): the value is missing";
        assert!(error.message().ends_with(message), "{error}");
        let only_x = ReadOptions { columns: Some(vec!["x".into()]), ..ReadOptions::default() };
        let error = written(&columns, &only_x).unwrap_err();
        assert!(error.message().ends_with("row 3, column 1 (\"x\"): the value is null"), "{error}");
        let loaded =
            written(&columns, &ReadOptions { drop_missing: true, ..labelled("kind") }).unwrap();
        assert_eq!((loaded.dropped, loaded.table.rows()), (2, array![[1.0], [4.0], [5.0]].view()));
    }

    #[test]
    fn columns_that_hold_no_numbers_are_named() {
        let columns =
            [("x", floats(&[Some(1.0), Some(2.0)])), ("species", strings(&[Some("a"), Some("b")]))];
        let error = written(&columns, &ReadOptions::default()).unwrap_err();
        let message = "column 2 (\"species\") holds Utf8, not numbers";
        assert!(error.message().ends_with(message), "{error}");
        assert!(error.remedy().unwrap().contains("--labels species"));
        let error = written(&[("x", floats(&[Some(1.0), Some(1e39)]))], &ReadOptions::default())
            .unwrap_err();
        assert!(error.message().contains("row 2, column 1 (\"x\"): 1e39 is too large"), "{error}");
    }

    #[test]
    fn damaged_files_are_errors() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data.parquet");
        let batch = RecordBatch::try_from_iter([("x", floats(&[Some(1.5); 100]))]).unwrap();
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        let attempt = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            read_table(&path, &ReadOptions::default()).err()
        };
        assert!(attempt(&bytes).is_none());
        for end in (1..bytes.len()).step_by(7) {
            let error = attempt(&bytes[..end]).unwrap();
            assert!(error.message().contains("not a readable Parquet file"), "{error}");
        }
        // The dictionary's header says how many values it has: one byte, as there is one value.
        let header =
            bytes.windows(4).position(|b| b[0] == 0x4C && b[1..3] == [0x15, 0x02]).unwrap();
        let mut claiming = bytes.clone();
        claiming[header + 2] = 0x7E;
        let error = attempt(&claiming).unwrap();
        assert!(error.message().contains("a page claims more than it has bytes for"), "{error}");
        // Whatever a single damaged byte does, it does not panic.
        for place in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[place] ^= 0x55;
            attempt(&damaged);
        }
    }
}
