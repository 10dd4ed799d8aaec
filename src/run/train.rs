//! Stage `train`: weights and history.

use std::sync::atomic::AtomicBool;

use burn::tensor::Device;
use ndarray::{Array2, ArrayView2};

use super::{Context, Plan, Progress, RunDir, Task, interruptible, prior};
use crate::audit::findings::Preflight;
use crate::audit::preflight::certify;
use crate::config::{Recipe, Settings, TrainingSettings};
use crate::data::{Scaling, Table};
use crate::error::Result;
use crate::fused::Member;
use crate::model::{ModelCard, Parameters, SavedModel};
use crate::train::{
    EpochRecord, Job, Observer, refuse_wrong_adapter, restart_seed, train, train_members,
    write_history,
};
use crate::vae::Model;

pub(super) fn stage(context: &Context) -> Result<()> {
    let (training, held_out) = (&context.dataset.training, context.dataset.held_out.rows());
    preflight(context)?;
    refuse_wrong_adapter(
        context.plan.decided.backend,
        context.plan.decided.engine,
        context.device,
    )?;
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
    let training = &context.dataset.training;
    let card = model_card(context.plan, settings.training_seed(), training);
    let rows = card.scaling.apply(training.rows());
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
fn best_seed(context: &Context, training: &Table, held_out: ArrayView2<f32>) -> Result<u64> {
    let Plan { settings, decided, .. } = context.plan;
    let (restarts, first) = (settings.training.restarts, settings.training_seed());
    if restarts == 1 {
        return Ok(first);
    }
    let card = model_card(context.plan, first, training);
    let (rows, held_out) = (card.scaling.apply(training.rows()), card.scaling.apply(held_out));
    let member = |restart| {
        let seed = restart_seed(first, restart);
        let (architecture, sigma) = (card.architecture.clone(), settings.model.sigma);
        Ok(Member {
            seed,
            beta: settings.training.beta,
            learning_rate: settings.training.learning_rate,
            start: Parameters::initialise(architecture, sigma, rows.view(), seed)?,
        })
    };
    let members: Vec<Member> = (0..restarts).map(member).collect::<Result<_>>()?;
    let job = job(context, &card, &settings.training, decided.epochs, &rows, &held_out);
    let task = context.progress.begin("restarts", (job.step_count() * restarts) as u64);
    let trained = train_members(job, &members, &context.interrupt, &mut |taken| {
        task.update(taken as u64, "");
    })?;
    drop(task);
    let elbo =
        |index: usize| trained[index].as_ref().map_or(f64::NEG_INFINITY, |m| m.held_out_elbo);
    let best =
        (0..restarts).fold(0, |best, next| if elbo(next) > elbo(best) { next } else { best });
    let worst = (0..restarts).map(elbo).fold(f64::INFINITY, f64::min);
    context.progress.note(&format!(
        "restarts: number {} of {restarts} is kept, held-out ELBO {:.3} (the worst {worst:.3})",
        best + 1,
        elbo(best),
    ));
    Ok(members[best].seed)
}

/// What the model for these rows is, given in the data's own units.
pub(super) fn model_card(plan: &Plan, seed: u64, training: &Table) -> ModelCard {
    let Plan { settings, decided, .. } = plan;
    let scaling = Scaling::fit(settings.data.scaling, training.rows());
    ModelCard::untrained(settings, seed, training.columns(), scaling, decided.batch)
}

/// Trains a model as the plan says on these rows, given in the data's own units, and settles the
/// prior that samples are drawn from; beside it, or the error, the epochs that were finished.
pub(super) fn fit(
    context: &Context,
    name: &str,
    seed: u64,
    training: &Table,
    held_out: ArrayView2<f32>,
    settings: &TrainingSettings,
    epochs: usize,
) -> (Vec<EpochRecord>, Result<SavedModel>) {
    let steps = training.len().div_ceil(context.plan.decided.batch) * epochs;
    let mut watcher = Watcher::new(context.progress.begin(name, steps as u64));
    let card = model_card(context.plan, seed, training);
    let trained = fit_parameters(context, card, training, held_out, settings, epochs, &mut watcher);
    let Watcher { history, task, .. } = watcher;
    drop(task);
    let Context { plan, device, progress, interrupt, .. } = context;
    let settle =
        |saved| settle_prior(saved, training.rows(), &plan.settings, device, *progress, interrupt);
    (history, trained.and_then(settle))
}

fn fit_parameters(
    context: &Context,
    card: ModelCard,
    training: &Table,
    held_out: ArrayView2<f32>,
    settings: &TrainingSettings,
    epochs: usize,
    watcher: &mut Watcher,
) -> Result<SavedModel> {
    let (rows, held_out) = (card.scaling.apply(training.rows()), card.scaling.apply(held_out));
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
pub(super) fn settle_prior(
    mut saved: SavedModel,
    training: ArrayView2<f32>,
    settings: &Settings,
    device: &Device,
    progress: &dyn Progress,
    interrupt: &AtomicBool,
) -> Result<SavedModel> {
    let model = Model::new(saved.clone(), device);
    saved.card.prior = match settings.model.refit_prior {
        true => prior::refit(&model, training, settings.seed, progress, interrupt)?,
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
