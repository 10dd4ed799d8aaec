//! From a figure to its two files.

use std::fmt::Write as _;
use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::theme;
use crate::error::{Error, Result};
use crate::files::write_bytes;

/// Pixels for each CSS pixel. Everything is drawn at this density, and the SVG scaled back, since
/// plotters rounds every coordinate to a whole pixel.
const DENSITY: u32 = 2;

/// A piece of a figure to draw on, in pixels.
pub(super) type Area<DB> = DrawingArea<DB, Shift>;

/// What drawing on an [`Area`] returns.
pub(super) type Drawn<DB, T = ()> =
    std::result::Result<T, DrawingAreaErrorKind<<DB as DrawingBackend>::ErrorType>>;

/// A figure that was drawn, ready for a page.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// The files' name without ending.
    pub name: String,
    /// The heading, which the picture also shows.
    pub title: String,
    /// What the picture shows, in one or two sentences, for those who cannot see it. Plain text,
    /// not escaped.
    pub alt: String,
    /// The SVG element, safe to put inline into HTML: its text is escaped, it has no identifiers,
    /// styles or references that could clash, a `viewBox` so that it scales, and `alt` as its
    /// `aria-label`.
    pub svg: String,
}

/// What every figure has.
pub(super) trait Figure {
    /// The heading above the figure.
    fn title(&self) -> &str;

    /// The text alternative.
    fn alt(&self) -> String;

    /// Width and height in CSS pixels.
    fn size(&self) -> (u32, u32) {
        (900, 600)
    }

    /// What is wrong with the numbers, where something is.
    fn check(&self) -> Result<()>;

    /// Draws everything below the title.
    fn paint<DB: DrawingBackend>(&self, area: &Area<DB>) -> Drawn<DB>;
}

/// Draws `figure` into `folder/name.png` and `folder/name.svg`.
pub(super) fn draw(figure: &impl Figure, folder: &Path, name: &str) -> Result<Picture> {
    let picture = picture(figure, name)?;
    write_bytes(&folder.join(format!("{name}.svg")), picture.svg.as_bytes())?;
    let (width, height) = pixels(figure);
    let mut pixels = vec![0; 3 * width as usize * height as usize];
    paint(figure, BitMapBackend::with_buffer(&mut pixels, (width, height)))?;
    let png = encoded(&pixels, (width, height))
        .map_err(|error| Error::failed(format!("drawing \"{}\": {error}", figure.title())))?;
    write_bytes(&folder.join(format!("{name}.png")), &png)?;
    Ok(picture)
}

/// A PNG file of these pixels, three bytes each.
fn encoded(
    pixels: &[u8],
    (width, height): (u32, u32),
) -> std::result::Result<Vec<u8>, png::EncodingError> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    writer.finish()?;
    Ok(file)
}

/// Checks `figure` and draws it for a page alone: no file is written.
pub(super) fn picture(figure: &impl Figure, name: &str) -> Result<Picture> {
    let svg = svg(figure)?;
    let (name, title) = (name.to_string(), figure.title().to_string());
    Ok(Picture { name, title, alt: figure.alt(), svg })
}

/// Checks `figure` and draws it as an SVG element.
pub(super) fn svg(figure: &impl Figure) -> Result<String> {
    figure.check()?;
    theme::register_font()?;
    let mut svg = String::new();
    paint(figure, SVGBackend::with_string(&mut svg, pixels(figure)))?;
    Ok(with_header(&svg, figure.size(), &figure.alt()))
}

fn pixels(figure: &impl Figure) -> (u32, u32) {
    let (width, height) = figure.size();
    (width * DENSITY, height * DENSITY)
}

fn paint<DB: DrawingBackend>(figure: &impl Figure, backend: DB) -> Result<()> {
    let root = backend.into_drawing_area();
    let drawn = || -> Drawn<DB> {
        root.fill(&theme::PAPER)?;
        figure.paint(&titled(&root, figure.title())?)?;
        root.present()
    };
    drawn().map_err(|error| Error::failed(format!("drawing \"{}\": {error}", figure.title())))
}

/// Writes a title at the top left and returns the area below it.
fn titled<DB: DrawingBackend>(root: &Area<DB>, title: &str) -> Drawn<DB, Area<DB>> {
    let style = theme::text(theme::TITLE).pos(Pos::new(HPos::Left, VPos::Top));
    let width = root.dim_in_pixel().0.saturating_sub(2 * theme::MARGIN as u32);
    let title = theme::fitted(title, theme::TITLE, width);
    root.draw_text(&title, &style, (theme::MARGIN, theme::MARGIN))?;
    let below = theme::MARGIN + (f64::from(theme::TITLE) * 1.15) as i32;
    Ok(root.split_vertically(below).1)
}

/// Replaces the opening tag by one that scales, measured in CSS pixels, with the text alternative.
fn with_header(svg: &str, (width, height): (u32, u32), alt: &str) -> String {
    // plotters spells out what is so by default, which is half of a picture of many points.
    let body = svg.split_once('>').map_or("", |(_, body)| body);
    let body = body.replace(" opacity=\"1\"", "").replace(" stroke=\"none\"", "");
    let body = body.replace(" stroke-width=\"1\"", "");
    let mut whole = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"",
        width * DENSITY,
        height * DENSITY
    );
    for c in alt.chars().map(theme::printable) {
        match c {
            '<' => whole.push_str("&lt;"),
            '>' => whole.push_str("&gt;"),
            '&' => whole.push_str("&amp;"),
            '"' => whole.push_str("&quot;"),
            other => whole.push(other),
        }
    }
    let _ = write!(whole, "\">{body}");
    whole
}
