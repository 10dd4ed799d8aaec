//! Figures: one struct a figure, drawn as PNG and SVG by [plotters](https://docs.rs/plotters).
//!
//! A figure takes plain numbers and names. `draw(folder, name)` writes `name.png` (two pixels for
//! each CSS pixel) and `name.svg` into the folder and returns a [`Picture`] to put on a page.
//! Values that are not finite are left out, and a figure with no values says so.

mod axis;
mod canvas;
mod cloud;
mod colours;
mod comparison;
mod dashes;
mod histogram;
mod histories;
mod k_choice;
mod latent;
mod latent_map;
mod legend;
mod losses;
mod marginals;
mod pairs;
mod panels;
mod plane;
mod prior;
mod scatter;
mod settings_table;
mod shown;
mod space;
mod sweep;
#[cfg(test)]
mod tests;
pub mod theme;
mod tsne;

pub use canvas::Picture;
pub use comparison::Comparison;
pub use histories::{Histories, History};
pub use k_choice::{KChoiceFigure, KCurve};
pub use latent::Latent;
pub use latent_map::{LatentMap, Meaning};
pub use losses::Losses;
pub use marginals::Marginals;
pub use prior::{PriorComponent, outlined};
pub use scatter::Scatter;
pub use sweep::{Sweep, SweepFigureRow, SweepPanel};
pub use tsne::{Tsne, TsnePanel};
