//! Losses by epoch.

use std::path::Path;

use plotters::prelude::*;

use super::axis::{Axis, drawable};
use super::canvas::{self, Area, Drawn, Figure, Picture};
use super::panels::{self, Curve, Panel};
use super::theme;
use crate::error::{Error, Result};

/// The loss, its reconstruction and KL parts, and the schedule by epoch, in four panels over one axis
/// of epochs.
///
/// A value that is not finite is a gap. An axis is logarithmic where all its values are positive
/// and span more than a decade.
#[derive(Clone, Copy, Debug)]
pub struct Losses<'a> {
    /// Heading of the figure.
    pub title: &'a str,
    /// The epoch of each value.
    pub epochs: &'a [usize],
    /// Training loss, one value an epoch.
    pub loss: &'a [f64],
    /// The loss of held-out rows, one value an epoch; not finite where it was not measured.
    pub held_out: Option<&'a [f64]>,
    /// The reconstruction part, one value an epoch.
    pub reconstruction: &'a [f64],
    /// The KL part, one value an epoch.
    pub kl: &'a [f64],
    /// Weight of the KL part, one value an epoch.
    pub beta: &'a [f64],
    /// Learning rate, one value an epoch.
    pub learning_rate: &'a [f64],
    /// What loss and reconstruction are measured in, such as `nats a row`.
    pub loss_unit: &'a str,
    /// What the KL part is measured in, such as `nats a row`.
    pub kl_unit: &'a str,
}

impl Losses<'_> {
    /// Draws the figure to `name.png` and `name.svg` in `folder`.
    ///
    /// # Errors
    /// Where a curve has not one value an epoch, or where a file cannot be written.
    pub fn draw(&self, folder: &Path, name: &str) -> Result<Picture> {
        canvas::draw(self, folder, name)
    }

    /// The figure for a page alone: no file is written.
    ///
    /// # Errors
    /// Where a curve has not one value an epoch.
    pub fn picture(&self, name: &str) -> Result<Picture> {
        canvas::picture(self, name)
    }

    /// What the curve of the held-out rows is: before β is 1 their loss is no bound to set beside.
    fn held_out_name(&self) -> &'static str {
        match self.beta.first() {
            Some(&beta) if beta != 1.0 => "held-out (from where β is 1)",
            _ => "held-out",
        }
    }

    fn panels(&self) -> [Panel; 4] {
        let of = |name, values: &[f64], style| Curve::new(name, self.epochs, values, style);
        let training = |values| of("training", values, theme::TRAINING);
        let held_out = |values| of(self.held_out_name(), values, theme::HELD_OUT);
        let losses = std::iter::once(training(self.loss)).chain(self.held_out.map(held_out));
        // The dashed curve is the upper one, so that both are seen where they have the same values.
        let schedule = vec![
            of("learning rate", &percent(self.learning_rate), theme::LEARNING_RATE),
            of("β, the weight of the KL", &percent(self.beta), theme::BETA),
        ];
        [
            Panel::new("Loss", self.loss_unit, losses.collect()),
            Panel::new("Reconstruction", self.loss_unit, vec![training(self.reconstruction)]),
            Panel::new("KL divergence", self.kl_unit, vec![training(self.kl)]),
            Panel {
                heading: "Schedule (% of the largest)".into(),
                y: Axis::over("", [0.0, 100.0]),
                ..Panel::new("", "", schedule)
            },
        ]
    }
}

/// Values in percent of the largest.
fn percent(values: &[f64]) -> Vec<f64> {
    let largest = values.iter().copied().fold(0.0, f64::max);
    values.iter().map(|value| 100.0 * value / largest).collect()
}

impl Figure for Losses<'_> {
    fn title(&self) -> &str {
        self.title
    }

    fn alt(&self) -> String {
        let ends = match (self.loss.first(), self.loss.last()) {
            (Some(first), Some(last)) if drawable(first + last) => {
                format!(" The loss goes from {first:.4} to {last:.4}.")
            }
            _ => String::new(),
        };
        let held_out = match self.held_out {
            Some(_) => format!(" (training and {})", self.held_out_name().replace(['(', ')'], "")),
            None => String::new(),
        };
        format!(
            "{}: loss{held_out}, reconstruction, KL divergence, and the schedule of β and the \
             learning rate over {} epochs.{ends}",
            self.title,
            self.epochs.len()
        )
    }

    fn size(&self) -> (u32, u32) {
        (900, 1080)
    }

    fn check(&self) -> Result<()> {
        let epochs = self.epochs.len();
        let curves = [self.loss, self.reconstruction, self.kl, self.beta, self.learning_rate];
        let wrong = |curve: &&[f64]| curve.len() != epochs;
        match curves.into_iter().chain(self.held_out).find(wrong) {
            Some(curve) => Err(Error::input(format!(
                "figure \"{}\": {} values for {epochs} epochs",
                self.title,
                curve.len()
            ))),
            None => Ok(()),
        }
    }

    fn paint<DB: DrawingBackend>(&self, area: &Area<DB>) -> Drawn<DB> {
        panels::stack(area, &self.panels())
    }
}
