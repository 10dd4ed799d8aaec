//! Lines that are told apart by their dashes too.

use plotters::prelude::*;

use super::canvas::{Area, Drawn};
use super::theme::{Marker, Style};

/// Pixels that are drawn and left out in turn; none where the line is whole.
fn pattern(style: Style) -> &'static [f64] {
    match style.marker {
        Marker::Circle => &[],
        Marker::Square => &[26.0, 12.0],
        Marker::Triangle => &[6.0, 8.0],
        Marker::Diamond => &[26.0, 8.0, 6.0, 8.0],
    }
}

/// Draws a line through pixels in a style's colour, in dashes that go with its marker.
pub(super) fn draw<DB: DrawingBackend>(
    area: &Area<DB>,
    pixels: &[(i32, i32)],
    style: Style,
) -> Drawn<DB> {
    let stroke = style.color.stroke_width(4);
    pieces(pixels, pattern(style))
        .into_iter()
        .try_for_each(|piece| area.draw(&PathElement::new(piece, stroke)))
}

/// The parts of a line that a pattern draws.
fn pieces(pixels: &[(i32, i32)], pattern: &[f64]) -> Vec<Vec<(i32, i32)>> {
    let ([first, ..], [dash, ..]) = (pixels, pattern) else { return vec![pixels.to_vec()] };
    let (mut pieces, mut piece) = (Vec::new(), vec![*first]);
    let (mut part, mut left) = (0, *dash);
    for ends in pixels.windows(2) {
        let [from, to] = [ends[0], ends[1]].map(|(x, y)| (f64::from(x), f64::from(y)));
        let length = (to.0 - from.0).hypot(to.1 - from.1);
        let mut along = 0.0;
        while length - along > left {
            along += left;
            let share = along / length;
            let at = (from.0 + share * (to.0 - from.0), from.1 + share * (to.1 - from.1));
            let at = (at.0.round() as i32, at.1.round() as i32);
            if part % 2 == 0 {
                piece.push(at);
                pieces.push(std::mem::take(&mut piece));
            } else {
                piece = vec![at];
            }
            part += 1;
            left = pattern[part % pattern.len()];
        }
        left -= length - along;
        if part % 2 == 0 {
            piece.push(ends[1]);
        }
    }
    pieces.extend((!piece.is_empty()).then_some(piece));
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dashes_go_on_around_corners() {
        let corner = [(0, 0), (10, 0), (10, 10)];
        let dashes = pieces(&corner, &[6.0, 2.0]);
        assert_eq!(
            dashes,
            [vec![(0, 0), (6, 0)], vec![(8, 0), (10, 0), (10, 4)], vec![(10, 6), (10, 10)]]
        );
        assert_eq!(pieces(&corner, &[]), [corner.to_vec()]);
        assert_eq!(pieces(&[], &[6.0, 2.0]), [vec![]]);
    }
}
