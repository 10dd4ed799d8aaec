//! `modescope man`: the manual pages.

use std::path::PathBuf;

use clap::{Args, CommandFactory};
use clap_mangen::Man;
use serde_json::json;

use super::Cli;
use super::output::Output;
use crate::error::{Error, Result};
use crate::files::{check_folder, make_folder, write_bytes};

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
    check_folder(folder)?;
    make_folder(folder)?;
    let mut command = Cli::command().disable_help_subcommand(true);
    // Gives the commands their full names and what options they share.
    command.build();
    for command in command.get_subcommands().chain([&command]) {
        let page = Man::new(command.clone());
        let (path, mut text) = (folder.join(page.get_filename()), Vec::new());
        page.render(&mut text).map_err(|error| Error::io("writing", &path, error))?;
        write_bytes(&path, &text)?;
    }
    let text = format!("Manual pages: {}", folder.display());
    output.result(&text, &json!({ "folder": folder }));
    Ok(())
}
