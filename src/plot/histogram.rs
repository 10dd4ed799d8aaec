//! Histograms in percent of rows.

use std::collections::BTreeMap;

use plotters::prelude::*;

use super::axis::Axis;
use super::canvas::{Area, Drawn};
use super::cloud::{Cloud, Colour};
use super::plane::{self, Chart, Layout};
use super::prior::{self, PriorComponent};
use super::theme::{self, class_style};

/// One bar, or the part of it that belongs to one component.
struct Bar {
    left: f64,
    bottom: f64,
    height: f64,
    color: RGBAColor,
}

/// The bars of all clouds over one axis, which they divide into bins of one width.
pub(super) struct Bars {
    width: f64,
    bars: Vec<Bar>,
}

impl Bars {
    /// Counts a column of each cloud: clouds of one colour stand before each other, the components
    /// of a cloud on top of each other.
    pub fn count(clouds: &[Cloud], column: usize, axis: &Axis) -> Self {
        let rows = clouds.iter().map(|cloud| cloud.points.nrows()).max().unwrap_or(0);
        let bins = ((rows as f64).sqrt() as usize).clamp(10, 40);
        let width = axis.span() / bins as f64;
        let mut bars = Vec::new();
        for cloud in clouds {
            let percent = 100.0 / cloud.points.nrows().max(1) as f64;
            for (bin, counts) in counts(cloud, column, axis, bins).into_iter().enumerate() {
                let mut bottom = 0.0;
                for (class, count) in counts {
                    let color = match cloud.colour {
                        Colour::One(style) => style.color.mix(0.55),
                        Colour::Classes(_) => class_style(class).color.mix(0.85),
                    };
                    let (left, height) = (axis.lo + bin as f64 * width, count as f64 * percent);
                    bars.push(Bar { left, bottom, height, color });
                    bottom += height;
                }
            }
        }
        Self { width, bars }
    }

    /// The top of the highest bar.
    pub fn highest(&self) -> f64 {
        self.bars.iter().map(|bar| bar.bottom + bar.height).fold(0.0, f64::max)
    }

    /// Draws the bars.
    pub fn draw<DB: DrawingBackend>(&self, chart: &Chart<DB>) -> Drawn<DB> {
        for bar in &self.bars {
            let corners = [
                chart.pixel(bar.left, bar.bottom),
                chart.pixel(bar.left + self.width, bar.bottom + bar.height),
            ];
            chart.screen.draw(&Rectangle::new(corners, bar.color.filled()))?;
        }
        Ok(())
    }
}

/// For each bin, the rows of each component in it. A cloud of one colour has one component.
fn counts(cloud: &Cloud, column: usize, axis: &Axis, bins: usize) -> Vec<BTreeMap<usize, usize>> {
    let mut counts = vec![BTreeMap::new(); bins];
    for (row, value) in cloud.column(column).enumerate() {
        if (axis.lo..=axis.hi).contains(&value) {
            let bin = ((value - axis.lo) / axis.span() * bins as f64) as usize;
            let class = match cloud.colour {
                Colour::One(_) => 0,
                Colour::Classes(of_row) => of_row[row],
            };
            *counts[bin.min(bins - 1)].entry(class).or_insert(0) += 1;
        }
    }
    counts
}

/// A histogram of one column, with the prior's density in that dimension over it.
pub(super) fn draw<DB: DrawingBackend>(
    area: &Area<DB>,
    x: &Axis,
    column: usize,
    clouds: &[Cloud],
    prior: &[PriorComponent],
) -> Drawn<DB> {
    let bars = Bars::count(clouds, column, x);
    let density = prior::density(prior, column, x);
    let percent = |density: f64| 100.0 * bars.width * density;
    let highest = density.iter().map(|(_, y)| percent(*y)).fold(bars.highest(), f64::max);
    let y = Axis { lo: 0.0, ..Axis::over("rows (%)", [0.0, highest]) };
    // Room for any percentage, so that histograms above each other align.
    let layout = Layout { left: 4 * theme::TICK as i32, ..Layout::default() };
    let chart = plane::chart(area, x, &y, layout)?;
    bars.draw(&chart)?;
    let curve = density.iter().map(|(x, y)| (*x, percent(*y)));
    chart.line(curve, theme::INK.stroke_width(4))
}
