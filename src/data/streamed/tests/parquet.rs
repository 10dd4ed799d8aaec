use std::sync::atomic::{AtomicU64, Ordering};

use ::parquet::arrow::ArrowWriter;
use arrow_array::{ArrayRef, Float32Array, RecordBatch, StringArray};

use super::*;
use crate::data::read;
use crate::error::Kind;

/// Writes a table in row groups of about so many rows.
fn write_groups(path: &Path, table: &Table, rows: usize) {
    let column = |index: usize| -> ArrayRef {
        Arc::new(Float32Array::from_iter_values(table.rows().column(index).iter().copied()))
    };
    let labels = table.labels().unwrap();
    let text = labels.of_row.iter().map(|&label| labels.names[label].as_str());
    let text: ArrayRef = Arc::new(StringArray::from_iter_values(text));
    let columns = [("number", column(0)), ("half", column(1)), ("when", text)];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    write_batch(path, &batch, rows);
}

fn write_batch(path: &Path, batch: &RecordBatch, rows: usize) {
    let file = std::fs::File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    for start in (0..batch.num_rows()).step_by(rows) {
        writer.write(&batch.slice(start, rows.min(batch.num_rows() - start))).unwrap();
        writer.flush().unwrap();
    }
    writer.close().unwrap();
}

#[test]
fn a_pass_over_a_parquet_file_visits_every_row_once_in_mixed_blocks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.parquet");
    write_groups(&path, &numbered(0..3000), 70);
    assert!(scan(&path, &labelled(), 6000).unwrap().is_none(), "memory holds it");
    let scanned = scan(&path, &labelled(), 4000).unwrap().unwrap();
    assert_eq!(scanned.hash, read(&path, &labelled()).unwrap().hash);
    let blocks = assert_partition(scanned, 3000);
    // A quarter of 4000 values of two columns is 500 rows, of some 2700.
    assert_eq!(blocks.len(), 6);
    for block in &blocks {
        assert!((400..=600).contains(&block.len()), "{} rows", block.len());
        let spread = block.iter().max().unwrap() - block.iter().min().unwrap();
        assert!(spread > 1000, "a block mixes rows from all over the file: {spread}");
    }
}

#[test]
fn long_row_groups_are_divided_and_the_sample_has_its_labels() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.parquet");
    write_groups(&path, &numbered(0..3000), 3000);
    let scanned = scan(&path, &labelled(), 4000).unwrap().unwrap();
    // A 32nd of 500 rows at most.
    assert_eq!(scanned.streamed.parts.len(), 3000_usize.div_ceil(16));
    let labels = scanned.sample.labels().unwrap();
    assert_eq!(labels.names, ["early", "late"]);
    for (&label, &row) in labels.of_row.iter().zip(&scanned.sample_rows) {
        assert_eq!(label, usize::from(row >= 1500));
    }
    assert_partition(scanned, 3000);
}

#[test]
fn a_folder_is_one_table_of_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    write_groups(&path("b.parquet"), &numbered(1000..2000), 300);
    write_groups(&path("a.parquet"), &numbered(0..1000), 400);
    write_groups(&path("c.PARQUET"), &numbered(2000..2100), 400);
    std::fs::write(path("_SUCCESS"), "").unwrap();
    let whole = read(folder.path(), &labelled()).unwrap();
    assert_eq!(whole.table, numbered(0..2100));
    let scanned = scan(folder.path(), &labelled(), 2000).unwrap().unwrap();
    assert_eq!(scanned.hash, whole.hash);
    assert_partition(scanned, 2100);

    let other = Table::new(vec!["x".into()], Array2::zeros((3, 1)), None).unwrap();
    write(&path("d.parquet"), &other).unwrap();
    let message = scan(folder.path(), &labelled(), 2000).unwrap_err().to_string();
    assert!(message.contains("d.parquet: its columns are not those of"), "{message}");
    let message = read(folder.path(), &labelled()).unwrap_err().to_string();
    assert!(message.contains("d.parquet: its columns are not those of"), "{message}");
}

#[test]
fn missing_values_are_named_by_their_row_or_left_out_of_every_pass() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.parquet");
    let rows: Vec<String> = (0..500).map(|row| format!("{row},{}", row as f64 / 2.0)).collect();
    let csv = folder.path().join("data.csv");
    std::fs::write(&csv, format!("number,half\n{}\n", rows.join("\n"))).unwrap();
    let table = read(&csv, &ReadOptions::default()).unwrap().table;
    with_nulls(&path, &table, |row| row % 50 == 49);
    let error = scan(&path, &ReadOptions::default(), 400).unwrap_err();
    assert!(error.message().ends_with("row 50, column 2 (\"half\"): the value is null"), "{error}");
    let options = ReadOptions { drop_missing: true, ..ReadOptions::default() };
    let scanned = scan(&path, &options, 400).unwrap().unwrap();
    assert_eq!(scanned.dropped, 10);
    let (held_out, training) = (scanned.held_out.len(), scanned.streamed.training_rows());
    assert_eq!(held_out + training, 490);
    assert_eq!(pass(scanned).concat().len(), training);

    with_nulls(&path, &table, |_| true);
    let error = scan(&path, &options, 400).unwrap_err();
    assert!(error.message().contains("hardly a row has all its values"), "{error}");
}

/// Writes two columns, the second null in some rows.
fn with_nulls(path: &Path, table: &Table, is_null: impl Fn(usize) -> bool) {
    let rows = table.rows();
    let first: ArrayRef = Arc::new(Float32Array::from_iter_values(rows.column(0).iter().copied()));
    let second = rows.column(1).into_iter().enumerate();
    let second = second.map(|(row, &value)| (!is_null(row)).then_some(value));
    let second: ArrayRef = Arc::new(second.collect::<Float32Array>());
    let batch = RecordBatch::try_from_iter([("number", first), ("half", second)]).unwrap();
    write_batch(path, &batch, table.len());
}

#[test]
fn reading_can_be_stopped_and_a_file_that_changed_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.parquet");
    write_groups(&path, &numbered(0..3000), 100);
    let heard = AtomicU64::new(0);
    let stop = |done, total| {
        assert_eq!(total, 3000);
        heard.fetch_add(1, Ordering::Relaxed);
        if done > 0 { Err(Error::interrupted("stopped")) } else { Ok(()) }
    };
    let error = Streamed::scan(&path, &labelled(), 400, (0.1, 1), &stop).unwrap_err();
    assert_eq!(error.kind(), Kind::Interrupted);
    assert!(heard.into_inner() > 1);

    let Scanned { streamed, sample, .. } = scan(&path, &labelled(), 4000).unwrap().unwrap();
    let scaling = Scaling::fit(ScalingKind::Rms, sample.rows());
    let rows = streamed.training_rows();
    let blocks = Blocks::new(Arc::new(streamed), scaling, rows, 1);
    // Of as many bytes.
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    assert!(blocks.read(0).unwrap_err().message().contains("has changed since"));
    write_groups(&path, &numbered(0..100), 100);
    assert!(blocks.read(0).unwrap_err().message().contains("has changed since"));
    std::fs::remove_file(&path).unwrap();
    assert!(blocks.read(0).unwrap_err().message().contains("there is no such file"));
}
