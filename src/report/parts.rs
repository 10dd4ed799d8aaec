//! Pieces that sections share.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::Figure;

const STYLE: &str = include_str!("style.css");

/// The policy of a page without scripts: the browser is told to fetch nothing and to run nothing,
/// whatever the page holds.
pub(super) const STATIC_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// A section of a page: its identifier, its title and what it says. One that says nothing is left out.
pub(super) type Section = (&'static str, &'static str, Markup);

/// A document of a head, sections and scripts. `policy` is its content security policy.
pub(super) fn document(
    title: &str,
    policy: &str,
    top: Markup,
    sections: &[Section],
    scripts: Markup,
) -> String {
    let shown = || sections.iter().filter(|(.., content)| !content.0.is_empty());
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta http-equiv="Content-Security-Policy" content=(policy);
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    (top)
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
                (scripts)
            }
        }
    };
    page.into_string()
}

/// A picture with its text alternative, which everyone may read.
pub(super) fn figure(figure: &Figure) -> Markup {
    html! {
        figure {
            // Its text alternative is the caption.
            div.picture aria-hidden="true" { (PreEscaped(&figure.svg)) }
            figcaption { (figure.caption.alt) }
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
