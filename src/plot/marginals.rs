//! Histograms of every column, real and generated.

use std::path::Path;

use ndarray::ArrayView2;
use plotters::prelude::*;

use super::axis::{self, Axis, drawable};
use super::canvas::{self, Area, Drawn, Figure, Picture};
use super::cloud::{self, Cloud};
use super::legend::{self, Entry};
use super::shown::Shown;
use super::{histogram, plane, theme};
use crate::error::Result;

/// Columns that are shown.
const MOST: usize = 16;

/// The histogram of each column, the generated rows as an outline over the real ones in the same axes.
/// Bins of a column of whole numbers hold equally many of these.
///
/// The axis of a column with long tails leaves out the last half percent of the rows at each end, since
/// nearly all others would stand in one bar.
#[derive(Clone, Copy, Debug)]
pub struct Marginals<'a> {
    /// Heading of the figure.
    pub title: &'a str,
    /// Names of the columns, of which 16 are shown, where there are more those that differ most.
    pub columns: &'a [String],
    /// Real values, n × columns.
    pub real: ArrayView2<'a, f32>,
    /// Generated values, m × columns.
    pub generated: ArrayView2<'a, f32>,
}

impl Marginals<'_> {
    /// Draws the figure to `name.png` and `name.svg` in `folder`.
    ///
    /// # Errors
    /// Where there is no column, where the names or the two sets differ in width, or where a file
    /// cannot be written.
    pub fn draw(&self, folder: &Path, name: &str) -> Result<Picture> {
        canvas::draw(self, folder, name)
    }

    fn shown(&self) -> Shown {
        Shown::differing(self.real, self.generated, MOST)
    }

    /// The axis of a column, and whether it leaves rows out.
    fn axis(&self, column: usize) -> (Axis, bool) {
        let sets = [self.real.column(column), self.generated.column(column)];
        let name = &self.columns[column];
        match axis::ends(sets.iter().flatten().map(|value| f64::from(*value))) {
            Some((ends, true)) => (Axis::over(format!("{name} (99 % of the rows)"), ends), true),
            Some((ends, false)) => {
                let real = self.real.column(column).into_iter().map(|value| f64::from(*value));
                let bars = histogram::ends_of_bars(real).into_iter().flatten();
                (Axis::over(name, ends.into_iter().chain(bars)), false)
            }
            None => (Axis::over(name, []), false),
        }
    }
}

impl Figure for Marginals<'_> {
    fn title(&self) -> &str {
        self.title
    }

    fn alt(&self) -> String {
        let shown = self.shown();
        let of = shown.some("columns").unwrap_or_else(|| shown.in_words(self.columns));
        let (real, generated) = (self.real.nrows(), self.generated.nrows());
        let cut = shown.columns.iter().filter(|column| self.axis(**column).1);
        let cut: Vec<String> = cut.map(|column| theme::short(&self.columns[*column])).collect();
        let tails = match cut.is_empty() {
            true => String::new(),
            false => format!(
                " The tails of {} are long: up to 1 % of the rows lie outside the axis.",
                cut.join(", ")
            ),
        };
        format!(
            "{}: histograms of {of}, {generated} generated rows over {real} real ones.{tails}",
            self.title
        )
    }

    fn size(&self) -> (u32, u32) {
        let (rows, columns) = plane::grid(self.columns.len().min(MOST));
        let wide = if columns == 1 { 900 } else { 1140 };
        (wide, 300 * rows as u32 + 70)
    }

    fn check(&self) -> Result<()> {
        cloud::check(self.title, self.columns, self.real, None)?;
        cloud::check(self.title, self.columns, self.generated, None)
    }

    fn paint<DB: DrawingBackend>(&self, area: &Area<DB>) -> Drawn<DB> {
        let clouds =
            [Cloud::alike(self.real, theme::REAL), Cloud::alike(self.generated, theme::GENERATED)];
        let shown = self.shown();
        let mut entries =
            vec![Entry::new("real", theme::REAL), Entry::line("generated", theme::GENERATED)];
        entries.extend(shown.remark("columns"));
        let body = legend::draw(area, &entries)?;
        let panels = body.split_evenly(plane::grid(shown.columns.len()));
        for (&column, panel) in shown.columns.iter().zip(&panels) {
            if clouds.iter().any(|cloud| cloud.column(column).any(drawable)) {
                histogram::draw(panel, &self.axis(column).0, column, &clouds, &[])?;
            } else {
                plane::nothing(panel, "no finite values")?;
            }
        }
        Ok(())
    }
}
