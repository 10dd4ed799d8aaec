//! A page that shows a run while it goes on, and then its report.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use burn::tensor::Device;
use ndarray::{Array2, ArrayView2};
use serde::Serialize;
use serde_json::json;

use super::audit::bounds;
use super::classes::Classes;
use super::latent_plane::{components, prior_mixture};
use super::plot::with_losses;
use super::report::source;
use super::{Dataset, Plan, Progress, Task};
use crate::audit::ledger::gaussian_per_label;
use crate::audit::overfitting::Overfitting;
use crate::data::{Mixture, Table};
use crate::error::{Error, Result};
use crate::input;
use crate::live::{Content, Server};
use crate::model::{Prior, SavedModel};
use crate::report::{Charts, Class, Gaussian, Latents, LivePage, Points, Set};
use crate::train::EpochRecord;
use crate::vae::Model;

/// Rows of each kind that the page shows.
const ROWS: usize = 1000;
/// Epochs that its curves show at most.
const EPOCHS: usize = 400;
/// How long a page that asks is kept waiting where nothing ends, and the shortest time from one set of
/// pictures to the next.
const INTERVAL: Duration = Duration::from_millis(400);
/// How much longer than the pictures took is waited for the next: what they may take of one core.
const PATIENCE: u32 = 20;
/// A page that is not waiting and has not asked for so long is closed.
const CLOSED: Duration = Duration::from_secs(5);
/// Longest time that pages are given to fetch the report.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Tells a page, as well as whoever was told before, what happens.
pub struct Live<'a> {
    others: &'a dyn Progress,
    board: Board,
    report: PathBuf,
    server: Server,
}

impl<'a> Live<'a> {
    /// Opens the page of a run whose report will be `report`.
    ///
    /// # Errors
    /// Where the loopback address cannot be served.
    pub fn start(
        others: &'a dyn Progress,
        plan: &Plan,
        dataset: &Dataset,
        report: &Path,
    ) -> Result<Self> {
        let painter = Painter::new(plan, dataset);
        let report = std::path::absolute(report).unwrap_or_else(|_| report.into());
        let page = LivePage {
            source: source(plan),
            recipe: plan.settings.recipe.clone(),
            rows: (dataset.training.len(), dataset.held_out.len()),
            charts: painter.empty(plan.decided.latent)?,
            report: report.display().to_string(),
        };
        let board = Board::default();
        // Beside the training, and on one thread, whatever the libraries would like.
        let alone = rayon::ThreadPoolBuilder::new()
            .num_threads(1)
            .build()
            .map_err(|error| Error::failed(format!("starting a thread: {error}")))?;
        let (of_painter, of_server, page) = (board.clone(), board.clone(), page.render());
        let server = Server::start(move |name| of_server.content(name, &page))?;
        std::thread::spawn(move || alone.install(|| painter.work(&of_painter)));
        Ok(Self { others, board, report, server })
    }

    /// Where the page is.
    pub fn address(&self) -> &str {
        self.server.address()
    }

    /// Puts the report in the place of the page, and waits until the pages that are open have it.
    ///
    /// # Errors
    /// Where the report cannot be read.
    pub fn finish(&self, interrupt: &AtomicBool) -> Result<()> {
        let report = input::bytes(&self.report)?;
        let begin = Instant::now();
        let is_open = {
            let mut state = self.board.lock();
            state.report = Some(report);
            state.is_open()
        };
        self.board.changed();
        let waits = || {
            let state = self.board.lock();
            // A page that draws asks when it has drawn.
            state.reports_told == 0 && state.is_open() || state.reports_given < state.reports_told
        };
        while is_open
            && waits()
            && begin.elapsed() < LONGEST_WAIT
            && !interrupt.load(Ordering::Relaxed)
        {
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Live<'_> {
    fn drop(&mut self) {
        self.board.lock().ended = true;
        self.board.changed();
    }
}

impl Progress for Live<'_> {
    fn note(&self, line: &str) {
        self.others.note(line);
        self.board.lock().notes.push(line.into());
    }

    fn begin(&self, name: &str, total: u64) -> Box<dyn Task> {
        let index = {
            let mut state = self.board.lock();
            state.tasks.push(TaskState { name: name.into(), total, ..TaskState::default() });
            state.tasks.len() - 1
        };
        let (name, board) = (name.to_owned(), self.board.clone());
        Box::new(LiveTask { other: self.others.begin(&name, total), index, name, board })
    }
}

/// What is shared between who tells, who paints and who serves, and a bell for the latter two.
#[derive(Clone, Default)]
struct Board(Arc<(Mutex<State>, Condvar)>);

#[derive(Default)]
struct State {
    tasks: Vec<TaskState>,
    notes: Vec<String>,
    /// The run's own training, by its task's name; another after it is not shown.
    training: Option<String>,
    history: Vec<EpochRecord>,
    /// A model that waits to be painted, and the epochs that led to it.
    sitting: Option<Sitting>,
    /// When the next may come; nothing while one is there.
    due: Turn,
    /// The newest pictures as JSON, and how many there were.
    pictures: Vec<u8>,
    painted: u64,
    report: Option<Vec<u8>>,
    /// How often pages were told that the report is there, and given it.
    reports_told: usize,
    reports_given: usize,
    /// When a page last asked how the run stands, and how many wait for the answer.
    asked: Option<Instant>,
    waiting: usize,
    ended: bool,
}

/// What is to be painted.
struct Sitting {
    model: SavedModel,
    /// Some of the epochs that led to it.
    history: Vec<EpochRecord>,
    overfitting: Option<Overfitting>,
}

/// Whose turn it is to paint.
#[derive(Default)]
enum Turn {
    /// The next model's.
    #[default]
    Free,
    /// The next model's from then on.
    From(Instant),
    /// A model is being painted.
    Taken,
}

#[derive(Clone, Default, Serialize)]
struct TaskState {
    name: String,
    done: u64,
    total: u64,
    message: String,
    #[serde(skip)]
    ended: bool,
}

impl State {
    /// Whether someone looks.
    fn is_open(&self) -> bool {
        self.waiting > 0 || self.asked.is_some_and(|at| at.elapsed() < CLOSED)
    }

    /// Whether a model may be painted now.
    fn is_due(&self) -> bool {
        match self.due {
            Turn::Free => true,
            Turn::From(time) => Instant::now() >= time,
            Turn::Taken => false,
        }
    }
}

impl Board {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Whoever panicked while holding it left it as good as before.
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changed(&self) {
        self.0.1.notify_all();
    }

    /// What the server answers.
    fn content(&self, name: &str, page: &str) -> Option<Content> {
        match name {
            "" => {
                let mut state = self.lock();
                state.reports_given += usize::from(state.report.is_some());
                let report = state.report.clone();
                Some(Content::Page(report.unwrap_or_else(|| page.as_bytes().to_vec())))
            }
            "state" => Some(Content::Json(self.state())),
            "pictures" => {
                let mut state = self.lock();
                state.asked = Some(Instant::now());
                Some(Content::Json(state.pictures.clone()))
            }
            _ => None,
        }
    }

    /// How the run stands, after a while or when its report is there: the page asks again at once. Its
    /// own clock would be slowed down where it is hidden.
    fn state(&self) -> Vec<u8> {
        let mut state = self.lock();
        state.waiting += 1;
        let goes_on = |state: &mut State| state.report.is_none() && !state.ended;
        let bell = &self.0.1;
        let (mut state, _) = bell
            .wait_timeout_while(state, INTERVAL, goes_on)
            .unwrap_or_else(PoisonError::into_inner);
        state.waiting -= 1;
        state.asked = Some(Instant::now());
        let finished = state.report.is_some();
        state.reports_told += usize::from(finished);
        let running: Vec<&TaskState> = state.tasks.iter().filter(|task| !task.ended).collect();
        let answer = json!({
            "tasks": running,
            "notes": state.notes,
            "epoch": state.history.last(),
            "pictures": state.painted,
            "finished": finished,
        });
        answer.to_string().into_bytes()
    }
}

impl Board {
    /// Has a model painted next.
    fn sit(&self, model: SavedModel) {
        let mut state = self.lock();
        let overfitting = Overfitting::find(&bounds(&state.history));
        let history = thinned(&state.history);
        state.sitting = Some(Sitting { model, history, overfitting });
        state.due = Turn::Taken;
        drop(state);
        self.changed();
    }
}

struct LiveTask {
    other: Box<dyn Task>,
    index: usize,
    name: String,
    board: Board,
}

impl Task for LiveTask {
    fn update(&self, done: u64, message: &str) {
        self.other.update(done, message);
        let task = &mut self.board.lock().tasks[self.index];
        task.done = done;
        message.clone_into(&mut task.message);
    }

    fn epoch(&self, record: &EpochRecord) {
        let mut state = self.board.lock();
        if *state.training.get_or_insert_with(|| self.name.clone()) == self.name {
            // One that diverged goes on from an earlier epoch.
            state.history.truncate(record.epoch);
            state.history.push(record.clone());
        }
    }

    fn model(&self, model: &dyn Fn() -> Result<SavedModel>) {
        let is_wanted = {
            let state = self.board.lock();
            state.is_open() && state.is_due() && state.training.as_ref() == Some(&self.name)
        };
        // Where the device fails the training itself will say so.
        if is_wanted && let Ok(model) = model() {
            self.board.sit(model);
        }
    }

    fn trained(&self, model: &SavedModel) {
        // For whoever comes later too.
        if self.board.lock().training.as_ref() == Some(&self.name) {
            self.board.sit(model.clone());
        }
    }
}

impl Drop for LiveTask {
    fn drop(&mut self) {
        self.board.lock().tasks[self.index].ended = true;
    }
}

/// Some of the epochs, evenly, with the last.
fn thinned(history: &[EpochRecord]) -> Vec<EpochRecord> {
    let every = history.len().div_ceil(EPOCHS).max(1);
    let mut thinned: Vec<EpochRecord> = history.iter().rev().step_by(every).cloned().collect();
    thinned.reverse();
    thinned
}

/// Draws models beside the training that they come from.
struct Painter {
    plan: Plan,
    columns: Vec<String>,
    real: Table,
    /// The number of each real row in its file, from 1, and how many there are.
    numbers: Vec<usize>,
    of: usize,
    /// The components that rows are coloured by: of the truth, or one a label.
    modes: Option<Mixture>,
}

impl Painter {
    fn new(plan: &Plan, dataset: &Dataset) -> Self {
        let real = dataset.first(ROWS);
        let modes = match (&dataset.mixture, real.labels()) {
            // Of labels that say nothing there are no colours.
            (None, Some(labels)) => gaussian_per_label(real.rows(), labels).ok(),
            (truth, _) => truth.clone(),
        };
        Self {
            plan: plan.clone(),
            columns: dataset.table.columns().to_vec(),
            numbers: dataset.training_rows.iter().take(ROWS).map(|row| row + 1).collect(),
            of: dataset.training.len(),
            real,
            modes,
        }
    }

    /// Paints what comes until the run ends.
    fn work(&self, board: &Board) {
        let mut state = board.lock();
        while !state.ended {
            let Some(sitting) = state.sitting.take() else {
                state = board.0.1.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            drop(state);
            let begin = Instant::now();
            let painted = self.paint(sitting);
            state = board.lock();
            if state.sitting.is_none() {
                state.due = Turn::From(begin + INTERVAL.max(PATIENCE * begin.elapsed()));
            }
            // A model that cannot be drawn is no reason to stop: the run itself will say what is wrong.
            if let Ok(pictures) = painted {
                state.pictures = pictures;
                state.painted += 1;
            }
        }
    }

    /// The curves and the views, as `live.js` takes them.
    fn paint(&self, sitting: Sitting) -> Result<Vec<u8>> {
        let Sitting { model: mut saved, history, overfitting } = sitting;
        let (settings, device, never) =
            (&self.plan.settings, Device::flex(), AtomicBool::new(false));
        let scaling = &saved.card.scaling;
        let curves = with_losses(&history, settings, scaling, |figure| figure.picture("losses"))?;
        saved.card.prior = Model::new(saved.clone(), &device).trained_prior()?;
        let model = Model::new(saved, &device);
        let generated = model.sample(self.real.len(), settings.noise, settings.seed, &never)?;
        let means = model.encode(self.real.rows(), &never)?.means;
        let charts = self.charts(generated.view(), means.view(), &model.card().prior)?;
        let pictures = json!({
            "epoch": history.last().map(|record| record.epoch),
            "curves": curves.svg,
            "charts": charts,
            "overfitting": overfitting.map(|found| found.to_string()),
        });
        Ok(pictures.to_string().into_bytes())
    }

    /// The views without samples and latents, of which there will be `latent` units.
    fn empty(&self, latent: usize) -> Result<Charts> {
        let none = |columns| Array2::zeros((0, columns));
        let prior = Prior::StandardNormal;
        self.charts(none(self.columns.len()).view(), none(latent).view(), &prior)
    }

    fn charts(
        &self,
        generated: ArrayView2<f32>,
        means: ArrayView2<f32>,
        prior: &Prior,
    ) -> Result<Charts> {
        let classes = Classes::by(self.modes.as_ref(), &self.real, generated)?;
        let names = classes.as_ref().map_or(&[][..], |classes| &classes.names);
        let of_real = classes.as_ref().map(|classes| &classes.real[..]);
        let of_generated = classes.as_ref().and_then(|classes| classes.generated.as_deref());
        let numbers = || self.numbers.iter().copied();
        let prior = components(&prior_mixture(prior, means.ncols())?);
        Ok(Charts {
            columns: self.columns.clone(),
            classes: Class::all(names),
            real: Points::new(Set::Real, self.real.rows(), self.of, numbers(), of_real),
            generated: Points::new(Set::Generated, generated, generated.nrows(), 1.., of_generated),
            latent: Latents {
                means: Points::new(Set::Latent, means, means.nrows(), numbers(), of_real),
                prior: prior.iter().map(Gaussian::from).collect(),
                map: None,
            },
            embeddings: Vec::new(),
        })
    }
}
