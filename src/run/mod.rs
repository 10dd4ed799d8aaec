//! The pipeline: from data to a report, as stages that each write their files into one run folder
//! and then a stamp.
//!
//! [`Plan`] decides everything once, before anything is written. A stage that is done, as its stamp says,
//! and whose files are as it left them is not run again: an interrupted run goes on where it stopped.

mod audit;
mod charts;
mod classes;
mod compare;
mod data;
mod dataset;
mod engine;
mod folder;
mod latent_plane;
mod live;
mod more_rows;
mod plan;
mod plot;
mod preflight;
mod prepared;
mod prior;
mod products;
mod progress;
mod report;
mod sample;
mod source;
mod stage;
mod stamp;
mod sweep;
mod train;
mod tsne;

pub use compare::compare;
pub use dataset::{Dataset, InFiles, read_table};
pub use folder::{Existing, RunDir, trained_model};
pub use live::Live;
pub use plan::{Decided, Facts, Plan};
pub use prepared::{Earlier, Prepared};
pub use progress::{Counter, Progress, Silent, Task, TrainingView, Watch, interruptible};
pub use source::Source;
pub use stage::{Context, Stage, execute, redo};
pub use sweep::{
    Combination, CombinationResult, Identity, Mean, MemberRecord, Ranking, Score, Shard, ShardFile,
    Sweep, SweepDir,
};
pub use train::kept_history;
pub use tsne::EmbeddingRow;
