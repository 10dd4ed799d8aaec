//! Stages, their keys and their order.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::ScopedJoinHandle;

use burn::tensor::Device;
use serde_json::{Value, json};

use super::{Dataset, Plan, Progress, RunDir};
use super::{audit, data, more_rows, plot, report, sample, train, tsne};
use crate::error::{Error, Result};
use crate::model::SavedModel;

/// What every stage works with.
pub struct Context<'a> {
    /// The run folder.
    pub dir: &'a RunDir,
    /// What was decided.
    pub plan: &'a Plan,
    /// The data.
    pub dataset: &'a Dataset,
    /// Where tensors live.
    pub device: &'a Device,
    /// Who is told.
    pub progress: &'a dyn Progress,
    /// Set when the user wants to stop.
    pub interrupt: Arc<AtomicBool>,
}

/// One stage of the pipeline.
pub struct Stage {
    /// Its name, also of its stamp.
    pub name: &'static str,
    /// The stages whose files it reads.
    after: &'static [&'static str],
    /// The decisions that its files depend on, beside those of the stages it comes after.
    settings: fn(&Plan) -> Value,
    /// Files that are there when it is finished, whatever the plan.
    outputs: &'static [&'static str],
    /// Does the work: reads files, writes files.
    work: fn(&Context) -> Result<()>,
}

/// Every stage in order.
pub const STAGES: &[Stage] = &[
    Stage {
        name: "data",
        after: &[],
        settings: |plan| {
            let settings = &plan.settings;
            json!([settings.seed, settings.data, settings.mixture, plan.decided.source])
        },
        outputs: &[],
        work: data::stage,
    },
    Stage {
        name: "train",
        after: &["data"],
        settings: |plan| {
            let (settings, decided) = (&plan.settings, &plan.decided);
            let machine = json!([decided.backend, decided.engine, decided.adapter]);
            let training = json!([settings.training, decided.batch, decided.epochs]);
            json!([settings.recipe, settings.model, training, machine])
        },
        outputs: &[RunDir::PREFLIGHT, SavedModel::WEIGHTS, SavedModel::CARD, RunDir::HISTORY],
        work: train::stage,
    },
    Stage {
        name: "sample",
        after: &["train"],
        settings: |plan| {
            let settings = &plan.settings;
            json!([settings.samples, settings.noise, settings.analysis.rows])
        },
        outputs: &[RunDir::SAMPLES, RunDir::LATENTS],
        work: sample::stage,
    },
    Stage {
        name: "more-rows",
        after: &["sample"],
        settings: |plan| {
            let analysis = &plan.settings.analysis;
            let rows = json!([analysis.full, analysis.more_rows]);
            json!([rows, analysis.max_clusters, plan.settings.noise])
        },
        outputs: &[],
        work: more_rows::stage,
    },
    Stage {
        name: "audit",
        after: &["more-rows"],
        settings: |plan| json!(plan.settings.analysis),
        outputs: &[RunDir::AUDIT, RunDir::AUDIT_TEXT],
        work: audit::stage,
    },
    Stage {
        name: "tsne",
        after: &["sample"],
        settings: |plan| json!([plan.settings.analysis, plan.decided.perplexities]),
        outputs: &[RunDir::TSNE],
        work: tsne::stage,
    },
    Stage {
        name: "plot",
        after: &["audit", "tsne"],
        settings: |_| Value::Null,
        outputs: &[plot::INDEX],
        work: plot::stage,
    },
    Stage {
        name: "report",
        after: &["plot"],
        settings: |_| Value::Null,
        outputs: &[RunDir::REPORT],
        work: report::stage,
    },
];

impl Stage {
    /// The hash of everything that this stage's files depend on.
    fn key(&self, plan: &Plan) -> String {
        let before = STAGES.iter().filter(|stage| self.after.contains(&stage.name));
        let inputs: Vec<String> = before.map(|stage| stage.key(plan)).collect();
        let version = env!("CARGO_PKG_VERSION");
        let all = json!([self.name, version, inputs, (self.settings)(plan)]);
        blake3::hash(all.to_string().as_bytes()).to_hex().to_string()
    }

    /// Does the work unless its stamp says that it is done.
    fn bring_up_to_date(&self, context: &Context) -> Result<()> {
        let key = self.key(context.plan);
        if context.dir.is_stamped(self.name, &key, self.outputs) {
            return Ok(());
        }
        if context.interrupt.load(Ordering::Relaxed) {
            return Err(Error::interrupted(format!("stopped before stage {}", self.name)));
        }
        (self.work)(context)?;
        context.dir.write_stamp(self.name, &key)
    }
}

/// Writes the plan and runs the stages up to and with `last`, passing over those whose stamps match.
/// Stages that do not wait for each other run side by side.
///
/// # Errors
/// What a stage returns; the stages before it are finished and stamped.
pub fn execute(context: &Context, last: &str) -> Result<()> {
    context.plan.write(context.dir.path())?;
    let wanted =
        STAGES.iter().position(|stage| stage.name == last).map_or(STAGES.len(), |at| at + 1);
    let (mut waiting, mut finished) = (Vec::from_iter(&STAGES[..wanted]), Vec::new());
    while !waiting.is_empty() {
        let is_ready = |stage: &&Stage| stage.after.iter().all(|name| finished.contains(name));
        let (ready, later) = waiting.into_iter().partition::<Vec<_>, _>(is_ready);
        std::thread::scope(|scope| {
            let running: Vec<_> =
                ready.iter().map(|stage| scope.spawn(|| stage.bring_up_to_date(context))).collect();
            let join = |stage: ScopedJoinHandle<Result<()>>| {
                stage.join().unwrap_or_else(|panic| resume_unwind(panic))
            };
            running.into_iter().map(join).fold(Ok(()), Result::and)
        })?;
        finished.extend(ready.iter().map(|stage| stage.name));
        waiting = later;
    }
    Ok(())
}

/// Runs the named stages whatever their stamps say.
///
/// # Errors
/// What a stage returns.
pub fn redo(context: &Context, names: &[&str]) -> Result<()> {
    for stage in STAGES.iter().filter(|stage| names.contains(&stage.name)) {
        (stage.work)(context)?;
        context.dir.write_stamp(stage.name, &stage.key(context.plan))?;
    }
    Ok(())
}
