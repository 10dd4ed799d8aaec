//! Pieces that sections share.

use maud::{Markup, PreEscaped, html};

use super::Figure;

/// A picture with its text alternative, which everyone may read.
pub(super) fn figure(figure: &Figure) -> Markup {
    html! {
        figure {
            div.picture { (PreEscaped(&figure.svg)) }
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
