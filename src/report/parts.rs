//! Pieces that sections share.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::Figure;
use super::palette::dark_pictures;
use super::scripts::Scripts;

const STYLE: &str = include_str!("style.css");

/// A section of a page: its identifier, its title and what it says. One that says nothing is left out.
pub(super) type Section = (&'static str, &'static str, Markup);

/// A page as an HTML document. All text in it is escaped.
pub(super) struct Document<'a> {
    /// What a window or tab shows.
    pub title: &'a str,
    /// The question that the page answers, as its heading.
    pub heading: &'a str,
    /// What everyone should see first.
    pub top: Markup,
    /// What follows, in order.
    pub sections: &'a [Section],
    /// What the page runs.
    pub scripts: Scripts<'a>,
}

impl Document<'_> {
    /// The HTML.
    pub fn render(self) -> String {
        let shown = || self.sections.iter().filter(|(.., content)| !content.0.is_empty());
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta http-equiv="Content-Security-Policy" content=(self.scripts.policy());
                    title { (self.title) }
                    style { (PreEscaped(STYLE)) (PreEscaped(dark_pictures())) }
                }
                body {
                    main {
                        header {
                            p.brand { "modescope" }
                            h1 { (self.heading) }
                            (self.top)
                        }
                        nav aria-label="Sections" {
                            @for (id, title, _) in shown() { a href={ "#" (id) } { (title) } " " }
                        }
                        @for (id, title, content) in shown() {
                            section id=(id) aria-labelledby={ (id) "-title" } {
                                h2 id={ (id) "-title" } { (title) }
                                (content)
                            }
                        }
                    }
                    (self.scripts.elements())
                }
            }
        };
        page.into_string()
    }
}

/// A picture with its text alternative, which everyone may read.
pub(super) fn figure(figure: &Figure) -> Markup {
    // Where the window is narrow a picture stays so wide that its text can be read.
    let width = figure.width().map(|width| format!("--width:{width}px"));
    html! {
        figure style=[width] {
            div.scroll tabindex="0" role="group" aria-label=(figure.caption.title) {
                // Its text alternative is the caption.
                div.picture aria-hidden="true" { (PreEscaped(&figure.svg)) }
            }
            figcaption { span.swipe { "Swipe the picture sideways. " } (figure.caption.alt) }
        }
    }
}

/// Words of the field, explained where they stand.
pub(super) fn terms(terms: &[(&str, &str)]) -> Markup {
    html! {
        details.terms {
            summary { "What do these words mean?" }
            dl { @for (term, meaning) in terms { dt { (term) } dd { (meaning) } } }
        }
    }
}

/// A table that scrolls sideways where it is too wide. Its name is for those who cannot see it.
pub(super) fn table(
    name: &str,
    headings: &[&str],
    rows: impl IntoIterator<Item = impl AsRef<[String]>>,
) -> Markup {
    scrolling(
        name,
        html! {
            thead { tr { @for heading in headings { th scope="col" { (heading) } } } }
            tbody { @for cells in rows { tr { @for cell in cells.as_ref() { td { (cell) } } } } }
        },
    )
}

/// A table of these head and body rows.
pub(super) fn scrolling(name: &str, rows: Markup) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(name) { table { (rows) } }
    }
}
