//! Curves by epoch, in panels above each other over one axis of epochs.

use plotters::prelude::*;

use super::axis::{Axis, Scale, drawable};
use super::canvas::{Area, Drawn};
use super::legend::{self, Entry};
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

/// A line over the epochs.
pub(super) struct Curve {
    /// What the panel's legend calls it; nothing where it has no entry.
    name: &'static str,
    /// Epochs with their values. A value that is not finite is a gap.
    points: Vec<(f64, f64)>,
    /// How it is drawn.
    style: Style,
}

impl Curve {
    /// A curve of one value an epoch.
    pub fn new(name: &'static str, epochs: &[usize], values: &[f64], style: Style) -> Self {
        let epochs = epochs.iter().map(|epoch| *epoch as f64);
        Self { name, points: epochs.zip(values.iter().copied()).collect(), style }
    }
}

impl Panel {
    /// A panel whose axis is logarithmic where all values are positive and span more than a decade.
    pub fn new(what: &str, unit: &str, curves: Vec<Curve>) -> Self {
        let points = curves.iter().flat_map(|curve| &curve.points);
        let values: Vec<f64> = points.map(|(_, value)| *value).collect();
        let y = Axis::log_if_wide("", &values);
        let log = if y.scale == Scale::Log { ", log scale" } else { "" };
        Self { heading: format!("{what} ({unit}){log}"), y, curves }
    }

    fn points(&self) -> impl Iterator<Item = &(f64, f64)> {
        self.curves.iter().flat_map(|curve| &curve.points)
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
        let named = panel.curves.iter().filter(|curve| !curve.name.is_empty());
        let entries: Vec<_> = named.map(|curve| Entry::line(curve.name, curve.style)).collect();
        let place = legend::headed(place, &panel.heading, &entries)?;
        if !panel.points().any(|(_, value)| drawable(*value)) {
            plane::nothing(&place, "no finite values")?;
            continue;
        }
        let is_lowest = i + 1 == panels.len();
        let x = if is_lowest { x.clone() } else { Axis { name: String::new(), ..x.clone() } };
        let chart = plane::chart(&place, &x, &panel.y, Layout { left, ..Layout::default() })?;
        for curve in &panel.curves {
            chart.curve(curve.points.iter().copied(), curve.style)?;
        }
    }
    Ok(())
}
