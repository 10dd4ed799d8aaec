//! Stage `train`: weights and history.

use ndarray::ArrayView2;

use super::{Context, RunDir, Task};
use crate::config::TrainingSettings;
use crate::data::Scaling;
use crate::error::Result;
use crate::model::{Architecture, ModelCard, Objective, Parameters, Prior, SavedModel};
use crate::train::{EpochRecord, Job, Observer, train, write_history};

pub(super) fn stage(context: &Context) -> Result<()> {
    let (training, held_out) = (context.dataset.training.rows(), context.dataset.held_out.rows());
    let settings = &context.plan.settings.training;
    let mut watcher = Watcher::new(context, "training", training.nrows(), settings);
    let trained = fit(context, training, held_out, settings, &mut watcher);
    // The epochs that were finished are kept, also where the run was stopped or diverged.
    write_history(&context.dir.file(RunDir::HISTORY), &watcher.history)?;
    trained?.save(context.dir.path())
}

/// Trains a model as the plan says on these rows, given in the data's own units.
pub(super) fn fit(
    context: &Context,
    training: ArrayView2<f32>,
    held_out: ArrayView2<f32>,
    settings: &TrainingSettings,
    watcher: &mut Watcher,
) -> Result<SavedModel> {
    let plan = context.plan;
    let scaling = Scaling::fit(plan.settings.data.scaling, training);
    let (rows, held_out) = (scaling.apply(training), scaling.apply(held_out));
    let architecture = Architecture::new(&plan.settings.model, training.ncols());
    let (sigma, seed) = (plan.settings.model.initial_sigma, plan.settings.seed);
    let start = Parameters::initialise(architecture.clone(), sigma, seed)?;
    let card = ModelCard {
        format: ModelCard::FORMAT,
        modescope: plan.decided.modescope.clone(),
        recipe: plan.settings.recipe.clone(),
        seed,
        columns: context.dataset.training.columns().to_vec(),
        architecture,
        scaling,
        prior: Prior::StandardNormal,
        objective: Objective {
            beta: settings.beta,
            kl_reduction: settings.kl_reduction,
            batch: plan.decided.batch,
        },
    };
    let job = Job {
        card: &card,
        settings,
        device: context.device,
        rows: rows.view(),
        held_out: held_out.view(),
    };
    let trained = train(job, &start, &context.interrupt, watcher)?;
    Ok(SavedModel { card, parameters: trained.parameters })
}

/// Shows training and keeps its history.
pub(super) struct Watcher {
    task: Box<dyn Task>,
    steps: u64,
    line: String,
    history: Vec<EpochRecord>,
}

impl Watcher {
    pub(super) fn new(
        context: &Context,
        name: &str,
        rows: usize,
        settings: &TrainingSettings,
    ) -> Self {
        let steps = rows.div_ceil(context.plan.decided.batch) * settings.epochs;
        let task = context.progress.begin(name, steps as u64);
        Self { task, steps: 0, line: String::new(), history: Vec::new() }
    }
}

impl Observer for Watcher {
    fn on_step(&mut self, steps: usize) {
        self.steps = steps as u64;
        self.task.update(self.steps, &self.line);
    }

    fn on_epoch(&mut self, record: &EpochRecord) {
        let EpochRecord { epoch, loss, reconstruction, kl, sigma, active_units, .. } = record;
        self.line = format!(
            "epoch {epoch}  loss {loss:.4}  reconstruction {reconstruction:.4}  KL {kl:.3}  \
             σ {sigma:.3}  active {active_units}"
        );
        self.task.update(self.steps, &self.line);
        self.history.push(record.clone());
    }
}
