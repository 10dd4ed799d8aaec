//! Losses by epoch.

use std::borrow::Cow;
use std::path::Path;

use plotters::prelude::*;

use super::axis::{Axis, Scale, drawable};
use super::canvas::{self, Area, Drawn, Figure, Picture};
use super::legend::{self, Entry};
use super::plane::{self, Layout};
use super::theme::{self, Style};
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
    /// Draws the figure to `name.png` and `name.svg` in `folder`, which is made where
    /// it does not exist.
    ///
    /// # Errors
    /// Where a curve has not one value an epoch, or where a file cannot be written.
    pub fn draw(&self, folder: &Path, name: &str) -> Result<Picture> {
        canvas::draw(self, folder, name)
    }

    fn panels(&self) -> [Panel<'_>; 4] {
        let mut losses = vec![(Cow::Borrowed(self.loss), theme::TRAINING)];
        losses.extend(self.held_out.map(|held_out| (Cow::Borrowed(held_out), theme::HELD_OUT)));
        let training = |curve| vec![(Cow::Borrowed(curve), theme::TRAINING)];
        let schedule = vec![
            (Cow::Owned(percent(self.beta)), theme::BETA),
            (Cow::Owned(percent(self.learning_rate)), theme::LEARNING_RATE),
        ];
        [
            Panel::new("Loss", self.loss_unit, losses),
            Panel::new("Reconstruction", self.loss_unit, training(self.reconstruction)),
            Panel::new("KL divergence", self.kl_unit, training(self.kl)),
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

/// One panel of a [`Losses`].
struct Panel<'a> {
    heading: String,
    curves: Vec<(Cow<'a, [f64]>, Style)>,
    y: Axis,
    is_empty: bool,
}

impl<'a> Panel<'a> {
    fn new(what: &str, unit: &str, curves: Vec<(Cow<'a, [f64]>, Style)>) -> Self {
        let values: Vec<f64> = curves.iter().flat_map(|(curve, _)| curve.iter()).copied().collect();
        let y = Axis::log_if_wide("", &values);
        let log = if y.scale == Scale::Log { ", log scale" } else { "" };
        let heading = format!("{what} ({unit}){log}");
        Self { heading, curves, y, is_empty: !values.iter().any(|value| drawable(*value)) }
    }
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
        let held_out = if self.held_out.is_some() { " (training and held-out)" } else { "" };
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
        let mut entries = Vec::new();
        if self.held_out.is_some() {
            entries.push(Entry::new("training", theme::TRAINING));
            entries.push(Entry::new("held-out", theme::HELD_OUT));
        }
        entries.push(Entry::new("β, the weight of the KL", theme::BETA));
        entries.push(Entry::new("learning rate", theme::LEARNING_RATE));
        let body = legend::draw(area, &entries)?;
        let x = Axis::whole("epoch", self.epochs.iter().map(|epoch| *epoch as f64));
        let places = body.split_evenly((4, 1));
        let panels = self.panels();
        let tall = places[0].dim_in_pixel().1 as i32;
        let left = panels.iter().map(|panel| plane::left_room(&panel.y, tall)).max().unwrap_or(0);
        for (i, (panel, place)) in panels.iter().zip(&places).enumerate() {
            let place = plane::headed(place, &panel.heading)?;
            if panel.is_empty {
                plane::nothing(&place, "no finite values")?;
                continue;
            }
            let x = if i == 3 { x.clone() } else { Axis { name: String::new(), ..x.clone() } };
            let layout = Layout { left, ..Layout::default() };
            let chart = plane::chart(&place, &x, &panel.y, layout)?;
            for (curve, style) in &panel.curves {
                let epochs = self.epochs.iter().map(|epoch| *epoch as f64);
                chart.curve(epochs.zip(curve.iter().copied()), *style)?;
            }
        }
        Ok(())
    }
}
