//! The page of a run that goes on. `live.js` asks how it stands; the report takes its place.

use maud::{Markup, html};

use super::parts::{Document, Section};
use super::scripts::Scripts;
use super::{Charts, Rows};
use crate::audit::words::Standing;

/// What the page needs before the first epoch has ended.
#[derive(Clone, Debug)]
pub struct LivePage {
    /// Name of the recipe.
    pub recipe: String,
    /// What it learns from.
    pub rows: Rows,
    /// The views without samples and latents, which come later.
    pub charts: Charts,
    /// Where the report will be.
    pub report: String,
}

impl LivePage {
    /// The HTML document. All text from data and settings is escaped.
    pub fn render(&self) -> String {
        let title = format!("modescope: {} on {}", self.recipe, self.rows.source);
        // There is no picture in the place of a view that there is nothing to turn in.
        let (columns, units) = (self.charts.columns.len(), self.charts.latent.means.width());
        let rows =
            html! { @if columns > 1 { (self.charts.rows_view(Standing::Unknown, html! {})) } };
        let latent = html! { @if units > 1 { (self.charts.latent_view(None, html! {})) } };
        let sections: [Section; 3] = [
            ("losses", "Training", losses()),
            ("rows", "Real and generated", rows),
            ("latent", "Latent space", latent),
        ];
        let document = Document {
            title: &title,
            heading: "What the model is learning",
            top: self.top(),
            sections: &sections,
            scripts: Scripts::Live,
        };
        document.render()
    }

    fn top(&self) -> Markup {
        html! {
            p.facts { (self.rows.learned_by(&self.recipe)) ", " (self.charts.columns.len()) " columns." }
            ul.tasks {}
            div id="notes" {}
            p.note hidden id="ended" role="status" {
                "modescope answers no more: the run has ended, and its terminal says how. If it was \
                 finished, its report is " code { (self.report) } "; if it was stopped, " code { "--resume" }
                " goes on with it, at another address."
            }
            noscript { p.note { "This page needs scripts. The report of the run will not." } }
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
        p.note hidden id="overfitting" {}
        p.evidence id="waiting" { "Curves and views are drawn while the model is trained." }
        figure hidden id="curves" {
            div.scroll tabindex="0" role="group" aria-label="Curves" { div.picture {} }
            figcaption {
                "Curves and views are of epoch " span id="painted" {} ". While β rises the KL counts more, \
                 and the loss rises with it; the held-out loss is drawn where it can be compared: with β at 1."
            }
        }
    }
}
