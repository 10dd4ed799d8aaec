//! `modescope doctor`: does every backend here compute the same?

use clap::Args;
use serde_json::json;

use super::arguments::BackendArgument;
use super::output::Output;
use super::progress::Display;
use crate::config::{Backend, Engine, word};
use crate::device::{self, guarded};
use crate::error::{Error, Result};
use crate::run::Progress;
use crate::train::{Checkup, check_up};

/// Check that every backend and engine here takes a training step as the CPU does
///
/// One step of the default recipe on a small batch: its loss and the gradient of every tensor are
/// compared with those of automatic differentiation on the CPU. Drivers have been seen to compute
/// wrong gradients in silence; `run` makes the same check before it trains on a graphics device.
#[derive(Args)]
#[command(after_help = "Examples:
  modescope doctor
  modescope doctor --backend wgpu --json")]
pub struct Arguments {
    #[command(flatten)]
    backend: BackendArgument,
}

pub fn run(arguments: &Arguments, output: &Output) -> Result<()> {
    let checks: Vec<(Backend, Engine)> = arguments
        .backend
        .backends()
        .into_iter()
        .flat_map(|backend| engines(backend).iter().map(move |&engine| (backend, engine)))
        .collect();
    let task = Display::new(output).begin("doctor", checks.len() as u64);
    let (mut lines, mut figures, mut wrong) = (Vec::new(), Vec::new(), 0);
    for (done, &(backend, engine)) in checks.iter().enumerate() {
        let (place, checkup) = match device::open(backend) {
            Ok(chosen) => {
                let adapter = chosen.adapter.as_ref().map(|adapter| format!(" on {adapter}"));
                (
                    format!("{}{}", word(backend), adapter.unwrap_or_default()),
                    guarded(chosen.backend, || check_up(backend, engine, &chosen.device)),
                )
            }
            Err(error) => (word(backend), Err(error)),
        };
        wrong += usize::from(!checkup.as_ref().is_ok_and(Checkup::is_right));
        lines.push(format!("{:8}  {:42}  {place}", word(engine), verdict(&checkup)));
        figures.push(json!({
            "backend": backend,
            "engine": engine,
            "place": place,
            "right": checkup.as_ref().is_ok_and(Checkup::is_right),
            "compared": checkup.as_ref().ok().map(|checkup| &checkup.compared),
            "error": checkup.as_ref().err().map(Error::message),
        }));
        task.update(done as u64 + 1, "");
    }
    drop(task);
    output.result(&lines.join("\n"), &json!({ "checks": figures }));
    match wrong {
        0 => Ok(()),
        wrong => Err(Error::failed(format!("{wrong} of {} checks failed", checks.len()))
            .help("train with another --backend or --engine, or update the graphics driver")),
    }
}

/// The engines of a backend that are not the reference itself.
fn engines(backend: Backend) -> &'static [Engine] {
    match backend {
        Backend::Cpu => &[Engine::Fused],
        Backend::Ndarray => &[Engine::Autodiff],
        Backend::Wgpu => &[Engine::Fused, Engine::Autodiff],
    }
}

fn verdict(checkup: &Result<Checkup>) -> String {
    match checkup.as_ref().map(|checkup| (checkup.is_right(), checkup.worst())) {
        Ok((right, Some(worst))) => {
            let word = if right { "right" } else { "WRONG" };
            format!("{word}: at most {:.0e} apart ({})", worst.difference, worst.tensor)
        }
        Ok((_, None)) => "nothing was compared".into(),
        Err(error) => format!("fails: {}", error.message()),
    }
}
