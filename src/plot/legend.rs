//! Legends: lines of names with their markers above a figure.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::canvas::{Area, Drawn};
use super::theme::{self, Style, class_style};
use super::{cloud, dashes, plane};

/// One entry of a legend: a name with its marker or its line, or a remark.
pub(super) struct Entry {
    pub name: String,
    sample: Option<Sample>,
}

/// What stands before a name.
enum Sample {
    Marker(Style),
    Line(Style),
}

impl Entry {
    pub fn new(name: impl Into<String>, style: Style) -> Self {
        Self { name: name.into(), sample: Some(Sample::Marker(style)) }
    }

    /// A curve's name.
    pub fn line(name: impl Into<String>, style: Style) -> Self {
        Self { name: name.into(), sample: Some(Sample::Line(style)) }
    }

    pub fn remark(text: impl Into<String>) -> Self {
        Self { name: text.into(), sample: None }
    }
}

/// Classes that a legend names.
const MOST_NAMES: usize = 12;

/// Characters of the names that stand in a picture.
const MOST_CHARACTERS: usize = 4;

fn are_short(names: &[String]) -> bool {
    names.iter().all(|name| name.chars().count() <= MOST_CHARACTERS)
}

/// What stands in a picture at each class that is not named in a legend: its name, or its number, from 1
/// on, where names are long. None where the legend has them.
pub(super) fn labels(names: &[String]) -> Vec<String> {
    match names.len() {
        ..=MOST_NAMES => Vec::new(),
        _ if are_short(names) => names.to_vec(),
        classes => (1..=classes).map(|number| number.to_string()).collect(),
    }
}

/// The classes by name, or, where they are too many for that, how they are labelled in as many panels: among
/// several, and in histograms, they are not.
pub(super) fn of_classes(
    classes: Option<&[usize]>,
    names: &[String],
    panels: Option<usize>,
) -> Vec<Entry> {
    if classes.is_none() {
        return Vec::new();
    }
    if names.len() > MOST_NAMES {
        let how = match (panels, are_short(names)) {
            (Some(1), true) => "named at their medians",
            (Some(1), false) => "numbered in the order of their names, at their medians",
            _ => "not named here",
        };
        return vec![Entry::remark(format!("{} modes, {how}", names.len()))];
    }
    names.iter().enumerate().map(|(i, name)| Entry::new(name, class_style(i))).collect()
}

/// Says so where not all rows are shown as points in each of `panels` panels.
pub(super) fn thinned(rows: usize, panels: usize) -> Option<Entry> {
    let limit = cloud::limit(panels);
    (rows > limit).then(|| Entry::remark(format!("(first {limit} of {rows} rows)")))
}

/// Draws a legend in lines at the top of an area and returns what is below it.
pub(super) fn draw<DB: DrawingBackend>(area: &Area<DB>, entries: &[Entry]) -> Drawn<DB, Area<DB>> {
    let last = lines(area, entries, (theme::MARGIN, theme::MARGIN))?;
    let below = if entries.is_empty() { 0 } else { last + theme::TICK as i32 * 2 / 3 };
    Ok(area.split_vertically(below).1)
}

/// Writes a heading with a legend right of it over an area and returns what is below it.
pub(super) fn headed<DB: DrawingBackend>(
    area: &Area<DB>,
    heading: &str,
    entries: &[Entry],
) -> Drawn<DB, Area<DB>> {
    let left = theme::width(heading, theme::LABEL) as i32 * 9 / 8 + 2 * theme::MARGIN;
    lines(area, entries, (left, (theme::MARGIN + theme::LABEL as i32) / 2))?;
    plane::headed(area, heading)
}

/// Draws entries in lines from a place on, where the first has its middle, and returns the height of the
/// last line.
fn lines<DB: DrawingBackend>(
    area: &Area<DB>,
    entries: &[Entry],
    (left, top): (i32, i32),
) -> Drawn<DB, i32> {
    let height = theme::TICK;
    let (line, gap) = (height as i32 * 4 / 3, height as i32);
    let right = area.dim_in_pixel().0 as i32 - theme::MARGIN;
    let (mut x, mut y) = (left, top);
    let style = theme::text(height).pos(Pos::new(HPos::Left, VPos::Center));
    for entry in entries {
        let most = if entry.sample.is_some() { right / 2 } else { right - theme::MARGIN };
        let name = theme::fitted(&entry.name, height, most.max(0) as u32);
        let room = match entry.sample {
            Some(Sample::Line(_)) => 2 * height as i32,
            Some(Sample::Marker(_)) => height as i32 * 4 / 5,
            None => 0,
        };
        // The font that shows an SVG may be wider than ours.
        let wide = room + theme::width(&name, height) as i32 * 9 / 8;
        if x + wide > right && x > left {
            (x, y) = (left, y + line);
        }
        match entry.sample {
            Some(Sample::Marker(style)) => theme::mark(area, (x + 10, y - 4), 10, style, 1.0)?,
            Some(Sample::Line(style)) => {
                let ends = [(x, y - 2), (x + room - height as i32 / 3, y - 2)];
                dashes::draw(area, &ends, style)?;
            }
            None => {}
        }
        area.draw_text(&name, &style, (x + room, y))?;
        x += wide + gap;
    }
    Ok(y)
}
