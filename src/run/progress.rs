//! How long work tells what it is doing, and how it is stopped.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use crate::error::{Error, Result, panic_text};
use crate::history::EpochRecord;
use crate::model::SavedModel;

/// Someone who is told what happens.
pub trait Progress: Sync {
    /// A line worth reading: a choice that was made, a warning.
    fn note(&self, line: &str);
    /// Work of `total` units begins; 0 where nobody knows how many.
    fn begin(&self, name: &str, total: u64) -> Box<dyn Task>;
}

/// One piece of work under way; it ends when this is dropped.
pub trait Task: Send + Sync {
    /// `done` units are finished; `message` says how it stands.
    fn update(&self, done: u64, message: &str);
}

/// A piece of work whose units are all alike, told by whoever finishes one.
pub struct Counter {
    task: Box<dyn Task>,
    done: AtomicU64,
}

impl Counter {
    /// Counts the units of this task, of which none is done.
    pub fn new(task: Box<dyn Task>) -> Self {
        Self { task, done: AtomicU64::new(0) }
    }

    /// One more is finished.
    pub fn tick(&self) {
        self.task.update(self.done.fetch_add(1, Ordering::Relaxed) + 1, "");
    }
}

/// Someone who looks at the run's own training while it goes on.
pub trait TrainingView: Sync {
    /// Training begins after these epochs: at first, and again where it had diverged.
    fn begin(&self, history: &[EpochRecord]);
    /// An epoch has ended.
    fn epoch(&self, record: &EpochRecord);
    /// Whether the model of the last epoch would be shown now: making one reads the device.
    fn wants_model(&self) -> bool;
    /// The model that the last epoch left, or that the training ended with.
    fn model(&self, model: SavedModel);
}

/// Who hears of long work, and what stops it.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    /// Who is told.
    pub progress: &'a dyn Progress,
    /// Who looks at the training, if anybody does.
    pub training: Option<&'a dyn TrainingView>,
    /// Set when the user wants to stop.
    pub interrupt: &'a AtomicBool,
}

impl<'a> Watch<'a> {
    /// Work that this one is told of and that `interrupt` stops; nobody looks at its training.
    pub fn new(progress: &'a dyn Progress, interrupt: &'a AtomicBool) -> Self {
        Self { progress, training: None, interrupt }
    }
}

impl Watch<'static> {
    /// Nobody hears of it, and nothing stops it.
    pub fn nobody() -> Self {
        static NEVER: AtomicBool = AtomicBool::new(false);
        Self::new(&Silent, &NEVER)
    }
}

/// Nobody is told anything.
#[derive(Clone, Copy, Debug)]
pub struct Silent;

impl Progress for Silent {
    fn note(&self, _: &str) {}
    fn begin(&self, _: &str, _: u64) -> Box<dyn Task> {
        Box::new(Silent)
    }
}

impl Task for Silent {
    fn update(&self, _: u64, _: &str) {}
}

/// Runs `work`, which cannot be stopped from within, on a thread of its own, and returns as soon as
/// it ends or `interrupt` is set. Work left behind by an interrupt has written nothing and ends with
/// the process.
///
/// # Errors
/// An interrupt, or a panic inside a library that the work calls.
pub fn interruptible<T: Send + 'static>(
    interrupt: &AtomicBool,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let (sender, receiver) = channel();
    let worker = std::thread::spawn(move || {
        // The receiver is gone only after an interrupt.
        let _ = sender.send(work());
    });
    loop {
        match receiver.recv_timeout(Duration::from_millis(20)) {
            Ok(result) => return result,
            Err(RecvTimeoutError::Timeout) if interrupt.load(Ordering::Relaxed) => {
                return Err(Error::interrupted("stopped"));
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                let panic = worker.join().err().unwrap_or_else(|| Box::new("no message"));
                return Err(Error::failed(format!("a library failed: {}", panic_text(&*panic))));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    #[test]
    fn work_that_ends_gives_its_result_and_a_panic_is_an_error() {
        let never = AtomicBool::new(false);
        assert_eq!(interruptible(&never, || Ok(7)).unwrap(), 7);
        let error = interruptible::<()>(&never, || panic!("matrix {} is singular", 3)).unwrap_err();
        assert_eq!(error.message(), "a library failed: matrix 3 is singular");
    }

    #[test]
    fn an_interrupt_does_not_wait_for_the_work() {
        let (sender, receiver) = channel::<()>();
        let stopped = AtomicBool::new(true);
        let error = interruptible(&stopped, move || Ok(receiver.recv().is_ok())).unwrap_err();
        assert_eq!(error.kind(), Kind::Interrupted);
        drop(sender);
    }
}
