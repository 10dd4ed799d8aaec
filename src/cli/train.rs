//! `modescope train`: training only.

use std::sync::atomic::AtomicBool;

use clap::Args;
use serde_json::json;

use super::output::Output;
use super::run::JobArguments;
use crate::error::{Error, Result};
use crate::history::read_history;
use crate::run::{RunDir, Stage, kept_history};

/// Train a model on a table and stop there
///
/// The run folder gets the weights (model.safetensors, model.json), the history and the settings.
/// `modescope run --resume --out DIR` adds the rest.
#[derive(Args)]
#[command(after_help = "Examples:
  modescope train my.csv --out runs/mine
  modescope train my.npy --epochs 300 --set training.patience=20
  modescope train my.csv --recipe classic --set model.latent=8 --seed 3")]
pub struct Arguments {
    #[command(flatten)]
    job: JobArguments,
}

pub fn run(arguments: &Arguments, output: &Output, interrupt: &AtomicBool) -> Result<()> {
    if arguments.job.data.is_none() && arguments.job.earlier()?.is_none() {
        return Err(Error::input("there is no table to train on, and no run to resume")
            .help(
                "name a .csv, .parquet or .npy file, or a folder of .parquet files; `modescope mixture` \
                 makes one to try",
            ));
    }
    let finished = arguments.job.execute(output, interrupt, Vec::new(), false, Stage::Train)?;
    let history = read_history(&finished.dir.file(RunDir::HISTORY))?;
    let kept = kept_history(&finished.dir, &finished.plan, &history)?;
    let last = kept.last().ok_or_else(|| Error::failed("the history is empty"))?;
    let elbo =
        last.held_out_elbo.map_or_else(String::new, |elbo| format!(", held-out ELBO {elbo:.3}"));
    let text = format!(
        "Trained {} {}{}: loss {:.6}, {} active units{elbo}\nModel: {}",
        history.len(),
        finished.epoch_word,
        if history.len() == 1 { "" } else { "s" },
        last.loss,
        last.active_units,
        finished.dir.path().display()
    );
    output.result(&text, &json!({ "run": finished.dir.path(), "last_epoch": last }));
    Ok(())
}
