//! `modescope tsne`: embed any table.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use clap::Args;
use serde_json::json;

use super::arguments::TableArguments;
use super::output::Output;
use super::progress::Display;
use super::targets::check_target;
use crate::data::{Loaded, Table, Units, dropped_note, write};
use crate::error::Result;
use crate::files::make_folder_of;
use crate::run::{Progress, interruptible, read_table};
use crate::tsne::{EPOCHS, embed};

/// Embed any table in the plane by t-SNE
///
/// Where the standard deviations of columns differ more than tenfold each column is divided by its
/// own, and used as it is elsewhere. Reproducible: it starts from the principal axes and draws nothing at
/// random.
#[derive(Args)]
#[command(after_help = "Examples:
  modescope tsne my.csv --labels species --out embedding.csv
  modescope tsne runs/mine/latents.csv --columns mean0,mean1 --perplexity 50 --out latents-2d.csv")]
pub struct Arguments {
    /// A table: .csv, .parquet or .npy, or a folder of .parquet files
    #[arg(value_name = "TABLE")]
    table: PathBuf,
    #[command(flatten)]
    options: TableArguments,
    /// About how many neighbours each row keeps near: small shows fine structure and invents
    /// clumps in noise, large shows the layout of groups
    #[arg(long, value_name = "P", default_value_t = 30.0)]
    perplexity: f64,
    /// Steps of the descent
    #[arg(long, value_name = "N", default_value_t = EPOCHS as u32,
          value_parser = clap::value_parser!(u32).range(1..))]
    epochs: u32,
    /// Table to write: x, y and the label; .csv, .parquet or .npy
    #[arg(long, value_name = "FILE", default_value = "tsne.csv")]
    out: PathBuf,
    /// Replace the file if it is there
    #[arg(long)]
    force: bool,
}

pub fn run(arguments: &Arguments, output: &Output, interrupt: &AtomicBool) -> Result<()> {
    let columns = vec!["x".into(), "y".into()];
    let label = arguments.options.labels.as_deref();
    check_target(&arguments.out, &columns, label, arguments.force)?;
    let options = arguments.options.read_options();
    let Loaded { table, dropped, .. } = read_table(&arguments.table, &options, interrupt)?;
    let display = Display::new(output);
    if let Some(note) = dropped_note(dropped) {
        display.note(&format!("note: {note}"));
    }
    let (perplexity, epochs) = (arguments.perplexity, arguments.epochs as usize);
    let task = display.begin("t-SNE", epochs as u64);
    let rows = Units::of(table.rows()).apply(table.rows());
    let embedding = interruptible(interrupt, move || {
        embed(rows.view(), perplexity, epochs, |done| task.update(done as u64, ""))
    })?;
    let embedded = Table::new(columns, embedding.points, table.labels().cloned())?;
    make_folder_of(&arguments.out)?;
    write(&arguments.out, &embedded)?;
    let (rows, kl) = (table.len(), embedding.kl_divergence);
    let text = format!("{rows} rows, KL divergence {kl:.4}: {}", arguments.out.display());
    output.result(&text, &json!({ "rows": rows, "kl_divergence": kl, "file": arguments.out }));
    Ok(())
}
