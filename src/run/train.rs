//! Stage `train`: weights and history.

use burn::tensor::Device;
use ndarray::{Array2, ArrayView2};

use super::stage::training_key;
use super::{Context, Plan, Progress, RunDir, Task, TrainingView, Watch, prior};
use crate::config::{OnDivergence, Settings, TrainingSettings};
use crate::data::{Scaling, Table};
use crate::error::{Error, Result};
use crate::fused::Member;
use crate::history::{EpochRecord, write_events, write_history};
use crate::model::{ModelCard, Parameters, SavedModel};
use crate::train::{
    Checkpoints, Epochs, Job, Observer, kept_epochs, refuse_wrong_adapter, restart_seed, train,
    train_members,
};
use crate::vae::{Model, Vae};

pub(super) fn stage(context: &Context) -> Result<()> {
    let (training, held_out) = (&context.dataset.training, context.dataset.held_out.rows());
    refuse_wrong_adapter(
        context.plan.decided.backend,
        context.plan.decided.engine,
        context.device,
    )?;
    let settings = &context.plan.settings.training;
    let epochs = &epochs(context);
    let checkpoints = checkpoints(context, RunDir::CHECKPOINTS, "train", epochs)?;
    let seed = best_seed(context, (training, held_out), epochs, &checkpoints)?;
    let fit = Fit {
        name: "training",
        seed,
        settings,
        epochs,
        checkpoints: &checkpoints,
        view: context.watch.training,
    };
    let (history, saved) = fit.train(context, training, held_out);
    // The epochs that were finished are kept, also where the run was stopped or diverged.
    if !history.is_empty() {
        write_history(&context.dir.file(RunDir::HISTORY), &history)?;
        write_events(&context.dir.file(RunDir::EVENTS), &history)?;
    }
    let saved = saved?;
    let kept = kept_epochs(&history, settings, &saved.card.objective).len();
    if kept < history.len() {
        let (taken, all, word) = (history.len(), epochs.len(), context.dataset.epoch_word());
        let stopped = match taken < all {
            true => format!("training stopped after {taken} of {all} {word}s"),
            false => format!("training took all {all} {word}s"),
        };
        context.watch.progress.note(&format!(
            "{stopped}; training.patience keeps the weights after {kept}, which did best on the held-out rows"
        ));
    }
    saved.save(context.dir.path())
}

/// The epochs of a trained run's history that its weights come of: where training had patience, those after
/// them are left out.
///
/// # Errors
/// Where the model cannot be read.
pub fn kept_history<'a>(
    dir: &RunDir,
    plan: &Plan,
    history: &'a [EpochRecord],
) -> Result<&'a [EpochRecord]> {
    let objective = SavedModel::load(dir.path())?.card.objective;
    Ok(kept_epochs(history, &plan.settings.training, &objective))
}

/// The epochs of the training.
pub(super) fn epochs(context: &Context) -> Epochs {
    let Context { plan, dataset, .. } = context;
    let scaling = Scaling::choose(plan.settings.data.scaling, dataset.training.rows());
    dataset.epochs(&scaling, plan.rows_to_visit(), plan.settings.seed)
}

/// The seed of the training, among the run's restarts, that ends with the best held-out ELBO.
fn best_seed(
    context: &Context,
    (training, held_out): (&Table, ArrayView2<f32>),
    epochs: &Epochs,
    checkpoints: &Checkpoints,
) -> Result<u64> {
    let settings = &context.plan.settings;
    let (restarts, first) = (settings.training.restarts, settings.training_seed());
    if restarts == 1 {
        return Ok(first);
    }
    let card = model_card(context.plan, first, training);
    // A training that had begun is of the restart that was the best.
    if let Some((_, checkpoint)) = checkpoints.newest(&card.architecture)? {
        return Ok(checkpoint.seed());
    }
    let (rows, held_out) = (card.scaling.apply(training.rows()), card.scaling.apply(held_out));
    let start = |restart| {
        let seed = restart_seed(first, restart);
        member(&card, settings, rows.view(), seed)
    };
    let job = job(context, &card, &settings.training, epochs, (&rows, &held_out));
    let task = context.watch.progress.begin("restarts", (job.step_count() * restarts) as u64);
    let mut on_steps = |taken| task.update(taken as u64, "");
    // Number and bound of each that did not diverge.
    let mut finished: Vec<(usize, f64)> = Vec::new();
    train_members(
        job,
        restarts,
        &start,
        context.watch.interrupt,
        &mut on_steps,
        &mut |index, trained| {
            finished.extend(trained.map(|member| (index, member.held_out_elbo)));
            Ok(())
        },
    )?;
    drop(task);
    let Some((best, bound)) = best_of(finished.iter().copied()) else {
        let what = format!("all {restarts} restarts diverged");
        if settings.safety.on_divergence == OnDivergence::Stop {
            return Err(none_is_left(&what));
        }
        context.watch.progress.note(&format!("{what}: going on with the first alone"));
        return Ok(first);
    };
    let worst = finished.iter().fold(f64::INFINITY, |worst, (_, bound)| worst.min(*bound));
    let diverged = match restarts - finished.len() {
        0 => String::new(),
        some => format!(", {some} diverged"),
    };
    context.watch.progress.note(&format!(
        "restarts: number {} of {restarts} is kept, held-out ELBO {bound:.3} (the worst \
         {worst:.3}{diverged})",
        best + 1,
    ));
    Ok(restart_seed(first, best))
}

/// One of several trainings at its first weights, given the rows to train on in scaled units.
pub(super) fn member(
    card: &ModelCard,
    settings: &Settings,
    rows: ArrayView2<f32>,
    seed: u64,
) -> Result<Member> {
    let (architecture, sigma) = (card.architecture.clone(), settings.model.sigma);
    Ok(Member {
        seed,
        beta: settings.training.beta,
        learning_rate: settings.training.learning_rate,
        start: Parameters::initialise(architecture, sigma, rows, seed)?.into(),
    })
}

/// Of trainings, each with its number and its held-out ELBO, the first with the largest.
pub(super) fn best_of(trained: impl Iterator<Item = (usize, f64)>) -> Option<(usize, f64)> {
    trained.reduce(|best, next| if next.1 > best.1 { next } else { best })
}

/// The error where none of several trainings is left.
pub(super) fn none_is_left(what: &str) -> Error {
    Error::diverged(what)
        .help("try lower values of training.learning_rate, or --set training.gradient_clip=1")
}

/// What the model for these rows is, given in the data's own units.
pub(super) fn model_card(plan: &Plan, seed: u64, training: &Table) -> ModelCard {
    let Plan { settings, decided, .. } = plan;
    let scaling = Scaling::choose(settings.data.scaling, training.rows());
    ModelCard::untrained(settings, seed, training.columns(), scaling, decided.batch)
}

/// The checkpoints of the training of this name, in a folder of the run, which is made.
pub(super) fn checkpoints(
    context: &Context,
    folder: &str,
    name: &str,
    epochs: &Epochs,
) -> Result<Checkpoints> {
    let (path, safety) = (context.dir.make(folder)?, &context.plan.settings.safety);
    Ok(Checkpoints::new(path, training_key(name, context.plan), safety, epochs.len()))
}

/// A training of the plan's model.
pub(super) struct Fit<'a> {
    /// What the user sees of it.
    pub name: &'a str,
    pub seed: u64,
    pub settings: &'a TrainingSettings,
    pub epochs: &'a Epochs,
    pub checkpoints: &'a Checkpoints,
    /// Who looks at it.
    pub view: Option<&'a dyn TrainingView>,
}

impl<'a> Fit<'a> {
    /// Trains on these rows, given in the data's own units, and settles the prior that samples are
    /// drawn from; beside it, or the error, the epochs that were finished.
    pub(super) fn train(
        &self,
        context: &Context,
        training: &Table,
        held_out: ArrayView2<f32>,
    ) -> (Vec<EpochRecord>, Result<SavedModel>) {
        let Context { plan, device, watch, .. } = context;
        let card = model_card(plan, self.seed, training);
        let (rows, held_out) = (card.scaling.apply(training.rows()), card.scaling.apply(held_out));
        let job = job(context, &card, self.settings, self.epochs, (&rows, &held_out));
        let task = watch.progress.begin(self.name, job.step_count() as u64);
        let mut watcher = Watcher::new(watch.progress, task, self.view, &card);
        let trained = self.parameters(job, context, &mut watcher);
        let history = watcher.history;
        if let (Some(view), Ok(model)) = (self.view, &trained) {
            view.model(model.clone());
        }
        let settle = |saved| settle_prior(saved, training.rows(), &plan.settings, device, *watch);
        (history, trained.and_then(settle))
    }

    fn parameters<'b>(
        &self,
        job: Job<'b>,
        context: &Context,
        watcher: &mut Watcher,
    ) -> Result<SavedModel>
    where
        'a: 'b,
    {
        let (card, sigma) = (job.card, context.plan.settings.model.sigma);
        let start = Parameters::initialise(card.architecture.clone(), sigma, job.rows, self.seed)?;
        let checkpoints = Some(self.checkpoints);
        let parameters =
            train(job, &start, checkpoints, context.watch.interrupt, watcher)?.parameters;
        Ok(SavedModel { card: card.clone(), parameters })
    }
}

/// The training of `card` on these rows in scaled units.
fn job<'a>(
    context: &'a Context,
    card: &'a ModelCard,
    settings: &'a TrainingSettings,
    epochs: &'a Epochs,
    (rows, held_out): (&'a Array2<f32>, &'a Array2<f32>),
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
    watch: Watch,
) -> Result<SavedModel> {
    let model = Model::new(saved.clone(), device);
    saved.card.prior = match settings.model.refit_prior {
        true => prior::refit(&model, training, settings.seed, watch)?,
        false => model.trained_prior()?,
    };
    Ok(saved)
}

/// Shows training and keeps its history.
struct Watcher<'a> {
    progress: &'a dyn Progress,
    task: Box<dyn Task>,
    view: Option<&'a dyn TrainingView>,
    card: &'a ModelCard,
    steps: u64,
    line: String,
    history: Vec<EpochRecord>,
}

impl<'a> Watcher<'a> {
    fn new(
        progress: &'a dyn Progress,
        task: Box<dyn Task>,
        view: Option<&'a dyn TrainingView>,
        card: &'a ModelCard,
    ) -> Self {
        Self { progress, task, view, card, steps: 0, line: String::new(), history: Vec::new() }
    }

    /// Says how the training stands after this epoch.
    fn tell(&mut self, record: &EpochRecord) {
        let EpochRecord { epoch, loss, reconstruction, kl, sigma, active_units, .. } = record;
        let [loss, reconstruction, kl, sigma] =
            [(*loss, 4), (*reconstruction, 4), (*kl, 3), (*sigma, 3)].map(short);
        self.line = format!(
            "epoch {epoch}  loss {loss}  reconstruction {reconstruction}  KL {kl}  σ {sigma}  \
             active {active_units}"
        );
        self.task.update(self.steps, &self.line);
    }
}

impl Observer for Watcher<'_> {
    fn on_step(&mut self, steps: usize) {
        self.steps = steps as u64;
        self.task.update(self.steps, &self.line);
    }

    fn on_begin(&mut self, history: &[EpochRecord]) {
        self.history = history.to_vec();
        if let Some(newest) = history.last() {
            self.tell(newest);
        }
        if let Some(view) = self.view {
            view.begin(history);
        }
    }

    fn on_epoch(&mut self, record: &EpochRecord) {
        self.tell(record);
        self.history.push(record.clone());
        if let Some(view) = self.view {
            view.epoch(record);
        }
    }

    fn on_model(&mut self, model: &Vae) {
        let Some(view) = self.view.filter(|view| view.wants_model()) else { return };
        // Where the device fails the training itself will say so.
        if let Ok(parameters) = model.parameters(&self.card.architecture) {
            view.model(SavedModel { card: self.card.clone(), parameters });
        }
    }

    fn on_note(&mut self, note: &str) {
        self.progress.note(note);
    }
}

/// A value with so many decimals, or as many digits of what is far larger.
fn short((value, decimals): (f64, usize)) -> String {
    match value.abs() < 1e6 {
        true => format!("{value:.decimals$}"),
        false => format!("{value:.decimals$e}"),
    }
}
