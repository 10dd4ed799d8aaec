//! The page.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde::{Deserialize, Serialize};

use super::rows_of_interest;
use crate::audit::findings::Findings;
use crate::audit::samples::AuditedMode;
use crate::audit::structure::CHOICE_HEADINGS;
use crate::audit::words::{self, Standing};
use crate::model::ACTIVE_UNIT_VARIANCE;
use crate::train::EpochRecord;

const STYLE: &str = include_str!("style.css");

/// What a picture shows, in words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Caption {
    /// Name of its files, without ending.
    pub name: String,
    /// Its title.
    pub title: String,
    /// Text in its place for those who cannot see it.
    pub alt: String,
}

/// A picture on the page.
#[derive(Clone, Debug)]
pub struct Figure {
    /// What it shows.
    pub caption: Caption,
    /// The SVG document.
    pub svg: String,
}

/// Everything the page shows.
#[derive(Clone, Debug)]
pub struct Page {
    /// Where the data come from, in words.
    pub source: String,
    /// Name of the recipe.
    pub recipe: String,
    /// Where it was computed, in words.
    pub machine: String,
    /// Seed of every random draw.
    pub seed: u64,
    /// Training rows and held-out rows.
    pub rows: (usize, usize),
    /// Names of the columns.
    pub columns: Vec<String>,
    /// One record an epoch.
    pub history: Vec<EpochRecord>,
    /// What the analysis found.
    pub findings: Findings,
    /// The pictures in order.
    pub figures: Vec<Figure>,
    /// `config.toml`.
    pub settings: String,
    /// What a reader should know of the data.
    pub notes: Vec<String>,
    /// Whether the data are the reference's kind of generated mixture.
    pub generated: bool,
}

impl Page {
    /// The HTML document. All text from data and settings is escaped.
    pub fn render(&self) -> String {
        let heading = format!("modescope: {}", self.recipe);
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    title { (heading) }
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    main {
                        (self.top())
                        (self.modes())
                        (self.answers())
                        (self.figures())
                        (self.losses())
                        (self.metrics())
                        (self.column_moments())
                        (self.latent_units())
                        (self.clusters())
                        (self.settings())
                    }
                }
            }
        };
        page.into_string()
    }

    fn top(&self) -> Markup {
        let (training, held_out) = self.rows;
        html! {
            h1 { "What the model learned" }
            p.verdict { (self.findings.verdict) }
            p.facts {
                "Recipe " b { (self.recipe) } " on " (self.source) ": " (training)
                " rows to train on, " (held_out) " held out, " (self.columns.len()) " columns ("
                (self.columns.join(", ")) "). Seed " (self.seed) ", computed on " (self.machine) "."
            }
            @for note in self.notes.iter().chain(&self.findings.notes) { p.note { (note) } }
            @if let Some(preflight) = &self.findings.preflight {
                p class=(if preflight.remedy.is_some() { "note" } else { "evidence" }) { (preflight) }
            }
        }
    }

    /// Every mode with its verdict, what it is held against, and why modes were lost.
    fn modes(&self) -> Markup {
        let Some(audit) = &self.findings.samples else { return html! {} };
        let standing = |mode: &AuditedMode| match words::standing(audit, mode) {
            Standing::Good => "good",
            Standing::Fair => "fair",
            Standing::Bad => "bad",
            Standing::Unknown => "unknown",
        };
        html! {
            h2 { "Modes" }
            p { (words::reference(audit)) }
            (table(words::HEADINGS, audit.modes.iter().map(|mode| (standing(mode), words::cells(audit, mode)))))
            @for sentence in words::causes(audit).into_iter().chain(words::places(audit)) {
                p.evidence { (sentence) }
            }
            h3 { "Beside others" }
            (table(words::COMPARED_HEADINGS, words::compared(audit).into_iter().map(plain)))
            p.evidence { (words::COMPARED) }
        }
    }

    fn metrics(&self) -> Markup {
        let Some(audit) = &self.findings.samples else { return html! {} };
        html! {
            h2 { "Distances" }
            (table(words::METRIC_HEADINGS, words::metrics(&audit.metrics).into_iter().map(plain)))
            p.evidence { (words::metric_notes(&audit.metrics)) }
        }
    }

    fn answers(&self) -> Markup {
        html! {
            h2 { "The questions, answered" }
            @for answer in &self.findings.answers {
                section.answer {
                    h3 { (answer.question) }
                    p { (answer.answer) }
                    p.evidence { (answer.evidence) }
                }
            }
        }
    }

    fn figures(&self) -> Markup {
        html! {
            h2 { "Pictures" }
            @for figure in &self.figures {
                figure {
                    div role="img" aria-label=(figure.caption.alt) { (PreEscaped(&figure.svg)) }
                    figcaption { (figure.caption.alt) }
                }
            }
        }
    }

    fn losses(&self) -> Markup {
        html! {
            h2 { "Loss by epoch" }
            @if self.generated {
                p {
                    "Beside the losses that the reference experiment reported for its own draw of a \
                     ten-component mixture. Only recipe " code { "classic" } " has the same objective."
                }
            }
            div.scroll { table {
                thead { tr {
                    th { "epoch" } th { "loss" }
                    @if self.generated { th { "reference" } }
                    th { "reconstruction" } th { "KL" } th { "β" } th { "σ" } th { "active units" }
                    th { "held-out ELBO" }
                } }
                tbody { @for (record, reference) in rows_of_interest(&self.history) {
                    tr {
                        td { (record.epoch) }
                        td { (format!("{:.6}", record.loss)) }
                        @if self.generated { td { (reference.map_or("–".into(), |loss| format!("{loss:.6}"))) } }
                        td { (format!("{:.6}", record.reconstruction)) }
                        td { (format!("{:.2e}", record.kl)) }
                        td { (record.beta) }
                        td { (format!("{:.3}", record.sigma)) }
                        td { (record.active_units) }
                        td { @match record.held_out_elbo {
                            Some(elbo) => (format!("{elbo:.3}")),
                            None => "–",
                        } }
                    }
                } }
            } }
            p.evidence {
                "β is the weight of the KL at the end of the epoch, in a full batch; σ the noise level in scaled \
                 units (learned, given, or √(columns / 2), which a mean squared error stands for); the ELBO is in \
                 nats a row in the data's own units, under the prior of training."
            }
        }
    }

    fn column_moments(&self) -> Markup {
        let Some(audit) = &self.findings.samples else { return html! {} };
        html! {
            h2 { "Columns" }
            div.scroll { table {
                thead { tr {
                    th { "column" } th { "real mean" } th { "generated mean" }
                    th { "real deviation" } th { "generated deviation" } th { "ratio" }
                } }
                tbody { @for (name, column) in self.columns.iter().zip(&audit.structure.columns) {
                    tr {
                        td { (name) }
                        td { (format!("{:.4}", column.real_mean)) }
                        td { (format!("{:.4}", column.generated_mean)) }
                        td { (format!("{:.4}", column.real_deviation)) }
                        td { (format!("{:.4}", column.generated_deviation)) }
                        td { @if column.real_deviation > 0.0 {
                            (format!("{:.2}", column.generated_deviation / column.real_deviation))
                        } @else { "–" } }
                    }
                } }
            } }
            p.evidence {
                "Mean and standard deviation in the data's own units. A ratio near 0 is a column the \
                 model gives one value, one far above 1 a column that drowns in noise."
            }
        }
    }

    fn latent_units(&self) -> Markup {
        let Some(diagnosis) = &self.findings.latent else { return html! {} };
        let latent = &diagnosis.summary;
        html! {
            h2 { "The latent space" }
            p { (words::latent(diagnosis)) }
            div.scroll { table {
                thead { tr { th { "unit" } th { "variance of the posterior mean" } th { "KL from N(0, 1) (nats)" } th { "information at most (nats)" } th { "active" } } }
                tbody { @for (unit, ((variance, kl), information)) in latent
                    .mean_variance
                    .iter()
                    .zip(&latent.kl_per_unit)
                    .zip(&latent.information_per_unit)
                    .enumerate() {
                    tr {
                        td { (unit) }
                        td { (format!("{variance:.3e}")) }
                        td { (format!("{kl:.3e}")) }
                        td { (format!("{information:.3e}")) }
                        td { (if *variance > ACTIVE_UNIT_VARIANCE { "yes" } else { "no" }) }
                    }
                } }
            } }
        }
    }

    fn clusters(&self) -> Markup {
        let Some(audit) = &self.findings.samples else { return html! {} };
        let choices = audit.structure.choices(self.findings.latent.as_ref());
        html! {
            h2 { "Choice of k" }
            (table(CHOICE_HEADINGS, choices.into_iter().map(plain)))
            p.evidence { (words::counting(audit)) }
        }
    }

    fn settings(&self) -> Markup {
        html! {
            h2 { "Settings" }
            details { summary { "config.toml" } pre { (self.settings) } }
        }
    }
}

/// A row without a standing.
fn plain<const N: usize>(cells: [String; N]) -> (&'static str, [String; N]) {
    ("", cells)
}

/// A table of rows, each with the class of its last cell.
fn table<const N: usize>(
    headings: [&str; N],
    rows: impl Iterator<Item = (&'static str, [String; N])>,
) -> Markup {
    html! {
        div.scroll { table {
            thead { tr { @for heading in headings { th { (heading) } } } }
            tbody { @for (class, cells) in rows { tr {
                @for cell in &cells[..N - 1] { td { (cell) } }
                td class=(class) { (cells[N - 1]) }
            } } }
        } }
    }
}
