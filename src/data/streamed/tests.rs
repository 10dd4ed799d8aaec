#[cfg(feature = "parquet")]
mod parquet;

use std::collections::BTreeSet;
use std::sync::Arc;

use ndarray::Array2;
use npyz::WriterBuilder;

use super::*;
use crate::config::ScalingKind;
use crate::data::{Blocks, Labels, Scaling, write};

/// Rows that say which they are: their number, and half of it.
fn numbered(rows: std::ops::Range<usize>) -> Table {
    let values = Array2::from_shape_fn((rows.len(), 2), |(row, column)| {
        (rows.start + row) as f32 / [1.0, 2.0][column]
    });
    let names = ["early", "late"].map(String::from).into();
    let of_row = rows.map(|row| usize::from(row >= 1500)).collect();
    let labels = Labels { column: "when".into(), names, of_row };
    Table::new(["number", "half"].map(String::from).into(), values, Some(labels)).unwrap()
}

fn labelled() -> ReadOptions {
    ReadOptions { labels: Some("when".into()), ..ReadOptions::default() }
}

fn scan(path: &Path, options: &ReadOptions, most_values: usize) -> Result<Option<Scanned>> {
    Streamed::scan(path, options, most_values, (0.1, 7), &|_, _| Ok(()))
}

/// The numbers of all rows of one pass, block by block.
fn pass(scanned: Scanned) -> Vec<Vec<usize>> {
    let scaling = Scaling::fit(ScalingKind::None, scanned.sample.rows());
    let rows = scanned.streamed.training_rows();
    let blocks = Blocks::new(Arc::new(scanned.streamed), scaling, rows, 3);
    let block = |block| {
        let rows = blocks.read(block).unwrap();
        assert_eq!(rows.nrows(), blocks.rows(block));
        rows.rows()
            .into_iter()
            .map(|row| {
                assert_eq!(row[0], 2.0 * row[1]);
                row[0] as usize
            })
            .collect()
    };
    (0..blocks.len()).map(block).collect()
}

/// In a pass every row comes once, but for those held out, of which the sample has none.
fn assert_partition(scanned: Scanned, rows: usize) -> Vec<Vec<usize>> {
    let numbers = |table: &Table| -> Vec<usize> {
        table.rows().column(0).iter().map(|&number| number as usize).collect()
    };
    let held_out: BTreeSet<usize> = numbers(&scanned.held_out).into_iter().collect();
    // A binomial number: ±5 standard deviations.
    let (mean, deviation) = (0.1 * rows as f64, (0.09 * rows as f64).sqrt());
    assert!((held_out.len() as f64 - mean).abs() < 5.0 * deviation, "{}", held_out.len());
    let sample = numbers(&scanned.sample);
    assert_eq!(sample, scanned.sample_rows);
    assert!(sample.is_sorted() && sample.iter().all(|row| !held_out.contains(row)));
    assert_eq!(scanned.streamed.training_rows(), rows - held_out.len());
    let blocks = pass(scanned);
    let mut all: Vec<usize> = blocks.concat();
    all.extend(&held_out);
    all.sort_unstable();
    assert!(all.into_iter().eq(0..rows));
    blocks
}

#[test]
fn a_pass_over_an_array_visits_every_row_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.npy");
    let table = numbered(0..2000);
    let table = Table::new(table.columns().to_vec(), table.rows().to_owned(), None).unwrap();
    write(&path, &table).unwrap();
    let scanned = scan(&path, &ReadOptions::default(), 2000).unwrap().unwrap();
    assert_eq!(scanned.sample.columns(), ["x0", "x1"]);
    assert_partition(scanned, 2000);

    // As NumPy writes a pandas table: column after column.
    let mut writer = npyz::WriteOptions::new()
        .default_dtype()
        .shape(&[2000, 2])
        .order(npyz::Order::Fortran)
        .writer(std::fs::File::create(&path).unwrap())
        .begin_nd()
        .unwrap();
    writer.extend(table.rows().t().iter().copied()).unwrap();
    writer.finish().unwrap();
    assert_partition(scan(&path, &ReadOptions::default(), 2000).unwrap().unwrap(), 2000);
}

#[test]
fn csv_files_are_read_from_beginning_to_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.csv");
    write(&path, &numbered(0..100)).unwrap();
    assert!(scan(&path, &labelled(), 1).unwrap().is_none());
}
