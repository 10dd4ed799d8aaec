//! Stages, their keys and their order.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::ScopedJoinHandle;

use burn::tensor::Device;
use serde_json::{Value, json};

use super::{Dataset, Facts, Plan, Progress, RunDir};
use super::{audit, data, more_rows, plot, preflight, report, sample, train, tsne};
use crate::config::Backend;
use crate::device::guarded;
use crate::error::{Error, Kind, Result, heed};
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
    /// The stages that come first: it reads their files, or says less than they do.
    after: &'static [&'static str],
    /// The decisions that its files depend on, beside those of the stages it comes after.
    settings: fn(&Plan) -> Value,
    /// The files that it leaves, or may leave.
    outputs: fn(&RunDir) -> Result<Vec<String>>,
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
            json!([settings.seed, settings.data, settings.mixture, plan.decided.source.identity()])
        },
        outputs: |_| names(&[RunDir::DATA, RunDir::DATA_REFERENCE, RunDir::MIXTURE]),
        work: data::stage,
    },
    Stage {
        name: "preflight",
        after: &["data"],
        settings: training_settings,
        outputs: |_| names(&[RunDir::PREFLIGHT]),
        work: preflight::stage,
    },
    Stage {
        name: "train",
        after: &["preflight"],
        settings: training_settings,
        // What it writes for TensorBoard is no reason to train again.
        outputs: |_| names(&[SavedModel::WEIGHTS, SavedModel::CARD, RunDir::HISTORY]),
        work: train::stage,
    },
    Stage {
        name: "sample",
        after: &["train"],
        settings: |plan| {
            let settings = &plan.settings;
            json!([settings.samples, settings.noise, settings.analysis.rows])
        },
        outputs: |_| names(&[RunDir::SAMPLES, RunDir::LATENTS]),
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
        outputs: |_| names(&[RunDir::MORE_ROWS]),
        work: more_rows::stage,
    },
    Stage {
        name: "audit",
        after: &["more-rows"],
        settings: |plan| json!(plan.settings.analysis),
        outputs: |_| names(&[RunDir::AUDIT, RunDir::AUDIT_TEXT, RunDir::REFERENCE]),
        work: audit::stage,
    },
    Stage {
        name: "tsne",
        after: &["sample"],
        settings: |plan| json!([plan.settings.analysis, plan.decided.perplexities]),
        outputs: |_| names(&[RunDir::TSNE]),
        work: tsne::stage,
    },
    Stage {
        name: "plot",
        after: &["audit", "tsne"],
        settings: |_| Value::Null,
        outputs: plot::outputs,
        work: plot::stage,
    },
    Stage {
        name: "report",
        after: &["plot"],
        settings: |_| Value::Null,
        outputs: |_| names(&[RunDir::REPORT]),
        work: report::stage,
    },
];

fn names(files: &[&str]) -> Result<Vec<String>> {
    Ok(files.iter().map(|&name| name.into()).collect())
}

/// What a training depends on. The machine is left out: one that began on a machine may go on on another,
/// and what one finished another need not do again.
fn training_settings(plan: &Plan) -> Value {
    let (settings, decided) = (&plan.settings, &plan.decided);
    let training = json!([settings.training, decided.batch, decided.epochs]);
    json!([settings.recipe, settings.model, training])
}

/// The hash of everything that a training of this name depends on.
pub(super) fn training_key(name: &str, plan: &Plan) -> String {
    hash(&json!([name, STAGES[0].key(plan), training_settings(plan)]))
}

fn hash(value: &Value) -> String {
    blake3::hash(value.to_string().as_bytes()).to_hex().to_string()
}

impl Stage {
    /// The hash of everything that this stage's files depend on.
    fn key(&self, plan: &Plan) -> String {
        let before = STAGES.iter().filter(|stage| self.after.contains(&stage.name));
        let inputs: Vec<String> = before.map(|stage| stage.key(plan)).collect();
        let version = env!("CARGO_PKG_VERSION");
        hash(&json!([self.name, version, inputs, (self.settings)(plan)]))
    }

    /// Does the work unless its stamp says that it is done and its files are as it left them.
    fn bring_up_to_date(&self, context: &Context) -> Result<()> {
        match context.dir.changed_since(self.name, &self.key(context.plan)) {
            Some(changed) if changed.is_empty() => return Ok(()),
            Some(changed) => context.progress.note(&format!(
                "note: {} is missing or not as it was left, so stage {} is done again",
                changed.join(", "),
                self.name
            )),
            None => {}
        }
        self.redo(context)
    }

    fn redo(&self, context: &Context) -> Result<()> {
        heed(&context.interrupt)?;
        (self.work)(context)?;
        let files = (self.outputs)(context.dir)?;
        let key = self.key(context.plan);
        let stamp = context.dir.stamp_of(key, &files, &context.interrupt)?;
        let before = RunDir::read_stamp(context.dir.path(), self.name);
        if before.is_some_and(|before| before.files != stamp.files) {
            // What comes later was made from other files.
            let later = STAGES.iter().filter(|stage| stage.comes_after(self));
            later.map(|stage| stage.name).try_for_each(|name| context.dir.remove_stamp(name))?;
        }
        context.dir.write_stamp(self.name, &stamp)
    }

    fn comes_after(&self, other: &Self) -> bool {
        let mut before = STAGES.iter().filter(|stage| self.after.contains(&stage.name));
        before.any(|stage| stage.name == other.name || stage.comes_after(other))
    }
}

/// Whether the folder holds what the training of this plan gives.
pub fn is_trained(dir: &RunDir, plan: &Plan) -> bool {
    let train = STAGES.iter().find(|stage| stage.name == "train");
    let changed = train.and_then(|stage| dir.changed_since(stage.name, &stage.key(plan)));
    changed.is_some_and(|changed| changed.is_empty())
}

/// Writes the plan and runs the stages up to and with `last`, passing over those that are done.
/// Stages that do not wait for each other run side by side.
///
/// Where a graphics device fails that `--backend auto` had chosen, what is left is done on the
/// processor, training from its last checkpoint on. Gives the plan as it was carried out.
///
/// # Errors
/// What a stage returns; the stages before it are finished and stamped.
pub fn execute(context: &Context, last: &str) -> Result<Plan> {
    let error = match bring_up_to(context, last) {
        Ok(()) => return Ok(context.plan.clone()),
        Err(error) => error,
    };
    let Plan { settings, decided, .. } = context.plan;
    let chosen_for_the_user = (settings.backend, decided.backend) == (Backend::Auto, Backend::Wgpu);
    if error.kind() != Kind::Device || !chosen_for_the_user {
        return Err(error);
    }
    context.progress.note(&format!("{}: going on on the CPU", error.message()));
    let facts = Facts::new(context.dataset, Backend::Cpu, None);
    let plan = Plan::resolve(settings.clone(), facts)?;
    let (device, interrupt) = (&Device::flex(), Arc::clone(&context.interrupt));
    bring_up_to(&Context { plan: &plan, device, interrupt, ..*context }, last)?;
    Ok(plan)
}

fn bring_up_to(context: &Context, last: &str) -> Result<()> {
    let (dir, plan) = (context.dir, context.plan);
    let earlier = if RunDir::is_at(dir.path()) { Plan::read(dir.path()).ok() } else { None };
    if earlier.as_ref().is_some_and(|earlier| earlier.decided.source != plan.decided.source) {
        // Of these stages the files say where the data are.
        ["data", "report"].iter().try_for_each(|stage| dir.remove_stamp(stage))?;
    }
    match earlier.filter(|_| is_trained(dir, plan)) {
        // What is trained keeps the record of what did it.
        Some(mut trained) => {
            trained.decided.source = plan.decided.source.clone();
            trained.write(dir.path())?;
        }
        None => plan.write(dir.path())?,
    }
    let wanted =
        STAGES.iter().position(|stage| stage.name == last).map_or(STAGES.len(), |at| at + 1);
    let (mut waiting, mut finished) = (Vec::from_iter(&STAGES[..wanted]), Vec::new());
    while !waiting.is_empty() {
        let is_ready = |stage: &&Stage| stage.after.iter().all(|name| finished.contains(name));
        let (ready, later) = waiting.into_iter().partition::<Vec<_>, _>(is_ready);
        std::thread::scope(|scope| {
            let backend = context.plan.decided.backend;
            let begin = |stage: &&'static Stage| {
                let stage = *stage;
                scope.spawn(move || guarded(backend, || stage.bring_up_to_date(context)))
            };
            let running: Vec<_> = ready.iter().map(begin).collect();
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
/// What a stage returns, or a file of another stage that is not as that left it.
pub fn redo(context: &Context, names: &[&str]) -> Result<()> {
    let (again, others): (Vec<&Stage>, Vec<&Stage>) =
        STAGES.iter().partition(|stage| names.contains(&stage.name));
    let changed = |stage: &Stage| context.dir.changed_since(stage.name, &stage.key(context.plan));
    if let Some(name) = others.into_iter().filter_map(changed).flatten().next() {
        let folder = context.dir.path().display();
        let what = format!("{folder}: {name} is missing or not as the run left it");
        return Err(Error::input(what).help(context.dir.remedy()));
    }
    again.into_iter().try_for_each(|stage| stage.redo(context))
}
