//! Values over a latent plane, such as what the decoder makes of every point of it.

use std::path::Path;

use ndarray::{ArrayView1, ArrayView2};
use plotters::prelude::*;

use super::axis::{self, Axis, drawable};
use super::canvas::{self, Area, Drawn, Figure, Picture};
use super::cloud::MOST_COLUMNS;
use super::colours::{BAR, Colours};
use super::legend::{self, Entry};
use super::plane::{self, Layout};
use super::prior::PriorComponent;
use super::shown::Shown;
use super::theme;
use crate::error::{Error, Result};

/// Values over a grid of two latents: one panel for each, in which colour stands for the value, under
/// the outline of the prior.
#[derive(Clone, Copy, Debug)]
pub struct LatentMap<'a> {
    /// Heading of the figure.
    pub title: &'a str,
    /// What the values are.
    pub meaning: Meaning<'a>,
    /// Names of the values, such as the data's columns.
    pub names: &'a [String],
    /// The grid, as [`lattice`](Self::lattice) makes it: n × 2.
    pub latents: ArrayView2<'a, f32>,
    /// The values at each point, n × names. Those that are not finite are left out.
    pub values: ArrayView2<'a, f32>,
    /// The prior, as in [`Latent`](super::Latent).
    pub prior: &'a [PriorComponent],
}

/// What the values of a [`LatentMap`] are, and with it what colours stand for.
#[derive(Clone, Copy, Debug)]
pub enum Meaning<'a> {
    /// The decoder's mean of each column. Colours span what the real rows span, without long tails.
    Decoded {
        /// The real rows, m × names.
        real: ArrayView2<'a, f32>,
    },
    /// log₁₀ of the density of all posteriors over that of the prior.
    Holes {
        /// Colours go from so many decades below 0 to as many above.
        decades: f64,
        /// Below this the prior has a hole, whose edge is drawn.
        level: f64,
    },
}

impl LatentMap<'_> {
    /// `side` × `side` points over the two latents' ranges `[[from, to]; 2]`, both ends included.
    pub fn lattice(ranges: [[f32; 2]; 2], side: usize) -> ndarray::Array2<f32> {
        let along = |[from, to]: [f32; 2], step: usize| {
            from + (to - from) * step as f32 / (side.max(2) - 1) as f32
        };
        ndarray::Array2::from_shape_fn((side * side, 2), |(point, unit)| match unit {
            0 => along(ranges[0], point % side),
            _ => along(ranges[1], point / side),
        })
    }

    /// Draws the figure to `name.png` and `name.svg` in `folder`.
    ///
    /// # Errors
    /// Where the latents are no square grid in two dimensions, the values do not fit them or the
    /// names, or a file cannot be written.
    pub fn draw(&self, folder: &Path, name: &str) -> Result<Picture> {
        canvas::draw(self, folder, name)
    }

    fn side(&self) -> usize {
        self.latents.nrows().isqrt()
    }

    fn shown(&self) -> Shown {
        Shown::first(self.names.len(), MOST_COLUMNS)
    }

    /// The colours of one of the values; nothing where it has none that can be drawn.
    fn colours(&self, column: usize) -> Option<Colours> {
        let mut finite = self.values.column(column).into_iter().map(|value| f64::from(*value));
        finite.find(|value| drawable(*value))?;
        match self.meaning {
            Meaning::Decoded { real } => {
                let real = real.column(column).into_iter().map(|value| f64::from(*value));
                let [low, high] = axis::ends(real)?.0;
                Some(Colours { low, high, diverging: false })
            }
            Meaning::Holes { decades, .. } => {
                Some(Colours { low: -decades, high: decades, diverging: true })
            }
        }
    }

    fn panel<DB: DrawingBackend>(&self, area: &Area<DB>, column: usize) -> Drawn<DB> {
        let Some(colours) = self.colours(column) else {
            return plane::nothing(area, "no finite values");
        };
        let values = self.values.column(column).mapv(f64::from);
        let area = plane::headed(area, &self.names[column])?;
        let (area, beside) = area.split_horizontally(area.dim_in_pixel().0 as i32 - BAR);
        let axis = |unit: usize| {
            let values = self.latents.column(unit).into_iter().map(|value| f64::from(*value));
            Axis::over(format!("z{}", unit + 1), values)
        };
        let layout = Layout { equal: true, ..Layout::default() };
        let chart = plane::chart(&area, &axis(0), &axis(1), layout)?;
        // By number, so that the edges of neighbours are the same to the pixel.
        let (side, last) = (self.side(), self.latents.nrows() - 1);
        let place = |unit: usize, number: f64| {
            let from = f64::from(self.latents[[0, unit]]);
            let step = (f64::from(self.latents[[last, unit]]) - from) / (side - 1) as f64;
            from + number * step
        };
        let pixel = |(i, j): (f64, f64)| chart.pixel(place(0, i), place(1, j));
        for (point, value) in values.iter().enumerate().filter(|(_, value)| drawable(**value)) {
            let (i, j) = ((point % side) as f64, (point / side) as f64);
            let corners = [pixel((i - 0.5, j - 0.5)), pixel((i + 0.5, j + 0.5))];
            chart.screen.draw(&Rectangle::new(corners, colours.of(*value).filled()))?;
        }
        // White is seen on the map, and the dark below it on the page.
        plane::outlines(&chart, self.prior, (0, 1), theme::OUTLINE.stroke_width(7))?;
        plane::outlines(&chart, self.prior, (0, 1), WHITE.stroke_width(3))?;
        if let Meaning::Holes { level, .. } = self.meaning {
            for side in edges(values.view(), side, level) {
                chart
                    .screen
                    .draw(&PathElement::new(side.map(pixel), theme::EDGE.stroke_width(6)))?;
            }
        }
        let heights = chart.heights().map(|height| height - beside.get_base_pixel().1);
        let finite = || values.iter().filter(|value| drawable(**value));
        // Ratios are held to the ends.
        let (mark, reach) = match self.meaning {
            Meaning::Holes { level, .. } => (Some((level, "hole")), f64::EPSILON),
            Meaning::Decoded { .. } => (None, 0.0),
        };
        let beyond = [
            finite().any(|value| *value < colours.low + reach),
            finite().any(|value| *value > colours.high - reach),
        ];
        colours.bar(&beside, heights.into(), beyond, mark)
    }

    /// Points with a ratio below that of a hole.
    fn holes(&self, level: f64) -> usize {
        self.values.iter().filter(|ratio| f64::from(**ratio) < level).count()
    }
}

/// The sides, in steps from a grid's first point, of the squares around points with a value below `level`
/// that no other such square shares.
fn edges(values: ArrayView1<f64>, side: usize, level: f64) -> Vec<[(f64, f64); 2]> {
    let is_below = |i: isize, j: isize| {
        let within = 0..side as isize;
        within.contains(&i) && within.contains(&j) && values[j as usize * side + i as usize] < level
    };
    let mut edges = Vec::new();
    for point in 0..values.len() {
        let (i, j) = ((point % side) as isize, (point / side) as isize);
        for (right, up) in [(1, 0), (0, 1), (-1, 0), (0, -1)] {
            if is_below(i, j) && !is_below(i + right, j + up) {
                let middle = (i as f64 + 0.5 * right as f64, j as f64 + 0.5 * up as f64);
                let half = (0.5 * up.abs() as f64, 0.5 * right.abs() as f64);
                let end = |sign: f64| (middle.0 + sign * half.0, middle.1 + sign * half.1);
                edges.push([end(-1.0), end(1.0)]);
            }
        }
    }
    edges
}

/// A number with a minus sign, not a hyphen.
fn minus(value: f64) -> String {
    value.to_string().replace('-', "−")
}

impl Figure for LatentMap<'_> {
    fn title(&self) -> &str {
        self.title
    }

    fn alt(&self) -> String {
        let (title, points) = (self.title, self.latents.nrows());
        let place =
            format!("at {points} points of the latent plane, under the outline of the prior");
        match self.meaning {
            Meaning::Decoded { .. } => format!(
                "{title}: the decoder's mean of {} {place}. Dark is the least and light the largest \
                 value of the real rows.",
                self.shown().in_words(self.names)
            ),
            Meaning::Holes { decades, level } => {
                let (holes, level) = (self.holes(level), minus(level));
                format!(
                    "{title}: log₁₀ of the density of all posteriors over that of the prior {place}, \
                     in colours from −{decades} to {decades}. At {holes} points it is below \
                     {level}, a hole of the prior."
                )
            }
        }
    }

    fn size(&self) -> (u32, u32) {
        let (rows, columns) = plane::grid(self.shown().columns.len());
        match (rows, columns) {
            (1, 1) => (640, 600),
            _ => (480 * columns as u32, 440 * rows as u32 + 75),
        }
    }

    fn check(&self) -> Result<()> {
        let (points, dimensions) = self.latents.dim();
        let square = points >= 4 && self.side() * self.side() == points && dimensions == 2;
        let fits = self.values.dim() == (points, self.names.len()) && !self.names.is_empty();
        match square && fits {
            true => Ok(()),
            false => Err(Error::input(format!(
                "figure \"{}\": {points} latents of {dimensions} dimensions and values of shape {:?} are \
                 no grid of {} values",
                self.title,
                self.values.dim(),
                self.names.len()
            ))),
        }
    }

    fn paint<DB: DrawingBackend>(&self, area: &Area<DB>) -> Drawn<DB> {
        let shown = self.shown();
        let mut entries = match self.meaning {
            Meaning::Decoded { .. } => {
                vec![Entry::remark("colours span the real rows; a pointed end: values beyond them")]
            }
            Meaning::Holes { level, .. } => {
                let edge = match self.holes(level) {
                    0 => "no hole here".to_owned(),
                    _ => format!("black: edge of a hole (below {})", minus(level)),
                };
                vec![Entry::remark("outlines: the prior"), Entry::remark(edge)]
            }
        };
        entries.extend(shown.remark("columns"));
        let body = legend::draw(area, &entries)?;
        let panels = body.split_evenly(plane::grid(shown.columns.len()));
        panels.iter().zip(shown.columns).try_for_each(|(panel, column)| self.panel(panel, column))
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    /// Two squares beside each other have six sides without the one they share; a point without a value
    /// is in no hole.
    #[test]
    fn a_hole_is_edged_all_around() {
        let values = array![-2.0, -1.5, 0.0, 0.0, f64::NAN, 0.0, 0.0, 0.0, 0.0];
        let edges = edges(values.view(), 3, -1.0);
        assert_eq!(edges.len(), 6);
        assert!(edges.contains(&[(-0.5, -0.5), (-0.5, 0.5)]));
        assert!(edges.contains(&[(1.5, -0.5), (1.5, 0.5)]));
        assert!(!edges.iter().flatten().any(|(x, y)| *x > 1.5 || *y > 0.5));
    }
}
