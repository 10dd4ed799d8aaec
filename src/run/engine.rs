//! `--engine auto`: who takes the training steps.

use ndarray::Array2;

use super::Facts;
use crate::config::{Backend, Engine, EngineChoice, TrainingSettings};
use crate::error::{Error, Result};
use crate::fused::{Gpu, Job, Network};
use crate::model::{Architecture, Objective};

/// Where a processor simulates a GPU, most rows × parameters of a step that fused is chosen for. Below
/// it launches are what a step costs, and fused has 16 where burn has hundreds; above it matrix
/// products are, and burn's suit a processor better. On a GPU fused is ahead at every size. The figures
/// are in benches/RESULTS.md.
const MOST_WORK_ON_SOFTWARE: usize = 1 << 26;
/// Bytes of the largest buffer that a shader may have on GPUs.
const LARGEST_BUFFER: usize = 1 << 30;
/// The same on every adapter, software ones too: wgpu's default limit.
const LARGEST_BUFFER_ANYWHERE: usize = 1 << 27;

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
    let of_network = |network: &Network| {
        let slow = work > MOST_WORK_ON_SOFTWARE || !network.suits_simulated_gpu(objective.batch);
        let most = if software { LARGEST_BUFFER_ANYWHERE } else { LARGEST_BUFFER };
        let too_large = largest_buffer(facts, network, objective.batch) > most;
        (software && slow, facts.backend == Backend::Wgpu && too_large)
    };
    let (slow, too_large) = network.as_ref().map_or((false, false), of_network);
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
            let why = "chosen because the rows, a batch or the model are too large for fused";
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

/// Bytes of the largest of fused's buffers, as with an average of the weights, whether or not there is one: the
/// rows are in one, the values of a batch in another and all of Adam's state in a third, where burn has one for
/// every tensor.
fn largest_buffer(facts: &Facts, network: &Network, batch: usize) -> usize {
    let settings = TrainingSettings { ema: Some(0.0), ..TrainingSettings::default() };
    let none = Array2::zeros((0, network.features));
    let (rows, most_rows) = (none.view(), facts.rows_at_once);
    Gpu::largest_buffer(&Job { network, rows, most_rows, batch, settings: &settings })
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
        assert_eq!(wgpu(EngineChoice::Auto, gpu, 32_768, 512), Engine::Fused);
        assert_eq!(wgpu(EngineChoice::Auto, gpu, 65_536, 512), Engine::Autodiff);
        // Adam's state, and a value of each row and Gaussian, are beyond what a GPU allows.
        assert_eq!(wgpu(EngineChoice::Auto, gpu, 32, 8192), Engine::Autodiff);
        let of = |prior_components, rows_at_once, kind, batch| {
            let mut settings = Settings::default();
            settings.model.prior = PriorKind::Mixture;
            settings.model.prior_components = prior_components;
            let architecture = Architecture::new(&settings.model, 3);
            let (backend, adapter) = (Backend::Wgpu, Some(adapter(kind)));
            let facts = super::super::plan::tests::facts(1000);
            let facts = Facts { backend, adapter, rows_at_once, ..facts };
            let objective = Objective::new(&settings.training, batch);
            choose(EngineChoice::Auto, &facts, &architecture, &objective).unwrap().0
        };
        assert_eq!(of(10_000, 1000, gpu, 32_768), Engine::Autodiff);
        assert_eq!(of(1000, 1000, gpu, 32_768), Engine::Fused);
        // So are the rows, which a software adapter takes fewer of.
        let rows = 20_000_000;
        assert_eq!(
            [gpu, software].map(|kind| of(8, rows, kind, 32)),
            [Engine::Fused, Engine::Autodiff]
        );
        assert_eq!(of(8, 5 * rows, gpu, 32), Engine::Autodiff);
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
