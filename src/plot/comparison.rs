//! Real and generated rows in the same axes.

use std::path::Path;

use ndarray::ArrayView2;
use plotters::prelude::*;

use super::canvas::{self, Area, Drawn, Figure, Picture};
use super::cloud::{self, Cloud, Colour};
use super::legend::{self, Entry};
use super::{plane, theme};
use crate::error::Result;

/// Real and generated rows in the same axes: beside each other, or, above three columns, over
/// each other in a matrix of pairs.
///
/// Pass the values as they are, or min–max scaled each on its own, and say which in the title.
#[derive(Clone, Copy, Debug)]
pub struct Comparison<'a> {
    /// Heading of the figure.
    pub title: &'a str,
    /// Names of the columns.
    pub columns: &'a [String],
    /// Real values, n × columns.
    pub real: ArrayView2<'a, f32>,
    /// Generated values, m × columns.
    pub generated: ArrayView2<'a, f32>,
}

impl Comparison<'_> {
    /// Draws the figure to `name.png` and `name.svg` in `folder`, which is made where
    /// it does not exist.
    ///
    /// # Errors
    /// Where there is no column, where the names or the two sets differ in width, or where a file
    /// cannot be written.
    pub fn draw(&self, folder: &Path, name: &str) -> Result<Picture> {
        canvas::draw(self, folder, name)
    }
}

impl Figure for Comparison<'_> {
    fn title(&self) -> &str {
        self.title
    }

    fn alt(&self) -> String {
        let shown = cloud::shown_columns(self.columns);
        let (real, generated) = (self.real.nrows(), self.generated.nrows());
        let place = if self.columns.len() > 3 { "over each other" } else { "beside each other" };
        format!(
            "{}: {real} real and {generated} generated rows by {shown}, {place} in the same axes.",
            self.title
        )
    }

    fn size(&self) -> (u32, u32) {
        match self.columns.len() {
            1 => (900, 680),
            2 | 3 => (960, 560),
            _ => cloud::size(self.columns.len()),
        }
    }

    fn check(&self) -> Result<()> {
        cloud::check(self.title, self.columns, self.real, None)?;
        cloud::check(self.title, self.columns, self.generated, None)
    }

    fn paint<DB: DrawingBackend>(&self, area: &Area<DB>) -> Drawn<DB> {
        let clouds = [
            Cloud { points: self.real, colour: Colour::One(theme::REAL) },
            Cloud { points: self.generated, colour: Colour::One(theme::GENERATED) },
        ];
        let axes = cloud::axes(self.columns, &clouds);
        let rows = self.real.nrows().max(self.generated.nrows());
        let remark = legend::thinned(rows, self.columns.len());
        let panels = match self.columns.len() {
            1 => (2, 1),
            2 | 3 => (1, 2),
            _ => {
                let mut entries = vec![
                    Entry::new("real", theme::REAL),
                    Entry::new("generated", theme::GENERATED),
                ];
                entries.extend(remark);
                return cloud::view(&legend::draw(area, &entries)?, &axes, &clouds, &[]);
            }
        };
        let body = legend::draw(area, remark.as_slice())?;
        for ((panel, name), cloud) in
            body.split_evenly(panels).iter().zip(["real", "generated"]).zip(&clouds)
        {
            cloud::view(&plane::headed(panel, name)?, &axes, std::slice::from_ref(cloud), &[])?;
        }
        Ok(())
    }
}
