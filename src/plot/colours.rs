//! Colours that stand for values, and the bar that says which stands for which.

use plotters::prelude::*;
use plotters::style::colors::colormaps::ViridisRGB;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::{Axis, Scale};
use super::canvas::{Area, Drawn};
use super::theme;

/// Width of a bar with its numbers, in pixels.
pub(super) const BAR: i32 = 150;
/// Width of the bar alone, and the height of a point at its end.
const WIDE: i32 = 34;
const POINT: i32 = 24;
/// Steps of a bar.
const STEPS: i32 = 64;

/// Colours for the values from `low` to `high`; a value beyond an end has the end's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Colours {
    pub low: f64,
    pub high: f64,
    /// Whether the middle is pale and each half has a hue of its own.
    pub diverging: bool,
}

impl Colours {
    /// The colour of a value.
    pub fn of(self, value: f64) -> RGBColor {
        let span = self.high - self.low;
        let share = if span > 0.0 { ((value - self.low) / span).clamp(0.0, 1.0) } else { 0.5 };
        match self.diverging {
            true => theme::diverging(2.0 * share - 1.0),
            false => ViridisRGB.get_color(share),
        }
    }

    /// Draws the bar at the left of an area between two heights, with numbers beside it. The lower and
    /// the upper end are pointed where values lie beyond them; a mark names what lies below a value.
    pub fn bar<DB: DrawingBackend>(
        self,
        area: &Area<DB>,
        (top, bottom): (i32, i32),
        beyond: [bool; 2],
        mark: Option<(f64, &str)>,
    ) -> Drawn<DB> {
        for (is_beyond, value, y, out) in
            [(beyond[0], self.low, bottom, POINT), (beyond[1], self.high, top, -POINT)]
        {
            if is_beyond {
                let corners = vec![(0, y), (WIDE, y), (WIDE / 2, y + out)];
                area.draw(&Polygon::new(corners, self.of(value).filled()))?;
            }
        }
        let tall = bottom - top;
        for step in 0..STEPS {
            let edge = |step: i32| bottom - tall * step / STEPS;
            let share = (f64::from(step) + 0.5) / f64::from(STEPS);
            let fill = self.of(self.low + share * (self.high - self.low)).filled();
            area.draw(&Rectangle::new([(0, edge(step + 1)), (WIDE, edge(step))], fill))?;
        }
        let style = theme::text(theme::TICK).pos(Pos::new(HPos::Left, VPos::Center));
        let axis = Axis { name: String::new(), lo: self.low, hi: self.high, scale: Scale::Linear };
        let height = |value: f64| {
            bottom - ((value - axis.lo) / axis.span() * f64::from(tall)).round() as i32
        };
        for (value, text) in axis.ticks((tall / 180).clamp(2, 4) as usize) {
            let y = height(value);
            area.draw(&PathElement::new([(WIDE, y), (WIDE + 8, y)], theme::INK.stroke_width(2)))?;
            area.draw_text(&text, &style, (WIDE + 14, y))?;
        }
        if let Some((value, below)) = mark {
            let y = height(value);
            area.draw(&PathElement::new([(0, y), (WIDE, y)], theme::EDGE.stroke_width(6)))?;
            area.draw_text(below, &style, (WIDE + 14, (y + bottom) / 2))?;
        }
        Ok(())
    }
}
