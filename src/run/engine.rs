//! `--engine auto`: who takes the training steps.

use super::Facts;
use crate::config::{Backend, Engine, EngineChoice};
use crate::error::{Error, Result};
use crate::fused::Network;
use crate::model::{Architecture, Objective};

/// Where a processor simulates a GPU, most rows × parameters of a step that fused is chosen for. Below
/// it launches are what a step costs, and fused has 16 where burn has hundreds; above it matrix
/// products are, and burn's suit a processor better. On a GPU fused is ahead at every size. The figures
/// are in benches/RESULTS.md.
const MOST_WORK_ON_SOFTWARE: usize = 1 << 26;
/// Bytes that GPUs let a shader have in one buffer (a software adapter may have less, and says so). Of
/// fused the rows are in one and the values of a batch in another; burn has one for every tensor.
const LARGEST_BUFFER: usize = 1 << 30;

/// Most rows a step, and most rows × parameters, that a processor is through with while a GPU still
/// starts the shaders of a step: batch 32 with layers of 16 took 1.3 times the steps of an H100 on the
/// cores beside it and 2.4 times on others, with layers of 32 0.9 and 1.8 times.
const MOST_ROWS_ON_CPU: usize = 32;
const MOST_WORK_ON_CPU: usize = 1 << 16;

/// The engine for a job and, in words, why: a pure function of what is asked for and of the shapes.
///
/// # Errors
/// Where the fused engine is asked for and does not do the job.
pub(super) fn choose(
    asked: EngineChoice,
    facts: &Facts,
    architecture: &Architecture,
    objective: &Objective,
) -> Result<(Engine, String)> {
    let (network, refused) = match Network::new(architecture, objective) {
        _ if facts.backend == Backend::Ndarray => (None, Some("the backend ndarray".to_owned())),
        Err(what) => (None, Some(what)),
        Ok(network) => (Some(network), None),
    };
    let work = architecture.parameter_count()?.saturating_mul(objective.batch);
    let software = facts.adapter.as_ref().is_some_and(|adapter| !adapter.is_gpu());
    let fits = network.is_none_or(|network| network.suits_simulated_gpu(objective.batch));
    let slow = software && (work > MOST_WORK_ON_SOFTWARE || !fits);
    let too_large = facts.backend == Backend::Wgpu
        && largest_buffer(facts, architecture, objective.batch) > LARGEST_BUFFER;
    Ok(match (asked, refused) {
        (EngineChoice::Autodiff, _) => (Engine::Autodiff, "as asked".into()),
        (EngineChoice::Fused, None) => (Engine::Fused, "as asked".into()),
        (EngineChoice::Fused, Some(what)) => {
            return Err(Error::input(format!("the fused engine does not do {what}"))
                .help("use --engine autodiff, or leave the option out"));
        }
        (EngineChoice::Auto, Some(what)) => {
            (Engine::Autodiff, format!("chosen because fused does not do {what}"))
        }
        (EngineChoice::Auto, None) if slow => {
            let why =
                "chosen because the batches or matrix products are large for a software adapter";
            (Engine::Autodiff, why.into())
        }
        (EngineChoice::Auto, None) if too_large => {
            let why = "chosen because the rows or a batch of this job are too large for fused";
            (Engine::Autodiff, why.into())
        }
        (EngineChoice::Auto, None) => {
            (Engine::Fused, "chosen as the fastest for a job of this size".into())
        }
    })
}

/// Whether the fused engine is faster on a processor than on a real GPU for this job.
///
/// # Errors
/// Where the parameters are too many to count.
pub(super) fn suits_cpu(architecture: &Architecture, batch: usize) -> Result<bool> {
    let work = architecture.parameter_count()?.saturating_mul(batch);
    Ok(batch <= MOST_ROWS_ON_CPU && work <= MOST_WORK_ON_CPU)
}

/// Bytes of the larger of what fused keeps in one buffer: the rows, or the values of a batch with
/// their gradients.
fn largest_buffer(facts: &Facts, architecture: &Architecture, batch: usize) -> usize {
    let rows = facts.rows_at_once.saturating_mul(architecture.features);
    let widths = 2 * architecture.hidden.iter().sum::<usize>();
    let values = batch.saturating_mul(2 * widths);
    rows.max(values).saturating_mul(size_of::<f32>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{PriorKind, Settings};
    use crate::device::{Adapter, AdapterKind};

    #[test]
    fn auto_takes_what_is_fastest_and_an_explicit_choice_stands() {
        let adapter =
            |kind| Adapter { name: "one".into(), kind, api: "vulkan".into(), driver: "its".into() };
        let on = |asked, (backend, kind): (_, Option<_>), prior, batch, hidden: usize| {
            let mut settings = Settings::default();
            settings.model.prior = prior;
            settings.model.hidden = vec![hidden; 2];
            let architecture = Architecture::new(&settings.model, 3);
            let adapter = kind.map(adapter);
            let facts = Facts { backend, adapter, ..super::super::plan::tests::facts(1000) };
            let objective = Objective::new(&settings.training, batch);
            choose(asked, &facts, &architecture, &objective).map(|(engine, _)| engine)
        };
        let chosen =
            |asked, backend, prior, batch, hidden| on(asked, (backend, None), prior, batch, hidden);
        let (normal, vamp) = (PriorKind::StandardNormal, PriorKind::Vamp);
        let auto = |backend, prior, batch, hidden| {
            chosen(EngineChoice::Auto, backend, prior, batch, hidden).unwrap()
        };
        assert_eq!(auto(Backend::Cpu, normal, 32, 128), Engine::Fused);
        assert_eq!(auto(Backend::Cpu, normal, 8192, 512), Engine::Fused);
        assert_eq!(auto(Backend::Cpu, vamp, 32, 128), Engine::Autodiff);
        assert_eq!(auto(Backend::Ndarray, normal, 32, 128), Engine::Autodiff);
        let wgpu = |asked, kind, batch, hidden| {
            on(asked, (Backend::Wgpu, Some(kind)), normal, batch, hidden).unwrap()
        };
        let (gpu, software) = (AdapterKind::DiscreteGpu, AdapterKind::Software);
        assert_eq!(wgpu(EngineChoice::Auto, software, 32, 128), Engine::Fused);
        assert_eq!(wgpu(EngineChoice::Auto, software, 1024, 512), Engine::Autodiff);
        assert_eq!(wgpu(EngineChoice::Fused, software, 1024, 512), Engine::Fused);
        assert_eq!(wgpu(EngineChoice::Auto, gpu, 32, 128), Engine::Fused);
        assert_eq!(wgpu(EngineChoice::Auto, gpu, 8192, 512), Engine::Fused);
        assert_eq!(wgpu(EngineChoice::Auto, gpu, 65_536, 512), Engine::Fused);
        assert_eq!(wgpu(EngineChoice::Auto, gpu, 65_536, 2048), Engine::Autodiff);
        let suits_cpu = |hidden: usize, batch| {
            let mut settings = Settings::default();
            settings.model.hidden = vec![hidden; 2];
            suits_cpu(&Architecture::new(&settings.model, 3), batch).unwrap()
        };
        assert!(suits_cpu(16, 32));
        assert!(!suits_cpu(32, 32) && !suits_cpu(128, 32) && !suits_cpu(8, 128));
        let refused = chosen(EngineChoice::Fused, Backend::Cpu, vamp, 32, 128).unwrap_err();
        assert!(refused.message().contains("does not do a VampPrior"), "{}", refused.message());
        assert!(chosen(EngineChoice::Fused, Backend::Ndarray, normal, 32, 128).is_err());
    }
}
