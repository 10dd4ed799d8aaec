//! A page that shows a run while it goes on, and then its report.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use burn::tensor::Device;
use ndarray::{Array2, ArrayView2};
use serde::Serialize;
use serde_json::json;

use super::classes::Classes;
use super::latent_plane::{components, prior_mixture};
use super::plot::with_losses;
use super::report::source;
use super::{Dataset, Plan, Progress, Task};
use crate::data::{Mixture, Table};
use crate::error::Result;
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
/// Shortest time from one set of pictures to the next.
const INTERVAL: Duration = Duration::from_millis(400);
/// How much longer than the pictures took is waited for the next: what they may take of one core.
const PATIENCE: u32 = 20;
/// A page that has not asked for so long is closed.
const CLOSED: Duration = Duration::from_secs(2);
/// Longest time that pages are given to fetch the report.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Tells a page, as well as whoever was told before, what happens.
pub struct Live<'a> {
    others: &'a dyn Progress,
    board: Board,
    painter: SyncSender<Sitting>,
    report: PathBuf,
    _server: Server,
}

/// A model to show, and the epochs that led to it.
type Sitting = (SavedModel, Vec<EpochRecord>);

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
        let page = LivePage {
            source: source(plan),
            recipe: plan.settings.recipe.clone(),
            rows: (dataset.training.len(), dataset.held_out.len()),
            charts: painter.empty(plan.decided.latent)?,
            report: std::path::absolute(report)
                .unwrap_or_else(|_| report.into())
                .display()
                .to_string(),
        };
        let (sender, sittings) = sync_channel(1);
        let board = Board::default();
        let (of_painter, of_server, page) = (board.clone(), board.clone(), page.render());
        std::thread::spawn(move || painter.work(&sittings, &of_painter));
        let server = Server::start(move |name| of_server.content(name, &page))?;
        others.note(&format!("live: {}", server.address()));
        Ok(Self { others, board, painter: sender, report: report.into(), _server: server })
    }

    /// Puts the report in the place of the page, and waits until the pages that are open have it.
    ///
    /// # Errors
    /// Where the report cannot be read.
    pub fn finish(&self, interrupt: &AtomicBool) -> Result<()> {
        self.board.lock().report = Some(input::bytes(&self.report)?);
        let begin = Instant::now();
        let is_open = || self.board.lock().asked.is_some_and(|at| at.elapsed() < CLOSED);
        while is_open() && begin.elapsed() < LONGEST_WAIT && !interrupt.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}

impl Progress for Live<'_> {
    fn note(&self, line: &str) {
        self.others.note(line);
    }

    fn begin(&self, name: &str, total: u64) -> Box<dyn Task> {
        let index = {
            let mut state = self.board.lock();
            let task = TaskState { name: name.into(), total, ..TaskState::default() };
            state.tasks.push(task);
            state.tasks.len() - 1
        };
        let (board, painter) = (self.board.clone(), self.painter.clone());
        Box::new(LiveTask { other: self.others.begin(name, total), index, board, painter })
    }
}

/// What is shared between who tells, who paints and who serves.
#[derive(Clone, Default)]
struct Board(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    tasks: Vec<TaskState>,
    /// The epochs of the training that goes on, and which task that is.
    history: Vec<EpochRecord>,
    trains: usize,
    /// The newest pictures as JSON, how many there were before, and when the next are due.
    pictures: Vec<u8>,
    painted: u64,
    due: Option<Instant>,
    report: Option<Vec<u8>>,
    /// When a page last asked how the run stands.
    asked: Option<Instant>,
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

impl Board {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Whoever panicked while holding it left it as good as before.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the server answers.
    fn content(&self, name: &str, page: &str) -> Option<Content> {
        let mut state = self.lock();
        match (name, &state.report) {
            ("", Some(report)) => Some(Content::Page(report.clone())),
            ("", None) => Some(Content::Page(page.as_bytes().to_vec())),
            ("state", report) => {
                let running = |task: &&TaskState| !task.ended;
                let answer = json!({
                    "tasks": state.tasks.iter().filter(running).collect::<Vec<_>>(),
                    "epoch": state.history.last(),
                    "pictures": state.painted,
                    "finished": report.is_some(),
                });
                state.asked = Some(Instant::now());
                Some(Content::Json(answer.to_string().into_bytes()))
            }
            ("pictures", _) => Some(Content::Json(state.pictures.clone())),
            _ => None,
        }
    }

    /// The epochs to draw, where a page is open and its pictures are due.
    fn due(&self) -> Option<Vec<EpochRecord>> {
        let state = self.lock();
        let is_open = state.asked.is_some_and(|at| at.elapsed() < CLOSED);
        let is_due = state.due.is_none_or(|due| Instant::now() >= due);
        (is_open && is_due).then(|| {
            let every = state.history.len().div_ceil(EPOCHS).max(1);
            state.history.iter().step_by(every).cloned().collect()
        })
    }
}

struct LiveTask {
    other: Box<dyn Task>,
    index: usize,
    board: Board,
    painter: SyncSender<Sitting>,
}

impl Task for LiveTask {
    fn update(&self, done: u64, message: &str) {
        self.other.update(done, message);
        let task = &mut self.board.lock().tasks[self.index];
        // Parallel workers may report out of order.
        task.done = task.done.max(done);
        message.clone_into(&mut task.message);
    }

    fn epoch(&self, record: &EpochRecord) {
        self.other.epoch(record);
        let mut state = self.board.lock();
        // Another training begins anew, as does one that diverged.
        if state.trains != self.index {
            state.trains = self.index;
            state.history.clear();
        }
        state.history.truncate(record.epoch);
        state.history.push(record.clone());
    }

    fn model(&self, model: &dyn Fn() -> Result<SavedModel>) {
        self.other.model(model);
        if let Some(history) = self.board.due()
            && let Ok(saved) = model()
        {
            // A painter who is still busy gets a later one.
            let _ = self.painter.try_send((saved, history));
        }
    }
}

impl Drop for LiveTask {
    fn drop(&mut self) {
        self.board.lock().tasks[self.index].ended = true;
    }
}

/// Draws models beside the training that they come from.
struct Painter {
    plan: Plan,
    columns: Vec<String>,
    real: Table,
    /// The number of each real row in its file, from 1, and how many there are.
    numbers: Vec<usize>,
    of: usize,
    modes: Option<Mixture>,
}

impl Painter {
    fn new(plan: &Plan, dataset: &Dataset) -> Self {
        Self {
            plan: plan.clone(),
            columns: dataset.table.columns().to_vec(),
            real: dataset.first(ROWS),
            numbers: dataset.training_rows.iter().take(ROWS).map(|row| row + 1).collect(),
            of: dataset.training.len(),
            modes: dataset.mixture.clone(),
        }
    }

    fn work(&self, sittings: &Receiver<Sitting>, board: &Board) {
        for (saved, history) in sittings {
            let begin = Instant::now();
            let painted = self.paint(saved, &history);
            let mut state = board.lock();
            state.due = Some(begin + INTERVAL.max(PATIENCE * begin.elapsed()));
            // A model that cannot be drawn is no reason to stop: the run itself will say what is wrong.
            if let Ok(pictures) = painted {
                state.pictures = pictures;
                state.painted += 1;
            }
        }
    }

    /// The curves and the views, as `live.js` takes them.
    fn paint(&self, mut saved: SavedModel, history: &[EpochRecord]) -> Result<Vec<u8>> {
        let (settings, device, never) =
            (&self.plan.settings, Device::flex(), AtomicBool::new(false));
        let scaling = &saved.card.scaling;
        let curves = with_losses(history, settings, scaling, |figure| figure.picture("losses"))?;
        saved.card.prior = Model::new(saved.clone(), &device).trained_prior()?;
        let model = Model::new(saved, &device);
        let generated = model.sample(self.real.len(), settings.noise, settings.seed, &never)?;
        let means = model.encode(self.real.rows(), &never)?.means;
        let charts = self.charts(generated.view(), means.view(), &model.card().prior)?;
        Ok(json!({ "curves": curves.svg, "charts": charts }).to_string().into_bytes())
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
