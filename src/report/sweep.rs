//! A sweep on one page.

use maud::{Markup, html};

use super::Figure;
use super::modes::STRICT;
use super::parts::{Document, figure, scrolling, terms};
use super::scripts::Scripts;

/// Settings that stand in the table at once; the others are folded away.
const AT_ONCE: usize = 10;
/// Seeds below which an interval says little.
const FEW_SEEDS: usize = 4;

/// Settings and seeds that were trained side by side.
#[derive(Clone, Debug)]
pub struct SweepPage {
    /// How many models were trained.
    pub members: usize,
    /// Seeds of each combination of settings.
    pub seeds: usize,
    /// The best single one of the models in one sentence.
    pub best: String,
    /// The names of the settings.
    pub keys: Vec<String>,
    /// One a combination of settings, the best by its mean first.
    pub rows: Vec<SweepPageRow>,
    /// The members of the best settings, one by one.
    pub picture: Figure,
}

/// A combination of settings and how it did.
#[derive(Clone, Debug)]
pub struct SweepPageRow {
    /// The value of each setting.
    pub settings: Vec<String>,
    /// Mean held-out ELBO.
    pub held_out_elbo: String,
    /// Mean number of strict modes.
    pub strict: String,
    /// Mean number of captured modes.
    pub captured: String,
    /// Its seeds, and how many of them diverged.
    pub seeds: String,
    /// Whether its held-out ELBO may be below that of the best by chance.
    pub is_tied: bool,
}

impl SweepPage {
    /// The HTML document, which stands beside the folder `best`. All text from settings is escaped.
    pub fn render(&self) -> String {
        let sections = [
            ("ranking", "Settings", self.ranking()),
            ("members", "Model by model", figure(&self.picture)),
        ];
        let document = Document {
            title: "modescope: a sweep",
            heading: "Which settings are best?",
            top: self.top(),
            sections: &sections,
            scripts: Scripts::None,
        };
        document.render()
    }

    fn top(&self) -> Markup {
        html! {
            p { b { "Best model: " } (self.best) }
            @if let Some(row) = self.rows.first() {
                p {
                    b { "Best settings by mean: " }
                    @for (key, value) in self.keys.iter().zip(&row.settings) { (key) "=" (value) ", " }
                    "held-out ELBO " (row.held_out_elbo) "."
                }
            }
            (self.ties())
            p.facts {
                (self.members) " models were trained on the same rows and ranked by their held-out ELBO. "
                a href="best/report.html" { "The report of the best model" } " says which modes it learned."
            }
        }
    }

    /// How many settings may be as good as the best.
    fn ties(&self) -> Markup {
        let others = self.rows.len().saturating_sub(1);
        let tied = self.rows.iter().skip(1).filter(|row| row.is_tied).count();
        html! {
            @if others > 0 && self.seeds > 1 {
                p {
                    b { "Of the other settings, " (tied) " of " (others) " cannot be told apart from the best" }
                    ": the intervals of their held-out ELBO overlap."
                }
            }
            @if others > 0 && self.seeds < FEW_SEEDS {
                p.note {
                    @if self.seeds == 1 { "One seed says nothing of chance" }
                    @else { "Intervals of " (self.seeds) " seeds are rough" }
                    ": give at least " (FEW_SEEDS) " to tell settings apart."
                }
            }
        }
    }

    fn ranking(&self) -> Markup {
        let (first, others) = self.rows.split_at(self.rows.len().min(AT_ONCE));
        html! {
            (self.table("Table of settings", 1, first))
            @if !others.is_empty() {
                details.others {
                    summary { "Further settings (" (others.len()) ")" }
                    (self.table("Table of further settings", 1 + AT_ONCE, others))
                }
            }
            (terms(&[
                STRICT,
                ("Captured", "the mode has at least half the rows expected."),
                ("Held-out ELBO", "the evidence lower bound of the held-out rows, in nats a row in the data's own \
                  units: higher is better. Settings are ranked by its mean."),
                ("In brackets", "the 95% interval of the mean over the seeds, by Student's t."),
                ("≈", "cannot be told apart from the best: the intervals of the held-out ELBO overlap, or one is not known."),
            ]))
        }
    }

    /// These rows, of which the first has this rank.
    fn table(&self, name: &str, rank: usize, rows: &[SweepPageRow]) -> Markup {
        scrolling(
            name,
            html! {
                thead { tr {
                    @for heading in ["rank", "held-out ELBO", "strict"] { th scope="col" { (heading) } }
                    @for key in &self.keys { th scope="col" { (key) } }
                    @for heading in ["captured", "seeds"] { th scope="col" { (heading) } }
                } }
                tbody { @for (rank, row) in (rank..).zip(rows) { tr {
                    th scope="row" { (rank) @if rank > 1 && self.seeds > 1 && row.is_tied { " ≈" } }
                    @for cell in [&row.held_out_elbo, &row.strict] { td { (cell) } }
                    @for value in &row.settings { td { (value) } }
                    @for cell in [&row.captured, &row.seeds] { td { (cell) } }
                } } }
            },
        )
    }
}
