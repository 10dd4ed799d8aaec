//! `modescope compare`: several runs on one page.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, Value, json};

use super::columns::aligned;
use super::output::Output;
use super::targets::check_free;
use crate::error::Result;
use crate::files::{make_folder_of, write_bytes};
use crate::report::{ComparedRun, Comparison};
use crate::run::compare;

/// Columns of the table whose cells are words.
const WORDS: [usize; 3] = [0, 1, ComparedRun::HEADINGS.len() - 1];

/// Set finished runs side by side on one page
///
/// The page shows verdicts, pictures, modes, distances with their intervals, losses, and the settings
/// in which the runs differ. It uses what the folders hold: nothing is trained, sampled or analysed.
#[derive(Args)]
#[command(after_help = "Example:
  modescope compare runs/mixture-classic runs/mixture-calibrated")]
pub struct Arguments {
    /// Folders of finished runs, two or more
    #[arg(value_name = "RUN", required = true, num_args = 2..)]
    runs: Vec<PathBuf>,
    /// The page to write
    #[arg(long, value_name = "FILE", default_value = "compare.html")]
    out: PathBuf,
    /// Replace the page if it is there
    #[arg(long)]
    force: bool,
}

pub fn run(arguments: &Arguments, output: &Output) -> Result<()> {
    check_free(&arguments.out, arguments.force)?;
    let comparison = compare(&arguments.runs)?;
    make_folder_of(&arguments.out)?;
    write_bytes(&arguments.out, comparison.render()?.as_bytes())?;
    output.result(&text(&comparison, arguments), &json(&comparison, arguments));
    Ok(())
}

fn text(comparison: &Comparison, arguments: &Arguments) -> String {
    let mut rows = vec![ComparedRun::HEADINGS.map(String::from)];
    rows.extend(comparison.runs.iter().map(ComparedRun::cells));
    let note = comparison.note().map_or_else(String::new, |note| format!("\n\n{note}"));
    let table = aligned(&rows, &WORDS).join("\n");
    format!("{table}{note}\n\nComparison: {}", arguments.out.display())
}

fn json(comparison: &Comparison, arguments: &Arguments) -> Value {
    let of = |run: &ComparedRun| {
        let audit = run.findings.samples.as_ref();
        json!({
            "run": run.folder,
            "recipe": run.recipe,
            "answer": run.standing().answer(),
            "verdict": run.findings.verdict,
            "counts": audit.map(|audit| audit.counts),
            "metrics": audit.map(|audit| &audit.metrics),
            "held_out_elbo": run.held_out_elbo,
        })
    };
    let settings: Map<String, Value> =
        comparison.settings.iter().map(|(key, values)| (key.clone(), json!(values))).collect();
    json!({
        "comparison": arguments.out,
        "runs": comparison.runs.iter().map(of).collect::<Vec<_>>(),
        "same_rows": comparison.same_rows,
        "settings": settings,
    })
}
