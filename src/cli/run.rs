//! `modescope run`: the whole job.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use clap::Args;
use serde_json::json;

use super::arguments::{SettingsArguments, TableArguments, count};
use super::output::Output;
use super::progress::Display;
use super::targets::default_out;
use super::verdict;
use crate::error::{Error, Result};
use crate::history::read_history;
use crate::run::{
    Decided, Earlier, Existing, Live, Plan, Prepared, Progress, RunDir, Source, Stage, Watch,
};

/// Do the whole job: data, training, samples, analysis, pictures, report
///
/// Without DATA the reference mixture is generated: 10 Gaussians in 3 dimensions, 1000 rows. All
/// files go into one run folder; report.html is the one to open.
#[derive(Args)]
#[command(after_help = "Examples:
  modescope run
  modescope run --recipe classic --out runs/collapsed
  modescope run my.csv --labels species --drop-missing
  modescope run readings.parquet --columns temp,load,noise --backend wgpu
  modescope run --set mixture.components=25 --set mixture.spread=20 --seed 7
  modescope run --live
  modescope run --resume --out runs/mixture-calibrated")]
pub struct Arguments {
    #[command(flatten)]
    pub job: JobArguments,
    /// Rows to generate
    #[arg(long, value_name = "N", value_parser = count())]
    samples: Option<i64>,
    /// Let samples be the decoder's mean alone, without the likelihood's noise; the report says what
    /// that costs
    #[arg(long)]
    mean: bool,
    /// Train this often from different weights and keep what is best on the held-out rows
    #[arg(long, value_name = "M", value_parser = count())]
    restarts: Option<i64>,
    /// Also what takes longest: for a generated mixture, what training on 10 000 rows would change
    #[arg(long)]
    full: bool,
    /// Show the run in a browser on this machine while it goes on, at an address that is printed
    #[arg(long)]
    live: bool,
}

/// What `run` and `train` share.
#[derive(Args)]
pub struct JobArguments {
    /// A table: .csv, .parquet, .npy, or a folder of .parquet files
    #[arg(value_name = "DATA")]
    pub data: Option<PathBuf>,
    #[command(flatten)]
    pub table: TableArguments,
    #[command(flatten)]
    pub settings: SettingsArguments,
    /// Run folder [default: runs/NAME-RECIPE]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Replace the run that the folder holds
    #[arg(long, conflicts_with = "resume")]
    pub force: bool,
    /// Go on with the run that the folder holds, with its settings and data
    #[arg(long)]
    pub resume: bool,
}

pub fn run(arguments: &Arguments, output: &Output, interrupt: &AtomicBool) -> Result<()> {
    let samples = arguments.samples.map(|n| ("samples", toml::Value::Integer(n)));
    let noise = arguments.mean.then_some(("noise", toml::Value::Boolean(false)));
    let restarts = arguments.restarts.map(|m| ("training.restarts", toml::Value::Integer(m)));
    let full = arguments.full.then_some(("analysis.full", toml::Value::Boolean(true)));
    let flags = samples.into_iter().chain(noise).chain(restarts).chain(full).collect();
    if arguments.live && output.is_quiet() {
        return Err(Error::input(
            "--live prints the address of a page, and --quiet prints nothing",
        )
        .help("leave one of them out"));
    }
    let live = arguments.live;
    let finished = arguments.job.execute(output, interrupt, flags, live, Stage::Report)?;
    let findings = finished.dir.read_findings()?;
    let report = finished.dir.file(RunDir::REPORT);
    let history = read_history(&finished.dir.file(RunDir::HISTORY))?;
    let curves = verdict::curves(&history);
    let text = format!("{curves}\n\n{}\n\nReport: {}", verdict::show(&findings), report.display());
    let json = json!({
        "run": finished.dir.path(),
        "report": report,
        "learned": findings.learned,
        "verdict": findings.verdict,
        "findings": findings,
        "decided": finished.plan.decided,
    });
    output.result(&text, &json);
    Ok(())
}

/// A job that has been done.
pub struct Finished {
    pub dir: RunDir,
    pub plan: Plan,
    /// What an epoch of the history is: a pass over the rows, or one of the blocks of a pass.
    pub epoch_word: &'static str,
}

impl JobArguments {
    /// Resolves, plans and runs the stages up to `last`, with a page in a browser where it is to be
    /// `live`. Nothing is written before everything that can be wrong with the input has been checked.
    pub fn execute(
        &self,
        output: &Output,
        interrupt: &AtomicBool,
        flags: Vec<(&'static str, toml::Value)>,
        live: bool,
        last: Stage,
    ) -> Result<Finished> {
        let display = Display::new(output);
        let watch = Watch::new(&display, interrupt);
        let earlier = self.earlier()?;
        let file = earlier.as_ref().map(Earlier::config);
        let settings = self.settings.resolve(Some(&self.table), flags, file)?;
        if self.resume && earlier.is_none() {
            display.note("note: the folder holds no run yet, so this starts one");
        }
        self.check_config_has_data(earlier.is_some())?;
        let existing = match (self.force, earlier.is_some()) {
            (true, _) => Existing::Replace,
            (false, true) => Existing::Resume,
            (false, false) => Existing::Refuse,
        };
        let data = self.data.as_deref();
        let out = self.out.clone().unwrap_or_else(|| default_out(data, &settings.recipe));
        let run = Prepared::new(data, settings, earlier, last, watch)?;
        run.notes().iter().for_each(|note| display.note(note));
        if self.force {
            self.check_inputs_outside(&out)?;
        }
        // What cannot be served is to be known before an earlier run is replaced.
        let live = live
            .then(|| Live::start(&display, &run.plan, &run.dataset, &out.join(RunDir::REPORT)))
            .transpose()?;
        let dir = run.claim(&out, existing, watch)?;
        match &live {
            Some(live) => {
                display.note(&format!("live: {}", live.address()));
                run.execute(&dir, live.watch(interrupt))?;
                live.finish(interrupt)?;
            }
            None => run.execute(&dir, watch)?,
        }
        let plan = Plan::read(dir.path())?;
        Ok(Finished { dir, plan, epoch_word: run.dataset.epoch_word() })
    }

    /// Refuses the settings of a run on a file without that file: they would silently describe a
    /// generated mixture.
    fn check_config_has_data(&self, resumed: bool) -> Result<()> {
        let Some(config) =
            self.settings.config.as_ref().filter(|_| self.data.is_none() && !resumed)
        else {
            return Ok(());
        };
        match Plan::read_file(config) {
            Ok(Plan { decided: Decided { source: Source::File { path, .. }, .. }, .. }) => {
                Err(Error::input(format!(
                    "{} is of a run on {}, and no DATA is given",
                    config.display(),
                    path.display()
                ))
                .help("name the table before the options"))
            }
            _ => Ok(()),
        }
    }

    /// Refuses to replace a folder that holds what the run is to be made from.
    fn check_inputs_outside(&self, out: &Path) -> Result<()> {
        let Ok(out) = out.canonicalize() else { return Ok(()) };
        let inputs = [&self.data, &self.settings.config].into_iter().flatten();
        match inputs
            .clone()
            .find(|path| path.canonicalize().is_ok_and(|path| path.starts_with(&out)))
        {
            Some(path) => Err(Error::input(format!(
                "{} lies in {}, which --force would replace",
                path.display(),
                out.display()
            ))
            .help("choose another folder with --out")),
            None => Ok(()),
        }
    }

    /// The run to go on with; nothing where it never began.
    pub fn earlier(&self) -> Result<Option<Earlier>> {
        if !self.resume {
            return Ok(None);
        }
        let folder = self.out.as_ref().ok_or_else(|| {
            Error::input("--resume needs the run's folder").help("name it with --out DIR")
        })?;
        Earlier::find(folder)
    }
}
