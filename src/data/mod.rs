//! Numeric tables: reading and writing them, generating them from a Gaussian mixture, scaling,
//! splitting and batching their rows.

mod blocks;
mod choice;
mod columns;
mod csv;
#[cfg(feature = "parquet")]
mod guard;
mod mixture;
mod npy;
#[cfg(feature = "parquet")]
mod parquet;
mod read;
mod rows;
mod scaled;
mod scaling;
mod source;
mod span;
mod split;
mod streamed;
mod table;
mod units;
mod write;

pub use self::blocks::Blocks;
pub(crate) use self::blocks::blocks_of_pass;
pub(crate) use self::columns::{Apart, Dependence, apart, counts_rows, dependences};
pub(crate) use self::mixture::log_sum_exp;
pub use self::mixture::{Assigned, Gaussian, Mixture, RowDraws};
pub use self::read::{Format, Loaded, ReadOptions, read, read_chunks};
pub(crate) use self::read::{check_table, dropped_note};
pub(crate) use self::scaled::Scaled;
pub(crate) use self::scaling::mixed_deviations;
pub use self::scaling::{Scaling, mixed_spreads};
pub(crate) use self::split::epoch_order;
pub use self::split::split;
pub use self::streamed::{Scanned, Streamed};
pub use self::table::{Labels, Table};
pub use self::units::Units;
pub(crate) use self::write::writable;
pub use self::write::{RowWriter, write, write_rows};
