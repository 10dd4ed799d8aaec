//! `modescope report`: build the report again.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use clap::Args;
use serde_json::json;

use super::output::Output;
use super::progress::Display;
use crate::config::Backend;
use crate::device;
use crate::error::Result;
use crate::run::{Context, Dataset, Plan, RunDir, Stage, Watch, redo};

/// Draw the pictures and build the report of a run again
///
/// Uses what the folder holds: nothing is trained, sampled or analysed.
#[derive(Args)]
#[command(after_help = "Example:
  modescope report runs/mixture-calibrated")]
pub struct Arguments {
    /// Folder of a finished run
    #[arg(value_name = "RUN")]
    run: PathBuf,
}

pub fn run(arguments: &Arguments, output: &Output, interrupt: &AtomicBool) -> Result<()> {
    let dir = RunDir::open(&arguments.run)?;
    dir.check_finished()?;
    let plan = Plan::read(&arguments.run)?;
    let display = Display::new(output);
    let watch = Watch::new(&display, interrupt);
    let dataset = Dataset::load(&arguments.run, &plan, watch)?;
    let context = Context {
        dir: &dir,
        plan: &plan,
        dataset: &dataset,
        device: &device::open(Backend::Cpu)?.device,
        watch,
    };
    redo(&context, &[Stage::Plot, Stage::Report])?;
    let report = dir.file(RunDir::REPORT);
    output.result(&format!("Report: {}", report.display()), &json!({ "report": report }));
    Ok(())
}
