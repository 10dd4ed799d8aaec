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

pub use self::blocks::{Blocks, blocks_of_pass};
pub use self::columns::{Apart, Dependence, apart, counts_rows, dependences};
pub use self::mixture::{Assigned, Gaussian, Mixture, RowDraws, log_sum_exp};
pub use self::read::{Format, Loaded, ReadOptions, check_table, dropped_note, read, read_chunks};
pub(crate) use self::scaled::Scaled;
pub use self::scaling::{Scaling, mixed_deviations, mixed_spreads};
pub use self::split::{epoch_order, split};
pub use self::streamed::{Scanned, Streamed};
pub use self::table::{Labels, Table};
pub use self::units::Units;
pub use self::write::{RowWriter, writable, write, write_rows};
