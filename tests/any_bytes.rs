//! Whatever the bytes of a file are, no reader panics, and none sets aside memory out of proportion.
//!
//! `tests/seeds` holds a few whole files a reader; `UPDATE_SEEDS=1 cargo test --test any_bytes` makes them.

#[path = "bad_input/make.rs"]
#[allow(dead_code)]
mod make;
#[path = "common/readers.rs"]
mod readers;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Int64Array};
use modescope::config::{Layers, ModelSettings, RECIPES, ScalingKind, Settings};
use modescope::data::Scaling;
use modescope::model::{ModelCard, Parameters, SavedModel};
use ndarray::Array2;
use proptest::prelude::*;
use proptest::sample::Index;
use readers::READERS;

/// Address space that this process may have taken at its end, of which threads have a share.
const MOST_MEMORY: u64 = 4 << 30;

fn folder(reader: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/seeds").join(reader)
}

/// The whole files of a reader.
fn seeds(reader: &str) -> Vec<Vec<u8>> {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder(reader)).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

#[test]
fn every_seed_is_read() {
    if std::env::var_os("UPDATE_SEEDS").is_some() {
        for (reader, name, bytes) in made() {
            std::fs::create_dir_all(folder(reader)).unwrap();
            std::fs::write(folder(reader).join(name), bytes).unwrap();
        }
    }
    for (reader, read) in READERS {
        assert!(
            !seeds(reader).is_empty() && seeds(reader).iter().all(|seed| read(seed)),
            "{reader}"
        );
    }
}

/// A change of a file.
#[derive(Clone, Debug)]
enum Change {
    Flip(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    Repeat(Index, usize, usize),
    Cut(Index),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let place = |index: &Index| index.index(bytes.len() + 1);
        match self {
            Change::Flip(index, mask) => {
                let place = place(index);
                bytes.get_mut(place).into_iter().for_each(|byte| *byte ^= mask);
            }
            Change::Insert(index, new) => {
                let place = place(index);
                bytes.splice(place..place, new.iter().copied());
            }
            Change::Remove(index, length) => {
                let place = place(index);
                bytes.drain(place..(place + length).min(bytes.len()));
            }
            Change::Repeat(index, length, times) => {
                let place = place(index);
                let part = bytes[place..(place + length).min(bytes.len())].repeat(*times);
                bytes.splice(place..place, part);
            }
            Change::Cut(index) => bytes.truncate(place(index)),
        }
    }
}

fn change() -> impl Strategy<Value = Change> {
    // What numbers and structure of these formats are written with, beside any bytes.
    let marks = prop::sample::select(
        [
            &b"9999999999"[..],
            b"-",
            b"nan",
            b"1e39",
            b"\"",
            b"[[[[",
            b"{",
            b",",
            b"\n",
            b"\xff\xff\xff\xff",
        ]
        .map(<[u8]>::to_vec)
        .to_vec(),
    );
    let new = prop_oneof![marks, prop::collection::vec(any::<u8>(), 1..8)];
    prop_oneof![
        (any::<Index>(), 1..=255_u8).prop_map(|(index, mask)| Change::Flip(index, mask)),
        (any::<Index>(), new).prop_map(|(index, new)| Change::Insert(index, new)),
        (any::<Index>(), 1..20_usize).prop_map(|(index, n)| Change::Remove(index, n)),
        (any::<Index>(), 1..20_usize, 1..50_usize).prop_map(|(i, n, t)| Change::Repeat(i, n, t)),
        any::<Index>().prop_map(Change::Cut),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    #[test]
    fn arbitrary_bytes_are_no_reason_to_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        READERS.iter().for_each(|(_, read)| { read(&bytes); });
        prop_assert!(memory() < MOST_MEMORY);
    }

    #[test]
    fn changed_files_are_no_reason_to_panic(
        seed in any::<Index>(),
        changes in prop::collection::vec(change(), 1..6),
    ) {
        for (reader, read) in READERS {
            let mut bytes = seed.get(&seeds(reader)).clone();
            changes.iter().for_each(|change| change.apply(&mut bytes));
            read(&bytes);
            prop_assert!(memory() < MOST_MEMORY, "{reader}");
        }
    }
}

/// The most address space that this process has had, where the system says.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmPeak:"));
    let kilobytes = peak.and_then(|peak| peak.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kilobytes.unwrap_or(0) << 10
}

/// Files for every reader: its name, the file's name, the content.
fn made() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let four = make::doubles(&[1.0, 2.0, 3.0, 4.5]);
    let whole: ArrayRef = Arc::new(Int64Array::from(vec![-3, 1 << 40]));
    let truth: ArrayRef = Arc::new(BooleanArray::from(vec![true, false]));
    let columns = [
        ("x", make::numbers(&[Some(1.5), None])),
        ("whole", whole),
        ("truth", truth),
        ("kind", make::words(&["left", "right"])),
    ];
    vec![
        ("csv", "labelled", b"a,b,kind\n1,2.5,left\n-3e-2,4,right\n,5,left\n".to_vec()),
        ("csv", "quoted", b"\xef\xbb\xbf\"a\";\"b \"\"x\"\"\"\r\n\"1\";2\r\n3;\"4\"\r\n".to_vec()),
        ("csv", "headless", b"1\t2\n3\t4\n\n5\t6".to_vec()),
        ("npy", "doubles", make::npy("'<f8'", false, "(2, 2)", &four)),
        ("npy", "fortran", make::npy("'>f4'", true, "(4, 2)", &four)),
        ("npy", "bytes", make::npy("'|u1'", false, "(32,)", &four)),
        ("parquet", "numbers", make::parquet(&columns[1..3])),
        ("parquet", "labelled", make::parquet(&columns)),
        ("settings", "recipe", RECIPES[0].toml.into()),
        (
            "grid",
            "lists",
            b"seeds = [1, 2]\n[grid]\ntraining.beta = [0.5, 1]\nmodel.hidden = [[8], [8, 8]]\n"
                .to_vec(),
        ),
        ("grid", "count", b"seeds = 8\n[grid.model]\nsigma = [0.3, 1.0]\n".to_vec()),
        ("mixture", "two", make::mixture().to_string().into()),
        ("model", "standard", model("standard")),
        ("model", "mixture", model("calibrated")),
    ]
}

/// The two files of an untrained model, as the reader takes them.
fn model(recipe: &str) -> Vec<u8> {
    let mut settings =
        Settings::resolve(&Layers { recipe: Some(recipe), ..Layers::default() }).unwrap();
    settings.model = ModelSettings { hidden: vec![3], prior_components: 2, ..settings.model };
    let rows = Array2::from_shape_fn((4, 2), |(row, column)| (row * row + column) as f32);
    let scaling = Scaling::fit(ScalingKind::ZScore, rows.view());
    let card = ModelCard::untrained(&settings, 1, &["a".into(), "b".into()], scaling, 4);
    let parameters =
        Parameters::initialise(card.architecture.clone(), 1.0, rows.view(), 1).unwrap();
    let folder = tempfile::tempdir().unwrap();
    SavedModel { card, parameters }.save(folder.path()).unwrap();
    let read = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    let card = read(SavedModel::CARD);
    let length = u16::try_from(card.len()).unwrap().to_le_bytes();
    [&length[..], &card, &read(SavedModel::WEIGHTS)].concat()
}
