//! Legends: lines of names with their markers above a figure.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::canvas::{Area, Drawn};
use super::cloud;
use super::theme::{self, Style, class_style};

/// One entry of a legend: a name with its marker, or a remark.
pub(super) struct Entry {
    pub name: String,
    pub style: Option<Style>,
}

impl Entry {
    pub fn new(name: impl Into<String>, style: Style) -> Self {
        Self { name: name.into(), style: Some(style) }
    }

    pub fn remark(text: impl Into<String>) -> Self {
        Self { name: text.into(), style: None }
    }
}

/// Classes that a legend names.
const MOST_NAMES: usize = 12;

/// The classes by name, or, where they are too many for that, their number.
pub(super) fn of_classes(classes: Option<&[usize]>, names: &[String]) -> Vec<Entry> {
    if classes.is_none() {
        return Vec::new();
    }
    if names.len() > MOST_NAMES {
        return vec![Entry::remark(format!("{} modes, not named here", names.len()))];
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
    let height = theme::TICK;
    let (line, gap, marker) = (height as i32 * 4 / 3, height as i32, height as i32 * 4 / 5);
    let right = area.dim_in_pixel().0 as i32 - theme::MARGIN;
    let (mut x, mut y) = (theme::MARGIN, theme::MARGIN);
    let style = theme::text(height).pos(Pos::new(HPos::Left, VPos::Center));
    for entry in entries {
        let name = theme::fitted(&entry.name, height, right as u32 / 2);
        let room = if entry.style.is_some() { marker } else { 0 };
        // The font that shows an SVG may be wider than ours.
        let wide = room + theme::width(&name, height) as i32 * 9 / 8;
        if x + wide > right && x > theme::MARGIN {
            (x, y) = (theme::MARGIN, y + line);
        }
        if let Some(style) = entry.style {
            theme::mark(area, (x + 10, y - 4), 10, style, 1.0)?;
        }
        area.draw_text(&name, &style, (x + room, y))?;
        x += wide + gap;
    }
    let below = if entries.is_empty() { 0 } else { y + line / 2 };
    Ok(area.split_vertically(below).1)
}
