//! Training on a table that memory is not to hold.

mod common;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use common::{Place, assert_same, finish, history, refused, results};
use modescope::config::{Backend, Engine, Layers, Settings};
use modescope::data::{Blocks, Mixture, ReadOptions, Scaling, Scanned, Streamed, write};
use modescope::device;
use modescope::history::EpochRecord;
use modescope::model::{ModelCard, Parameters};
use modescope::run::{Dataset, Watch};
use modescope::train::{Epochs, Job, train};
use ndarray::Array2;
use tempfile::TempDir;

/// Ten modes far apart, row after row of the same mode: the worst order to read blocks in.
fn write_sorted(path: &Path, rows: usize) {
    let assignments = ["mixture.spread=10", "mixture.weights=uniform"].map(String::from);
    let layers = Layers { assignments: &assignments, ..Layers::default() };
    let settings = Settings::resolve(&layers).unwrap();
    let table = Mixture::generate(&settings.mixture, 1).unwrap().draw(rows, 1, 0);
    let mut order: Vec<usize> = (0..rows).collect();
    order.sort_by_key(|&row| table.labels().unwrap().of_row[row]);
    write(path, &table.select(&order)).unwrap();
}

/// A training on the same rows whatever else it is.
struct Fixture {
    settings: Settings,
    card: ModelCard,
    start: Parameters,
    blocks: Arc<Blocks>,
    sample: Array2<f32>,
    _folder: TempDir,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sorted.parquet");
        write_sorted(&path, 3000);
        let options = ReadOptions { labels: Some("component".into()), ..ReadOptions::default() };
        let scanned = Streamed::scan(&path, &options, 6000, (0.0, 1), &|_, _| Ok(()));
        let Scanned { streamed, sample, .. } = scanned.unwrap().unwrap();
        let assignments = ["model.hidden=[16]".to_owned(), "training.warm_up=0".to_owned()];
        let layers =
            Layers { recipe: Some("classic"), assignments: &assignments, ..Layers::default() };
        let settings = Settings::resolve(&layers).unwrap();
        let scaling = Scaling::choose(settings.data.scaling, sample.rows());
        let rows = scaling.apply(sample.rows());
        let card = ModelCard::untrained(&settings, 1, sample.columns(), scaling.clone(), 32);
        let architecture = card.architecture.clone();
        let start = Parameters::initialise(architecture, 1.0, rows.view(), 1).unwrap();
        let visits = 2 * streamed.training_rows();
        let blocks = Arc::new(Blocks::new(Arc::new(streamed), scaling, visits, 1));
        Self { settings, card, start, blocks, sample: rows, _folder: folder }
    }

    fn history(
        &self,
        (engine, backend): (Engine, Backend),
        rows: &Array2<f32>,
        epochs: &Epochs,
    ) -> Vec<EpochRecord> {
        let none = Array2::zeros((0, 3));
        let job = Job {
            card: &self.card,
            settings: &self.settings.training,
            epochs,
            engine,
            backend,
            device: &device::open(backend).unwrap().device,
            rows: rows.view(),
            held_out: none.view(),
        };
        train(job, &self.start, None, &AtomicBool::new(false), &mut ()).unwrap().history
    }

    /// All blocks of two passes.
    fn streamed(&self, engine: Engine, backend: Backend) -> Vec<EpochRecord> {
        let epochs = Epochs::blocks(Arc::clone(&self.blocks), usize::MAX);
        self.history((engine, backend), &self.sample, &epochs)
    }
}

/// The classic recipe has constant rates, so a block is trained on as its rows would be in memory.
#[test]
fn the_first_block_is_trained_on_as_rows_in_memory_are() {
    let fixture = Fixture::new();
    let rows = fixture.blocks.read(0).unwrap();
    for engine in [Engine::Fused, Engine::Autodiff] {
        let streamed = fixture.streamed(engine, Backend::Cpu);
        assert_eq!(streamed.len(), 2 * 6);
        let epochs = Epochs::passes(rows.nrows(), rows.nrows());
        let held = fixture.history((engine, Backend::Cpu), &rows, &epochs);
        let (first, held) = (&streamed[0], &held[0]);
        assert_eq!((first.loss, first.kl, first.sigma), (held.loss, held.kl, held.sigma));
    }
}

/// Twelve blocks of different numbers of rows, by every engine.
#[test]
fn every_engine_trains_on_the_same_blocks() {
    let fixture = Fixture::new();
    let reference = fixture.streamed(Engine::Autodiff, Backend::Cpu);
    for (engine, backend) in [(Engine::Fused, Backend::Cpu), (Engine::Fused, Backend::Wgpu)] {
        let found = fixture.streamed(engine, backend);
        assert_eq!((found.len(), reference.len()), (12, 12), "{engine:?} {backend:?}");
        for (found, reference) in found.iter().zip(&reference) {
            let error = (found.loss / reference.loss - 1.0).abs();
            let epoch = reference.epoch;
            assert!(error < 1e-3, "{backend:?}, epoch {epoch}: {error}");
        }
    }
}

const QUICK: &str = "--labels component --set model.refit_prior=false --set backend=cpu --set model.hidden=[16] --set samples=500 \
     --set data.stream_above=6000 --set analysis.restarts=1 --set analysis.max_clusters=4 \
     --set analysis.perplexities=[5] --set analysis.rows=100";

#[test]
fn a_run_says_what_it_streams_and_ends_the_same_with_any_number_of_threads() {
    let place = Place::new();
    write_sorted(&place.path("sorted.parquet"), 4000);
    let ran = place.succeed(&format!("run sorted.parquet {QUICK} --epochs 3 --out two"));
    assert!(ran.stderr.contains("each pass reads them in 8 blocks"), "{}", ran.stderr);
    // A header, and three passes of eight blocks.
    assert_eq!(history(&place, "two").len(), 1 + 3 * 8);
    let reference: serde_json::Value = serde_json::from_str(&place.read("two/data.json")).unwrap();
    assert_eq!(reference["shape"], serde_json::json!([4000, 3]));
    // A tenth of the rows is held out, give or take, and the sample has all others.
    let rows = &reference["sample"];
    assert!((3500..3700).contains(&rows.as_u64().unwrap()), "{reference}");
    let config = place.read("two/config.toml");
    assert!(
        config.contains("epochs = 3\n") && config.contains(&format!("training_rows = {rows}\n"))
    );
    let report = place.read("two/report.html");
    assert!(report.contains("blocks, which are the epochs of the history"));

    let mut alone = place.command(&format!("run sorted.parquet {QUICK} --epochs 3 --out one"));
    alone.env("RAYON_NUM_THREADS", "1");
    assert_eq!(finish(alone).code, Some(0));
    assert_same(&place, "one", &results(&place, "two"));

    // From the folder alone, with the file where it was.
    std::fs::remove_file(place.path("two/.stamps/report")).unwrap();
    place.succeed("run --resume --out two");
    place.succeed("report two");
    // A history that goes on beyond the blocks is none.
    let history = place.read("two/history.csv");
    place.write("two/history.csv", format!("{history}{}\n", history.lines().last().unwrap()));
    refused(&place, "report two", &["history.csv is missing or not as the run left it"]);
    std::fs::remove_file(place.path("two/.stamps/train")).unwrap();
    refused(&place, "report two", &["history.csv: epoch 23 in place of 24"]);
    place.write("two/history.csv", history);
    write_sorted(&place.path("sorted.parquet"), 4100);
    refused(&place, "run --resume --out two", &["sorted.parquet has changed since the run"]);
}

#[test]
fn restarts_and_sweeps_stream_too() {
    let place = Place::new();
    write_sorted(&place.path("sorted.parquet"), 4000);
    place.succeed(&format!(
        "train sorted.parquet {QUICK} --epochs 1 --set training.restarts=2 --out kept"
    ));
    assert_eq!(history(&place, "kept").len(), 1 + 8);
    std::fs::create_dir(place.path("folder")).unwrap();
    std::fs::copy(place.path("sorted.parquet"), place.path("folder/a.parquet")).unwrap();
    std::fs::copy(place.path("sorted.parquet"), place.path("folder/b.parquet")).unwrap();
    let ran = place.succeed("encode kept folder --backend cpu --out latents.parquet");
    assert!(ran.stdout.contains("8000 rows"), "{}", ran.stdout);
    place.write("grid.toml", "seeds = 2\n");
    place.succeed(&format!("sweep sorted.parquet --grid grid.toml {QUICK} --epochs 1 --out sweep"));
    assert_eq!(history(&place, "sweep/best").len(), 1 + 8);
}

/// Less than a pass, and a pass and a half: eight blocks, then four, the last of them cut short.
#[test]
fn a_training_ends_after_so_many_rows() {
    let place = Place::new();
    write_sorted(&place.path("sorted.parquet"), 4000);
    let train = format!("train sorted.parquet {QUICK} --set data.held_out=0");
    place.succeed(&format!("{train} --rows 700 --out less"));
    assert_eq!(history(&place, "less").len(), 1 + 2);
    place.succeed(&format!("{train} --rows 5990 --out more"));
    assert_eq!(history(&place, "more").len(), 1 + 12);
    assert!(place.read("more/config.toml").contains("epochs = 2\n"));
}

#[test]
fn what_does_not_fit_a_block_is_refused() {
    let place = Place::new();
    write_sorted(&place.path("sorted.parquet"), 4000);
    std::fs::create_dir(place.path("none")).unwrap();
    let train = format!("train sorted.parquet {QUICK} --out run");
    let at_a_time = "rows to train on in a block";
    refused(&place, &format!("{train} --set training.batch=1000"), &["batch is 1000", at_a_time]);
    refused(&place, &format!("{train} --epochs 1000000"), &["in all, more than 1000000"]);
    refused(&place, &format!("{train} --set data.stream_above=0"), &["data.stream_above"]);
    refused(&place, "train none", &["none: this is a folder without .parquet files"]);
    std::fs::create_dir(place.path("none/within")).unwrap();
    refused(&place, "train none", &["none: it holds folders", "within, which are not read"]);
}

/// Analyses look at the first rows of each set.
#[test]
fn the_first_rows_of_every_set_are_a_fair_sample() {
    let place = Place::new();
    let path = place.path("sorted.parquet");
    write_sorted(&path, 4000);
    let assignments = ["data.stream_above=6000", "data.labels=component"].map(String::from);
    let layers = Layers { assignments: &assignments, ..Layers::default() };
    let settings = Settings::resolve(&layers).unwrap();
    let dataset = Dataset::prepare(Some(&path), &settings, Watch::nobody()).unwrap();
    for table in [&dataset.training, &dataset.held_out] {
        let labels: BTreeSet<usize> =
            table.labels().unwrap().of_row[..100].iter().copied().collect();
        assert_eq!(labels.len(), 10);
    }
}

/// The file has its modes one after another, and still each of them is learned.
#[test]
fn every_mode_of_a_sorted_file_is_captured() {
    let place = Place::new();
    write_sorted(&place.path("sorted.parquet"), 40_000);
    let line = "run sorted.parquet --labels component --set backend=cpu --set analysis.perplexities=[] \
                --set analysis.restarts=1 --set analysis.max_clusters=4 --set data.stream_above=30000";
    place.succeed(&format!("{line} --out run"));
    let audit: serde_json::Value = serde_json::from_str(&place.read("run/audit.json")).unwrap();
    assert_eq!(audit["counts"]["captured"], 10, "{}", audit["counts"]);
}

/// The folder of a run on data that are not copied says only where they are.
#[test]
fn data_that_were_moved_are_asked_for() {
    let place = Place::new();
    write_sorted(&place.path("sorted.parquet"), 4000);
    place.succeed(&format!("run sorted.parquet {QUICK} --epochs 1 --out run"));
    let before = results(&place, "run");
    std::fs::rename(place.path("sorted.parquet"), place.path("moved.parquet")).unwrap();
    for line in ["report run", "run --resume --out run"] {
        let words = ["sorted.parquet, the data of run, is not there", "PATH --resume --out run"];
        refused(&place, line, &words);
    }
    place.succeed("run moved.parquet --resume --out run");
    assert_same(&place, "run", &before);
    place.succeed("report run");
    let says = |name: &str| {
        for file in ["config.toml", "data.json", "report.html"] {
            let text = place.read(format!("run/{file}"));
            assert!(text.contains(name) && !text.contains("sorted.parquet"), "{file}");
        }
    };
    says("moved.parquet");
    // Where training is not done too.
    std::fs::remove_file(place.path("run/.stamps/train")).unwrap();
    std::fs::rename(place.path("moved.parquet"), place.path("again.parquet")).unwrap();
    place.succeed("run again.parquet --resume --out run");
    says("again.parquet");
}
