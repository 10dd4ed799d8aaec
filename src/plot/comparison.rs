//! Real and generated rows in the same axes.

use std::path::Path;

use ndarray::ArrayView2;
use plotters::prelude::*;

use super::canvas::{self, Area, Drawn, Figure, Picture};
use super::cloud::{self, Cloud, Colour, MOST_COLUMNS};
use super::legend::{self, Entry};
use super::shown::Shown;
use super::{pairs, plane, theme};
use crate::error::Result;

/// Real and generated rows in the same axes: beside each other, coloured by mode where
/// modes are known, or over each other in a matrix of pairs, of the eight columns that differ most where
/// there are more.
///
/// Pass the values as they are, or min–max scaled each on its own, and say which in the title and the note.
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
    /// For each real and each generated row its class; `None` draws all rows of a set alike.
    pub classes: Option<[&'a [usize]; 2]>,
    /// Names of the classes, for the legend or, of more than twelve, for labels in the picture.
    pub class_names: &'a [String],
    /// What one must know to read it, if anything.
    pub note: Option<&'a str>,
    /// Whether to show every pair of columns, over each other, as is always done above three.
    pub pairs: bool,
}

impl Comparison<'_> {
    /// Draws the figure to `name.png` and `name.svg` in `folder`.
    ///
    /// # Errors
    /// Where there is no column, where the names or the two sets differ in width, or where a file
    /// cannot be written.
    pub fn draw(&self, folder: &Path, name: &str) -> Result<Picture> {
        canvas::draw(self, folder, name)
    }

    fn shown(&self) -> Shown {
        Shown::differing(self.real, self.generated, MOST_COLUMNS)
    }

    fn over_each_other(&self) -> bool {
        self.columns.len() > 3 || (self.pairs && self.columns.len() > 1)
    }
}

impl Figure for Comparison<'_> {
    fn title(&self) -> &str {
        self.title
    }

    fn alt(&self) -> String {
        let shown = self.shown().in_words(self.columns);
        let note = self.note.map_or(String::new(), |note| format!(" Note: {note}."));
        let (real, generated) = (self.real.nrows(), self.generated.nrows());
        let place = match (self.over_each_other(), self.classes) {
            (true, _) => "over each other, every pair of columns,",
            (false, Some(_)) => "beside each other, coloured by mode,",
            (false, None) => "beside each other",
        };
        format!(
            "{}: {real} real and {generated} generated rows by {shown}, {place} in the same axes.{note}",
            self.title
        )
    }

    fn size(&self) -> (u32, u32) {
        match self.columns.len() {
            1 => (900, 680),
            2 | 3 if !self.pairs => (960, 560),
            _ => (900, 990),
        }
    }

    fn check(&self) -> Result<()> {
        let [real, generated] = self.classes.map_or([None; 2], |classes| classes.map(Some));
        cloud::check(self.title, self.columns, self.real, real)?;
        cloud::check(self.title, self.columns, self.generated, generated)
    }

    fn paint<DB: DrawingBackend>(&self, area: &Area<DB>) -> Drawn<DB> {
        let shown = self.shown();
        let [real, generated] = [self.real, self.generated].map(|set| shown.of(set));
        let mut clouds = [
            Cloud::alike(real.view(), theme::REAL),
            Cloud::alike(generated.view(), theme::GENERATED),
        ];
        let axes = cloud::axes(&shown.names(self.columns), &clouds);
        let note = self.note.map(Entry::remark);
        let rows = self.real.nrows().max(self.generated.nrows());
        if self.over_each_other() {
            let mut entries =
                vec![Entry::new("real", theme::REAL), Entry::new("generated", theme::GENERATED)];
            entries.extend(legend::thinned(rows, axes.len() * (axes.len() - 1) / 2));
            entries.extend(shown.remark("columns").into_iter().chain(note));
            return pairs::matrix(&legend::draw(area, &entries)?, &axes, &clouds, &[]);
        }
        let mut entries = Vec::new();
        let labels = legend::labels(self.class_names);
        if let Some(classes) = self.classes {
            for (cloud, classes) in clouds.iter_mut().zip(classes) {
                (cloud.colour, cloud.labels) = (Colour::Classes(classes), &labels);
            }
            entries =
                legend::of_classes(Some(classes[0]), self.class_names, cloud::panels(axes.len()));
        }
        if self.columns.len() > 1 {
            entries.extend(legend::thinned(rows, 1));
        }
        entries.extend(note);
        let body = legend::draw(area, &entries)?;
        let panels = if self.columns.len() == 1 { (2, 1) } else { (1, 2) };
        for ((panel, name), cloud) in
            body.split_evenly(panels).iter().zip(["real", "generated"]).zip(&clouds)
        {
            cloud::view(&plane::headed(panel, name)?, &axes, std::slice::from_ref(cloud), &[])?;
        }
        Ok(())
    }
}
