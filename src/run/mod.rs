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
mod engine;
mod folder;
mod latent_plane;
mod live;
mod more_rows;
mod plan;
mod plot;
mod preflight;
mod prior;
mod progress;
mod report;
mod sample;
mod stage;
mod sweep;
mod train;
mod tsne;

pub use compare::compare;
pub use data::{Dataset, InFiles, Watch, read_table};
pub use folder::{Existing, RunDir};
pub use live::Live;
pub use plan::{Decided, Facts, Plan, Source};
pub use progress::{Progress, Silent, Task, interruptible};
pub use stage::{Context, STAGES, Stage, execute, is_trained, redo};
pub use sweep::{
    Combination, Mean, MemberRecord, Ranking, Shard, ShardFile, Standing, Sweep, SweepDir,
};
pub use tsne::EmbeddingRow;
