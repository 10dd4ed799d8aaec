//! Histograms in percent of rows.

use std::collections::BTreeMap;

use plotters::prelude::*;

use super::axis::{Axis, drawable};
use super::canvas::{Area, Drawn};
use super::cloud::{Cloud, Colour};
use super::plane::{self, Chart, Layout};
use super::prior::{self, PriorComponent};
use super::theme::{self, class_style};

/// Bins of whole numbers where an axis reaches far beyond these.
const MOST: f64 = 200.0;

/// Bins of one width along an axis.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Bins {
    from: f64,
    width: f64,
    count: usize,
}

impl Bins {
    /// Bins over an axis. Where all values are whole numbers each bin holds as many of these as any other
    /// and they stand about its middle, since other bins hold one more or fewer than their neighbours.
    fn over(axis: &Axis, rows: usize, values: impl Iterator<Item = f64>) -> Self {
        let count = ((rows as f64).sqrt() as usize).clamp(10, 40);
        let Some([least, most]) = whole_ends(values.filter(|value| axis.holds(*value))) else {
            return Self { from: axis.lo, width: axis.span() / count as f64, count };
        };
        let width = ((most - least + 1.0) / count as f64).max(axis.span() / MOST).ceil();
        let below = ((least - 0.5 - axis.lo) / width).ceil().max(0.0);
        let from = least - 0.5 - below * width;
        Self { from, width, count: ((axis.hi - from) / width).ceil() as usize }
    }

    fn edge(&self, bin: usize) -> f64 {
        self.from + bin as f64 * self.width
    }

    fn of(&self, value: f64) -> usize {
        (((value - self.from) / self.width) as usize).min(self.count - 1)
    }
}

/// The least and the largest of values that are all whole numbers, and small enough for a 32-bit float to
/// tell each from its neighbours.
fn whole_ends(mut values: impl Iterator<Item = f64>) -> Option<[f64; 2]> {
    let is_whole = |value: f64| value.fract() == 0.0 && value.abs() < 16_777_216.0;
    let first = values.next().filter(|value| is_whole(*value))?;
    values.try_fold([first; 2], |[least, most], value| {
        is_whole(value).then(|| [least.min(value), most.max(value)])
    })
}

/// The ends of the bars of a column that has whole numbers only: half a unit beyond the values.
pub(super) fn ends_of_bars(values: impl Iterator<Item = f64>) -> Option<[f64; 2]> {
    whole_ends(values.filter(|value| drawable(*value)))
        .map(|[least, most]| [least - 0.5, most + 0.5])
}

/// One bar, or the part of it that belongs to one component.
struct Bar {
    left: f64,
    bottom: f64,
    height: f64,
    color: RGBAColor,
}

/// The histograms of all clouds over one axis: the first in bars, the others as outlines over them, so
/// that no colour stands for two clouds.
pub(super) struct Bars {
    bins: Bins,
    bars: Vec<Bar>,
    outlines: Vec<(Vec<f64>, RGBColor)>,
}

impl Bars {
    /// Counts a column of each cloud, the components of the first on top of each other.
    pub fn count(clouds: &[Cloud], column: usize, axis: &Axis) -> Self {
        let rows = clouds.iter().map(|cloud| cloud.points.nrows()).max().unwrap_or(0);
        let first = clouds.first().into_iter().flat_map(|cloud| cloud.column(column));
        let bins = Bins::over(axis, rows, first);
        let (mut bars, mut outlines) = (Vec::new(), Vec::new());
        for (index, cloud) in clouds.iter().enumerate() {
            let percent = 100.0 / cloud.points.nrows().max(1) as f64;
            let counts = counts(cloud, column, axis, bins);
            if let (1.., Colour::One(style)) = (index, cloud.colour) {
                let whole = |counts: &BTreeMap<_, usize>| counts.values().sum::<usize>() as f64;
                let heights = counts.iter().map(|counts| whole(counts) * percent).collect();
                outlines.push((heights, style.color));
                continue;
            }
            for (bin, counts) in counts.into_iter().enumerate() {
                let mut bottom = 0.0;
                for (class, count) in counts {
                    let color = match cloud.colour {
                        Colour::One(style) => style.color.mix(0.55),
                        Colour::Classes(_) => class_style(class).color.mix(0.85),
                    };
                    let (left, height) = (bins.edge(bin), count as f64 * percent);
                    bars.push(Bar { left, bottom, height, color });
                    bottom += height;
                }
            }
        }
        Self { bins, bars, outlines }
    }

    /// The top of the highest bar.
    pub fn highest(&self) -> f64 {
        let bars = self.bars.iter().map(|bar| bar.bottom + bar.height);
        let outlines = self.outlines.iter().flat_map(|(heights, _)| heights.iter().copied());
        bars.chain(outlines).fold(0.0, f64::max)
    }

    /// Draws the bars, and the outlines over them.
    pub fn draw<DB: DrawingBackend>(&self, chart: &Chart<DB>) -> Drawn<DB> {
        for bar in &self.bars {
            let corners = [
                chart.pixel(bar.left, bar.bottom),
                chart.pixel(bar.left + self.bins.width, bar.bottom + bar.height),
            ];
            chart.screen.draw(&Rectangle::new(corners, bar.color.filled()))?;
        }
        for (heights, color) in &self.outlines {
            let tops = heights.iter().enumerate().flat_map(|(bin, height)| {
                [(self.bins.edge(bin), *height), (self.bins.edge(bin + 1), *height)]
            });
            let ends = [0, self.bins.count].map(|bin| (self.bins.edge(bin), 0.0));
            let outline = ends[..1].iter().copied().chain(tops).chain(ends[1..].iter().copied());
            chart.line(outline, color.stroke_width(5))?;
        }
        Ok(())
    }
}

/// For each bin, the rows of each component in it. A cloud of one colour has one component.
fn counts(cloud: &Cloud, column: usize, axis: &Axis, bins: Bins) -> Vec<BTreeMap<usize, usize>> {
    let mut counts = vec![BTreeMap::new(); bins.count];
    for (row, value) in cloud.column(column).enumerate() {
        if axis.holds(value) {
            let class = match cloud.colour {
                Colour::One(_) => 0,
                Colour::Classes(of_row) => of_row[row],
            };
            *counts[bins.of(value)].entry(class).or_insert(0) += 1;
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
    let percent = |density: f64| 100.0 * bars.bins.width * density;
    let highest = density.iter().map(|(_, y)| percent(*y)).fold(bars.highest(), f64::max);
    let y = Axis { lo: 0.0, ..Axis::over("rows (%)", [0.0, highest]) };
    // Room for any percentage, so that histograms above each other align.
    let layout = Layout { left: 4 * theme::TICK as i32, ..Layout::default() };
    let chart = plane::chart(area, x, &y, layout)?;
    bars.draw(&chart)?;
    let curve = density.iter().map(|(x, y)| (*x, percent(*y)));
    chart.line(curve, theme::INK.stroke_width(4))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bins of whole numbers hold equally many of them, one where these are few, and cover the axis.
    #[test]
    fn bins_of_whole_numbers_are_alike() {
        for (values, width) in [(0..=1, 1.0), (3..=14, 1.0), (-7..=90, 3.0), (0..=100_000, 2501.0)]
        {
            let (least, most) = (f64::from(*values.start()), f64::from(*values.end()));
            // Generated values reach further than the real ones.
            let axis = Axis::over("", [least - 0.5, most + 3.7]);
            let bins = Bins::over(&axis, 2000, values.map(f64::from));
            assert_eq!(bins.width, width);
            assert_eq!((bins.from - least - 0.5).rem_euclid(width), (-1.0_f64).rem_euclid(width));
            assert!(bins.from <= axis.lo && bins.edge(bins.count) >= axis.hi);
            assert_eq!(bins.of(least), bins.of(least + width - 1.0));
            assert_ne!(bins.of(least), bins.of(least + width));
        }
        let axis = Axis::over("", [0.0, 1.0]);
        let bins = Bins::over(&axis, 2000, [0.0, 0.5, 1.0].into_iter());
        assert_eq!(bins, Bins { from: axis.lo, width: axis.span() / 40.0, count: 40 });
    }
}
