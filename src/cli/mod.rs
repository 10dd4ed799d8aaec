//! The command line: one file a command, what commands share, and progress bars.

mod arguments;
mod audit;
mod bench;
mod columns;
mod compare;
mod completions;
mod devices;
mod doctor;
mod encode;
mod man;
mod mixture;
mod output;
mod progress;
mod recipes;
mod report;
mod run;
mod sample;
mod sparkline;
mod sweep;
mod targets;
mod train;
mod tsne;
mod verdict;

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Arg, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::error::{Error, Result};
use output::Output;

/// Train a variational autoencoder on numeric data, on any GPU or the CPU, and see which modes of
/// the data it learned, which it lost and why.
#[derive(Parser)]
#[command(name = "modescope", version, arg_required_else_help = true, propagate_version = true)]
#[command(after_help = "Examples:
  modescope run                        the reference experiment, start to report
  modescope run my.csv --labels class  the same on your own data
  modescope run --recipe classic       the textbook failure, shown and explained
  modescope devices                    which adapters there are and what `auto` takes")]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    output: output::Options,
}

#[derive(Subcommand)]
enum Command {
    Run(run::Arguments),
    Mixture(mixture::Arguments),
    Train(train::Arguments),
    Sample(sample::Arguments),
    Encode(encode::Arguments),
    Audit(audit::Arguments),
    Tsne(tsne::Arguments),
    Report(report::Arguments),
    Compare(compare::Arguments),
    Recipes(recipes::Arguments),
    Sweep(sweep::Arguments),
    Bench(bench::Arguments),
    Devices(devices::Arguments),
    Doctor(doctor::Arguments),
    Completions(completions::Arguments),
    Man(man::Arguments),
}

/// Parses the arguments of the process, runs the command, prints the error if there is one.
pub fn main() -> ExitCode {
    let cli = match parsed() {
        Ok(cli) => cli,
        Err(error) => return refuse_usage(&error),
    };
    let output = Output::new(&cli.output);
    let done = check_text().and_then(|()| execute(cli.command, &output));
    match done.and_then(|()| output.check()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output.error(&error);
            ExitCode::from(error.kind().exit_code())
        }
    }
}

/// The arguments of the process. A number below 0 is a value of an option, if a wrong one, and no option.
fn parsed() -> clap::error::Result<Cli> {
    let with_numbers = |argument: Arg| {
        let has_value = argument.get_action().takes_values() && !argument.is_positional();
        argument.allow_negative_numbers(has_value)
    };
    let mut command = Cli::command().mut_subcommands(|command| command.mut_args(with_numbers));
    let matches = command.try_get_matches_from_mut(std::env::args_os())?;
    Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

/// Shows help where that was asked for, or else what is wrong with the arguments.
fn refuse_usage(error: &clap::Error) -> ExitCode {
    let code = error.exit_code();
    output::usage(error);
    let mut options = std::env::args_os().take_while(|argument| argument != "--");
    if code != 0 && options.any(|argument| argument == "--json") {
        let text = error.to_string();
        let text = text.trim_end();
        let text = text.strip_prefix("error: ").unwrap_or(text);
        let (message, help) = text.split_once("\n\n").unwrap_or((text, ""));
        output::write_error(message, Some(help.trim_start()), code);
    }
    ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX))
}

/// Refuses arguments that are no text: settings, reports and JSON could not name such a file.
fn check_text() -> Result<()> {
    match std::env::args_os().find(|argument| argument.to_str().is_none()) {
        Some(argument) => {
            let argument = argument.to_string_lossy();
            Err(Error::input(format!("{argument}: the argument is not UTF-8"))
                .help("rename the file or folder"))
        }
        None => Ok(()),
    }
}

fn execute(command: Command, output: &Output) -> Result<()> {
    match command {
        Command::Run(arguments) => run::run(&arguments, output, interrupt_flag()?),
        Command::Mixture(arguments) => mixture::run(&arguments, output, interrupt_flag()?),
        Command::Train(arguments) => train::run(&arguments, output, interrupt_flag()?),
        Command::Sample(arguments) => sample::run(&arguments, output, interrupt_flag()?),
        Command::Encode(arguments) => encode::run(&arguments, output, interrupt_flag()?),
        Command::Audit(arguments) => audit::run(&arguments, output, interrupt_flag()?),
        Command::Tsne(arguments) => tsne::run(&arguments, output, interrupt_flag()?),
        Command::Report(arguments) => report::run(&arguments, output, interrupt_flag()?),
        Command::Compare(arguments) => compare::run(&arguments, output),
        Command::Recipes(arguments) => recipes::run(&arguments, output),
        Command::Sweep(arguments) => sweep::run(&arguments, output, interrupt_flag()?),
        Command::Bench(arguments) => bench::run(&arguments, output, interrupt_flag()?),
        Command::Devices(_) => devices::run(output),
        Command::Doctor(arguments) => doctor::run(&arguments, output),
        Command::Completions(arguments) => completions::run(&arguments, output),
        Command::Man(arguments) => man::run(&arguments, output),
    }
}

/// A flag that Ctrl-C and SIGTERM set. A second signal ends the process at once.
fn interrupt_flag() -> Result<&'static AtomicBool> {
    static INTERRUPT: AtomicBool = AtomicBool::new(false);
    ctrlc::set_handler(|| {
        if INTERRUPT.swap(true, Ordering::Relaxed) {
            std::process::exit(crate::error::Kind::Interrupted.exit_code().into());
        }
    })
    .map_err(|error| Error::failed(format!("catching Ctrl-C: {error}")))?;
    Ok(&INTERRUPT)
}
