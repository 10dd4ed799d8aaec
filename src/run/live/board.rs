//! What a page may ask of a run that goes on.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::json;

use crate::audit::overfitting::Overfitting;
use crate::config::TrainingSettings;
use crate::history::EpochRecord;
use crate::model::SavedModel;
use crate::run::audit::bounds;
use crate::server::Content;
use crate::train::kept_epochs;

/// Epochs that its curves show at most.
const EPOCHS: usize = 400;
/// How long a page that asks is kept waiting where nothing ends, and the shortest time from one set of
/// pictures to the next.
pub const INTERVAL: Duration = Duration::from_millis(400);
/// A page that is not waiting and has not asked for so long is closed.
const CLOSED: Duration = Duration::from_secs(5);

/// State that progress, the drawing thread and the server share; the condition variable wakes the last two.
#[derive(Clone)]
pub struct Board(Arc<(Mutex<State>, Condvar)>);

#[derive(Default)]
pub struct State {
    /// How the run trains.
    pub settings: TrainingSettings,
    pub tasks: Vec<TaskState>,
    pub notes: Vec<String>,
    /// The epochs of the run's own training.
    pub history: Vec<EpochRecord>,
    /// A model that waits to be painted, and the epochs that led to it.
    pub pending: Option<Pending>,
    /// When the next may come; nothing while one is there.
    pub due: Turn,
    /// The newest pictures as JSON, and how many there were.
    pub pictures: Vec<u8>,
    pub painted: u64,
    pub report: Option<Vec<u8>>,
    /// How often pages were told that the report is there, and given it.
    pub reports_told: usize,
    pub reports_given: usize,
    /// When a page last asked how the run stands, and how many wait for the answer.
    asked: Option<Instant>,
    waiting: usize,
    pub ended: bool,
}

/// What is to be painted.
pub struct Pending {
    pub model: SavedModel,
    /// Some of the epochs that led to it.
    pub history: Vec<EpochRecord>,
    pub overfitting: Option<Overfitting>,
}

/// Whose turn it is to paint.
#[derive(Default)]
pub enum Turn {
    /// The next model's.
    #[default]
    Free,
    /// The next model's from then on.
    From(Instant),
    /// A model is being painted.
    Taken,
}

#[derive(Clone, Default, Serialize)]
pub struct TaskState {
    pub name: String,
    pub done: u64,
    pub total: u64,
    pub message: String,
    #[serde(skip)]
    pub ended: bool,
}

impl State {
    /// Whether someone looks.
    pub fn is_open(&self) -> bool {
        self.waiting > 0 || self.asked.is_some_and(|at| at.elapsed() < CLOSED)
    }

    /// Whether a model may be painted now.
    pub fn is_due(&self) -> bool {
        match self.due {
            Turn::Free => true,
            Turn::From(time) => Instant::now() >= time,
            Turn::Taken => false,
        }
    }
}

impl Board {
    pub fn new(settings: TrainingSettings) -> Self {
        Self(Arc::new((Mutex::new(State { settings, ..State::default() }), Condvar::new())))
    }

    pub fn lock(&self) -> MutexGuard<'_, State> {
        // Whoever panicked while holding it left it as good as before.
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until something has changed.
    pub fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.0.1.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    pub fn changed(&self) {
        self.0.1.notify_all();
    }

    /// What the server answers.
    pub fn content(&self, name: &str, page: &str) -> Option<Content> {
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

    /// Has a model painted next.
    pub fn offer(&self, model: SavedModel) {
        let mut state = self.lock();
        let kept = kept_epochs(&state.history, &state.settings, &model.card.objective);
        let overfitting = Overfitting::find(&bounds(kept));
        let history = thinned(&state.history);
        state.pending = Some(Pending { model, history, overfitting });
        state.due = Turn::Taken;
        drop(state);
        self.changed();
    }
}

/// Some of the epochs, evenly, with the last.
fn thinned(history: &[EpochRecord]) -> Vec<EpochRecord> {
    let every = history.len().div_ceil(EPOCHS).max(1);
    let mut thinned: Vec<EpochRecord> = history.iter().rev().step_by(every).cloned().collect();
    thinned.reverse();
    thinned
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::config::{ScalingKind, Settings};
    use crate::data::Scaling;
    use crate::model::{ModelCard, Parameters};

    /// Held-out rows fare best in the twentieth of a hundred epochs, those trained on in the last.
    #[test]
    fn what_patience_will_throw_away_is_no_overfitting() {
        let mut settings = Settings::default();
        settings.model.latent = Some(1);
        let columns = ["x".to_owned()];
        let scaling = Scaling::fit(ScalingKind::None, Array2::zeros((1, 1)).view());
        let card = ModelCard::untrained(&settings, 1, &columns, scaling, 32);
        let none = Array2::zeros((0, 1));
        let parameters =
            Parameters::initialise(card.architecture.clone(), 1.0, none.view(), 1).unwrap();
        let record = |epoch: usize| EpochRecord {
            epoch,
            loss: -(epoch as f64),
            reconstruction: -(epoch as f64),
            kl: 0.0,
            beta: 1.0,
            learning_rate: 1e-3,
            sigma: 1.0,
            active_units: 1,
            held_out_elbo: Some(-(epoch as f64 - 20.0).abs()),
            seconds: 1.0,
        };
        for (patience, is_told) in [(None, true), (Some(10), false)] {
            let board = Board::new(TrainingSettings { patience, ..settings.training.clone() });
            board.lock().history = (0..100).map(record).collect();
            board.offer(SavedModel { card: card.clone(), parameters: parameters.clone() });
            let pending = board.lock().pending.take().unwrap();
            assert_eq!(pending.overfitting.is_some(), is_told, "patience {patience:?}");
        }
    }
}
