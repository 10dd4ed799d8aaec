//! `modescope encode`: posteriors of rows.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use clap::Args;
use serde_json::json;

use super::arguments::{BackendArgument, TableArguments};
use super::output::Output;
use super::progress::Display;
use super::targets::check_target;
use crate::audit::words::counted;
use crate::config::BackendChoice;
use crate::data::{check_table, dropped_note, read_chunks, write_rows};
use crate::device::{self, guarded};
use crate::error::{Error, Kind, Result};
use crate::files::make_folder_of;
use crate::run::{Progress, trained_model};
use crate::vae::{Latents, Model};

/// Encode rows: posterior means and log-variances
///
/// Reads model.safetensors and model.json from the folder and nothing else. Columns are found by
/// the names the model was trained on; --columns names others, in the model's order.
#[derive(Args)]
#[command(after_help = "Examples:
  modescope encode runs/mine my.csv --out latents.csv
  modescope encode runs/mine new.parquet --labels species --out latents.csv")]
pub struct Arguments {
    /// Folder of a trained run
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// A table: .csv, .parquet or .npy, or a folder of .parquet files
    #[arg(value_name = "DATA")]
    data: PathBuf,
    #[command(flatten)]
    table: TableArguments,
    /// Table to write: .csv, .parquet or .npy
    #[arg(long, value_name = "FILE", default_value = "latents.csv")]
    out: PathBuf,
    /// Replace the file if it is there
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    backend: BackendArgument,
}

pub fn run(arguments: &Arguments, output: &Output, interrupt: &AtomicBool) -> Result<()> {
    let saved = trained_model(&arguments.run)?;
    let (units, label) = (saved.card.architecture.latent, arguments.table.labels.as_deref());
    check_target(&arguments.out, &Latents::columns(units), label, arguments.force)?;
    // Before a folder is made for what would be written.
    check_table(&arguments.data)?;
    let mut options = arguments.table.read_options();
    options.columns.get_or_insert_with(|| saved.card.columns.clone());
    let chosen = device::choose(arguments.backend.backend.unwrap_or(BackendChoice::Auto))?;
    let model = Model::new(saved, &chosen.device);
    let (mut read, mut counts) = (0, (0, 0));
    let display = Display::new(output);
    let task = display.begin("encoding", 0);
    make_folder_of(&arguments.out)?;
    write_rows(&arguments.out, &Latents::columns(units), label, |file| {
        counts = read_chunks(&arguments.data, &options, &mut |chunk| {
            read += chunk.len() as u64;
            let latents = guarded(chosen.backend, || model.encode(chunk.rows(), interrupt))
                .map_err(|error| match error.kind() {
                    // Of a model that was trained to an end the row is at fault.
                    Kind::Diverged => Error::input(error.message())
                        .within(&arguments.data.display().to_string())
                        .help("it is too far from what the model was trained on: are the units the same?"),
                    _ => error,
                })?
                .to_table(chunk.labels().cloned())?;
            task.update(read, "");
            file.push(latents.rows(), latents.labels())
        })?;
        Ok(())
    })?;
    drop(task);
    let (rows, dropped) = counts;
    if let Some(note) = dropped_note(dropped) {
        display.note(&format!("note: {note}"));
    }
    let text = format!("{}: {}", counted(rows, "row"), arguments.out.display());
    output.result(&text, &json!({ "rows": rows, "dropped": dropped, "file": arguments.out }));
    Ok(())
}
