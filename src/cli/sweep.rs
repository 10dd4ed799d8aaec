//! `modescope sweep`: many VAEs, ranked.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use clap::Args;
use serde_json::json;

use super::arguments::{SettingsArguments, TableArguments};
use super::columns::aligned;
use super::output::Output;
use super::progress::Display;
use super::targets::default_out;
use crate::config::Grid;
use crate::device::{self, Chosen, guarded};
use crate::error::{Result, heed};
use crate::files::{check_folder, make_folder};
use crate::run::{
    Context, Dataset, Existing, Facts, Plan, Progress, Ranking, RunDir, Shard, ShardFile, Stage,
    Sweep, SweepDir, Watch, execute,
};

/// Train many VAEs, seeds × settings, on one data set, and rank them
///
/// Members whose settings differ only in seed, β, learning rate and first σ are trained side by side.
/// They are ranked by their evidence lower bound on the held-out rows; the best becomes a normal run
/// in the folder `best`. Without --grid the settings as given are trained with 8 seeds.
///
/// A sweep that was interrupted goes on where it stopped when it is started again. To divide it over
/// devices or machines that share a folder, start every process with the same arguments and its own
/// --shard, and one with --merge when all have ended.
#[derive(Args)]
#[command(after_help = "A grid is a TOML file:
  seeds = 8                       # or a list, such as [1, 2, 3]
  [grid]                          # every combination is trained
  training.beta = [0.5, 1.0, 2.0]
  model.sigma = [0.3, 1.0]

Examples:
  modescope sweep
  modescope sweep my.csv --grid grid.toml --epochs 100
  modescope sweep my.csv --grid grid.toml --out sweeps/mine --shard 2/8
  modescope sweep my.csv --grid grid.toml --out sweeps/mine --merge")]
pub struct Arguments {
    /// A table: .csv, .parquet, .npy, or a folder of .parquet files; left out: the reference mixture
    #[arg(value_name = "DATA")]
    data: Option<PathBuf>,
    /// What varies: a TOML file
    #[arg(long, value_name = "FILE")]
    grid: Option<PathBuf>,
    /// Train only this share of the members, such as 2/8
    #[arg(long, value_name = "I/N", conflicts_with = "merge")]
    shard: Option<Shard>,
    /// Train nothing but the best: rank what the shards in the folder hold
    #[arg(long)]
    merge: bool,
    #[command(flatten)]
    table: TableArguments,
    #[command(flatten)]
    settings: SettingsArguments,
    /// Folder of the sweep [default: runs/NAME-RECIPE-sweep]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Start afresh where the folder holds a sweep, or this shard of one
    #[arg(long, conflicts_with = "merge")]
    force: bool,
}

pub fn run(arguments: &Arguments, output: &Output, interrupt: &AtomicBool) -> Result<()> {
    let display = Display::new(output);
    let watch = Watch::new(&display, interrupt);
    let resolve = |more: Vec<(&str, toml::Value)>| {
        arguments.settings.resolve(Some(&arguments.table), more, None)
    };
    let settings = resolve(Vec::new())?;
    let grid = arguments.grid.as_deref().map(Grid::read).transpose()?.unwrap_or_default();
    if let Some(folder) = &arguments.out {
        check_folder(folder)?;
    }
    let dataset = Dataset::prepare(arguments.data.as_deref(), &settings, watch)?;
    let chosen = device::choose(settings.backend)?;
    let facts = Facts::new(&dataset, chosen.backend, chosen.adapter.clone());
    let sweep = Sweep::new(&grid, &dataset, facts, resolve)?;
    let out = arguments.out.clone();
    let dir = SweepDir(out.unwrap_or_else(|| {
        let mut folder = default_out(arguments.data.as_deref(), &settings.recipe).into_os_string();
        folder.push("-sweep");
        folder.into()
    }));
    dir.check()?;
    display.note(&chosen.to_string());
    let notes = dataset.notes(&settings.data).into_iter().chain(sweep.notes());
    notes.for_each(|note| display.note(&format!("note: {note}")));
    let job =
        Job { arguments, sweep: &sweep, dataset: &dataset, chosen: &chosen, dir: &dir, watch };
    if !arguments.merge {
        make_folder(&dir.shards())?;
        guarded(chosen.backend, || job.train())?;
    }
    if let Some(shard) = arguments.shard {
        let text = format!(
            "Shard {shard} is trained. When all are, --merge in place of --shard ranks the {} members in {}.",
            sweep.members(),
            dir.path().display()
        );
        output.result(&text, &json!({ "sweep": dir.path(), "shard": shard }));
        return Ok(());
    }
    let ranking = Ranking::new(&sweep, ShardFile::merge(&sweep, &dir)?)?;
    ranking.write(&dir)?;
    job.run_best(&ranking)?;
    let text = format!("{}\n\n{}", table(&ranking), closing(&ranking, &dir));
    output.result(
        &text,
        &json!({ "sweep": dir.path(), "best": dir.best(), "report": dir.report(), "ranking": ranking.json() }),
    );
    Ok(())
}

struct Job<'a> {
    arguments: &'a Arguments,
    sweep: &'a Sweep,
    dataset: &'a Dataset,
    chosen: &'a Chosen,
    dir: &'a SweepDir,
    watch: Watch<'a>,
}

impl Job<'_> {
    /// Trains what the shard's file lacks.
    fn train(&self) -> Result<()> {
        let shard = self.arguments.shard.unwrap_or(Shard::WHOLE);
        let _lock = ShardFile::lock(shard, self.dir)?;
        heed(self.watch.interrupt)?;
        match (self.arguments.shard, self.arguments.force) {
            (None, true) => ShardFile::remove_all(self.dir)?,
            (None, false) => ShardFile::check_all(self.sweep, self.dir)?,
            (Some(_), _) => {}
        }
        let file = match self.arguments.force {
            true => ShardFile::new(self.sweep, shard),
            false => ShardFile::open(self.sweep, shard, self.dir)?,
        };
        let progress = self.watch.progress;
        if let Some(first) = self.sweep.combinations.first() {
            progress.note(&first.plan.engine_reason);
        }
        match file.members.len() {
            0 => {}
            known => progress.note(&format!("{known} members are trained already")),
        }
        let on = (self.dataset, &self.chosen.device);
        self.sweep.train_shard(shard, self.dir, file, on, self.watch).map_err(|error| {
            error.help_if_interrupted("members that were judged are kept: the same command goes on")
        })
    }

    /// Makes a normal run of the best member.
    fn run_best(&self, ranking: &Ranking) -> Result<()> {
        let plan = self.sweep.plan_of(ranking.best.0)?;
        let is_there = match Plan::read(&self.dir.best()) {
            Ok(earlier) => plan.difference(&earlier)?.is_none(),
            Err(_) => false,
        };
        let existing = if is_there { Existing::Resume } else { Existing::Replace };
        let dir = RunDir::create(&self.dir.best(), existing)?;
        let best = format!("member {} is the best: making a run of it", ranking.best.0);
        self.watch.progress.note(&best);
        let context = Context {
            dir: &dir,
            plan: &plan,
            dataset: self.dataset,
            device: &self.chosen.device,
            watch: self.watch,
        };
        execute(&context, Stage::Report).map(drop).map_err(|error| {
            error.help_if_interrupted("all members are kept: the same command goes on")
        })
    }
}

/// One line a combination.
fn table(ranking: &Ranking) -> String {
    let standings = ranking.standings.iter().map(|standing| ranking.cells(standing));
    let lines: Vec<Vec<String>> = [ranking.headings()].into_iter().chain(standings).collect();
    aligned(&lines, &[]).join("\n")
}

fn closing(ranking: &Ranking, dir: &SweepDir) -> String {
    format!(
        "Best model: {}\nRun: {}\nTable: {}\nReport: {}",
        ranking.best_in_words(),
        dir.best().display(),
        dir.table().display(),
        dir.report().display()
    )
}
