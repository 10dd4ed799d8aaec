//! `modescope devices`: adapters and what `auto` would take.

use clap::Args;
use serde_json::json;

use super::output::Output;
use crate::device::{adapters, automatic};
use crate::error::Result;

/// List the graphics adapters and what `--backend auto` takes
#[derive(Args)]
#[command(after_help = "Example:
  modescope devices --json")]
pub struct Arguments {}

pub fn run(output: &Output) -> Result<()> {
    let adapters = adapters();
    let (backend, reason) = automatic(adapters);
    let mut lines: Vec<String> = adapters.iter().map(ToString::to_string).collect();
    if lines.is_empty() {
        lines.push("wgpu finds no adapter".into());
    }
    let choice = json!(backend);
    lines.push(format!("--backend auto takes {}: {reason}", choice.as_str().unwrap_or_default()));
    let json = json!({ "adapters": adapters, "auto": { "backend": choice, "reason": reason } });
    output.result(&lines.join("\n"), &json);
    Ok(())
}
