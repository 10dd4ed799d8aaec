//! Training: the loop, its schedules, what is measured after each epoch, and the history of it.

mod autodiff;
mod epochs;
mod evaluate;
mod history;
mod schedule;

pub use autodiff::{Autodiff, Gradient, gradient};
pub use epochs::{Job, Observer, Trained, train};
pub use history::{EpochRecord, read_history, write_history};
pub use schedule::{beta_share, learning_rate};
