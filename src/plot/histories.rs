//! Losses and held-out bounds of several runs.

use plotters::prelude::*;

use super::canvas::{self, Area, Drawn, Figure, Picture};
use super::legend::{self, Entry};
use super::panels::{self, Panel};
use super::theme::{Style, class_style};
use crate::error::{Error, Result};

/// The training loss and the held-out ELBO of several runs by epoch, in two panels over one axis of
/// epochs.
///
/// A value that is not finite is a gap. The axis of the loss is logarithmic where all its values are
/// positive and span more than a decade.
#[derive(Clone, Copy, Debug)]
pub struct Histories<'a> {
    /// Heading of the figure.
    pub title: &'a str,
    /// The runs.
    pub runs: &'a [History],
}

/// One run of [`Histories`].
#[derive(Clone, Debug)]
pub struct History {
    /// Its name.
    pub name: String,
    /// The epoch of each value.
    pub epochs: Vec<usize>,
    /// Training loss, one value an epoch, in units of the run's own objective.
    pub loss: Vec<f64>,
    /// Evidence lower bound of the held-out rows in nats a row, one value an epoch; not finite where
    /// it was not measured.
    pub held_out_elbo: Vec<f64>,
}

impl Histories<'_> {
    /// Draws the figure for a page.
    ///
    /// # Errors
    /// Where a curve has not one value an epoch.
    pub fn picture(&self, name: &str) -> Result<Picture> {
        canvas::picture(self, name)
    }

    fn styled(&self) -> impl Iterator<Item = (&History, Style)> {
        self.runs.iter().enumerate().map(|(index, run)| (run, class_style(index)))
    }
}

impl Figure for Histories<'_> {
    fn title(&self) -> &str {
        self.title
    }

    fn alt(&self) -> String {
        let end = |run: &History| match run.held_out_elbo.last() {
            Some(elbo) if elbo.is_finite() => format!("{} ends at {elbo:.3}", run.name),
            _ => format!("{} has none", run.name),
        };
        let ends: Vec<String> = self.runs.iter().map(end).collect();
        format!(
            "{}: training loss, and the ELBO of the held-out rows in nats a row. Of the latter {}.",
            self.title,
            ends.join(", ")
        )
    }

    fn size(&self) -> (u32, u32) {
        (900, 700)
    }

    fn check(&self) -> Result<()> {
        let wrong = |run: &&History| {
            [&run.loss, &run.held_out_elbo].iter().any(|curve| curve.len() != run.epochs.len())
        };
        match self.runs.iter().find(wrong) {
            Some(run) => Err(Error::input(format!(
                "figure \"{}\": {} has not one value for each of its {} epochs",
                self.title,
                run.name,
                run.epochs.len()
            ))),
            None => Ok(()),
        }
    }

    fn paint<DB: DrawingBackend>(&self, area: &Area<DB>) -> Drawn<DB> {
        let entries: Vec<Entry> =
            self.styled().map(|(run, style)| Entry::new(&run.name, style)).collect();
        let body = legend::draw(area, &entries)?;
        let curves = |values: fn(&History) -> &[f64]| {
            self.styled()
                .map(|(run, style)| panels::curve(&run.epochs, values(run), style))
                .collect()
        };
        panels::stack(
            &body,
            &[
                Panel::new("Training loss", "each in its own objective", curves(|run| &run.loss)),
                Panel::new(
                    "Held-out ELBO",
                    "nats a row, higher is better",
                    curves(|run| &run.held_out_elbo),
                ),
            ],
        )
    }
}
