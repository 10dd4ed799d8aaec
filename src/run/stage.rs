//! Stages, their keys and their order.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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
        after: &["train"],
        settings: |plan| {
            let analysis = &plan.settings.analysis;
            json!([analysis.more_rows, analysis.max_clusters, plan.settings.noise])
        },
        outputs: &[],
        work: more_rows::stage,
    },
    Stage {
        name: "audit",
        after: &["sample", "more-rows"],
        settings: |plan| json!(plan.settings.analysis),
        outputs: &[RunDir::AUDIT, RunDir::AUDIT_TEXT],
        work: audit::stage,
    },
    Stage {
        name: "tsne",
        after: &["audit"],
        settings: |plan| json!([plan.settings.analysis, plan.decided.perplexities]),
        outputs: &[RunDir::TSNE],
        work: tsne::stage,
    },
    Stage {
        name: "plot",
        after: &["tsne"],
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
}

/// Writes the plan and runs the stages up to and with `last`, passing over those whose stamps match.
///
/// # Errors
/// What a stage returns; the stages before it are finished and stamped.
pub fn execute(context: &Context, last: &str) -> Result<()> {
    context.plan.write(context.dir.path())?;
    for stage in STAGES {
        let key = stage.key(context.plan);
        if !context.dir.is_stamped(stage.name, &key, stage.outputs) {
            if context.interrupt.load(Ordering::Relaxed) {
                return Err(Error::interrupted(format!("stopped before stage {}", stage.name)));
            }
            (stage.work)(context)?;
            context.dir.write_stamp(stage.name, &key)?;
        }
        if stage.name == last {
            break;
        }
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
