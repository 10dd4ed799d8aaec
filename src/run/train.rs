//! Stage `train`: weights and history.

use ndarray::{Array2, ArrayView2};

use super::{Context, Plan, RunDir, Task, interruptible, prior};
use crate::audit::findings::Preflight;
use crate::audit::preflight::certify;
use crate::config::{Recipe, TrainingSettings};
use crate::data::Scaling;
use crate::error::Result;
use crate::model::{Architecture, ModelCard, Objective, Parameters, Prior, SavedModel};
use crate::train::{
    EpochRecord, Job, Observer, held_out_elbos, restart_seed, train, write_history,
};
use crate::vae::Model;

pub(super) fn stage(context: &Context) -> Result<()> {
    let (training, held_out) = (context.dataset.training.rows(), context.dataset.held_out.rows());
    preflight(context)?;
    let (settings, epochs) = (&context.plan.settings.training, context.plan.decided.epochs);
    let seed = best_seed(context, training, held_out)?;
    let (history, saved) = fit(context, "training", seed, training, held_out, settings, epochs);
    // The epochs that were finished are kept, also where the run was stopped or diverged.
    write_history(&context.dir.file(RunDir::HISTORY), &history)?;
    saved?.save(context.dir.path())
}

/// Says whether training is to be expected to collapse, before its first step.
fn preflight(context: &Context) -> Result<()> {
    let settings = &context.plan.settings;
    let training = context.dataset.training.rows();
    let card = card(context, settings.seed, training);
    let rows = card.scaling.apply(training);
    let starting = vec![settings.model.sigma.ln() as f32; card.architecture.learned_sigmas()];
    let variance = card.implied_variance(card.architecture.mean_variance(&starting));
    let mut certificate =
        interruptible(&context.interrupt, move || certify(rows.view(), 0.5 / variance))?;
    // The certificate is of a loss in which all of the KL divergence has its price.
    certificate.proved &= settings.training.free_bits == 0.0 || !certificate.collapse_is_optimal;
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

/// The seed of the training, among the run's restarts, that ends with the best held-out ELBO.
fn best_seed(
    context: &Context,
    training: ArrayView2<f32>,
    held_out: ArrayView2<f32>,
) -> Result<u64> {
    let Plan { settings, decided, .. } = context.plan;
    let restarts = settings.training.restarts;
    if restarts == 1 {
        return Ok(settings.seed);
    }
    let card = card(context, settings.seed, training);
    let (rows, held_out) = (card.scaling.apply(training), card.scaling.apply(held_out));
    let start = |restart| {
        let seed = restart_seed(settings.seed, restart);
        let (architecture, sigma) = (card.architecture.clone(), settings.model.sigma);
        Ok((seed, Parameters::initialise(architecture, sigma, rows.view(), seed)?))
    };
    let starts: Vec<(u64, Parameters)> = (0..restarts).map(start).collect::<Result<_>>()?;
    let steps = training.nrows().div_ceil(decided.batch) * decided.epochs * restarts;
    let task = context.progress.begin("restarts", steps as u64);
    let job = job(context, &card, &settings.training, decided.epochs, &rows, &held_out);
    let elbos = held_out_elbos(job, &starts, &context.interrupt, &mut |taken| {
        task.update(taken as u64, "");
    })?;
    drop(task);
    let best = (0..restarts).fold(0, |best, next| match elbos[next] > elbos[best] {
        true => next,
        false => best,
    });
    let worst = elbos.iter().copied().fold(f64::INFINITY, f64::min);
    context.progress.note(&format!(
        "restarts: number {} of {restarts} is kept, held-out ELBO {:.3} (the worst {worst:.3})",
        best + 1,
        elbos[best],
    ));
    Ok(starts[best].0)
}

/// What the model for these rows is, given in the data's own units.
fn card(context: &Context, seed: u64, training: ArrayView2<f32>) -> ModelCard {
    let Plan { settings, decided, .. } = context.plan;
    ModelCard {
        format: ModelCard::FORMAT,
        modescope: decided.modescope.clone(),
        recipe: settings.recipe.clone(),
        seed,
        columns: context.dataset.training.columns().to_vec(),
        architecture: Architecture::new(&settings.model, training.ncols()),
        scaling: Scaling::fit(settings.data.scaling, training),
        prior: Prior::StandardNormal,
        objective: Objective::new(&settings.training, decided.batch),
    }
}

/// Trains a model as the plan says on these rows, given in the data's own units, and settles the
/// prior that samples are drawn from; beside it, or the error, the epochs that were finished.
pub(super) fn fit(
    context: &Context,
    name: &str,
    seed: u64,
    training: ArrayView2<f32>,
    held_out: ArrayView2<f32>,
    settings: &TrainingSettings,
    epochs: usize,
) -> (Vec<EpochRecord>, Result<SavedModel>) {
    let steps = training.nrows().div_ceil(context.plan.decided.batch) * epochs;
    let mut watcher = Watcher::new(context.progress.begin(name, steps as u64));
    let card = card(context, seed, training);
    let trained = fit_parameters(context, card, training, held_out, settings, epochs, &mut watcher);
    let Watcher { history, task, .. } = watcher;
    drop(task);
    (history, trained.and_then(|saved| settle_prior(context, saved, training)))
}

fn fit_parameters(
    context: &Context,
    card: ModelCard,
    training: ArrayView2<f32>,
    held_out: ArrayView2<f32>,
    settings: &TrainingSettings,
    epochs: usize,
    watcher: &mut Watcher,
) -> Result<SavedModel> {
    let (rows, held_out) = (card.scaling.apply(training), card.scaling.apply(held_out));
    let sigma = context.plan.settings.model.sigma;
    let start = Parameters::initialise(card.architecture.clone(), sigma, rows.view(), card.seed)?;
    let job = job(context, &card, settings, epochs, &rows, &held_out);
    let parameters = train(job, &start, &context.interrupt, watcher)?.parameters;
    Ok(SavedModel { card, parameters })
}

/// The training of `card` on these rows in scaled units.
fn job<'a>(
    context: &'a Context,
    card: &'a ModelCard,
    settings: &'a TrainingSettings,
    epochs: usize,
    rows: &'a Array2<f32>,
    held_out: &'a Array2<f32>,
) -> Job<'a> {
    Job {
        card,
        settings,
        epochs,
        engine: context.plan.decided.engine,
        backend: context.plan.decided.backend,
        device: context.device,
        rows: rows.view(),
        held_out: held_out.view(),
    }
}

/// Puts the prior that samples are drawn from into the card of a trained model.
fn settle_prior(
    context: &Context,
    mut saved: SavedModel,
    training: ArrayView2<f32>,
) -> Result<SavedModel> {
    let model = Model::new(saved.clone(), context.device);
    saved.card.prior = match context.plan.settings.model.refit_prior {
        true => prior::refit(context, &model, training)?,
        false => model.trained_prior()?,
    };
    Ok(saved)
}

/// Shows training and keeps its history.
struct Watcher {
    task: Box<dyn Task>,
    steps: u64,
    line: String,
    history: Vec<EpochRecord>,
}

impl Watcher {
    fn new(task: Box<dyn Task>) -> Self {
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
