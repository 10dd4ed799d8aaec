//! Matrices of pairwise scatters.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::Axis;
use super::canvas::{Area, Drawn};
use super::cloud::Cloud;
use super::histogram::Bars;
use super::prior::PriorComponent;
use super::{plane, theme};

/// Ticks along one side of a cell.
const TICKS: usize = 3;
/// Pixels between cells.
const GAP: i32 = 12;
/// Characters that names must share to be shown without them.
const LEAST_SHARED: usize = 3;

/// Where the square cells of a matrix lie, in pixels.
struct Grid {
    left: i32,
    top: i32,
    cell: i32,
}

/// Every column against every other below the diagonal, and on it each column's histogram, whose
/// upright axis is left out. All cells of a column share its axis.
pub(super) fn matrix<DB: DrawingBackend>(
    area: &Area<DB>,
    axes: &[Axis],
    clouds: &[Cloud],
    prior: &[PriorComponent],
) -> Drawn<DB> {
    let (width, height) = area.dim_in_pixel();
    let (tick, label) = (theme::TICK as i32, theme::LABEL as i32);
    let (left, top) = (label * 7 / 4 + tick_width(axes), theme::MARGIN);
    let n = axes.len() as i32;
    let below = label * 5 / 4 + tick * 3 / 2 + theme::MARGIN / 2;
    let room = (width as i32 - left - theme::MARGIN).min(height as i32 - top - below);
    let grid = Grid { left, top, cell: room / n };
    // The font that shows an SVG may be wider than ours.
    let names = names(axes, ((grid.cell - GAP) * 7 / 8).max(0) as u32);
    for (row, y) in axes.iter().enumerate() {
        for (column, x) in axes.iter().enumerate().take(row + 1) {
            let at = (left + column as i32 * grid.cell, top + row as i32 * grid.cell);
            let place = area.clone().shrink(at, (grid.cell - GAP, grid.cell - GAP));
            if row == column {
                let bars = Bars::count(clouds, column, x);
                let y = Axis { lo: 0.0, ..Axis::bare("", [0.0, bars.highest()]) };
                bars.draw(&plane::cell(&place, x, &y, TICKS)?)?;
            } else {
                let chart = plane::cell(&place, x, y, TICKS)?;
                plane::outlines(&chart, prior, (column, row), theme::OUTLINE.stroke_width(3))?;
                let panels = axes.len() * (axes.len() - 1) / 2;
                plane::points(&chart, clouds, (column, row), panels)?;
            }
        }
        labels(area, &grid, y, &names[row], row as i32, n)?;
    }
    Ok(())
}

/// Room for the widest tick label on the left.
fn tick_width(axes: &[Axis]) -> i32 {
    let ticks = axes.iter().skip(1).flat_map(|axis| axis.ticks(TICKS));
    ticks.map(|(_, text)| theme::width(&text, theme::TICK)).max().unwrap_or(0) as i32
}

/// The names of axes in so many pixels. Where not all of them fit, what all begin with is left out, as of
/// columns that are called `mean radius`, `mean area` and so on, and where that is not enough they are cut
/// in the middle.
fn names(axes: &[Axis], room: u32) -> Vec<String> {
    let whole: Vec<&str> = axes.iter().map(|axis| axis.name.as_str()).collect();
    let shared = shared_words(&whole);
    let rest = |name: &&str| format!("…{}", name.chars().skip(shared).collect::<String>());
    let without: Vec<String> = whole.iter().map(rest).collect();
    let fits = |name: &str| theme::width(name, theme::LABEL) <= room;
    match shared >= LEAST_SHARED
        && !whole.iter().all(|name| fits(name))
        && without.iter().all(|name| fits(name))
    {
        true => without,
        false => cut(&whole, room),
    }
}

/// Names cut in the middle, or, of those that would then be the same, before what tells them apart.
fn cut(names: &[&str], room: u32) -> Vec<String> {
    let short: Vec<String> =
        names.iter().map(|name| theme::fitted_in_middle(name, theme::LABEL, room)).collect();
    let name = |(index, own): (usize, &String)| {
        let same = (0..names.len()).filter(|&other| short[other] == *own && other != index);
        let alike = |other: usize| {
            let pairs = names[index].chars().zip(names[other].chars());
            pairs.take_while(|(a, b)| a == b).count()
        };
        match same.map(alike).max() {
            None => own.clone(),
            Some(shared) => {
                let rest = names[index].chars().skip(shared.saturating_sub(1));
                theme::fitted(&format!("…{}", rest.collect::<String>()), theme::LABEL, room)
            }
        }
    };
    short.iter().enumerate().map(name).collect()
}

/// Characters of the words that all names begin with.
fn shared_words(names: &[&str]) -> usize {
    let [first, others @ ..] = names else { return 0 };
    let alike = |other: &&str| first.chars().zip(other.chars()).take_while(|(a, b)| a == b).count();
    let shared = others.iter().map(alike).min().unwrap_or(0);
    let shared: Vec<char> = first.chars().take(shared).collect();
    shared.iter().rposition(|c| !c.is_alphanumeric()).map_or(0, |last| last + 1)
}

/// The name and ticks of one column of the data: at the left of its row of cells, and below its
/// column of cells.
fn labels<DB: DrawingBackend>(
    area: &Area<DB>,
    grid: &Grid,
    axis: &Axis,
    name: &str,
    index: i32,
    n: i32,
) -> Drawn<DB> {
    let (tick, label) = (theme::TICK as i32, theme::LABEL as i32);
    let side = grid.cell - GAP;
    let (x0, y0) = (grid.left + index * grid.cell, grid.top + index * grid.cell);
    let bottom = grid.top + n * grid.cell - GAP;
    let beside = theme::text(theme::TICK).pos(Pos::new(HPos::Right, VPos::Center));
    let below = theme::text(theme::TICK).pos(Pos::new(HPos::Left, VPos::Top));
    // Labels are moved to stay inside their cell; one that would touch another is left out.
    let (mut free_x, mut free_y) = (x0, y0 + side);
    for (position, text) in axis.ticks(TICKS) {
        let along = (position - axis.lo) / axis.span();
        let y = y0 + side - (along * f64::from(side)) as i32;
        let y = y.min(y0 + side - tick / 3).max(y0 + tick / 3);
        if index > 0 && y + tick / 3 <= free_y {
            area.draw_text(&text, &beside, (grid.left - 12, y))?;
            free_y = y - tick / 2;
        }
        let width = theme::width(&text, theme::TICK) as i32;
        let x = x0 + (along * f64::from(side)) as i32 - width / 2;
        let x = x.min(x0 + side - width).max(x0);
        if x >= free_x && x + width <= x0 + side {
            area.draw_text(&text, &below, (x, bottom + 12))?;
            free_x = x + width + tick / 4;
        }
    }
    let upright = theme::text(theme::LABEL)
        .transform(FontTransform::Rotate270)
        .pos(Pos::new(HPos::Center, VPos::Top));
    area.draw_text(name, &upright, (label / 4, y0 + side / 2))?;
    let level = theme::text(theme::LABEL).pos(Pos::new(HPos::Center, VPos::Top));
    area.draw_text(name, &level, (x0 + side / 2, bottom + 12 + tick * 5 / 4))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_begin_alike_are_told_apart() {
        theme::register_font().unwrap();
        let axes = ["mean radius", "mean smoothness", "mean compactness"]
            .map(|name| Axis::over(name, [0.0, 1.0]));
        let width = |name: &str| theme::width(name, theme::LABEL);
        assert_eq!(names(&axes, width("mean compactness"))[2], "mean compactness");
        let short = names(&axes, width("…compactness"));
        assert_eq!(short, ["…radius", "…smoothness", "…compactness"]);
        let alike = ["area", "concavity error", "concave points error"];
        let short = names(&alike.map(|name| Axis::over(name, [0.0, 1.0])), width("concavity"));
        let distinct: std::collections::HashSet<&String> = short.iter().collect();
        assert_eq!((distinct.len(), short[0].as_str()), (3, "area"), "{short:?}");
        let axes =
            ["mean concave points", "mean concavity"].map(|name| Axis::over(name, [0.0, 1.0]));
        let cut = names(&axes, width("mean concavity") * 3 / 4);
        assert!(cut[0].starts_with("mean") && cut[0].ends_with("ints"), "{cut:?}");
        assert!(cut[1].starts_with("mean") && cut[1].ends_with("vity"), "{cut:?}");
    }
}
