//! Training: the loop, its schedule, what is measured after each epoch, and the history of it.

mod autodiff;
mod evaluate;
mod history;
mod schedule;

pub use autodiff::{Gradient, Job, Observer, Trained, gradient, train};
pub use history::{EpochRecord, read_history, write_history};
pub use schedule::learning_rate;
