//! Training: the loop, who takes the steps, its schedules, and what is measured after each epoch.

mod autodiff;
mod checkpoint;
mod checkup;
mod epochs;
mod evaluate;
mod feeder;
mod job;
mod members;
mod recorder;
mod schedule;
mod trainer;
mod training;

pub use autodiff::{Autodiff, Gradient, gradient};
pub use checkpoint::{Checkpoint, Checkpoints};
pub use checkup::{Checkup, TensorDifference, check_up, refuse_wrong_adapter};
pub use epochs::Epochs;
pub use job::{Job, Observer, Trained};
pub(crate) use members::time_members;
pub use members::{MOST_AT_ONCE, TrainedMember, restart_seed, train_members};
pub(crate) use recorder::kept_epochs;
pub use schedule::{beta_share, learning_rate};
pub(crate) use trainer::fused_trainer;
pub use training::train;
