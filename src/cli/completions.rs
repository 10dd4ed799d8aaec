//! `modescope completions`: what a shell needs to complete commands and options.

use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};
use serde_json::json;

use super::Cli;
use super::output::Output;
use crate::error::{Error, Result};

/// Print completions for a shell
#[derive(Args)]
#[command(after_help = "Examples:
  modescope completions bash > ~/.local/share/bash-completion/completions/modescope
  modescope completions zsh > ~/.zfunc/_modescope
  modescope completions fish > ~/.config/fish/completions/modescope.fish")]
pub struct Arguments {
    #[arg(value_name = "SHELL", value_enum)]
    shell: Shell,
}

pub fn run(arguments: &Arguments, output: &Output) -> Result<()> {
    let mut script = Vec::new();
    generate(arguments.shell, &mut Cli::command(), env!("CARGO_PKG_NAME"), &mut script);
    let script = String::from_utf8(script)
        .map_err(|error| Error::failed(format!("writing completions: {error}")))?;
    let json = json!({ "shell": arguments.shell.to_string(), "completions": script });
    output.result(script.trim_end(), &json);
    Ok(())
}
