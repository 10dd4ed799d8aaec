//! Reading and writing tables: megabytes of the file a second.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use modescope::config::MixtureSettings;
use modescope::data::{Mixture, ReadOptions, read, write};

/// Rows of the table.
const ROWS: usize = 200_000;

fn tables(criterion: &mut Criterion) {
    let settings = MixtureSettings { dimensions: 8, ..MixtureSettings::default() };
    let mixture = Mixture::generate(&settings, 1).expect("a mixture");
    let table = mixture.draw(ROWS, 1, 0);
    let folder = tempfile::tempdir().expect("a folder for the tables");
    let mut group = criterion.benchmark_group("table");
    group.sample_size(10);
    for name in ["data.csv", "data.parquet", "data.npy"] {
        let path = folder.path().join(name);
        let columns = table.columns().to_vec();
        let table = match name {
            "data.npy" => modescope::data::Table::new(columns, table.rows().to_owned(), None)
                .expect("a table without labels"),
            _ => table.clone(),
        };
        write(&path, &table).expect("the table is written");
        let bytes = std::fs::metadata(&path).expect("the table is there").len();
        let labels = table.labels().map(|labels| labels.column.clone());
        let options = ReadOptions { labels, ..ReadOptions::default() };
        group.throughput(Throughput::Bytes(bytes));
        group.bench_function(BenchmarkId::new("read", name), |bench| {
            bench.iter(|| black_box(read(&path, &options).expect("the table is read")));
        });
        group.bench_function(BenchmarkId::new("write", name), |bench| {
            bench.iter(|| write(&path, &table).expect("the table is written"));
        });
    }
    group.finish();
}

criterion_group!(benches, tables);
criterion_main!(benches);
