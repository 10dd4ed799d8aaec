//! A sweep on one page.

use maud::html;

use super::Figure;
use super::modes::STRICT;
use super::parts::{STATIC_POLICY, document, figure, table, terms};

/// Settings and seeds that were trained side by side.
#[derive(Clone, Debug)]
pub struct SweepPage {
    /// How many models were trained.
    pub members: usize,
    /// The best single one of them in one sentence.
    pub best: String,
    /// Headings of [`rows`](Self::rows).
    pub headings: Vec<String>,
    /// One a combination of settings, the best by its mean first.
    pub rows: Vec<Vec<String>>,
    /// The members of the best settings, one by one.
    pub picture: Figure,
}

impl SweepPage {
    /// The HTML document, which stands beside the folder `best`. All text from settings is escaped.
    pub fn render(&self) -> String {
        let headings: Vec<&str> = self.headings.iter().map(String::as_str).collect();
        let best_settings = self.rows.first().map(|cells| {
            let pairs = self.headings.iter().zip(cells);
            pairs.map(|(heading, cell)| format!("{heading} {cell}")).collect::<Vec<_>>().join(", ")
        });
        let top = html! {
            header {
                p.brand { "modescope" }
                h1 { "Which settings are best?" }
                p { b { "Best model: " } (self.best) }
                @if let Some(settings) = &best_settings {
                    p { b { "Best settings by mean: " } (settings) "." }
                }
                p.facts {
                    (self.members) " models were trained on the same rows and ranked by their held-out ELBO. "
                    a href="best/report.html" { "The report of the best model" } " says which modes it learned."
                }
            }
        };
        let standings = html! {
            (table("Table of settings", &headings, &self.rows))
            (terms(&[
                STRICT,
                ("Captured", "the mode has at least half the rows expected."),
                ("Held-out ELBO", "the evidence lower bound of the held-out rows, in nats a row in the data's own \
                  units: higher is better."),
                ("In brackets", "the 95% interval of the mean over the seeds, by Student's t."),
            ]))
        };
        let sections = [
            ("settings", "Settings", standings),
            ("members", "Model by model", figure(&self.picture)),
        ];
        document("modescope: a sweep", STATIC_POLICY, top, &sections, html! {})
    }
}
