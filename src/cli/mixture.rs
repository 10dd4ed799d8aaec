//! `modescope mixture`: a Gaussian-mixture data set and its truth.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;
use serde_json::json;

use super::output::Output;
use super::progress::Display;
use super::targets::check_free;
use crate::audit::words::counted;
use crate::config::{MixtureCovariance, MixtureSettings, MixtureWeights};
use crate::data::{Mixture, RowDraws, write_rows};
use crate::error::{Error, Result};
use crate::files::make_folder;
use crate::random::{Generator, Stream};
use crate::run::{Progress, RunDir};

/// Values that are drawn before they are written, and at least a row.
const VALUES_AT_ONCE: usize = 1 << 20;

/// Write a Gaussian-mixture data set and its truth
///
/// The folder gets data.csv, with the component of each row in its last column, and mixture.json:
/// weights, means and covariances.
#[derive(Args)]
#[command(after_help = "Examples:
  modescope mixture --out blobs
  modescope mixture --components 25 --dimensions 2 --spread 20 --rows 5000 --out grid
  modescope mixture --weights uniform --covariance full --seed 4 --out tilted")]
pub struct Arguments {
    /// Folder to write into
    #[arg(long, value_name = "DIR", default_value = "mixture")]
    out: PathBuf,
    /// Number of components
    #[arg(long, value_name = "N", default_value_t = MixtureSettings::default().components)]
    components: usize,
    /// Number of columns
    #[arg(long, value_name = "N", default_value_t = MixtureSettings::default().dimensions)]
    dimensions: usize,
    /// Number of rows
    #[arg(long, value_name = "N", default_value_t = MixtureSettings::default().rows)]
    rows: usize,
    /// Means are uniform in (−spread, spread) in each column
    #[arg(long, value_name = "X", default_value_t = MixtureSettings::default().spread)]
    spread: f64,
    /// How the weights are drawn
    #[arg(long, value_enum, default_value_t = MixtureSettings::default().weights)]
    weights: MixtureWeights,
    /// The covariances
    #[arg(long, value_enum, default_value_t = MixtureSettings::default().covariance)]
    covariance: MixtureCovariance,
    /// Seed of every random draw
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Replace files that are there
    #[arg(long)]
    force: bool,
}

pub fn run(arguments: &Arguments, output: &Output, interrupt: &AtomicBool) -> Result<()> {
    let settings = MixtureSettings {
        components: arguments.components,
        dimensions: arguments.dimensions,
        rows: arguments.rows,
        spread: arguments.spread,
        weights: arguments.weights,
        covariance: arguments.covariance,
    };
    settings.validate().map_err(of_flag)?;
    let mixture = Mixture::generate(&settings, arguments.seed)?;
    let (data, truth) = (arguments.out.join(RunDir::DATA), arguments.out.join(RunDir::MIXTURE));
    for path in [&data, &truth] {
        check_free(path, arguments.force)?;
    }
    make_folder(&arguments.out)?;
    let mut draws = mixture.draws(Generator::new(arguments.seed, Stream::MixtureRows, 0));
    let display = Display::new(output);
    let task = display.begin("drawing", settings.rows as u64);
    write_rows(&data, &draws.columns(), Some(RowDraws::LABEL), |file| {
        let at_once = (VALUES_AT_ONCE / settings.dimensions).max(1);
        let mut done = 0;
        while done < settings.rows {
            if interrupt.load(Ordering::Relaxed) {
                return Err(Error::interrupted("stopped"));
            }
            let table = draws.table(at_once.min(settings.rows - done));
            file.push(table.rows(), table.labels())?;
            done += table.len();
            task.update(done as u64, "");
        }
        Ok(())
    })?;
    drop(task);
    mixture.write(&truth)?;
    let (rows, columns) = (settings.rows, settings.dimensions);
    let text = format!(
        "{} of {} in {}\nData: {}\nTruth: {}",
        counted(rows, "row"),
        counted(mixture.components(), "component"),
        counted(columns, "column"),
        data.display(),
        truth.display()
    );
    output.result(&text, &json!({ "data": data, "mixture": truth, "rows": rows }));
    Ok(())
}

/// The error of a setting as one of the flag that it is here.
fn of_flag(error: Error) -> Error {
    let rule = error.message().strip_prefix("setting mixture.");
    match rule.and_then(|rule| rule.split_once(' ')) {
        Some((flag, rule)) => {
            Error::input(format!("--{flag} {rule}")).help(format!("change it with --{flag}"))
        }
        None => error,
    }
}
