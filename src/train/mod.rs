//! Training: the loop, who takes the steps, its schedules, what is measured after each epoch, and the history of it.

mod autodiff;
mod epochs;
mod evaluate;
mod history;
mod restarts;
mod schedule;
mod trainer;

pub use autodiff::{Autodiff, Gradient, gradient};
pub use epochs::{Job, Observer, Trained, train};
pub use history::{EpochRecord, read_history, write_history};
pub use restarts::{held_out_elbos, restart_seed};
pub use schedule::{beta_share, learning_rate};
