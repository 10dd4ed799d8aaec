//! `modescope bench`: this machine's backends side by side.

use std::sync::atomic::AtomicBool;

use clap::Args;
use serde_json::json;

use super::arguments::BackendArgument;
use super::output::Output;
use super::progress::Display;
use crate::config::{Engine, EngineChoice, word};
use crate::device::{self, Chosen, guarded};
use crate::error::{Error, Kind, Result};
use crate::run::Progress;
use crate::workload::{WORKLOADS, Workload};

/// Compare this machine's backends and engines: training steps and samples a second
///
/// Steps are those of single models: where several members are trained side by side, all of theirs.
/// Each backend first warms up, then is timed. Machines are noisy: compare rows of one table, not
/// tables.
#[derive(Args)]
#[command(after_help = "Examples:
  modescope bench
  modescope bench --backend cpu --engine fused
  modescope bench --seconds 10 --json")]
pub struct Arguments {
    /// Only this engine
    #[arg(long, value_enum)]
    engine: Option<EngineChoice>,
    #[command(flatten)]
    backend: BackendArgument,
    /// Seconds to spend on each figure, about
    #[arg(long, value_name = "S", default_value_t = 2.0, value_parser = seconds)]
    seconds: f64,
}

fn seconds(text: &str) -> std::result::Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value > 0.0 && value <= 3600.0 => Ok(value),
        _ => Err("a number of seconds above 0, at most 3600".into()),
    }
}

/// Most steps that are timed.
const MOST_STEPS: usize = 20_000;
/// Rows that the sampling figure is measured on.
const SAMPLED: usize = 65_536;

pub fn run(arguments: &Arguments, output: &Output, interrupt: &AtomicBool) -> Result<()> {
    let backends = arguments.backend.backends();
    let engines = |workload: &Workload, backend| {
        let wanted = arguments.engine.and_then(EngineChoice::named);
        let engines = workload.engines(backend).iter().copied();
        engines.filter(|engine| wanted.is_none_or(|wanted| wanted == *engine)).collect::<Vec<_>>()
    };
    let rows = backends
        .iter()
        .flat_map(|&backend| WORKLOADS.iter().map(move |workload| (workload, backend)));
    let total: usize = rows.map(|(workload, backend)| engines(workload, backend).len()).sum();
    if total == 0 {
        let engine =
            arguments.engine.map_or_else(String::new, |engine| format!(" {}", word(engine)));
        return Err(Error::input(format!("no workload has the engine{engine} on this backend"))
            .help("fused trains on cpu and wgpu, autodiff on all"));
    }
    let task = Display::new(output).begin("bench", total as u64);
    let mut lines = vec![row("workload", "steps/s", "samples/s", "engine", "backend")];
    let (mut figures, mut refused) = (Vec::new(), Vec::new());
    for backend in backends {
        let chosen = device::open(backend)?;
        let name = match &chosen.adapter {
            Some(adapter) => format!("wgpu: {} ({})", adapter.name, adapter.kind),
            None => word(backend),
        };
        for workload in WORKLOADS {
            let engines = engines(&workload, backend);
            // Members are trained together, not sampled from.
            let samples = (workload.members == 1 && !engines.is_empty())
                .then(|| {
                    guarded(backend, || {
                        samples_a_second(&workload, arguments.seconds, &chosen.device, interrupt)
                    })
                })
                .transpose()?;
            for engine in engines {
                // A job that does not fit the adapter has no figure; the others do.
                let steps = match guarded(backend, || {
                    steps_a_second(&workload, arguments.seconds, engine, &chosen, interrupt)
                }) {
                    Err(error) if matches!(error.kind(), Kind::Input | Kind::Device) => {
                        refused.push(format!("{workload} on {name}: {}", error.message()));
                        None
                    }
                    steps => Some(steps?),
                };
                let engine = word(engine);
                lines.push(row(
                    &workload.to_string(),
                    &steps.map_or("–".into(), |steps| format!("{steps:.1}")),
                    &samples.map_or("–".into(), |samples| format!("{samples:.0}")),
                    &engine,
                    &name,
                ));
                figures.push(json!({
                    "backend": backend,
                    "engine": engine,
                    "adapter": chosen.adapter,
                    "batch": workload.batch,
                    "hidden": workload.hidden,
                    "members": workload.members,
                    "steps_per_second": steps,
                    "samples_per_second": samples,
                }));
                task.update(figures.len() as u64, &name);
            }
        }
    }
    drop(task);
    lines.extend(refused);
    output.result(&lines.join("\n"), &json!({ "figures": figures }));
    Ok(())
}

/// A line of the table.
fn row(workload: &str, steps: &str, samples: &str, engine: &str, backend: &str) -> String {
    format!("{workload:35}  {steps:>10}  {samples:>12}  {engine:8}  {backend}")
}

fn steps_a_second(
    workload: &Workload,
    seconds: f64,
    engine: Engine,
    chosen: &Chosen,
    interrupt: &AtomicBool,
) -> Result<f64> {
    // The first step also compiles kernels.
    workload.train(1, engine, chosen, interrupt)?;
    let mut steps = 1;
    loop {
        let time = workload.train(steps, engine, chosen, interrupt)?.as_secs_f64();
        if time >= 0.5 * seconds || steps == MOST_STEPS {
            return Ok((steps * workload.members) as f64 / time);
        }
        let filling = (seconds / time * steps as f64) as usize;
        steps = filling.clamp(2 * steps, 20 * steps).min(MOST_STEPS);
    }
}

fn samples_a_second(
    workload: &Workload,
    seconds: f64,
    device: &burn::tensor::Device,
    interrupt: &AtomicBool,
) -> Result<f64> {
    workload.sample(SAMPLED, device, interrupt)?;
    let (mut rows, mut time) = (0, 0.0);
    while time < seconds {
        time += workload.sample(SAMPLED, device, interrupt)?.as_secs_f64();
        rows += SAMPLED;
    }
    Ok(rows as f64 / time)
}
