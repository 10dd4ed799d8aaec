//! Real and generated rows in the same axes.

use std::path::Path;

use ndarray::ArrayView2;
use plotters::prelude::*;

use super::canvas::{self, Area, Drawn, Figure, Picture};
use super::cloud::{self, Cloud, Colour};
use super::legend::{self, Entry};
use super::{pairs, plane, theme};
use crate::error::Result;

/// Real and generated rows in the same axes: beside each other, coloured by mode where
/// modes are known, or over each other in a matrix of pairs.
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
    /// For each real and each generated row its class; `None` draws all rows of a set alike.
    pub classes: Option<[&'a [usize]; 2]>,
    /// Names of the classes, for the legend, which only counts more than twelve of them.
    pub class_names: &'a [String],
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

    fn over_each_other(&self) -> bool {
        self.columns.len() > 3 || (self.pairs && self.columns.len() > 1)
    }
}

impl Figure for Comparison<'_> {
    fn title(&self) -> &str {
        self.title
    }

    fn alt(&self) -> String {
        let shown = cloud::shown_columns(self.columns);
        let (real, generated) = (self.real.nrows(), self.generated.nrows());
        let place = match (self.over_each_other(), self.classes) {
            (true, _) => "over each other, every pair of columns,",
            (false, Some(_)) => "beside each other, coloured by mode,",
            (false, None) => "beside each other",
        };
        format!(
            "{}: {real} real and {generated} generated rows by {shown}, {place} in the same axes.",
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
        let styles = [theme::REAL, theme::GENERATED];
        let sets = [self.real, self.generated];
        let mut clouds: [Cloud; 2] =
            std::array::from_fn(|i| Cloud { points: sets[i], colour: Colour::One(styles[i]) });
        let axes = cloud::axes(self.columns, &clouds);
        let rows = self.real.nrows().max(self.generated.nrows());
        if self.over_each_other() {
            let mut entries =
                vec![Entry::new("real", theme::REAL), Entry::new("generated", theme::GENERATED)];
            entries.extend(legend::thinned(rows, axes.len() * (axes.len() - 1) / 2));
            return pairs::matrix(&legend::draw(area, &entries)?, &axes, &clouds, &[]);
        }
        let mut entries = Vec::new();
        if let Some(classes) = self.classes {
            for (cloud, classes) in clouds.iter_mut().zip(classes) {
                cloud.colour = Colour::Classes(classes);
            }
            entries = legend::of_classes(Some(classes[0]), self.class_names);
        }
        if self.columns.len() > 1 {
            entries.extend(legend::thinned(rows, 1));
        }
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
