//! Sets of rows and how they are shown: by the number of columns, as a histogram, a scatter, a
//! scatter in space or a matrix of pairs.

use std::borrow::Borrow;

use ndarray::ArrayView2;
use plotters::prelude::*;

use super::axis::{Axis, drawable};
use super::canvas::{Area, Drawn};
use super::prior::PriorComponent;
use super::theme::{self, Style, class_style};
use super::{histogram, pairs, plane, space};
use crate::error::{Error, Result};

/// Columns that a matrix of pairs shows.
pub(super) const MOST_COLUMNS: usize = 8;
/// Points in one panel, and in all panels of a matrix: an SVG has an element for each.
const MOST_POINTS: usize = 2000;
const MOST_POINTS_IN_ALL: usize = 8_000;

/// How the rows of a cloud are coloured.
#[derive(Clone, Copy)]
pub(super) enum Colour<'a> {
    One(Style),
    Classes(&'a [usize]),
}

impl<'a> Colour<'a> {
    /// By component where components are known, else as real data.
    pub fn of(classes: Option<&'a [usize]>) -> Self {
        classes.map_or(Colour::One(theme::REAL), Colour::Classes)
    }

    /// The style of a row.
    pub fn style(self, row: usize) -> Style {
        match self {
            Colour::One(style) => style,
            Colour::Classes(classes) => class_style(classes[row]),
        }
    }
}

/// Rows and their colours.
#[derive(Clone, Copy)]
pub(super) struct Cloud<'a> {
    pub points: ArrayView2<'a, f32>,
    pub colour: Colour<'a>,
    /// What is written at the median of each class; empty where a legend names them.
    pub labels: &'a [String],
}

impl<'a> Cloud<'a> {
    /// Rows of one look.
    pub fn alike(points: ArrayView2<'a, f32>, style: Style) -> Self {
        Self { points, colour: Colour::One(style), labels: &[] }
    }

    /// The labels, each with the median of its rows in each column; none of classes without rows.
    pub fn labelled(&self) -> Vec<(&'a str, Vec<f64>)> {
        let (Colour::Classes(classes), labels) = (self.colour, self.labels) else {
            return Vec::new();
        };
        let median = |class: usize, column: usize| {
            let rows = self.column(column).zip(classes).filter(|(_, of_row)| **of_row == class);
            let mut values: Vec<f64> =
                rows.map(|(value, _)| value).filter(|value| drawable(*value)).collect();
            values.sort_by(f64::total_cmp);
            values.get(values.len() / 2).copied()
        };
        let place = |(class, label): (usize, &'a String)| {
            let columns = 0..self.points.ncols();
            let medians: Option<Vec<f64>> = columns.map(|column| median(class, column)).collect();
            medians.map(|medians| (label.as_str(), medians))
        };
        labels.iter().enumerate().filter_map(place).collect()
    }

    pub fn column(&self, column: usize) -> impl Iterator<Item = f64> {
        self.points.column(column).into_iter().map(|v| f64::from(*v))
    }
}

/// Most points of a set in one of `panels` panels; the first rows are shown.
pub(super) fn limit(panels: usize) -> usize {
    MOST_POINTS.min(MOST_POINTS_IN_ALL / panels.max(1))
}

/// Radius of a point in pixels.
pub(super) fn radius(rows: usize, panels: usize) -> i32 {
    match (rows, panels) {
        (..=300, 1) => 10,
        (..=1000, 1) => 8,
        (_, 1) => 6,
        (..=300, ..=6) => 7,
        (_, ..=6) => 5,
        _ => 4,
    }
}

/// Checks that names and classes fit the values.
pub(super) fn check(
    title: &str,
    columns: &[String],
    points: ArrayView2<f32>,
    classes: Option<&[usize]>,
) -> Result<()> {
    let (rows, width) = points.dim();
    if width == 0 {
        return Err(Error::input(format!("figure \"{title}\": there is no column to show")));
    }
    if columns.len() != width {
        let names = columns.len();
        return Err(Error::input(format!("figure \"{title}\": {names} names for {width} columns")));
    }
    match classes {
        Some(classes) if classes.len() != rows => {
            let given = classes.len();
            Err(Error::input(format!("figure \"{title}\": {given} classes for {rows} rows")))
        }
        _ => Ok(()),
    }
}

/// Panels with points that [`view`] shows of this many columns; a histogram has none.
pub(super) fn panels(columns: usize) -> Option<usize> {
    match columns.min(MOST_COLUMNS) {
        ..=1 => None,
        2 | 3 => Some(1),
        shown => Some(shown * (shown - 1) / 2),
    }
}

/// Width and height in CSS pixels of a figure of this many columns.
pub(super) fn size(columns: usize) -> (u32, u32) {
    match columns {
        1 => (900, 520),
        2 => (900, 700),
        3 => (900, 740),
        _ => (900, 990),
    }
}

/// An axis over each column of all clouds, with room for the histogram of the first one's.
pub(super) fn axes(columns: &[String], clouds: &[Cloud]) -> Vec<Axis> {
    let over = |(i, name): (usize, &String)| {
        let bars = clouds.first().and_then(|cloud| histogram::ends_of_bars(cloud.column(i)));
        let values = clouds.iter().flat_map(move |cloud| cloud.column(i));
        Axis::over(name, values.chain(bars.into_iter().flatten()))
    };
    columns.iter().enumerate().map(over).collect()
}

/// Whether axes are so alike in length that they share a unit, and so should share a scale.
pub(super) fn alike<A: Borrow<Axis>>(axes: &[A]) -> bool {
    let spans = || axes.iter().map(|axis| axis.borrow().span());
    spans().fold(0.0, f64::max) <= 5.0 * spans().fold(f64::MAX, f64::min)
}

/// Shows clouds over axes, with a prior's outline under them.
pub(super) fn view<DB: DrawingBackend>(
    area: &Area<DB>,
    axes: &[Axis],
    clouds: &[Cloud],
    prior: &[PriorComponent],
) -> Drawn<DB> {
    let any = clouds.iter().any(|cloud| cloud.points.iter().any(|v| drawable(f64::from(*v))));
    if !any {
        return plane::nothing(area, "no rows with finite values");
    }
    match axes {
        [x] => histogram::draw(area, x, 0, clouds, prior),
        [x, y] => plane::scatter(area, (x, y), clouds, prior, alike(axes)),
        [x, y, z] if prior.is_empty() => space::scatter(area, [x, y, z], clouds),
        _ => pairs::matrix(area, axes, clouds, prior),
    }
}
