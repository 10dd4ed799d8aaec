//! One self-contained `report.html`: it opens offline and fetches nothing.

mod loss_table;
mod page;

pub use loss_table::{REFERENCE_LOSSES, rows_of_interest};
pub use page::{Caption, Figure, Page};
