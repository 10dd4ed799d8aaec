//! `modescope man`: the manual pages.

use std::path::PathBuf;

use clap::{Args, CommandFactory};
use serde_json::json;

use super::Cli;
use super::output::Output;
use crate::error::{Error, Result};
use crate::files::make_folder;

/// Write the manual pages, one a command
#[derive(Args)]
#[command(after_help = "Examples:
  modescope man ~/.local/share/man/man1    then: man modescope-run")]
pub struct Arguments {
    /// Folder for the pages; pages of this program that are there already are replaced
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

pub fn run(arguments: &Arguments, output: &Output) -> Result<()> {
    let folder = &arguments.folder;
    make_folder(folder)?;
    clap_mangen::generate_to(Cli::command(), folder)
        .map_err(|error| Error::io("writing", folder, error))?;
    let text = format!("Manual pages: {}", folder.display());
    output.result(&text, &json!({ "folder": folder }));
    Ok(())
}
