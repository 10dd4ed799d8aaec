//! The rows of one table, coloured by mode.

use std::path::Path;

use ndarray::ArrayView2;
use plotters::prelude::*;

use super::canvas::{self, Area, Drawn, Figure, Picture};
use super::cloud::{self, Cloud, Colour};
use super::legend;
use crate::error::Result;

/// The rows of one table, coloured by mode.
///
/// One column gives a histogram, two a scatter, three a scatter in space, more a matrix of the
/// pairs of the first eight. Axes have equal scales where the columns' spans are alike.
#[derive(Clone, Copy, Debug)]
pub struct Scatter<'a> {
    /// Heading of the figure.
    pub title: &'a str,
    /// Names of the columns.
    pub columns: &'a [String],
    /// Values, n × columns.
    pub points: ArrayView2<'a, f32>,
    /// For each row its class, an index into `class_names`; `None` draws all rows alike.
    pub classes: Option<&'a [usize]>,
    /// Names of the classes, for the legend, which only counts more than twelve of them.
    pub class_names: &'a [String],
}

impl Scatter<'_> {
    /// Draws the figure to `name.png` and `name.svg` in `folder`.
    ///
    /// # Errors
    /// Where there is no column, where names or classes do not match the values in number, or
    /// where a file cannot be written.
    pub fn draw(&self, folder: &Path, name: &str) -> Result<Picture> {
        canvas::draw(self, folder, name)
    }
}

impl Figure for Scatter<'_> {
    fn title(&self) -> &str {
        self.title
    }

    fn alt(&self) -> String {
        let (rows, shown) = (self.points.nrows(), cloud::shown_columns(self.columns));
        let kind = match self.columns.len() {
            1 => "Histogram",
            2 => "Scatter plot",
            3 => "Scatter plot in three dimensions",
            _ => "Matrix of pairwise scatter plots",
        };
        let colours = match self.classes {
            Some(_) => {
                format!(", coloured by mode ({} modes)", self.class_names.len())
            }
            None => String::new(),
        };
        format!("{}: {kind} of {rows} rows by {shown}{colours}.", self.title)
    }

    fn size(&self) -> (u32, u32) {
        cloud::size(self.columns.len())
    }

    fn check(&self) -> Result<()> {
        cloud::check(self.title, self.columns, self.points, self.classes)
    }

    fn paint<DB: DrawingBackend>(&self, area: &Area<DB>) -> Drawn<DB> {
        let mut entries = legend::of_classes(self.classes, self.class_names);
        let panels = cloud::panels(self.columns.len());
        entries.extend(panels.and_then(|panels| legend::thinned(self.points.nrows(), panels)));
        let body = legend::draw(area, &entries)?;
        let clouds = [Cloud { points: self.points, colour: Colour::of(self.classes) }];
        let axes = cloud::axes(self.columns, &clouds);
        cloud::view(&body, &axes, &clouds, &[])
    }
}
