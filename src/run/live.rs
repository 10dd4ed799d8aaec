//! A page that shows a run while it goes on, and then its report.

mod board;
mod painter;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use self::board::{Board, TaskState};
use self::painter::Painter;
use super::report::rows;
use super::{Dataset, Plan, Progress, Task, TrainingView, Watch};
use crate::error::{Error, Result};
use crate::history::EpochRecord;
use crate::input;
use crate::model::SavedModel;
use crate::report::LivePage;
use crate::server::Server;

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
            recipe: plan.settings.recipe.clone(),
            rows: rows(plan),
            charts: painter.empty(plan.decided.latent)?,
            report: report.display().to_string(),
        };
        let board = Board::new(plan.settings.training.clone());
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

    /// Tells the page what happens until `interrupt` is set.
    pub fn watch<'b>(&'b self, interrupt: &'b AtomicBool) -> Watch<'b> {
        Watch { progress: self, training: Some(self), interrupt }
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
        let other = self.others.begin(name, total);
        Box::new(LiveTask { other, index, board: self.board.clone() })
    }
}

impl TrainingView for Live<'_> {
    fn begin(&self, history: &[EpochRecord]) {
        self.board.lock().history = history.to_vec();
    }

    fn epoch(&self, record: &EpochRecord) {
        self.board.lock().history.push(record.clone());
    }

    fn wants_model(&self) -> bool {
        let state = self.board.lock();
        state.is_open() && state.is_due()
    }

    fn model(&self, model: SavedModel) {
        self.board.offer(model);
    }
}

struct LiveTask {
    other: Box<dyn Task>,
    index: usize,
    board: Board,
}

impl Task for LiveTask {
    fn update(&self, done: u64, message: &str) {
        self.other.update(done, message);
        let task = &mut self.board.lock().tasks[self.index];
        task.done = done;
        message.clone_into(&mut task.message);
    }
}

impl Drop for LiveTask {
    fn drop(&mut self) {
        self.board.lock().tasks[self.index].ended = true;
    }
}
