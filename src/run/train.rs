//! Stage `train`: weights and history.

use ndarray::ArrayView2;

use super::{Context, Plan, RunDir, Task, interruptible, prior};
use crate::audit::findings::Preflight;
use crate::audit::preflight::certify;
use crate::config::{Recipe, TrainingSettings};
use crate::data::Scaling;
use crate::error::Result;
use crate::model::{Architecture, ModelCard, Objective, Parameters, Prior, SavedModel};
use crate::train::{EpochRecord, Job, Observer, train, write_history};
use crate::vae::Model;

pub(super) fn stage(context: &Context) -> Result<()> {
    let (training, held_out) = (context.dataset.training.rows(), context.dataset.held_out.rows());
    let (settings, epochs) = (&context.plan.settings.training, context.plan.decided.epochs);
    preflight(context)?;
    let mut watcher = Watcher::new(context, "training", training.nrows(), epochs);
    let trained = fit(context, training, held_out, settings, epochs, &mut watcher);
    // The epochs that were finished are kept, also where the run was stopped or diverged.
    write_history(&context.dir.file(RunDir::HISTORY), &watcher.history)?;
    trained?.save(context.dir.path())
}

/// Says whether training is to be expected to collapse, before its first step.
fn preflight(context: &Context) -> Result<()> {
    let settings = &context.plan.settings;
    let training = context.dataset.training.rows();
    let card = card(context, training);
    let rows = card.scaling.apply(training);
    let starting = vec![settings.model.sigma.ln() as f32; card.architecture.learned_sigmas()];
    let variances = card.architecture.likelihood_variances(&starting);
    let variance = card.implied_variance(variances.iter().sum::<f64>() / variances.len() as f64);
    let certificate =
        interruptible(&context.interrupt, move || certify(rows.view(), 0.5 / variance))?;
    let preflight = Preflight::new(
        certificate,
        card.architecture.learned_sigmas() > 0,
        settings.training.beta,
        settings.model.sigma,
        Recipe::better_than(&settings.recipe),
    );
    context.progress.note(&preflight.to_string());
    context.dir.write_json(RunDir::PREFLIGHT, &preflight)
}

/// What the model for these rows is, given in the data's own units.
fn card(context: &Context, training: ArrayView2<f32>) -> ModelCard {
    let Plan { settings, decided, .. } = context.plan;
    ModelCard {
        format: ModelCard::FORMAT,
        modescope: decided.modescope.clone(),
        recipe: settings.recipe.clone(),
        seed: settings.seed,
        columns: context.dataset.training.columns().to_vec(),
        architecture: Architecture::new(&settings.model, training.ncols()),
        scaling: Scaling::fit(settings.data.scaling, training),
        prior: Prior::StandardNormal,
        objective: Objective {
            beta: settings.training.beta,
            kl_reduction: settings.training.kl_reduction,
            free_bits: settings.training.free_bits,
            importance_samples: settings.training.importance_samples,
            batch: decided.batch,
        },
    }
}

/// Trains a model as the plan says on these rows, given in the data's own units, and settles the
/// prior that samples are drawn from.
pub(super) fn fit(
    context: &Context,
    training: ArrayView2<f32>,
    held_out: ArrayView2<f32>,
    settings: &TrainingSettings,
    epochs: usize,
    watcher: &mut Watcher,
) -> Result<SavedModel> {
    let mut card = card(context, training);
    let (rows, held_out) = (card.scaling.apply(training), card.scaling.apply(held_out));
    let sigma = context.plan.settings.model.sigma;
    let start = Parameters::initialise(card.architecture.clone(), sigma, rows.view(), card.seed)?;
    let job = Job {
        card: &card,
        settings,
        epochs,
        device: context.device,
        rows: rows.view(),
        held_out: held_out.view(),
    };
    let parameters = train(job, &start, &context.interrupt, watcher)?.parameters;
    let model = Model::new(
        SavedModel { card: card.clone(), parameters: parameters.clone() },
        context.device,
    );
    card.prior = match context.plan.settings.model.refit_prior {
        true => prior::refit(context, &model, training)?,
        false => model.trained_prior()?,
    };
    Ok(SavedModel { card, parameters })
}

/// Shows training and keeps its history.
pub(super) struct Watcher {
    task: Box<dyn Task>,
    steps: u64,
    line: String,
    history: Vec<EpochRecord>,
}

impl Watcher {
    pub(super) fn new(context: &Context, name: &str, rows: usize, epochs: usize) -> Self {
        let steps = rows.div_ceil(context.plan.decided.batch) * epochs;
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
