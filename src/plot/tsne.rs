//! t-SNE embeddings.

use std::path::Path;

use ndarray::ArrayView2;
use plotters::prelude::*;

use super::axis::{Axis, drawable};
use super::canvas::{self, Area, Drawn, Figure, Picture};
use super::cloud::{self, Cloud, Colour};
use super::legend::{self, Entry};
use super::{plane, theme};
use crate::error::{Error, Result};

/// One or more t-SNE embeddings of the same rows beside each other, coloured by mode.
#[derive(Clone, Copy, Debug)]
pub struct Tsne<'a> {
    /// Heading of the figure.
    pub title: &'a str,
    /// The embeddings.
    pub panels: &'a [TsnePanel<'a>],
    /// For each row its class, an index into `class_names`; `None` draws all rows alike.
    pub classes: Option<&'a [usize]>,
    /// Names of the classes, for the legend or, of more than twelve, for labels in the picture.
    pub class_names: &'a [String],
}

/// One embedding in a [`Tsne`].
#[derive(Clone, Copy, Debug)]
pub struct TsnePanel<'a> {
    /// What is written above it, such as `perplexity 30`.
    pub heading: &'a str,
    /// The embedding, n × 2.
    pub points: ArrayView2<'a, f32>,
    /// Generated rows in the same embedding, m × 2. Where there are any, colour tells real from
    /// generated rows, not classes.
    pub generated: Option<ArrayView2<'a, f32>>,
}

impl TsnePanel<'_> {
    fn clouds<'a>(&'a self, classes: Option<&'a [usize]>, labels: &'a [String]) -> Vec<Cloud<'a>> {
        let Some(generated) = self.generated else {
            return vec![Cloud {
                points: self.points.reborrow(),
                colour: Colour::of(classes),
                labels,
            }];
        };
        vec![
            Cloud::alike(self.points.reborrow(), theme::REAL),
            Cloud::alike(generated.reborrow(), theme::GENERATED),
        ]
    }
}

impl Tsne<'_> {
    /// Draws the figure to `name.png` and `name.svg` in `folder`.
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
        let (rows, generated) = self.panels.first().map_or((0, None), |panel| {
            (panel.points.nrows(), panel.generated.map(|generated| generated.nrows()))
        });
        let what = match (generated, self.classes) {
            (Some(generated), _) => format!("{rows} real and {generated} generated rows together"),
            (None, Some(_)) => format!("{rows} rows, coloured by mode"),
            (None, None) => format!("{rows} rows"),
        };
        format!("{}: t-SNE of {what} ({}).", self.title, headings.join("; "))
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
        self.panels.iter().try_for_each(|panel| {
            cloud::check(title, &columns, panel.points, self.classes)?;
            panel.generated.map_or(Ok(()), |rows| cloud::check(title, &columns, rows, None))
        })
    }

    fn paint<DB: DrawingBackend>(&self, area: &Area<DB>) -> Drawn<DB> {
        let joint = self.panels.iter().any(|panel| panel.generated.is_some());
        let mut entries = match joint {
            true => {
                vec![Entry::new("real", theme::REAL), Entry::new("generated", theme::GENERATED)]
            }
            false => legend::of_classes(self.classes, self.class_names, Some(1)),
        };
        let rows = self.panels.iter().map(|panel| panel.points.nrows()).max().unwrap_or(0);
        entries.extend(legend::thinned(rows, 1));
        let body = legend::draw(area, &entries)?;
        let labels = legend::labels(self.class_names);
        for (panel, place) in self.panels.iter().zip(body.split_evenly((1, self.panels.len()))) {
            let place = plane::headed(&place, panel.heading)?;
            let clouds = panel.clouds(self.classes, &labels);
            let values = |column| clouds.iter().flat_map(move |cloud| cloud.column(column));
            if values(0).chain(values(1)).any(drawable) {
                let (x, y) = (Axis::bare("t-SNE 1", values(0)), Axis::bare("t-SNE 2", values(1)));
                plane::scatter(&place, (&x, &y), &clouds, &[], true)?;
            } else {
                plane::nothing(&place, "no rows with finite values")?;
            }
        }
        Ok(())
    }
}
