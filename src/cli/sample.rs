//! `modescope sample`: draw rows from a trained model.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use clap::Args;
use serde_json::json;

use super::arguments::BackendArgument;
use super::output::Output;
use super::progress::Display;
use super::targets::check_target;
use crate::audit::words::counted;
use crate::config::BackendChoice;
use crate::data::write_rows;
use crate::device::{self, guarded};
use crate::error::Result;
use crate::files::make_folder_of;
use crate::random::{Generator, Stream};
use crate::run::{Progress, trained_model};
use crate::vae::{Model, check_samples};

/// Draw samples from a trained run
///
/// Reads model.safetensors and model.json from the folder and nothing else, so those two files are
/// a model that can be moved. Latents come from the model's prior; where the likelihood has a σ,
/// noise of that size is added to the decoder's mean.
#[derive(Args)]
#[command(after_help = "Examples:
  modescope sample runs/mixture-calibrated --out more.csv
  modescope sample runs/mixture-calibrated -n 100000000 --seed 2 --out many.parquet")]
pub struct Arguments {
    /// Folder of a trained run
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// Number of rows
    #[arg(short = 'n', long, value_name = "N", default_value_t = 10_000)]
    samples: usize,
    /// The decoder's mean alone, without the likelihood's noise
    #[arg(long)]
    mean: bool,
    /// Table to write: .csv, .parquet or .npy
    #[arg(long, value_name = "FILE", default_value = "samples.csv")]
    out: PathBuf,
    /// Seed of the draws [default: made from the run's, for rows that samples.csv has not]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Replace the file if it is there
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    backend: BackendArgument,
}

pub fn run(arguments: &Arguments, output: &Output, interrupt: &AtomicBool) -> Result<()> {
    check_samples(arguments.samples)?;
    let saved = trained_model(&arguments.run)?;
    check_target(&arguments.out, &saved.card.columns, None, arguments.force)?;
    let further = Generator::new(saved.card.seed, Stream::FurtherSamples, 0);
    let seed = arguments.seed.unwrap_or_else(|| further.seed());
    let columns = saved.card.columns.clone();
    let chosen = device::choose(arguments.backend.backend.unwrap_or(BackendChoice::Auto))?;
    let model = Model::new(saved, &chosen.device);
    let (rows, noise) = (arguments.samples, !arguments.mean);
    let display = Display::new(output);
    let task = display.begin("sampling", rows as u64);
    let mut done = 0;
    make_folder_of(&arguments.out)?;
    let write = || {
        write_rows(&arguments.out, &columns, None, |file| {
            model.sample_chunks(rows, noise, seed, interrupt, |chunk| {
                done += chunk.nrows() as u64;
                task.update(done, "");
                file.push(chunk, None)
            })
        })
    };
    guarded(chosen.backend, write)?;
    drop(task);
    let text = format!("{}: {}", counted(rows, "row"), arguments.out.display());
    output.result(&text, &json!({ "rows": arguments.samples, "file": arguments.out }));
    Ok(())
}
