//! Values over a latent plane, such as what the decoder makes of every point of it.

use std::path::Path;

use ndarray::ArrayView2;
use plotters::prelude::*;
use plotters::style::colors::colormaps::ViridisRGB;

use super::axis::{self, Axis, drawable};
use super::canvas::{self, Area, Drawn, Figure, Picture};
use super::cloud::{MOST_COLUMNS, shown_columns};
use super::plane::{self, Layout};
use super::prior::PriorComponent;
use super::theme;
use crate::error::{Error, Result};

/// Values over a grid of two latents: one panel for each, in which colour stands for the value, under
/// the outline of the prior.
#[derive(Clone, Copy, Debug)]
pub struct LatentMap<'a> {
    /// Heading of the figure.
    pub title: &'a str,
    /// What the values are, for the text alternative, such as `the decoder's mean`.
    pub what: &'a str,
    /// Names of the values, such as the data's columns.
    pub names: &'a [String],
    /// The grid, as [`lattice`](Self::lattice) makes it: n × 2.
    pub latents: ArrayView2<'a, f32>,
    /// The values at each point, n × names. Those that are not finite are left out.
    pub values: ArrayView2<'a, f32>,
    /// The prior, as in [`Latent`](super::Latent).
    pub prior: &'a [PriorComponent],
}

impl LatentMap<'_> {
    /// `side` × `side` points over the two latents' ranges `[[from, to]; 2]`, both ends included.
    pub fn lattice(ranges: [[f32; 2]; 2], side: usize) -> ndarray::Array2<f32> {
        let along = |[from, to]: [f32; 2], step: usize| {
            from + (to - from) * step as f32 / (side.max(2) - 1) as f32
        };
        ndarray::Array2::from_shape_fn((side * side, 2), |(point, unit)| match unit {
            0 => along(ranges[0], point % side),
            _ => along(ranges[1], point / side),
        })
    }

    /// Draws the figure to `name.png` and `name.svg` in `folder`.
    ///
    /// # Errors
    /// Where the latents are no square grid in two dimensions, the values do not fit them or the
    /// names, or a file cannot be written.
    pub fn draw(&self, folder: &Path, name: &str) -> Result<Picture> {
        canvas::draw(self, folder, name)
    }

    fn side(&self) -> usize {
        self.latents.nrows().isqrt()
    }

    fn shown(&self) -> usize {
        self.names.len().min(MOST_COLUMNS)
    }

    fn panel<DB: DrawingBackend>(&self, area: &Area<DB>, column: usize) -> Drawn<DB> {
        let values = self.values.column(column).mapv(f64::from);
        let finite = values.iter().copied().filter(|value| drawable(*value));
        let (low, high) =
            finite.fold((f64::MAX, f64::MIN), |(low, high), v| (low.min(v), high.max(v)));
        let name = &self.names[column];
        if low > high {
            return plane::nothing(area, "no finite values");
        }
        let [dark, light] = axis::pair(low, high);
        let range = format!("{dark} (dark) to {light} (light)");
        let area = plane::headed(area, &format!("{name}: {range}"))?;
        let axis = |unit: usize| {
            let values = self.latents.column(unit).into_iter().map(|value| f64::from(*value));
            Axis::over(format!("z{}", unit + 1), values)
        };
        let layout = Layout { equal: true, ..Layout::default() };
        let chart = plane::chart(&area, &axis(0), &axis(1), layout)?;
        // Edges by number, so that neighbours share theirs to the pixel.
        let (side, last) = (self.side(), self.latents.nrows() - 1);
        let edge = |unit: usize, number: usize| {
            let from = f64::from(self.latents[[0, unit]]);
            let step = (f64::from(self.latents[[last, unit]]) - from) / (side - 1) as f64;
            from + (number as f64 - 0.5) * step
        };
        for (point, value) in values.iter().enumerate().filter(|(_, value)| drawable(**value)) {
            let (i, j) = (point % side, point / side);
            let corners =
                [chart.pixel(edge(0, i), edge(1, j)), chart.pixel(edge(0, i + 1), edge(1, j + 1))];
            let share = if high > low { (value - low) / (high - low) } else { 0.5 };
            let color = ViridisRGB.get_color(share);
            chart.screen.draw(&Rectangle::new(corners, color.filled()))?;
        }
        // White is seen on the map, and the dark below it on the page.
        plane::outlines(&chart, self.prior, (0, 1), theme::OUTLINE.stroke_width(7))?;
        plane::outlines(&chart, self.prior, (0, 1), WHITE.stroke_width(3))
    }
}

impl Figure for LatentMap<'_> {
    fn title(&self) -> &str {
        self.title
    }

    fn alt(&self) -> String {
        format!(
            "{}: {} of {} at {} points of the latent plane, dark where it is low, light where it is \
             high, under the outline of the prior.",
            self.title,
            self.what,
            shown_columns(self.names),
            self.latents.nrows()
        )
    }

    fn size(&self) -> (u32, u32) {
        let (rows, columns) = plane::grid(self.shown());
        (480 * columns as u32, 470 * rows as u32 + 40)
    }

    fn check(&self) -> Result<()> {
        let (points, dimensions) = self.latents.dim();
        let square = points >= 4 && self.side() * self.side() == points && dimensions == 2;
        let fits = self.values.dim() == (points, self.names.len()) && !self.names.is_empty();
        match square && fits {
            true => Ok(()),
            false => Err(Error::input(format!(
                "figure \"{}\": {points} latents of {dimensions} dimensions and values of shape {:?} are \
                 no grid of {} values",
                self.title,
                self.values.dim(),
                self.names.len()
            ))),
        }
    }

    fn paint<DB: DrawingBackend>(&self, area: &Area<DB>) -> Drawn<DB> {
        let panels = area.split_evenly(plane::grid(self.shown()));
        (0..self.shown()).try_for_each(|column| self.panel(&panels[column], column))
    }
}
