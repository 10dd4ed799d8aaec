//! The page of a run that goes on. `live.js` asks how it stands; the report takes its place.

use maud::{Markup, PreEscaped, html};

use super::Charts;
use super::page::{policy, subject, views_script};
use super::parts::{Section, document};

const SCRIPT: &str = include_str!("live.js");

/// What the page needs before the first epoch has ended.
#[derive(Clone, Debug)]
pub struct LivePage {
    /// Where the data come from, in words.
    pub source: String,
    /// Name of the recipe.
    pub recipe: String,
    /// Training rows and held-out rows.
    pub rows: (usize, usize),
    /// The views without samples and latents, which come later.
    pub charts: Charts,
    /// Where the report will be.
    pub report: String,
}

impl LivePage {
    /// The HTML document. All text from data and settings is escaped.
    pub fn render(&self) -> String {
        let title = format!("modescope: {} on {}", self.recipe, self.source);
        let sections: [Section; 3] = [
            ("losses", "Training", losses()),
            ("rows", "Real and generated", self.charts.rows_view(html! {})),
            ("latent", "Latent space", self.charts.latent_view(None, html! {})),
        ];
        let scripts = html! {
            (views_script("null"))
            script { (PreEscaped(SCRIPT)) }
        };
        document(&title, &policy("; connect-src 'self'"), self.top(), &sections, scripts)
    }

    fn top(&self) -> Markup {
        html! {
            header {
                p.brand { "modescope" }
                h1 { "What the model is learning" }
                (subject(&self.recipe, &self.source, self.rows, self.charts.columns.len()))
                ul.tasks {}
                p.note hidden id="ended" {
                    "modescope answers no more: the run has ended, and its terminal says how. Where it was \
                     finished, its report is " code { (self.report) } "."
                }
                noscript { p.note { "This page needs scripts. The report of the run will not." } }
            }
        }
    }
}

/// The figures of the newest epoch, and the curves.
fn losses() -> Markup {
    // The names of history.csv.
    let figures = [
        ("epoch", "epoch"),
        ("loss", "loss"),
        ("reconstruction", "reconstruction"),
        ("kl", "KL, nats a row"),
        ("sigma", "σ, scaled units"),
        ("active_units", "active latent units"),
        ("held_out_elbo", "held-out ELBO, nats a row"),
    ];
    html! {
        dl.tiles { @for (name, words) in figures {
            div { dt { (words) } dd data-figure=(name) { "–" } }
        } }
        p.evidence id="waiting" { "Curves and views are drawn when the first epochs have ended." }
        figure { div.picture id="curves" {} }
    }
}
