//! Scatters in three dimensions.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::{Axis, drawable};
use super::canvas::{Area, Drawn};
use super::cloud::{self, Cloud};
use super::theme;

/// The viewpoint, in radians: turned about the upright axis, then seen from above.
const YAW: f64 = 0.6;
const PITCH: f64 = 0.4;

/// A place in the box, each coordinate in [0, 1] from the low to the high end of its axis.
type Place = [f64; 3];

/// An edge of the box, by the place of its axis' low end, the way along and the way out.
const EDGES: [(Place, Place, Place); 3] = [
    ([0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, -1.0, 0.0]),
    ([1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]),
    ([0.0, 0.0, 0.0], [0.0, 0.0, 1.0], [-0.7, -0.7, 0.0]),
];

/// The walls behind the points: the axis they stand across, and where on it.
const WALLS: [(usize, f64); 3] = [(0, 0.0), (1, 1.0), (2, 0.0)];

/// A scatter of three columns, the third upright, in a box with grid walls at its back.
///
/// The nearer a point, the larger and more opaque it is. The box's sides are in proportion to the
/// axes where these are alike in length.
pub(super) fn scatter<DB: DrawingBackend>(
    area: &Area<DB>,
    axes: [&Axis; 3],
    clouds: &[Cloud],
) -> Drawn<DB> {
    let scene = Scene::new(area.dim_in_pixel(), axes);
    scene.walls(area)?;
    scene.labels(area)?;
    scene.points(area, clouds)
}

/// The box that three axes span, projected orthographically.
struct Scene<'a> {
    axes: [&'a Axis; 3],
    /// Lengths of the box's sides, the longest 1.
    sides: [f64; 3],
    /// The box's middle on the screen, in pixels.
    middle: (f64, f64),
    /// Pixels a unit.
    scale: f64,
    /// Ticks along each axis.
    ticks: [Vec<(f64, String)>; 3],
    /// Widest piece of text beside the box.
    margin: f64,
}

impl<'a> Scene<'a> {
    fn new((width, height): (u32, u32), axes: [&'a Axis; 3]) -> Self {
        let (width, height) = (f64::from(width), f64::from(height));
        let longest = axes.iter().map(|axis| axis.span()).fold(0.0, f64::max);
        let sides = axes.map(|axis| if cloud::alike(&axes) { axis.span() / longest } else { 1.0 });
        let ticks = axes.map(|axis| axis.ticks(if width > 1200.0 { 6 } else { 4 }));
        let widest = |(_, text): &(f64, String)| theme::width(text, theme::TICK);
        let margin = f64::from(ticks.iter().flatten().map(widest).max().unwrap_or(0));

        let mut scene = Self { axes, sides, middle: (0.0, 0.0), scale: 1.0, ticks, margin };
        let corners = (0..8).map(|i| [i & 1, i >> 1 & 1, i >> 2].map(f64::from));
        let (mut right, mut top) = (0.0f64, 0.0f64);
        for corner in corners {
            let (x, y, _) = scene.turned(corner);
            (right, top) = (right.max(x), top.max(y));
        }
        let text = f64::from(theme::TICK + theme::LABEL);
        let room = (width / 2.0 - margin - 0.7 * text, height / 2.0 - 1.1 * text);
        scene.scale = (room.0 / right).min(room.1 / top).max(1.0);
        scene.middle = (width / 2.0, height / 2.0 - text / 4.0);
        scene
    }

    /// Right, up and towards the viewer, from the box's middle.
    fn turned(&self, place: Place) -> (f64, f64, f64) {
        let [x, y, z] = [0, 1, 2].map(|i| (place[i] - 0.5) * self.sides[i]);
        let right = x * YAW.cos() + y * YAW.sin();
        let away = y * YAW.cos() - x * YAW.sin();
        (right, z * PITCH.cos() + away * PITCH.sin(), z * PITCH.sin() - away * PITCH.cos())
    }

    fn pixel(&self, place: Place) -> (i32, i32) {
        let (right, up, _) = self.turned(place);
        let (x, y) = (self.middle.0 + right * self.scale, self.middle.1 - up * self.scale);
        (x.round() as i32, y.round() as i32)
    }

    /// Where a position on an axis lies along it.
    fn along(&self, axis: usize, position: f64) -> f64 {
        (position - self.axes[axis].lo) / self.axes[axis].span()
    }

    fn line<DB: DrawingBackend>(
        &self,
        area: &Area<DB>,
        places: &[Place],
        style: ShapeStyle,
    ) -> Drawn<DB> {
        let pixels: Vec<_> = places.iter().map(|place| self.pixel(*place)).collect();
        area.draw(&PathElement::new(pixels, style))
    }

    fn walls<DB: DrawingBackend>(&self, area: &Area<DB>) -> Drawn<DB> {
        for (across, at) in WALLS {
            let (i, j) = ((across + 1) % 3, (across + 2) % 3);
            let place = |a: f64, b: f64| {
                let mut place = [at; 3];
                (place[i], place[j]) = (a, b);
                place
            };
            let corners = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)];
            let pixels: Vec<_> = corners.map(|(a, b)| self.pixel(place(a, b))).to_vec();
            area.draw(&Polygon::new(pixels.clone(), theme::WALL.filled()))?;
            let grid = theme::GRID.stroke_width(2);
            area.draw(&PathElement::new([&pixels[..], &pixels[..1]].concat(), grid))?;
            for (position, _) in &self.ticks[i] {
                let a = self.along(i, *position);
                self.line(area, &[place(a, 0.0), place(a, 1.0)], grid)?;
            }
            for (position, _) in &self.ticks[j] {
                let b = self.along(j, *position);
                self.line(area, &[place(0.0, b), place(1.0, b)], grid)?;
            }
        }
        Ok(())
    }

    /// The three axes with their ticks and names.
    fn labels<DB: DrawingBackend>(&self, area: &Area<DB>) -> Drawn<DB> {
        for (axis, (low, along, out)) in EDGES.into_iter().enumerate() {
            // A place on the edge, and as far outside it as this many pixels.
            let beside = |a: f64, pixels: f64| {
                let distance = pixels / self.scale;
                [0, 1, 2].map(|i| low[i] + a * along[i] + distance * out[i] / self.sides[i])
            };
            self.line(area, &[beside(0.0, 0.0), beside(1.0, 0.0)], theme::INK.stroke_width(2))?;
            let (side, level) = match axis {
                0 => (HPos::Right, VPos::Top),
                1 => (HPos::Left, VPos::Top),
                _ => (HPos::Right, VPos::Center),
            };
            let style = theme::text(theme::TICK).pos(Pos::new(side, level));
            for (position, text) in &self.ticks[axis] {
                let a = self.along(axis, *position);
                let tick = [beside(a, 0.0), beside(a, 12.0)];
                self.line(area, &tick, theme::INK.stroke_width(2))?;
                area.draw_text(text, &style, self.pixel(beside(a, 20.0)))?;
            }
            self.name(area, axis, self.pixel(beside(0.5, 0.0)))?;
        }
        Ok(())
    }

    /// Writes the name of an axis outside its ticks: beside the lower two, above the upright one.
    fn name<DB: DrawingBackend>(
        &self,
        area: &Area<DB>,
        axis: usize,
        middle: (i32, i32),
    ) -> Drawn<DB> {
        let out = self.margin as i32 + theme::TICK as i32;
        let top = self.pixel([0.0, 0.0, 1.0]);
        let (wide, half) = (area.dim_in_pixel().0 as i32, theme::MARGIN / 2);
        let name =
            |room: i32| theme::fitted(&self.axes[axis].name, theme::LABEL, room.max(0) as u32);
        let (name, at, side) = match axis {
            0 => {
                let x = middle.0 - out / 2;
                (name(x - half), (x, middle.1 + out), HPos::Right)
            }
            1 => {
                let x = middle.0 + out;
                (name(wide - x - half), (x, middle.1 + out), HPos::Left)
            }
            _ => {
                let name = name(wide / 3);
                let x = top.0 - theme::width(&name, theme::LABEL) as i32 / 2;
                (name, (x.max(half), top.1 - theme::LABEL as i32), HPos::Left)
            }
        };
        let style = theme::text(theme::LABEL).pos(Pos::new(side, VPos::Center));
        area.draw_text(&name, &style, at)
    }

    fn points<DB: DrawingBackend>(&self, area: &Area<DB>, clouds: &[Cloud]) -> Drawn<DB> {
        let mut points = Vec::new();
        for cloud in clouds {
            for (row, values) in cloud.points.rows().into_iter().enumerate().take(cloud::limit(1)) {
                let values = [0, 1, 2].map(|i| f64::from(values[i]));
                if values.iter().all(|v| drawable(*v)) {
                    let place = [0, 1, 2].map(|i| self.along(i, values[i]));
                    points.push((self.turned(place).2, self.pixel(place), cloud.colour.style(row)));
                }
            }
        }
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        let nearest = self.turned([1.0, 0.0, 1.0]).2;
        let radius = f64::from(cloud::radius(points.len(), 1));
        for (near, pixel, style) in points {
            let near = 0.5 + 0.5 * near / nearest;
            let radius = (radius * (0.75 + 0.5 * near)).round() as i32;
            theme::mark(area, pixel, radius, style, 0.4 + 0.45 * near)?;
        }
        for (label, median) in clouds.iter().flat_map(Cloud::labelled) {
            let place = [0, 1, 2].map(|i| self.along(i, median[i]));
            theme::haloed(area, label, self.pixel(place))?;
        }
        Ok(())
    }
}
