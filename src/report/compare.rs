//! Several runs on one page.

use std::path::PathBuf;

use maud::{Markup, html};

use super::modes::{STRICT, bar, class, short, swatch};
use super::parts::{Document, figure, scrolling, table, terms};
use super::scripts::Scripts;
use super::{Class, Figure, Rows};
use crate::audit::findings::Findings;
use crate::audit::ledger::EligibleCounts;
use crate::audit::metrics::Metrics;
use crate::audit::samples::SamplesAudit;
use crate::audit::words::{self, Standing};
use crate::error::Result;
use crate::history::EpochRecord;
use crate::plot::{Histories, History};

/// Several runs, side by side.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The runs, in the order to show them.
    pub runs: Vec<ComparedRun>,
    /// The settings in which they differ, each with its value in every run.
    pub settings: Vec<(String, Vec<String>)>,
    /// Whether all were trained on the same rows and held against the same others.
    pub same_rows: bool,
}

/// One run of a [`Comparison`].
#[derive(Clone, Debug)]
pub struct ComparedRun {
    /// What it is called.
    pub name: String,
    /// Its folder.
    pub folder: PathBuf,
    /// Name of its recipe.
    pub recipe: String,
    /// What it learned from.
    pub rows: Rows,
    /// What the analysis found.
    pub findings: Findings,
    /// Evidence lower bound of the held-out rows under its weights, in nats a row in the data's own units;
    /// nothing where no rows are held out.
    pub held_out_elbo: Option<f64>,
    /// One record an epoch.
    pub history: Vec<EpochRecord>,
    /// Real and generated rows, where the run has drawn them.
    pub picture: Option<Figure>,
}

impl ComparedRun {
    /// Headings of [`cells`](Self::cells).
    pub const HEADINGS: [&str; 6] =
        ["run", "recipe", "strict", "captured", "held-out ELBO", "learned the data?"];

    /// The run as the cells of a table.
    pub fn cells(&self) -> [String; 6] {
        let judged = self.audit().map(|audit| audit.counts.eligible_only);
        let of = |count: fn(EligibleCounts) -> usize| {
            judged.map_or("–".into(), |judged| format!("{} of {}", count(judged), judged.modes))
        };
        [
            self.name.clone(),
            self.recipe.clone(),
            of(|judged| judged.strict),
            of(|judged| judged.captured),
            self.held_out_elbo.map_or("–".into(), |elbo| format!("{elbo:.3}")),
            self.standing().answer().into(),
        ]
    }

    /// How its samples stand as a whole.
    pub fn standing(&self) -> Standing {
        self.findings.learned
    }

    fn audit(&self) -> Option<&SamplesAudit> {
        self.findings.samples.as_ref()
    }
}

impl Comparison {
    /// What a reader should know before comparing figures, where there is something.
    pub fn note(&self) -> Option<&'static str> {
        (!self.same_rows).then_some(
            "The runs were not trained on the same rows and held against the same others, so their \
             figures differ for that reason too.",
        )
    }

    /// The HTML document. All text from data, settings and names of folders is escaped.
    ///
    /// # Errors
    /// Where the curves cannot be drawn.
    pub fn render(&self) -> Result<String> {
        let names: Vec<&str> = self.names().collect();
        let title = format!("modescope: {}", names.join(" and "));
        let sections = [
            ("rows", "Real and generated", self.pictures()),
            ("modes", "Modes", self.modes()),
            ("distances", "Distances", self.distances()),
            ("losses", "Training", self.losses()?),
            ("settings", "Settings that differ", self.settings()),
        ];
        let document = Document {
            title: &title,
            heading: "Which model learned the data?",
            top: self.top(),
            sections: &sections,
            scripts: Scripts::None,
        };
        Ok(document.render())
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.runs.iter().map(|run| run.name.as_str())
    }

    fn top(&self) -> Markup {
        html! {
            div.runs { @for run in &self.runs {
                div {
                    h2 { (run.name) }
                    div class={ "verdict " (class(run.standing())) } {
                        (short(run.standing()))
                        p { (run.findings.verdict) }
                    }
                    p.facts { (run.rows.learned_by(&run.recipe)) "." }
                }
            } }
            @if let Some(note) = self.note() { p.note { (note) } }
            (table("Table of runs", &ComparedRun::HEADINGS, self.runs.iter().map(ComparedRun::cells)))
            (terms(&[
                STRICT,
                ("Captured", "the mode has at least half the rows expected."),
                ("Of", "the modes that are large enough to judge, which both are counts of."),
                ("Held-out ELBO", "the evidence lower bound of the held-out rows after the last epoch, \
                  in nats a row in the data's own units: higher is better."),
            ]))
        }
    }

    fn pictures(&self) -> Markup {
        html! {
            div.runs.pictures { @for run in &self.runs {
                div {
                    h3 { (run.name) }
                    @match &run.picture {
                        Some(picture) => (figure(picture)),
                        None => p.note { "The run has no picture: " code { "modescope report" } " draws it." },
                    }
                }
            } }
        }
    }

    fn modes(&self) -> Markup {
        let audits: Vec<&SamplesAudit> = self.runs.iter().filter_map(ComparedRun::audit).collect();
        if let Some(why) = self.why_modes_differ() {
            return html! { p.note {
                "The modes cannot be set side by side: " (why) ". The table above counts them."
            } };
        }
        let names: Vec<String> =
            (0..audits[0].modes.len()).map(|mode| words::name(audits[0], mode)).collect();
        let looks = Class::all(&names);
        let rows = scrolling(
            "Table of modes",
            html! {
                thead { tr {
                    th scope="col" { "mode" }
                    th scope="col" { "weight" }
                    @for name in self.names() { th.text scope="col" { (name) } }
                } }
                tbody { @for (index, (mode, look)) in audits[0].modes.iter().zip(&looks).enumerate() { tr {
                    th scope="row" { (swatch(look)) (look.name) }
                    td { (format!("{:.3}", mode.mode.weight)) }
                    @for audit in &audits { td.text { (mode_cell(audit, index)) } }
                } } }
            },
        );
        html! {
            (rows)
            p.evidence {
                "A bar is the number of generated rows near the mode over the number expected of a perfect \
                 generator, its line the 95% interval; the mark at 1 is as in the data."
            }
        }
    }

    /// Why the runs have not the same modes, where they have not.
    fn why_modes_differ(&self) -> Option<String> {
        let unaudited = self.runs.iter().find(|run| run.audit().is_none());
        if let Some(run) = unaudited {
            return Some(format!("the samples of {} were not audited", run.name));
        }
        let mut audited = self.runs.iter().filter_map(|run| Some((run, run.audit()?)));
        let (first, ours) = audited.next()?;
        audited.find_map(|(run, theirs)| {
            let (k, other) = (ours.modes.len(), theirs.modes.len());
            let places = |audit: &SamplesAudit| -> Vec<_> {
                let place = |id| (words::name(audit, id), audit.modes[id].mean.clone());
                (0..audit.modes.len()).map(place).collect()
            };
            match places(ours) == places(theirs) {
                true => None,
                false if k != other => {
                    Some(format!("{} was judged by {k} modes, {} by {other}", first.name, run.name))
                }
                false => {
                    Some(format!("{} and {} were judged by other modes", first.name, run.name))
                }
            }
        })
    }

    fn distances(&self) -> Markup {
        let columns: Vec<Option<Vec<[String; 3]>>> = self
            .runs
            .iter()
            .map(|run| run.audit().map(|audit| distances(&audit.metrics)))
            .collect();
        let Some(first) = columns.iter().flatten().next() else { return html! {} };
        let rows = scrolling(
            "Table of distances",
            html! {
                thead { tr {
                    th scope="col" { "figure" }
                    @for name in self.names() { th scope="col" { (name) } }
                } }
                tbody { @for (row, [figure, ..]) in first.iter().enumerate() { tr {
                    th scope="row" { (figure) }
                    @for column in &columns { td {
                        @match column.as_ref().map(|rows| &rows[row]) {
                            Some([_, generated, real]) => { (generated) br; span.evidence { (real) } },
                            None => "–",
                        }
                    } }
                } } }
            },
        );
        html! {
            p {
                "How far the generated rows are from the real ones, with 95% intervals; below each figure \
                 what fresh real rows get in their place."
            }
            (rows)
        }
    }

    fn losses(&self) -> Result<Markup> {
        let history = |run: &ComparedRun| History {
            name: run.name.clone(),
            epochs: run.history.iter().map(|record| record.epoch).collect(),
            loss: run.history.iter().map(|record| record.loss).collect(),
            held_out_elbo: run
                .history
                .iter()
                .map(|record| record.held_out_elbo.unwrap_or(f64::NAN))
                .collect(),
        };
        let runs: Vec<History> = self.runs.iter().map(history).collect();
        let picture = Histories { title: "Held-out ELBO and loss by epoch", runs: &runs };
        let picture = figure(&picture.picture("histories")?.into());
        Ok(html! {
            (picture)
            p.evidence {
                "Losses of different objectives have no common scale; the held-out ELBO has one on the same \
                 rows."
            }
        })
    }

    fn settings(&self) -> Markup {
        if self.settings.is_empty() {
            return html! { p { "The runs have the same settings." } };
        }
        let headings: Vec<&str> = std::iter::once("setting").chain(self.names()).collect();
        let row = |(key, values): &(String, Vec<String>)| {
            std::iter::once(key).chain(values).cloned().collect::<Vec<_>>()
        };
        html! {
            (table("Table of settings", &headings, self.settings.iter().map(row)))
            p.evidence { "What was decided from the settings stands under " code { "run" } "." }
        }
    }
}

/// What became of a mode: its bar, its verdict and its ratio.
fn mode_cell(audit: &SamplesAudit, index: usize) -> Markup {
    let mode = &audit.modes[index];
    let standing = class(words::standing(audit, mode));
    let [.., ratio, _, _, verdict] = words::cells(audit, mode);
    html! {
        (bar(mode, standing))
        span class={ "pill " (standing) } { (verdict) } " " (ratio)
    }
}

/// Every figure of a run with its value for fresh real rows, the held-out likelihood last.
fn distances(metrics: &Metrics) -> Vec<[String; 3]> {
    let mut rows = words::metrics(metrics);
    let gap = metrics.nll_gap.map_or("–".into(), |gap| words::estimate(&gap.generated));
    rows.push(["held-out NLL above the reference's (nats)".into(), gap, String::new()]);
    rows
}
