//! Charts in two dimensions.

use std::ops::Range;

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::{Axis, Scale, Ticked, drawable};
use super::canvas::{Area, Drawn};
use super::cloud::{self, Cloud};
use super::dashes;
use super::prior::{PriorComponent, Ring, rings};
use super::theme::{self, Style};

/// Rows and columns of so many panels that are alike.
pub(super) fn grid(panels: usize) -> (usize, usize) {
    match panels {
        few @ ..=3 => (1, few.max(1)),
        4 => (2, 2),
        many => (many.div_ceil(3), 3),
    }
}

/// A chart whose axes, grid and labels are drawn.
pub(super) struct Chart<DB: DrawingBackend> {
    /// The whole figure, in pixels from its top left.
    pub screen: Area<DB>,
    plot: DrawingArea<DB, Cartesian2d<Ticked, Ticked>>,
    /// The upright axis, which may be logarithmic.
    y: Axis,
}

impl<DB: DrawingBackend> Chart<DB> {
    /// The pixel of a position.
    pub fn pixel(&self, x: f64, y: f64) -> (i32, i32) {
        self.plot.map_coordinate(&(x, y))
    }

    /// The pixels of the plot's top and bottom.
    pub fn heights(&self) -> [i32; 2] {
        let Range { start, end } = self.plot.get_pixel_range().1;
        [start.min(end), start.max(end)]
    }

    /// Whether a position lies between the ends of the axes.
    fn holds(&self, (x, y): (f64, f64)) -> bool {
        let axes = self.plot.as_coord_spec();
        axes.x_spec().range().contains(&x) && axes.y_spec().range().contains(&y)
    }

    /// A line through positions.
    pub fn line(
        &self,
        points: impl IntoIterator<Item = (f64, f64)>,
        style: impl Into<ShapeStyle>,
    ) -> Drawn<DB> {
        let pixels: Vec<_> = points.into_iter().map(|(x, y)| self.pixel(x, y)).collect();
        self.screen.draw(&PathElement::new(pixels, style))
    }

    /// A curve through the values that can be drawn, with a gap at each that cannot, and a marker where
    /// values are few or stand alone. Values beyond the axis are gaps too.
    pub fn curve(&self, values: impl IntoIterator<Item = (f64, f64)>, style: Style) -> Drawn<DB> {
        let points: Vec<_> =
            values.into_iter().map(|(x, value)| (x, self.y.position(value))).collect();
        let runs = || points.split(|(_, y)| !drawable(*y) || !self.y.holds(*y));
        let few = runs().map(<[_]>::len).sum::<usize>() <= 25;
        for run in runs() {
            if few || run.len() == 1 {
                for (x, y) in run {
                    theme::mark(&self.screen, self.pixel(*x, *y), 9, style, 1.0)?;
                }
            }
            let pixels: Vec<_> = run.iter().map(|(x, y)| self.pixel(*x, *y)).collect();
            dashes::draw(&self.screen, &pixels, style)?;
        }
        Ok(())
    }
}

/// How a [`chart`] is laid out.
#[derive(Clone, Copy, Default)]
pub(super) struct Layout {
    /// Whether one axis is lengthened so that both have the same scale.
    pub equal: bool,
    /// Least room for the upright axis' labels in pixels, so that charts above each other align.
    pub left: i32,
    /// Whether the lower axis' labels stand above the chart too.
    pub top: bool,
}

/// Draws axes with names, ticks and a light grid. An axis without a name gets no room for one.
pub(super) fn chart<DB: DrawingBackend>(
    area: &Area<DB>,
    x: &Axis,
    y: &Axis,
    layout: Layout,
) -> Drawn<DB, Chart<DB>> {
    let (width, height) = area.dim_in_pixel();
    let below = theme::TICK as i32 * 5 / 4 + name_room(x);
    let above = if layout.top { theme::TICK as i32 * 5 / 4 + name_room(x) } else { 0 };
    let tall = (height as i32 - above - below - 2 * theme::MARGIN).max(1);
    let left = layout.left.max(left_room(y, tall));
    let wide = (width as i32 - left - 2 * theme::MARGIN).max(1);
    let (x, y) = if layout.equal { same_scale(x, y, wide, tall) } else { (x.clone(), y.clone()) };
    let mut chart = ChartBuilder::on(area)
        .margin(theme::MARGIN)
        .x_label_area_size(below)
        .top_x_label_area_size(above)
        .y_label_area_size(left)
        .build_cartesian_2d(
            Ticked::new(&x, count(wide, if x.scale == Scale::Whole { 90 } else { 170 })),
            Ticked::new(&y, count(tall, 110)),
        )?;
    chart
        .configure_mesh()
        .bold_line_style(theme::GRID.stroke_width(2))
        .axis_style(theme::INK.stroke_width(2))
        .set_all_tick_mark_size(8)
        .label_style(theme::text(theme::TICK))
        .axis_desc_style(theme::text(theme::LABEL))
        .x_desc(theme::fitted(&x.name, theme::LABEL, wide as u32))
        .y_desc(theme::fitted(&y.name, theme::LABEL, tall as u32))
        .draw()?;
    let plot = chart.plotting_area().clone();
    Ok(Chart { screen: plot.use_screen_coord(), plot, y: y.clone() })
}

/// Room for the name of an axis.
fn name_room(axis: &Axis) -> i32 {
    if axis.name.is_empty() { 0 } else { theme::LABEL as i32 * 5 / 4 }
}

/// Room that the labels of an upright axis of this many pixels need.
pub(super) fn left_room(y: &Axis, tall: i32) -> i32 {
    let widths =
        y.ticks(count(tall, 90)).into_iter().map(|(_, text)| theme::width(&text, theme::TICK));
    name_room(y) + widths.max().unwrap_or(0) as i32 + theme::TICK as i32 / 2
}

/// How many ticks fit into so many pixels, one in each `each`.
fn count(pixels: i32, each: i32) -> usize {
    (pixels / each).clamp(2, 8) as usize
}

/// Lengthens the axis that has more pixels a unit.
fn same_scale(x: &Axis, y: &Axis, wide: i32, tall: i32) -> (Axis, Axis) {
    let unit = (x.span() / f64::from(wide)).max(y.span() / f64::from(tall));
    (x.spanning(unit * f64::from(wide)), y.spanning(unit * f64::from(tall)))
}

/// Writes a heading over an area and returns what is below it.
pub(super) fn headed<DB: DrawingBackend>(area: &Area<DB>, heading: &str) -> Drawn<DB, Area<DB>> {
    let style = theme::text(theme::LABEL).pos(Pos::new(HPos::Left, VPos::Top));
    let room = area.dim_in_pixel().0.saturating_sub(2 * theme::MARGIN as u32);
    let heading = theme::fitted(heading, theme::LABEL, room);
    area.draw_text(&heading, &style, (theme::MARGIN, theme::MARGIN / 2))?;
    Ok(area.split_vertically(theme::LABEL as i32).1)
}

/// Says in the middle of an area why it is empty.
pub(super) fn nothing<DB: DrawingBackend>(area: &Area<DB>, why: &str) -> Drawn<DB> {
    let (width, height) = area.dim_in_pixel();
    let style = theme::text(theme::LABEL).pos(Pos::new(HPos::Center, VPos::Center));
    area.draw_text(why, &style, (width as i32 / 2, height as i32 / 2))
}

/// A scatter of the first two columns, with the prior's outline under it.
pub(super) fn scatter<DB: DrawingBackend>(
    area: &Area<DB>,
    (x, y): (&Axis, &Axis),
    clouds: &[Cloud],
    prior: &[PriorComponent],
    equal: bool,
) -> Drawn<DB> {
    let chart = chart(area, x, y, Layout { equal, ..Layout::default() })?;
    outlines(&chart, prior, (0, 1), theme::OUTLINE.stroke_width(3))?;
    points(&chart, clouds, (0, 1), 1)
}

/// The prior's outline in dimensions `i` and `j`, in this style, thinner for Gaussians of hardly any weight,
/// as far as it lies between the axes' ends.
pub(super) fn outlines<DB: DrawingBackend>(
    chart: &Chart<DB>,
    prior: &[PriorComponent],
    dimensions: (usize, usize),
    style: ShapeStyle,
) -> Drawn<DB> {
    for Ring { places, opacity, is_light } in rings(prior, dimensions) {
        let stroke_width =
            if is_light { style.stroke_width.div_ceil(2) } else { style.stroke_width };
        let style = ShapeStyle { color: style.color.mix(opacity), stroke_width, ..style };
        for part in places.split(|place| !chart.holds(*place)) {
            chart.line(part.iter().copied(), style)?;
        }
    }
    Ok(())
}

/// The points of columns `i` and `j`, of all clouds in turn so that none hides another.
pub(super) fn points<DB: DrawingBackend>(
    chart: &Chart<DB>,
    clouds: &[Cloud],
    (i, j): (usize, usize),
    panels: usize,
) -> Drawn<DB> {
    let rows = clouds.iter().map(|cloud| cloud.points.nrows()).max().unwrap_or(0);
    let radius = cloud::radius(rows, panels);
    for row in 0..rows.min(cloud::limit(panels)) {
        for cloud in clouds.iter().filter(|cloud| row < cloud.points.nrows()) {
            let at = |column| f64::from(cloud.points[[row, column]]);
            if drawable(at(i)) && drawable(at(j)) {
                let pixel = chart.pixel(at(i), at(j));
                theme::mark(&chart.screen, pixel, radius, cloud.colour.style(row), 0.6)?;
            }
        }
    }
    // Among many panels each is too small for labels.
    for (label, median) in clouds.iter().filter(|_| panels == 1).flat_map(Cloud::labelled) {
        theme::haloed(&chart.screen, label, chart.pixel(median[i], median[j]))?;
    }
    Ok(())
}

/// A chart without labels that fills its area: a cell of a matrix.
pub(super) fn cell<DB: DrawingBackend>(
    area: &Area<DB>,
    x: &Axis,
    y: &Axis,
    ticks: usize,
) -> Drawn<DB, Chart<DB>> {
    let mut chart =
        ChartBuilder::on(area).build_cartesian_2d(Ticked::new(x, ticks), Ticked::new(y, ticks))?;
    chart.configure_mesh().bold_line_style(theme::GRID.stroke_width(2)).draw()?;
    frame(area)?;
    let plot = chart.plotting_area().clone();
    Ok(Chart { screen: plot.use_screen_coord(), plot, y: y.clone() })
}

/// A thin line around an area.
fn frame<DB: DrawingBackend>(area: &Area<DB>) -> Drawn<DB> {
    let (width, height) = area.dim_in_pixel();
    let (right, bottom) = (width as i32 - 1, height as i32 - 1);
    let corners = vec![(0, 0), (right, 0), (right, bottom), (0, bottom), (0, 0)];
    area.draw(&PathElement::new(corners, theme::OUTLINE.stroke_width(2)))
}
