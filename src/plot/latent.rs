//! The latent space: posterior means and the prior.

use std::path::Path;

use ndarray::ArrayView2;
use plotters::prelude::*;

use super::axis::{Axis, drawable};
use super::canvas::{self, Area, Drawn, Figure, Picture};
use super::cloud::{self, Cloud, Colour};
use super::prior::{PriorComponent, outlined};
use super::shown::Shown;
use super::{legend, plane};
use crate::error::{Error, Result};

/// Latent dimensions that are shown.
const MOST_DIMENSIONS: usize = 4;
/// The means are zoomed into where they fill less than this part of every axis.
const SMALL: f64 = 0.12;

/// Posterior means, coloured by mode, over the prior's outline.
///
/// Where all means lie in a small part of the prior (a collapsed posterior), a second panel zooms
/// into them.
#[derive(Clone, Copy, Debug)]
pub struct Latent<'a> {
    /// Heading of the figure.
    pub title: &'a str,
    /// Posterior means, n × latent dimensions.
    pub means: ArrayView2<'a, f32>,
    /// For each row its class, an index into `class_names`; `None` draws all rows alike.
    pub classes: Option<&'a [usize]>,
    /// Names of the classes, for the legend or, of more than twelve, for labels in the picture.
    pub class_names: &'a [String],
    /// The prior as a Gaussian mixture. One Gaussian is outlined at 1, 2 and 3 σ, several at 2 σ
    /// each, thinner where they hold less than half a percent of the weight.
    pub prior: &'a [PriorComponent],
}

impl Latent<'_> {
    /// Draws the figure to `name.png` and `name.svg` in `folder`.
    ///
    /// # Errors
    /// Where there is no dimension, where classes or the prior do not match the means in number,
    /// where the prior is not finite, or where a file cannot be written.
    pub fn draw(&self, folder: &Path, name: &str) -> Result<Picture> {
        canvas::draw(self, folder, name)
    }

    /// The dimensions shown: of many those in which the means spread most.
    fn shown(&self) -> Shown {
        Shown::widest(self.means, MOST_DIMENSIONS)
    }

    /// Axes over the means alone.
    fn close_axes(&self) -> Vec<Axis> {
        let over = |unit: &usize| {
            let values = self.means.column(*unit).into_iter().map(|v| f64::from(*v));
            Axis::over(format!("z{}", unit + 1), values)
        };
        self.shown().columns.iter().map(over).collect()
    }

    /// Axes over the means and three standard deviations of the prior, equal in length where they
    /// are alike, so that a round prior looks round.
    fn axes(&self) -> Vec<Axis> {
        let widen = |(unit, close): (&usize, Axis)| {
            let reach = outlined(self.prior).flat_map(|gaussian| gaussian.reach(*unit, 3.0));
            let means = self.means.column(*unit).into_iter().map(|v| f64::from(*v));
            Axis::over(close.name, means.chain(reach))
        };
        let axes: Vec<Axis> =
            self.shown().columns.iter().zip(self.close_axes()).map(widen).collect();
        if !cloud::alike(&axes) {
            return axes;
        }
        let longest = axes.iter().map(Axis::span).fold(0.0, f64::max);
        axes.iter().map(|axis| axis.spanning(longest)).collect()
    }

    /// Whether the means fill a small part of the prior only.
    fn is_small(&self) -> bool {
        let spread = |i: usize| {
            let finite = self.means.column(i).into_iter().copied().filter(|v| v.is_finite());
            let (lo, hi) = finite.fold((f32::MAX, f32::MIN), |(lo, hi), v| (lo.min(v), hi.max(v)));
            f64::from(hi) - f64::from(lo)
        };
        let any = self.means.iter().any(|value| value.is_finite()) && !self.prior.is_empty();
        let shown = self.shown().columns;
        any && self.axes().iter().zip(shown).all(|(axis, i)| spread(i) < SMALL * axis.span())
    }
}

impl Figure for Latent<'_> {
    fn title(&self) -> &str {
        self.title
    }

    fn alt(&self) -> String {
        let (rows, dimensions) = self.means.dim();
        let shown = match dimensions {
            1 => "one latent dimension".to_string(),
            _ => match self.shown().some("latent dimensions") {
                Some(some) => some,
                None => format!("{dimensions} latent dimensions"),
            },
        };
        let small = if self.is_small() {
            " The means fill a small part of the prior; a second panel zooms into them."
        } else {
            ""
        };
        format!(
            "{}: posterior means of {rows} rows in {shown}, over the outline \
             of the prior.{small}",
            self.title
        )
    }

    fn size(&self) -> (u32, u32) {
        match (self.is_small(), self.shown().columns.len()) {
            (true, 1) => (960, 480),
            (true, 2) => (960, 600),
            (true, _) => (1200, 700),
            (false, 1) => (900, 520),
            (false, 2) => (900, 800),
            (false, _) => (900, 990),
        }
    }

    fn check(&self) -> Result<()> {
        let dimensions = self.means.ncols();
        let names = vec![String::new(); dimensions];
        cloud::check(self.title, &names, self.means, self.classes)?;
        let fits = |gaussian: &PriorComponent| {
            gaussian.mean.len() == dimensions
                && gaussian.covariance.dim() == (dimensions, dimensions)
        };
        let finite = |gaussian: &PriorComponent| {
            let values = gaussian.mean.iter().chain(&gaussian.covariance);
            values.chain([&gaussian.weight]).all(|value| drawable(*value))
        };
        let title = self.title;
        if !self.prior.iter().all(finite) {
            return Err(Error::input(format!("figure \"{title}\": the prior is not finite")));
        }
        if self.prior.iter().all(fits) {
            return Ok(());
        }
        Err(Error::input(format!("figure \"{title}\": the prior has not {dimensions} dimensions")))
    }

    fn paint<DB: DrawingBackend>(&self, area: &Area<DB>) -> Drawn<DB> {
        let shown = self.shown();
        let panels = cloud::panels(shown.columns.len());
        let mut entries = legend::of_classes(self.classes, self.class_names, panels);
        entries.extend(panels.and_then(|panels| legend::thinned(self.means.nrows(), panels)));
        entries.extend(shown.remark("latent dimensions"));
        let body = legend::draw(area, &entries)?;
        let (points, labels) = (shown.of(self.means), legend::labels(self.class_names));
        let (points, labels) = (points.view(), &labels[..]);
        let clouds = [Cloud { points, colour: Colour::of(self.classes), labels }];
        let marginal = |gaussian: &PriorComponent| gaussian.marginal(&shown.columns);
        let prior: Vec<PriorComponent> = self.prior.iter().map(marginal).collect();
        let has_light = outlined(&prior).count() < prior.len();
        let outline = match self.prior {
            [] => "posterior means",
            _ if shown.columns.len() == 1 => "posterior means; line: the prior's density",
            [_] => "posterior means; prior at 1, 2, 3 σ",
            _ if has_light => "posterior means; prior's components at 2 σ, thin: under 0.5 %",
            _ => "posterior means; prior's components at 2 σ",
        };
        if !self.is_small() {
            let body = plane::headed(&body, outline)?;
            return cloud::view(&body, &self.axes(), &clouds, &prior);
        }
        let panels = body.split_evenly((1, 2));
        cloud::view(&plane::headed(&panels[0], outline)?, &self.axes(), &clouds, &prior)?;
        let close = plane::headed(&panels[1], "zoomed into the means")?;
        cloud::view(&close, &self.close_axes(), &clouds, &[])
    }
}
