//! One look for every figure: the font, sizes, colours and markers.
//!
//! The categorical colours are Okabe and Ito's, which people with any common form of colour
//! blindness can tell apart (<https://jfly.uni-koeln.de/color/>). Past eight classes, marker and
//! lightness vary together.

use std::sync::OnceLock;

use plotters::prelude::*;
use plotters::style::register_font as register;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::canvas::{Area, Drawn};
use crate::error::{Error, Result};
use crate::input::is_command;

/// Background.
pub(super) const PAPER: RGBColor = WHITE;
/// Text and axes.
pub(super) const INK: RGBColor = RGBColor(51, 51, 51);
/// Grid lines.
pub(super) const GRID: RGBColor = RGBColor(226, 226, 226);
/// Outlines of a prior.
pub(super) const OUTLINE: RGBColor = RGBColor(120, 120, 120);

/// Walls of a box in space.
pub(super) const WALL: RGBColor = RGBColor(248, 248, 248);

// Heights of text in pixels, two to a CSS pixel: on a page that shows a figure of 900 CSS pixels
// at 600, ticks are still about 10 pixels high.
pub(super) const TITLE: u32 = 54;
pub(super) const LABEL: u32 = 42;
pub(super) const TICK: u32 = 37;
/// Space around a figure, in pixels.
pub(super) const MARGIN: i32 = 28;

const OKABE_ITO: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 0, 0),
    RGBColor(240, 228, 66),
];

/// The shape of a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marker {
    /// A disc.
    Circle,
    /// A triangle that points up.
    Triangle,
    /// A square.
    Square,
    /// A square on its corner.
    Diamond,
}

/// How the points of one class, or of one set, are drawn in every figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Style {
    /// The fill.
    pub color: RGBColor,
    /// The shape.
    pub marker: Marker,
}

/// Real data: a grey, so that no class has its colour.
pub const REAL: Style = Style { color: RGBColor(127, 137, 145), marker: Marker::Circle };
/// Generated data as they are: a hue that no class has.
pub const GENERATED: Style = Style { color: RGBColor(122, 31, 209), marker: Marker::Circle };
/// Generated data, each column min–max scaled.
pub const GENERATED_SCALED: Style = Style { color: OKABE_ITO[3], marker: Marker::Square };

// A curve has dashes that go with its marker: a circle none.

/// A curve of the training rows.
pub(super) const TRAINING: Style = Style { color: OKABE_ITO[0], marker: Marker::Circle };
/// A curve of the rows held out.
pub(super) const HELD_OUT: Style = Style { color: OKABE_ITO[1], marker: Marker::Square };

/// The curve of the weight of the KL.
pub(super) const BETA: Style = Style { color: OKABE_ITO[2], marker: Marker::Square };
/// The curve of the learning rate.
pub(super) const LEARNING_RATE: Style = Style { color: OKABE_ITO[3], marker: Marker::Circle };

/// The curve of one of several runs: its colour and its dashes.
pub(super) fn run_style(index: usize) -> Style {
    let markers = [Marker::Circle, Marker::Square, Marker::Triangle, Marker::Diamond];
    // Without the yellow, which is too light for a line.
    Style { color: OKABE_ITO[index % 7], marker: markers[index % 4] }
}

/// The style of component `index`, the same in every figure. The first 32 differ; then they repeat.
pub fn class_style(index: usize) -> Style {
    let hue = OKABE_ITO[index % 8];
    let (marker, strength) = match index / 8 % 4 {
        0 => (Marker::Circle, 1.0),
        1 => (Marker::Square, 0.65),
        2 => (Marker::Diamond, 1.45),
        _ => (Marker::Triangle, 0.8),
    };
    Style { color: shade(hue, strength), marker }
}

/// A colour for a value in [−1, 1]: from vermilion over a pale grey to blue.
pub(super) fn diverging(value: f64) -> RGBColor {
    // In the dark a page changes the colours of paper, walls and classes, so these are none of them.
    const MIDDLE: RGBColor = RGBColor(245, 245, 243);
    const ENDS: [RGBColor; 2] = [RGBColor(213, 94, 1), RGBColor(1, 114, 178)];
    let end = if value < 0.0 { ENDS[0] } else { ENDS[1] };
    let channel = |from: u8, to: u8| {
        (f64::from(from) + (f64::from(to) - f64::from(from)) * value.abs()).round() as u8
    };
    RGBColor(channel(MIDDLE.0, end.0), channel(MIDDLE.1, end.1), channel(MIDDLE.2, end.2))
}

/// The edge of a hole, which stays black in the dark too, where the black of a class does not.
pub(super) const EDGE: RGBColor = RGBColor(1, 1, 1);

/// Darkens a colour where `strength` is below 1, mixes it with white above.
fn shade(color: RGBColor, strength: f64) -> RGBColor {
    let channel = |value: u8| {
        let value = f64::from(value);
        let shaded = if strength <= 1.0 && color != BLACK {
            value * strength
        } else {
            value + (255.0 - value) * (strength - 1.0).abs()
        };
        shaded as u8
    };
    RGBColor(channel(color.0), channel(color.1), channel(color.2))
}

/// Gives plotters its font, once in a process.
pub(super) fn register_font() -> Result<()> {
    static READABLE: OnceLock<bool> = OnceLock::new();
    let font = include_bytes!("../../assets/Roboto-Regular.ttf");
    if *READABLE.get_or_init(|| register("sans-serif", FontStyle::Normal, font).is_ok()) {
        Ok(())
    } else {
        Err(Error::failed("the font for figures cannot be read"))
    }
}

/// Ink-coloured text of this height in pixels.
pub(super) fn text(height: u32) -> TextStyle<'static> {
    TextStyle::from(("sans-serif", height).into_font()).color(&INK)
}

/// The width of a line of text in pixels.
pub(super) fn width(line: &str, height: u32) -> u32 {
    let font = ("sans-serif", height).into_font();
    font.layout_box(line).map_or(0, |((left, _), (right, _))| (right - left).max(0) as u32)
}

/// A line of text without control characters, cut and ended by `…` where it is wider than `limit`
/// pixels.
pub(super) fn fitted(line: &str, height: u32, limit: u32) -> String {
    // No line is so wide that more characters than this could fit.
    let mut shown: String = line.chars().take(300).map(printable).collect();
    if width(&shown, height) <= limit {
        return shown;
    }
    while shown.pop().is_some() && width(&shown, height) + height / 2 > limit {}
    format!("{}…", shown.trim_end())
}

/// As [`fitted`], but cut in the middle, where names that begin or end alike are still told apart.
pub(super) fn fitted_in_middle(line: &str, height: u32, limit: u32) -> String {
    let line: Vec<char> = line.chars().take(300).map(printable).collect();
    let shortened = |kept: usize| -> String {
        if kept >= line.len() {
            return line.iter().collect();
        }
        let (head, tail) = (&line[..kept.div_ceil(2)], &line[line.len() - kept / 2..]);
        let [head, tail] = [head, tail].map(|part| part.iter().collect::<String>());
        format!("{}…{}", head.trim_end(), tail.trim_start())
    };
    let fits = |kept: &usize| width(&shortened(*kept), height) <= limit;
    shortened((0..=line.len()).rev().find(fits).unwrap_or(0))
}

/// A name cut to what a sentence or a control can hold.
pub fn short(name: &str) -> String {
    match name.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.into(),
    }
}

/// The character, or a space where it may not stand in an XML document.
pub(super) fn printable(c: char) -> char {
    if is_command(c) || ('\u{FFFE}'..='\u{FFFF}').contains(&c) { ' ' } else { c }
}

/// Writes text about a pixel, with a rim of paper so that it is read over points.
pub(super) fn haloed<DB: DrawingBackend>(
    area: &Area<DB>,
    line: &str,
    (x, y): (i32, i32),
) -> Drawn<DB> {
    let style = text(TICK).pos(Pos::new(HPos::Center, VPos::Center));
    let rim = style.color(&PAPER);
    for (dx, dy) in [(-4, 0), (4, 0), (0, -4), (0, 4), (-3, -3), (-3, 3), (3, -3), (3, 3)] {
        area.draw(&Text::new(line, (x + dx, y + dy), &rim))?;
    }
    area.draw(&Text::new(line, (x, y), &style))
}

/// Draws one point at a pixel.
pub(super) fn mark<DB: DrawingBackend>(
    area: &Area<DB>,
    (x, y): (i32, i32),
    radius: i32,
    style: Style,
    opacity: f64,
) -> Drawn<DB> {
    let fill = style.color.mix(opacity).filled();
    let r = f64::from(radius);
    // Sizes that look alike: the shapes' areas are about the disc's.
    let corners: Vec<(f64, f64)> = match style.marker {
        Marker::Circle => return area.draw(&Circle::new((x, y), radius, fill)),
        Marker::Triangle => vec![(0.0, -1.35 * r), (1.25 * r, 0.85 * r), (-1.25 * r, 0.85 * r)],
        Marker::Square => {
            vec![(-0.9 * r, -0.9 * r), (0.9 * r, -0.9 * r), (0.9 * r, 0.9 * r), (-0.9 * r, 0.9 * r)]
        }
        Marker::Diamond => vec![(0.0, -1.3 * r), (1.3 * r, 0.0), (0.0, 1.3 * r), (-1.3 * r, 0.0)],
    };
    let place = |(dx, dy): (f64, f64)| (x + dx.round() as i32, y + dy.round() as i32);
    area.draw(&Polygon::new(corners.into_iter().map(place).collect::<Vec<_>>(), fill))
}
