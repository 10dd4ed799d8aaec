//! What settings do over several seeds.

use std::path::Path;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::{Axis, drawable};
use super::canvas::{self, Area, Drawn, Figure, Picture};
use super::legend::{self, Entry};
use super::plane::{self, Chart, Layout};
use super::theme;
use crate::error::{Error, Result};

/// Figures of several settings, side by side: a line a setting, a dot a seed, and the mean with its
/// interval.
#[derive(Clone, Debug)]
pub struct Sweep<'a> {
    /// Heading of the figure.
    pub title: &'a str,
    /// What each line is.
    pub settings: &'a [String],
    /// The figures.
    pub panels: [SweepPanel<'a>; 2],
}

/// One figure of a [`Sweep`].
#[derive(Clone, Debug)]
pub struct SweepPanel<'a> {
    /// What it is, with its unit.
    pub name: &'a str,
    /// One entry a setting.
    pub rows: Vec<SweepRow>,
}

/// The figure of one setting.
#[derive(Clone, Debug)]
pub struct SweepRow {
    /// One value a seed.
    pub values: Vec<f64>,
    /// Their mean.
    pub mean: Option<f64>,
    /// Its interval.
    pub interval: Option<[f64; 2]>,
}

impl SweepPanel<'_> {
    /// An axis over the values and the intervals. Counts start at 0 and run to 1 at least.
    fn axis(&self) -> Axis {
        let values = || self.rows.iter().flat_map(|row| &row.values).copied();
        let ends = self.rows.iter().filter_map(|row| row.interval).flatten();
        let are_counts = values().all(|value| value >= 0.0 && value.fract() == 0.0);
        match are_counts && values().next().is_some() {
            true => Axis::whole(self.name, values().chain(ends).chain([0.0, 1.0])),
            false => Axis::over(self.name, values().chain(ends)),
        }
    }
}

impl Sweep<'_> {
    /// Draws the figure to `name.png` and `name.svg` in `folder`.
    ///
    /// # Errors
    /// Where a panel has not one entry a setting, or where a file cannot be written.
    pub fn draw(&self, folder: &Path, name: &str) -> Result<Picture> {
        canvas::draw(self, folder, name)
    }

    fn panel<DB: DrawingBackend>(
        &self,
        area: &Area<DB>,
        panel: &SweepPanel,
    ) -> Drawn<DB, Chart<DB>> {
        let x = panel.axis();
        // Half a line of room above and below.
        let lines = panel.rows.len() as f64;
        let y = Axis { lo: -lines + 0.5, hi: 0.5, ..Axis::bare("", [0.0]) };
        let chart = plane::chart(area, &x, &y, Layout::default())?;
        let dot = theme::REAL;
        for (line, row) in panel.rows.iter().enumerate() {
            let y = -(line as f64);
            for value in row.values.iter().copied().filter(|value| drawable(*value)) {
                theme::mark(&chart.screen, chart.pixel(value, y), 9, dot, 0.35)?;
            }
            if let Some([low, high]) = row.interval {
                chart.line([(low, y), (high, y)], theme::INK.stroke_width(4))?;
            }
            if let Some(mean) = row.mean {
                let (x, y) = chart.pixel(mean, y);
                let tick = vec![(x, y - 16), (x, y + 16)];
                chart.screen.draw(&PathElement::new(tick, theme::INK.stroke_width(6)))?;
            }
        }
        Ok(chart)
    }
}

impl Figure for Sweep<'_> {
    fn title(&self) -> &str {
        self.title
    }

    fn alt(&self) -> String {
        let first = self.settings.first().map_or("", String::as_str);
        let figures = self.panels.iter().filter_map(|panel| {
            panel.rows.first()?.mean.map(|mean| format!("{} {mean:.3}", panel.name))
        });
        format!(
            "{}: {} settings. The first is {first}, with a mean of {}.",
            self.title,
            self.settings.len(),
            figures.collect::<Vec<_>>().join(" and ")
        )
    }

    fn size(&self) -> (u32, u32) {
        (1200, 200 + 40 * self.settings.len() as u32)
    }

    fn check(&self) -> Result<()> {
        let settings = self.settings.len();
        match self.panels.iter().find(|panel| panel.rows.len() != settings) {
            Some(panel) => Err(Error::input(format!(
                "figure \"{}\": {} entries of {} for {settings} settings",
                self.title,
                panel.rows.len(),
                panel.name
            ))),
            None => Ok(()),
        }
    }

    fn paint<DB: DrawingBackend>(&self, area: &Area<DB>) -> Drawn<DB> {
        let entries = [
            Entry::new("a seed", theme::REAL),
            Entry::remark("bar: mean, line: its 95 % interval"),
        ];
        let body = legend::draw(area, &entries)?;
        let most = body.dim_in_pixel().0 * 2 / 5;
        let widths = self.settings.iter().map(|name| theme::width(name, theme::TICK));
        let room = widths.max().unwrap_or(0).min(most);
        // The viewer's letters may be wider than those that are measured.
        let (_, charts) = body.split_horizontally(room as i32 * 9 / 8 + theme::MARGIN);
        let [left, right] = &self.panels;
        let halves = charts.split_evenly((1, 2));
        let chart = self.panel(&halves[0], left)?;
        self.panel(&halves[1], right)?;
        let style = theme::text(theme::TICK).pos(Pos::new(HPos::Left, VPos::Center));
        for (line, name) in self.settings.iter().enumerate() {
            let height = chart.pixel(0.0, -(line as f64)).1 - area.get_base_pixel().1;
            let name = theme::fitted(name, theme::TICK, room);
            area.draw_text(&name, &style, (theme::MARGIN, height))?;
        }
        Ok(())
    }
}
