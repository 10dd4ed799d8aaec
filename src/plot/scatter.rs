//! The rows of one table, coloured by mode.

use std::path::Path;

use ndarray::ArrayView2;
use plotters::prelude::*;

use super::canvas::{self, Area, Drawn, Figure, Picture};
use super::cloud::{self, Cloud, Colour, MOST_COLUMNS};
use super::legend;
use super::shown::Shown;
use crate::error::Result;

/// The rows of one table, coloured by mode.
///
/// One column gives a histogram, two a scatter, three a scatter in space, more a matrix of the
/// pairs of eight. Axes have equal scales where the columns' spans are alike.
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
    /// Names of the classes, for the legend or, of more than twelve, for labels in the picture.
    pub class_names: &'a [String],
    /// Generated rows: of more than eight columns those are shown in which they differ most from these,
    /// as in pictures of both. Without them the first are shown.
    pub generated: Option<ArrayView2<'a, f32>>,
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

    fn shown(&self) -> Shown {
        match self.generated {
            Some(generated) => Shown::differing(self.points, generated, MOST_COLUMNS),
            None => Shown::first(self.columns.len(), MOST_COLUMNS),
        }
    }
}

impl Figure for Scatter<'_> {
    fn title(&self) -> &str {
        self.title
    }

    fn alt(&self) -> String {
        let (rows, shown) = (self.points.nrows(), self.shown().in_words(self.columns));
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
        cloud::check(self.title, self.columns, self.points, self.classes)?;
        let generated = self.generated.unwrap_or(self.points);
        cloud::check(self.title, self.columns, generated, None)
    }

    fn paint<DB: DrawingBackend>(&self, area: &Area<DB>) -> Drawn<DB> {
        let panels = cloud::panels(self.columns.len());
        let mut entries = legend::of_classes(self.classes, self.class_names, panels);
        entries.extend(panels.and_then(|panels| legend::thinned(self.points.nrows(), panels)));
        let shown = self.shown();
        entries.extend(shown.remark("columns"));
        let body = legend::draw(area, &entries)?;
        let (points, labels) = (shown.of(self.points), legend::labels(self.class_names));
        let (points, labels) = (points.view(), &labels[..]);
        let clouds = [Cloud { points, colour: Colour::of(self.classes), labels }];
        let axes = cloud::axes(&shown.names(self.columns), &clouds);
        cloud::view(&body, &axes, &clouds, &[])
    }
}
