//! Training: the loop, its schedule, what is measured after each epoch, and the history of it.

mod autodiff;
mod epochs;
mod evaluate;
mod history;
mod schedule;

pub use autodiff::{Autodiff, Gradient, gradient};
pub use epochs::{Job, Observer, Trained, train};
pub use history::{EpochRecord, read_history, write_history};
pub use schedule::learning_rate;
