//! One self-contained `report.html`: it opens offline and fetches nothing. [`Comparison`] is such a
//! page on several runs, [`SweepPage`] one on a sweep, [`LivePage`] one on a run that still goes on.
//!
//! What it says stands in HTML and pictures, so it can be printed and read without scripts. `page.js`
//! puts views to turn and to hover over in place of some pictures, drawn by plotly.js from the JSON
//! of [`Charts`].

mod charts;
mod compare;
mod live;
mod loss_table;
mod modes;
mod page;
mod palette;
mod parts;
mod scripts;
mod sweep;
mod tables;
mod views;

pub use charts::{
    Charts, Class, EmbeddingView, LatentView, Map, Points, PriorComponentView, Set, most_rows,
};
pub use compare::{ComparedRun, Comparison};
pub use live::LivePage;
pub use loss_table::{REFERENCE_LOSSES, rows_of_interest};
pub use page::{Caption, Figure, Page, Rows};
pub use sweep::{SweepPage, SweepPageRow};
