//! How many clusters: silhouette and inertia by k.

use std::path::Path;

use plotters::prelude::*;

use super::axis::{Axis, drawable};
use super::canvas::{self, Area, Drawn, Figure, Picture};
use super::legend::{self, Entry};
use super::plane::{self, Layout};
use super::theme::Style;
use crate::error::{Error, Result};

/// Silhouette and inertia by the number of clusters k, for several sets, with the k chosen.
#[derive(Clone, Copy, Debug)]
pub struct KChoiceFigure<'a> {
    /// Heading of the figure.
    pub title: &'a str,
    /// The sets, such as generated, generated scaled, real.
    pub curves: &'a [KCurve<'a>],
}

/// One set's curve in a [`KChoiceFigure`].
#[derive(Clone, Copy, Debug)]
pub struct KCurve<'a> {
    /// The set's name.
    pub name: &'a str,
    /// Numbers of clusters, ascending.
    pub k: &'a [usize],
    /// Mean silhouette for each k, in [−1, 1]; not finite where it is not defined.
    pub silhouette: &'a [f64],
    /// Within-cluster sum of squares for each k. Shown in percent of its value at k = 2, or at
    /// the first k where there is no 2, so that sets of different scales compare.
    pub inertia: &'a [f64],
    /// The k chosen, which is ringed.
    pub chosen: usize,
    /// The look of the curve, such as [`theme::REAL`](super::theme::REAL).
    pub style: Style,
}

impl KCurve<'_> {
    fn points<'a>(&'a self, values: &'a [f64]) -> impl Iterator<Item = (f64, f64)> + 'a {
        self.k.iter().map(|k| *k as f64).zip(values.iter().copied())
    }

    /// Inertia in percent of its value at k = 2, or at the first k.
    fn percent(&self) -> Vec<f64> {
        let base = self.k.iter().position(|k| *k == 2).unwrap_or(0);
        let base = self.inertia.get(base).copied().unwrap_or(f64::NAN);
        self.inertia.iter().map(|inertia| 100.0 * inertia / base).collect()
    }
}

impl KChoiceFigure<'_> {
    /// Draws the figure to `name.png` and `name.svg` in `folder`.
    ///
    /// # Errors
    /// Where a curve has not one value for each k, or where a file cannot be written.
    pub fn draw(&self, folder: &Path, name: &str) -> Result<Picture> {
        canvas::draw(self, folder, name)
    }

    fn panel<DB: DrawingBackend>(
        &self,
        area: &Area<DB>,
        heading: &str,
        values: &[Vec<f64>],
    ) -> Drawn<DB> {
        let area = plane::headed(area, heading)?;
        if !values.iter().flatten().any(|value| drawable(*value)) {
            return plane::nothing(&area, "no finite values");
        }
        let every_k = self.curves.iter().flat_map(|curve| curve.k).map(|k| *k as f64);
        let x = Axis::whole("number of clusters k", every_k);
        // From 0 on, so that small differences look small.
        let y = Axis::over("", values.iter().flatten().copied().chain([0.0]));
        let lo = if values.iter().flatten().any(|value| *value < 0.0) { y.lo } else { 0.0 };
        let y = Axis { lo, ..y };
        let chart = plane::chart(&area, &x, &y, Layout::default())?;
        for (curve, values) in self.curves.iter().zip(values) {
            chart.curve(curve.points(values), curve.style)?;
        }
        for (curve, values) in self.curves.iter().zip(values) {
            let chosen = |(k, value): &(f64, f64)| *k == curve.chosen as f64 && drawable(*value);
            if let Some((k, value)) = curve.points(values).find(chosen) {
                let ring =
                    Circle::new(chart.pixel(k, value), 22, curve.style.color.stroke_width(5));
                chart.screen.draw(&ring)?;
            }
        }
        Ok(())
    }
}

impl Figure for KChoiceFigure<'_> {
    fn title(&self) -> &str {
        self.title
    }

    fn alt(&self) -> String {
        let chosen: Vec<String> = self
            .curves
            .iter()
            .map(|curve| format!("{} for {}", curve.chosen, curve.name))
            .collect();
        format!(
            "{}: mean silhouette and inertia by the number of clusters k. Chosen k: {}.",
            self.title,
            chosen.join(", ")
        )
    }

    fn size(&self) -> (u32, u32) {
        (960, 540)
    }

    fn check(&self) -> Result<()> {
        let wrong = |curve: &&KCurve| {
            curve.silhouette.len() != curve.k.len() || curve.inertia.len() != curve.k.len()
        };
        match self.curves.iter().find(wrong) {
            Some(curve) => Err(Error::input(format!(
                "figure \"{}\": the curve of {} has not one value for each k",
                self.title, curve.name
            ))),
            None => Ok(()),
        }
    }

    fn paint<DB: DrawingBackend>(&self, area: &Area<DB>) -> Drawn<DB> {
        let name = |curve: &KCurve| format!("{} (k = {})", curve.name, curve.chosen);
        let mut entries: Vec<Entry> =
            self.curves.iter().map(|curve| Entry::line(name(curve), curve.style)).collect();
        entries.push(Entry::remark("ring: the k chosen"));
        let body = legend::draw(area, &entries)?;
        let silhouette: Vec<_> =
            self.curves.iter().map(|curve| curve.silhouette.to_vec()).collect();
        let inertia: Vec<_> = self.curves.iter().map(KCurve::percent).collect();
        let panels = body.split_evenly((1, 2));
        self.panel(&panels[0], "Mean silhouette", &silhouette)?;
        let base =
            if self.curves.iter().all(|curve| curve.k.contains(&2)) { "k = 2" } else { "first k" };
        self.panel(&panels[1], &format!("Inertia (% of inertia at {base})"), &inertia)
    }
}
