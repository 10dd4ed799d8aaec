//! Curves by epoch, in panels above each other over one axis of epochs.

use plotters::prelude::*;

use super::axis::{Axis, Scale, drawable};
use super::canvas::{Area, Drawn};
use super::plane::{self, Layout};
use super::theme::Style;

/// One panel: a heading and the curves below it.
pub(super) struct Panel {
    /// What the curves are, with its unit.
    pub heading: String,
    /// The upright axis.
    pub y: Axis,
    /// What stands below it.
    pub curves: Vec<Curve>,
}

/// Epochs with their values, and how they are drawn. A value that is not finite is a gap.
pub(super) type Curve = (Vec<(f64, f64)>, Style);

/// A curve of one value an epoch.
pub(super) fn curve(epochs: &[usize], values: &[f64], style: Style) -> Curve {
    (epochs.iter().map(|epoch| *epoch as f64).zip(values.iter().copied()).collect(), style)
}

impl Panel {
    /// A panel whose axis is logarithmic where all values are positive and span more than a decade.
    pub fn new(what: &str, unit: &str, curves: Vec<Curve>) -> Self {
        let values: Vec<f64> =
            curves.iter().flat_map(|(points, _)| points).map(|(_, value)| *value).collect();
        let y = Axis::log_if_wide("", &values);
        let log = if y.scale == Scale::Log { ", log scale" } else { "" };
        Self { heading: format!("{what} ({unit}){log}"), y, curves }
    }

    fn points(&self) -> impl Iterator<Item = &(f64, f64)> {
        self.curves.iter().flat_map(|(points, _)| points)
    }
}

/// Draws panels of one height, their upright axes aligned; the lowest has the axis' name.
pub(super) fn stack<DB: DrawingBackend>(area: &Area<DB>, panels: &[Panel]) -> Drawn<DB> {
    let x = Axis::whole("epoch", panels.iter().flat_map(Panel::points).map(|(epoch, _)| *epoch));
    let places = area.split_evenly((panels.len(), 1));
    let left = panels.iter().zip(&places).map(|(panel, place)| {
        let tall = place.dim_in_pixel().1 as i32;
        plane::left_room(&panel.y, tall)
    });
    let left = left.max().unwrap_or(0);
    for (i, (panel, place)) in panels.iter().zip(&places).enumerate() {
        let place = plane::headed(place, &panel.heading)?;
        if !panel.points().any(|(_, value)| drawable(*value)) {
            plane::nothing(&place, "no finite values")?;
            continue;
        }
        let is_lowest = i + 1 == panels.len();
        let x = if is_lowest { x.clone() } else { Axis { name: String::new(), ..x.clone() } };
        let chart = plane::chart(&place, &x, &panel.y, Layout { left, ..Layout::default() })?;
        for (points, style) in &panel.curves {
            chart.curve(points.iter().copied(), *style)?;
        }
    }
    Ok(())
}
