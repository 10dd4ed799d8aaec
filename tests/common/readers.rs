//! Every reader of files from outside, over bytes: what the fuzzer calls, and tests/any_bytes.rs too.

use std::path::Path;
use std::sync::Arc;

use modescope::config::{Grid, Layers, ScalingKind, Settings};
use modescope::data::{Blocks, Mixture, ReadOptions, Scaling, Scanned, Streamed, read};
use modescope::model::SavedModel;
use tempfile::TempDir;

/// Says whether it took the bytes for what it reads.
type Reader = fn(&[u8]) -> bool;

/// The readers by name.
pub const READERS: [(&str, Reader); 7] = [
    ("csv", |bytes| table("data.csv", bytes)),
    ("npy", |bytes| table("data.npy", bytes)),
    ("parquet", |bytes| table("data.parquet", bytes)),
    ("settings", settings),
    ("grid", grid),
    ("mixture", mixture),
    ("model", model),
];

/// Calls one of them.
#[allow(dead_code)]
pub fn call(name: &str, bytes: &[u8]) -> bool {
    READERS.iter().find(|reader| reader.0 == name).expect("a reader").1(bytes)
}

/// As it is, and with the options that readers have more code for.
fn table(name: &str, bytes: &[u8]) -> bool {
    let labelled = |label: &str| ReadOptions {
        labels: Some(label.into()),
        drop_missing: true,
        ..ReadOptions::default()
    };
    with_files(&[(name, bytes)], |folder| {
        let options = [ReadOptions::default(), labelled("kind"), labelled("x1")];
        let path = folder.join(name);
        options
            .map(|options| read(&path, &options).is_ok() | streamed(&path, &options))
            .contains(&true)
    })
}

/// As a table that memory is not to hold.
fn streamed(path: &Path, options: &ReadOptions) -> bool {
    let scanned = Streamed::scan(path, options, 16, (0.1, 1), &|_, _| Ok(()));
    let Ok(Some(Scanned { streamed, sample, .. })) = scanned else { return false };
    let scaling = Scaling::fit(ScalingKind::Rms, sample.rows());
    let rows = streamed.training_rows();
    let blocks = Blocks::new(Arc::new(streamed), scaling, rows, 1);
    (0..blocks.len()).all(|block| blocks.read(block).is_ok())
}

/// As `--config`.
fn settings(bytes: &[u8]) -> bool {
    with_files(&[("config.toml", bytes)], |folder| {
        let file = folder.join("config.toml");
        let layers = Layers { file: Some(&file), ..Layers::default() };
        Settings::resolve(&layers).is_ok()
    })
}

fn grid(bytes: &[u8]) -> bool {
    with_files(&[("grid.toml", bytes)], |folder| {
        let grid = Grid::read(&folder.join("grid.toml"));
        grid.is_ok_and(|grid| grid.combinations().len() * grid.seed_count() <= 100_000)
    })
}

/// Whatever is read as a mixture can be drawn from.
fn mixture(bytes: &[u8]) -> bool {
    with_files(&[("mixture.json", bytes)], |folder| {
        let mixture = Mixture::read(&folder.join("mixture.json"));
        mixture.is_ok_and(|mixture| mixture.draw(3, 1, 0).len() == 3)
    })
}

/// `model.json` and `model.safetensors`: the length of the first in two bytes, then both.
fn model(bytes: &[u8]) -> bool {
    let Some((length, files)) = bytes.split_first_chunk() else { return false };
    let card = usize::from(u16::from_le_bytes(*length)).min(files.len());
    let (card, weights) = files.split_at(card);
    let files = [(SavedModel::CARD, card), (SavedModel::WEIGHTS, weights)];
    with_files(&files, |folder| SavedModel::load(folder).is_ok())
}

/// Writes files with these names and contents into the folder of this thread, in memory where the
/// system has one there, and hands that to `read`.
fn with_files(files: &[(&str, &[u8])], read: impl FnOnce(&Path) -> bool) -> bool {
    thread_local! {
        static FOLDER: TempDir = {
            let memory = Path::new("/dev/shm");
            let made = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() };
            made.expect("a temporary folder")
        };
    }
    FOLDER.with(|folder| {
        for (name, content) in files {
            std::fs::write(folder.path().join(name), content).expect("a temporary file");
        }
        read(folder.path())
    })
}
