//! Stages, their keys and their order.

use std::panic::resume_unwind;
use std::thread::ScopedJoinHandle;

use burn::tensor::Device;
use serde_json::{Value, json};

use super::{Dataset, Facts, Plan, RunDir, Watch};
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
    /// Who is told, and what stops it.
    pub watch: Watch<'a>,
}

/// The stages of the pipeline, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// What is trained on, what is held out, and the truth where it is known.
    Data,
    /// What is to be expected of the training.
    Preflight,
    /// Weights and history.
    Train,
    /// Generated rows, and the posterior of each row of the data.
    Sample,
    /// What a larger data set would change.
    MoreRows,
    /// Everything that is found in samples and latents.
    Audit,
    /// Embeddings.
    Tsne,
    /// Pictures.
    Plot,
    /// The page to open.
    Report,
}

impl Stage {
    /// Its name, also of its stamp.
    pub fn name(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Preflight => "preflight",
            Self::Train => "train",
            Self::Sample => "sample",
            Self::MoreRows => "more-rows",
            Self::Audit => "audit",
            Self::Tsne => "tsne",
            Self::Plot => "plot",
            Self::Report => "report",
        }
    }

    fn definition(self) -> &'static Definition {
        &STAGES[self as usize]
    }
}

/// What a stage is.
#[derive(Clone)]
struct Definition {
    stage: Stage,
    /// The stages that come first: it reads their files, or must not begin before them.
    after: &'static [Stage],
    /// The decisions that its files depend on, beside those of the stages it comes after.
    settings: fn(&Plan) -> Value,
    /// The files that it leaves, or may leave.
    outputs: fn(&RunDir) -> Result<Vec<String>>,
    /// Does the work: reads files, writes files. Its checkpoints stay until its stamp is written.
    work: fn(&Context) -> Result<()>,
    /// The folders of its checkpoints, the innermost first.
    checkpoints: &'static [&'static str],
}

/// Every stage, at its place in the order.
const STAGES: [Definition; 9] = [
    Definition {
        stage: Stage::Data,
        after: &[],
        settings: |plan| {
            let settings = &plan.settings;
            json!([settings.seed, settings.data, settings.mixture, plan.decided.source.identity()])
        },
        outputs: |_| names(&[RunDir::DATA, RunDir::DATA_REFERENCE, RunDir::MIXTURE]),
        work: data::stage,
        checkpoints: &[],
    },
    Definition {
        stage: Stage::Preflight,
        after: &[Stage::Data],
        settings: training_settings,
        outputs: |_| names(&[RunDir::PREFLIGHT]),
        work: preflight::stage,
        checkpoints: &[],
    },
    Definition {
        stage: Stage::Train,
        after: &[Stage::Preflight],
        settings: training_settings,
        // What it writes for TensorBoard is no reason to train again.
        outputs: |_| names(&[SavedModel::WEIGHTS, SavedModel::CARD, RunDir::HISTORY]),
        work: train::stage,
        checkpoints: &[RunDir::CHECKPOINTS],
    },
    Definition {
        stage: Stage::Sample,
        after: &[Stage::Train],
        settings: |plan| {
            let settings = &plan.settings;
            json!([settings.samples, settings.noise, settings.analysis.rows])
        },
        outputs: |_| names(&[RunDir::SAMPLES, RunDir::LATENTS]),
        work: sample::stage,
        checkpoints: &[],
    },
    Definition {
        stage: Stage::MoreRows,
        after: &[Stage::Train],
        settings: |plan| {
            let analysis = &plan.settings.analysis;
            let rows = json!([analysis.full, analysis.more_rows]);
            json!([rows, analysis.max_clusters, plan.settings.noise])
        },
        outputs: |_| names(&[RunDir::MORE_ROWS]),
        work: more_rows::stage,
        checkpoints: &[RunDir::CHECKPOINTS_OF_MORE_ROWS, RunDir::CHECKPOINTS],
    },
    Definition {
        stage: Stage::Audit,
        after: &[Stage::Sample, Stage::MoreRows],
        settings: |plan| json!(plan.settings.analysis),
        outputs: |_| names(&[RunDir::AUDIT, RunDir::AUDIT_TEXT, RunDir::REFERENCE]),
        work: audit::stage,
        checkpoints: &[],
    },
    Definition {
        stage: Stage::Tsne,
        after: &[Stage::Sample],
        settings: |plan| json!([plan.settings.analysis, plan.decided.perplexities]),
        outputs: |_| names(&[RunDir::TSNE]),
        work: tsne::stage,
        checkpoints: &[],
    },
    Definition {
        stage: Stage::Plot,
        after: &[Stage::Audit, Stage::Tsne],
        settings: |_| Value::Null,
        outputs: plot::outputs,
        work: plot::stage,
        checkpoints: &[],
    },
    Definition {
        stage: Stage::Report,
        after: &[Stage::Plot],
        settings: |_| Value::Null,
        outputs: |_| names(&[RunDir::REPORT]),
        work: report::stage,
        checkpoints: &[],
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

impl Definition {
    /// The hash of everything that this stage's files depend on.
    fn key(&self, plan: &Plan) -> String {
        let inputs: Vec<String> = self.after.iter().map(|s| s.definition().key(plan)).collect();
        let version = env!("CARGO_PKG_VERSION");
        hash(&json!([self.stage.name(), version, inputs, (self.settings)(plan)]))
    }

    /// Its files that are missing or not as it left them; nothing where it is not done for this plan.
    fn changed(&self, dir: &RunDir, plan: &Plan) -> Option<Vec<String>> {
        dir.changed_since(self.stage, &self.key(plan))
    }

    /// Does the work unless its stamp says that it is done and its files are as it left them.
    fn bring_up_to_date(&self, context: &Context) -> Result<()> {
        match self.changed(context.dir, context.plan) {
            Some(changed) if changed.is_empty() => return self.clear_checkpoints(context.dir),
            Some(changed) => context.watch.progress.note(&format!(
                "note: {} is missing or not as it was left, so stage {} is done again",
                changed.join(", "),
                self.stage.name()
            )),
            None => {}
        }
        self.redo(context)
    }

    fn redo(&self, context: &Context) -> Result<()> {
        heed(context.watch.interrupt)?;
        (self.work)(context)?;
        let files = (self.outputs)(context.dir)?;
        let key = self.key(context.plan);
        let stamp = context.dir.stamp_of(key, &files)?;
        let before = RunDir::read_stamp(context.dir.path(), self.stage);
        if before.is_some_and(|before| before.files != stamp.files) {
            // What comes later was made from other files.
            let later = STAGES.iter().filter(|other| other.comes_after(self.stage));
            later.map(|other| other.stage).try_for_each(|stage| context.dir.remove_stamp(stage))?;
        }
        context.dir.write_stamp(self.stage, &stamp)?;
        self.clear_checkpoints(context.dir)
    }

    /// Removes what a finished training went on from.
    fn clear_checkpoints(&self, dir: &RunDir) -> Result<()> {
        self.checkpoints.iter().try_for_each(|folder| dir.clear_checkpoints_in(folder))
    }

    fn comes_after(&self, stage: Stage) -> bool {
        self.after.iter().any(|&before| before == stage || before.definition().comes_after(stage))
    }
}

/// Whether the folder holds what the training of this plan gives.
pub(super) fn is_trained(dir: &RunDir, plan: &Plan) -> bool {
    let changed = Stage::Train.definition().changed(dir, plan);
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
pub fn execute(context: &Context, last: Stage) -> Result<Plan> {
    let error = match bring_up_to(context, last) {
        Ok(()) => return Ok(context.plan.clone()),
        Err(error) => error,
    };
    let Plan { settings, decided, .. } = context.plan;
    let may_move = settings.backend.named().is_none() && decided.backend == Backend::Wgpu;
    if error.kind() != Kind::Device || !may_move {
        return Err(error);
    }
    context.watch.progress.note(&format!("{}: going on on the CPU", error.message()));
    let facts = Facts::new(context.dataset, Backend::Cpu, None);
    let plan = Plan::resolve(settings.clone(), facts)?;
    bring_up_to(&Context { plan: &plan, device: &Device::flex(), ..*context }, last)?;
    Ok(plan)
}

fn bring_up_to(context: &Context, last: Stage) -> Result<()> {
    let (dir, plan) = (context.dir, context.plan);
    let earlier = if RunDir::is_at(dir.path()) { Plan::read(dir.path()).ok() } else { None };
    if earlier.as_ref().is_some_and(|earlier| earlier.decided.source != plan.decided.source) {
        // Of these stages the files say where the data are.
        [Stage::Data, Stage::Report].into_iter().try_for_each(|stage| dir.remove_stamp(stage))?;
    }
    match earlier.filter(|_| is_trained(dir, plan)) {
        // What is trained keeps the record of what did it.
        Some(mut trained) => {
            trained.decided.source = plan.decided.source.clone();
            trained.write(dir.path())?;
        }
        None => plan.write(dir.path())?,
    }
    let (mut waiting, mut finished) = (Vec::from_iter(&STAGES[..=last as usize]), Vec::new());
    while !waiting.is_empty() {
        let is_ready = |next: &&Definition| next.after.iter().all(|stage| finished.contains(stage));
        let (ready, later) = waiting.into_iter().partition::<Vec<_>, _>(is_ready);
        std::thread::scope(|scope| {
            let backend = context.plan.decided.backend;
            let begin = |next: &&'static Definition| {
                let next = *next;
                scope.spawn(move || guarded(backend, || next.bring_up_to_date(context)))
            };
            let running: Vec<_> = ready.iter().map(begin).collect();
            let join = |stage: ScopedJoinHandle<Result<()>>| {
                stage.join().unwrap_or_else(|panic| resume_unwind(panic))
            };
            running.into_iter().map(join).fold(Ok(()), Result::and)
        })?;
        finished.extend(ready.iter().map(|done| done.stage));
        waiting = later;
    }
    Ok(())
}

/// Runs these stages whatever their stamps say.
///
/// # Errors
/// What a stage returns, or a file of another stage that is not as that left it.
pub fn redo(context: &Context, stages: &[Stage]) -> Result<()> {
    let (again, others): (Vec<&Definition>, Vec<&Definition>) =
        STAGES.iter().partition(|definition| stages.contains(&definition.stage));
    let changed = |other: &Definition| other.changed(context.dir, context.plan);
    if let Some(name) = others.into_iter().filter_map(changed).flatten().next() {
        let folder = context.dir.path().display();
        let what = format!("{folder}: {name} is missing or not as the run left it");
        return Err(Error::input(what).help(context.dir.remedy()));
    }
    again.into_iter().try_for_each(|definition| definition.redo(context))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::config::Settings;
    use crate::files::write_bytes;
    use crate::run::{Existing, Silent};

    #[test]
    fn every_stage_is_defined_at_its_place_after_those_that_it_needs() {
        for (place, definition) in STAGES.iter().enumerate() {
            assert_eq!(definition.stage as usize, place);
            assert!(definition.after.iter().all(|&before| (before as usize) < place));
        }
    }

    /// What `--force` removes, and without it keeps a run from being made, is what stages write, the
    /// pictures apart, with the plan and what no stage vouches for.
    #[test]
    fn the_files_of_a_run_are_those_of_its_stages() {
        let folder = tempfile::tempdir().unwrap();
        let dir = RunDir::create(folder.path(), Existing::Refuse).unwrap();
        let stages = STAGES.iter().filter(|definition| definition.stage != Stage::Plot);
        let outputs = stages.flat_map(|definition| (definition.outputs)(&dir).unwrap());
        let others = [RunDir::CONFIG, RunDir::EVENTS].map(String::from);
        let written: BTreeSet<String> = outputs.chain(others).collect();
        assert_eq!(written, RunDir::FILES.map(String::from).into());
    }

    /// An interrupt that comes when the work is done takes nothing of it, nor checkpoints before it.
    #[test]
    fn what_is_finished_is_stamped_whatever_comes_then() {
        let folder = tempfile::tempdir().unwrap();
        let dir = RunDir::create(folder.path(), Existing::Refuse).unwrap();
        let dataset = Dataset::prepare(None, &Settings::default(), Watch::nobody()).unwrap();
        let facts = Facts::new(&dataset, Backend::Cpu, None);
        let plan = Plan::resolve(Settings::default(), facts).unwrap();
        let interrupt = AtomicBool::new(false);
        let context = Context {
            dir: &dir,
            plan: &plan,
            dataset: &dataset,
            device: &Device::flex(),
            watch: Watch::new(&Silent, &interrupt),
        };
        let work = |context: &Context| {
            for name in [RunDir::HISTORY, "checkpoints/epoch-0000001-step-0000000.safetensors"] {
                write_bytes(&context.dir.file(name), b"1")?;
            }
            context.watch.interrupt.store(true, Ordering::Relaxed);
            Ok(())
        };
        fs::create_dir(dir.file(RunDir::CHECKPOINTS)).unwrap();
        let outputs = |_: &RunDir| names(&[RunDir::HISTORY]);
        let train = Definition { work, outputs, ..Stage::Train.definition().clone() };
        train.redo(&context).unwrap();
        assert_eq!(train.changed(&dir, &plan), Some(vec![]));
        assert!(!dir.file(RunDir::CHECKPOINTS).exists());
    }
}
