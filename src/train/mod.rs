//! Training: the loop, who takes the steps, its schedules, what is measured after each epoch, and the history of it.

mod autodiff;
mod checkup;
mod epochs;
mod evaluate;
mod history;
mod members;
mod schedule;
mod trainer;

pub use autodiff::{Autodiff, Gradient, gradient};
pub use checkup::{Checkup, Compared, check_up, refuse_wrong_adapter};
pub use epochs::{Job, Observer, Trained, train};
pub use history::{EpochRecord, read_history, write_history};
pub use members::{TrainedMember, restart_seed, time_members, train_members};
pub use schedule::{beta_share, learning_rate};
