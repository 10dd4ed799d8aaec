//! The colours of classes on a light page and on a dark one.

use std::fmt::Write;

use plotters::style::RGBColor;

use crate::plot::theme::{self, class_style};

/// Classes whose colours differ.
const DIFFERENT: usize = 32;
/// How much white is mixed into a colour on a dark page.
const WHITE: f64 = 0.2;

/// The colour of a class on a light page, as in the pictures, and on a dark one.
pub(super) fn colors(class: usize) -> [String; 2] {
    let color = class_style(class).color;
    [color, in_the_dark(color)].map(hex)
}

fn hex(RGBColor(r, g, b): RGBColor) -> String {
    format!("#{r:02X}{g:02X}{b:02X}")
}

/// Hues become lighter there; greys, which have only their lightness to tell them by, its opposite.
fn in_the_dark(RGBColor(r, g, b): RGBColor) -> RGBColor {
    let is_grey = r == g && g == b;
    let channel = |value: u8| match is_grey {
        true => 255 - value,
        false => (f64::from(value) + WHITE * f64::from(255 - value)).round() as u8,
    };
    RGBColor(channel(r), channel(g), channel(b))
}

/// The rules by which pictures follow the page into the dark.
pub(super) fn dark_pictures() -> String {
    let mut rules = "@media screen and (prefers-color-scheme: dark) {".to_owned();
    // The sets have the colours of the page.
    let sets = [(theme::REAL, "var(--real)"), (theme::GENERATED, "var(--generated)")];
    let sets = sets.map(|(style, dark)| [hex(style.color), dark.to_owned()]);
    for [light, dark] in sets.into_iter().chain((0..DIFFERENT).map(colors)) {
        for part in ["fill", "stroke"] {
            let _ = write!(rules, ".picture [{part}=\"{light}\"]{{{part}:{dark}}}");
        }
    }
    rules + "}"
}

#[cfg(test)]
mod tests {
    use super::*;

    /// WCAG's contrast of a colour to one with this luminance.
    fn contrast(color: RGBColor, ground: f64) -> f64 {
        let linear = |value: u8| match f64::from(value) / 255.0 {
            value if value <= 0.04045 => value / 12.92,
            value => ((value + 0.055) / 1.055).powf(2.4),
        };
        let RGBColor(r, g, b) = color;
        let own = 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
        (own.max(ground) + 0.05) / (own.min(ground) + 0.05)
    }

    /// WCAG asks for 3 to 1. The page's dark ground, #14181B, has a luminance of 0.0088.
    #[test]
    fn classes_stand_out_in_the_dark_and_differ() {
        let dark = |class| in_the_dark(class_style(class).color);
        for class in 0..DIFFERENT {
            let contrast = contrast(dark(class), 0.0088);
            assert!(contrast > 3.0, "class {class}: {contrast}");
            assert!((0..class).all(|other| dark(other) != dark(class)), "class {class}");
        }
    }
}
