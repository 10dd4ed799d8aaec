//! How long work tells what it is doing, and how it is stopped.

use std::sync::atomic::{AtomicBool, Ordering};
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
    /// An epoch of the training that this is has ended.
    fn epoch(&self, _: &EpochRecord) {}
    /// The model that the epoch left, made by `model` for whoever shows it.
    fn model(&self, _model: &dyn Fn() -> Result<SavedModel>) {}
    /// The training that this is has ended with this model.
    fn trained(&self, _model: &SavedModel) {}
}

/// Who hears of long work, and what stops it.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    /// Who is told.
    pub progress: &'a dyn Progress,
    /// Set when the user wants to stop.
    pub interrupt: &'a AtomicBool,
}

impl Watch<'static> {
    /// Nobody hears of it, and nothing stops it.
    pub fn nobody() -> Self {
        static NEVER: AtomicBool = AtomicBool::new(false);
        Self { progress: &Silent, interrupt: &NEVER }
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
