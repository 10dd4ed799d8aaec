//! The page.

use maud::{Markup, html};
use serde::{Deserialize, Serialize};

use super::Charts;
use super::parts::{Document, Section, figure, terms};
use super::scripts::{PLOTLY_LICENCE, Scripts};
use crate::audit::findings::Findings;
use crate::history::EpochRecord;
use crate::plot::Picture;

/// The rows that a run learns from: where they come from, and how many there are.
#[derive(Clone, Debug)]
pub struct Rows {
    /// Where they come from, in words.
    pub source: String,
    /// Those to train on.
    pub training: usize,
    /// Those held out.
    pub held_out: usize,
}

impl Rows {
    /// What a page of a run by this recipe is about.
    pub(super) fn learned_by(&self, recipe: &str) -> Markup {
        html! {
            "Recipe " b { (recipe) } " on " (self.source) ": " (self.training) " rows to train on, "
            (self.held_out) " held out"
        }
    }
}

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

impl Figure {
    /// Its width in CSS pixels, which its document says.
    pub(super) fn width(&self) -> Option<u32> {
        let (_, rest) = self.svg.split_once(" width=\"")?;
        rest.split_once('"')?.0.parse().ok()
    }
}

impl From<Picture> for Figure {
    fn from(Picture { name, title, alt, svg }: Picture) -> Self {
        Self { caption: Caption { name, title, alt }, svg }
    }
}

/// Everything the page shows.
#[derive(Clone, Debug)]
pub struct Page {
    /// Name of the recipe.
    pub recipe: String,
    /// What it learned from.
    pub rows: Rows,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// One record an epoch.
    pub history: Vec<EpochRecord>,
    /// What the analysis found.
    pub findings: Findings,
    /// The pictures, by name.
    pub figures: Vec<Figure>,
    /// What the interactive views show.
    pub charts: Charts,
    /// The share of the prior's mass that lies in holes, where it is known.
    pub hole_share: Option<f64>,
    /// Where, with what and how long it was computed: names and values.
    pub facts: Vec<(&'static str, String)>,
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
        let title = format!("modescope: {} on {}", self.recipe, self.rows.source);
        let sections: [Section; 10] = [
            ("modes", "Modes", self.modes()),
            (
                "rows",
                "Real and generated",
                self.charts.rows_view(self.findings.learned, self.pictures_of_rows()),
            ),
            ("latent", "Latent space", self.latent_section()),
            ("tsne", "t-SNE", self.charts.tsne_view(self.pictures(&["tsne-rows", "tsne"]))),
            ("columns", "Columns", self.columns_section()),
            ("losses", "Training", self.losses()),
            ("clusters", "Clusters", self.clusters()),
            ("distances", "Distances", self.metrics()),
            ("questions", "Questions", self.answers()),
            ("settings", "Settings", self.settings()),
        ];
        let document = Document {
            title: &title,
            heading: "Did the model learn the data?",
            top: self.top(),
            sections: &sections,
            scripts: Scripts::Views(&self.charts),
        };
        document.render()
    }

    /// What everyone should see first.
    fn top(&self) -> Markup {
        html! {
            (self.verdict())
            p.facts { (self.rows.learned_by(&self.recipe)) ", " (self.columns.len()) " columns." }
            @if let Some(overfitting) = &self.findings.overfitting {
                p.note { (overfitting.to_string()) }
            }
            @for note in self.notes.iter().chain(&self.findings.notes) { p.note { (note) } }
            @if let Some(preflight) = &self.findings.preflight {
                p class=(if preflight.remedy.is_some() { "note" } else { "evidence" }) {
                    "Before training, " (preflight.to_string())
                }
            }
        }
    }

    fn answers(&self) -> Markup {
        html! {
            @for answer in &self.findings.answers {
                div.answer {
                    h3 { (answer.question) }
                    p { (answer.answer) }
                    p.evidence { (answer.evidence) }
                }
            }
        }
    }

    fn settings(&self) -> Markup {
        html! {
            dl.settings {
                @for (name, value) in &self.facts { div { dt { (name) } dd { (value) } } }
            }
            details { summary { "config.toml: every setting" } pre tabindex="0" { (self.settings) } }
            details {
                summary { "Licence of plotly.js, which draws the views" }
                pre tabindex="0" { (PLOTLY_LICENCE) }
            }
        }
    }

    /// The picture of this name, where the run has it.
    pub(super) fn picture(&self, name: &str) -> Markup {
        let found = self.figures.iter().find(|figure| figure.caption.name == name);
        html! { @if let Some(found) = found { (figure(found)) } }
    }

    fn pictures(&self, names: &[&str]) -> Markup {
        html! { @for name in names { (self.picture(name)) } }
    }

    fn pictures_of_rows(&self) -> Markup {
        // Above three columns the first picture is a matrix of pairs, which section Columns has.
        match self.columns.len() {
            1..=3 => self.pictures(&["data", "real-and-generated", "real-and-generated-scaled"]),
            _ => self.picture("data"),
        }
    }

    /// The latent space and its units.
    fn latent_section(&self) -> Markup {
        let pictures = self.pictures(&["latent", "decoder-grid", "prior-holes"]);
        html! {
            (self.charts.latent_view(self.hole_share, pictures))
            (self.latent_units())
            (terms(&[
                ("Latent unit", "one of the numbers that the encoder sums a row up in."),
                ("Active", "the unit's posterior mean varies by more than 0.01 over the rows, so it tells \
                  something of them (Burda 2016)."),
                ("Collapse", "no unit is active: the decoder has one answer for every row."),
                ("Hole", "a place where all posteriors together are less than a tenth as dense as the \
                  prior: samples come from there, but nothing was learned there. With few rows the \
                  gaps between them count too."),
                ("Decoder", "with a column chosen behind the points, colour is the value that the decoder \
                  gives that column at each place: dark is low, light is high. With the holes chosen it is \
                  how much denser all posteriors are than the prior, in powers of ten."),
            ]))
        }
    }

    /// Histograms, pairs and moments of the columns.
    fn columns_section(&self) -> Markup {
        let pairs = if self.columns.len() > 3 { "real-and-generated" } else { "pairs" };
        html! {
            (self.picture("marginals"))
            (self.picture(pairs))
            (self.column_moments())
            (terms(&[
                ("Marginal", "the distribution of one column, whatever the others do. A model can have \
                  every marginal right and still lose modes, which only pairs of columns show."),
                ("Ratio", "the generated standard deviation over the real one. Near 0 the model gives the \
                  column one value; far above 1 the column drowns in noise."),
            ]))
        }
    }
}
