//! What settings do over several seeds.

use std::path::Path;

use plotters::prelude::*;

use super::axis::{Axis, drawable};
use super::canvas::{self, Area, Drawn, Figure, Picture};
use super::legend::{self, Entry};
use super::plane::{self, Chart, Layout};
use super::settings_table::SettingsTable;
use super::theme;
use crate::error::{Error, Result};

/// Lines from which on the axes stand above them too.
const MANY: usize = 12;
/// Pixels that the seeds' dots lie below the line of their mean, which would hide them.
const BELOW: i32 = 24;

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
    /// The largest value there can be, where there is one.
    pub most: Option<f64>,
    /// One entry a setting.
    pub rows: Vec<SweepFigureRow>,
}

/// The figure of one setting.
#[derive(Clone, Debug)]
pub struct SweepFigureRow {
    /// One value a seed.
    pub values: Vec<f64>,
    /// Their mean.
    pub mean: Option<f64>,
    /// Its interval.
    pub interval: Option<[f64; 2]>,
}

impl SweepPanel<'_> {
    /// An axis over the values and the intervals, up to the largest there can be. Counts start at 0 and
    /// run to 1 at least.
    fn axis(&self) -> Axis {
        let name = match self.most {
            Some(most) => format!("{} (of {most})", self.name),
            None => self.name.to_owned(),
        };
        let values = || self.rows.iter().flat_map(|row| &row.values).copied();
        let ends = self.rows.iter().filter_map(|row| row.interval).flatten();
        let are_counts = values().all(|value| value >= 0.0 && value.fract() == 0.0);
        match are_counts && values().next().is_some() {
            true => {
                let ends = ends.chain([0.0, 1.0]).chain(self.most);
                Axis::whole(name, values().chain(ends))
            }
            false => Axis::over(name, values().chain(ends).chain(self.most)),
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
        let layout = Layout { top: panel.rows.len() > MANY, ..Layout::default() };
        let chart = plane::chart(area, &x, &y, layout)?;
        for (line, row) in panel.rows.iter().enumerate() {
            let y = -(line as f64);
            for value in row.values.iter().copied().filter(|value| drawable(*value)) {
                let (x, y) = chart.pixel(value, y);
                theme::mark(&chart.screen, (x, y + BELOW), 9, theme::REAL, 0.5)?;
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
        (1200, 220 + 40 * self.settings.len() as u32)
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
            Entry::remark("above the dots: their mean and its 95 % interval"),
        ];
        // The headings of the settings stand above the charts.
        let body = legend::draw(area, &entries)?.margin(theme::TICK, 0, 0, 0);
        let table = SettingsTable::new(self.settings);
        let (names, charts) = body.split_horizontally(table.width(body.dim_in_pixel().0 * 2 / 5));
        let [left, right] = &self.panels;
        let halves = charts.split_evenly((1, 2));
        let chart = self.panel(&halves[0], left)?;
        self.panel(&halves[1], right)?;
        let height = |line: f64| chart.pixel(0.0, -line).1 - names.get_base_pixel().1;
        let header = chart.heights()[0] - names.get_base_pixel().1 - theme::TICK as i32;
        table.draw(&names, header, |line| height(line as f64))
    }
}
