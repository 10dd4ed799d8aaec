//! t-SNE embeddings.

use std::path::Path;

use ndarray::ArrayView2;
use plotters::prelude::*;

use super::axis::{Axis, drawable};
use super::canvas::{self, Area, Drawn, Figure, Picture};
use super::cloud::{self, Cloud, Colour};
use super::{legend, plane};
use crate::error::{Error, Result};

/// One or more t-SNE embeddings of the same rows beside each other, coloured by component.
#[derive(Clone, Copy, Debug)]
pub struct Tsne<'a> {
    /// Heading of the figure.
    pub title: &'a str,
    /// The embeddings.
    pub panels: &'a [TsnePanel<'a>],
    /// For each row its component, an index into `class_names`; `None` draws all rows alike.
    pub classes: Option<&'a [usize]>,
    /// Names of the components, for the legend, which is left out above twelve of them.
    pub class_names: &'a [String],
}

/// One embedding in a [`Tsne`].
#[derive(Clone, Copy, Debug)]
pub struct TsnePanel<'a> {
    /// What is written above it, such as `perplexity 30`.
    pub heading: &'a str,
    /// The embedding, n × 2.
    pub points: ArrayView2<'a, f32>,
}

impl Tsne<'_> {
    /// Draws the figure to `name.png` and `name.svg` in `folder`, which is made where
    /// it does not exist.
    ///
    /// # Errors
    /// Where there is no panel, where a panel has not two columns or not one row a class, or where
    /// a file cannot be written.
    pub fn draw(&self, folder: &Path, name: &str) -> Result<Picture> {
        canvas::draw(self, folder, name)
    }
}

impl Figure for Tsne<'_> {
    fn title(&self) -> &str {
        self.title
    }

    fn alt(&self) -> String {
        let headings: Vec<&str> = self.panels.iter().map(|panel| panel.heading).collect();
        let rows = self.panels.first().map_or(0, |panel| panel.points.nrows());
        let colours = if self.classes.is_some() { ", coloured by component" } else { "" };
        format!("{}: t-SNE of {rows} rows ({}){colours}.", self.title, headings.join("; "))
    }

    fn size(&self) -> (u32, u32) {
        match self.panels.len() {
            1 => (900, 800),
            panels => (480 * panels as u32, 590),
        }
    }

    fn check(&self) -> Result<()> {
        let title = self.title;
        if self.panels.is_empty() {
            return Err(Error::input(format!("figure \"{title}\": there is no embedding to show")));
        }
        let columns = ["t-SNE 1".to_string(), "t-SNE 2".to_string()];
        self.panels
            .iter()
            .try_for_each(|panel| cloud::check(title, &columns, panel.points, self.classes))
    }

    fn paint<DB: DrawingBackend>(&self, area: &Area<DB>) -> Drawn<DB> {
        let mut entries = legend::of_classes(self.classes, self.class_names);
        let rows = self.panels.iter().map(|panel| panel.points.nrows()).max().unwrap_or(0);
        entries.extend(legend::thinned(rows, 2));
        let body = legend::draw(area, &entries)?;
        for (panel, place) in self.panels.iter().zip(body.split_evenly((1, self.panels.len()))) {
            let place = plane::headed(&place, panel.heading)?;
            let clouds = [Cloud { points: panel.points, colour: Colour::of(self.classes) }];
            if panel.points.iter().any(|v| drawable(f64::from(*v))) {
                let x = Axis::bare("t-SNE 1", clouds[0].column(0));
                let y = Axis::bare("t-SNE 2", clouds[0].column(1));
                plane::scatter(&place, (&x, &y), &clouds, &[], true)?;
            } else {
                plane::nothing(&place, "no rows with finite values")?;
            }
        }
        Ok(())
    }
}
