//! The page.

use maud::{Markup, PreEscaped, html};
use serde::{Deserialize, Serialize};

use super::Charts;
use super::parts::{Section, document, figure, terms};
use crate::audit::findings::Findings;
use crate::plot::Picture;
use crate::train::EpochRecord;

const SCRIPT: &str = include_str!("page.js");
/// plotly.js 4.1.1, its bundle for charts in space: npm's `plotly.js-gl3d-dist-min`.
const PLOTLY: &str = include_str!("../../assets/plotly/plotly-gl3d.min.js");
const PLOTLY_LICENCE: &str = include_str!("../../assets/plotly/LICENSE");
/// The browser is told to fetch nothing, whatever the page holds. plotly.js compiles functions.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; \
                      script-src 'unsafe-inline' 'unsafe-eval'; img-src data: blob:";

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

impl From<Picture> for Figure {
    fn from(Picture { name, title, alt, svg }: Picture) -> Self {
        Self { caption: Caption { name, title, alt }, svg }
    }
}

/// Everything the page shows.
#[derive(Clone, Debug)]
pub struct Page {
    /// Where the data come from, in words.
    pub source: String,
    /// Name of the recipe.
    pub recipe: String,
    /// Training rows and held-out rows.
    pub rows: (usize, usize),
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
        let title = format!("modescope: {} on {}", self.recipe, self.source);
        let sections: [Section; 10] = [
            ("modes", "Modes", self.modes()),
            ("rows", "Real and generated", self.rows_view()),
            ("latent", "Latent space", self.latent_view()),
            ("tsne", "t-SNE", self.tsne_view()),
            ("columns", "Columns", self.columns_section()),
            ("losses", "Training", self.losses()),
            ("clusters", "Clusters", self.clusters()),
            ("distances", "Distances", self.metrics()),
            ("questions", "Questions", self.answers()),
            ("settings", "Settings", self.settings()),
        ];
        let scripts = html! {
            script type="application/json" id="data" { (PreEscaped(self.charts.to_json())) }
            script { (PreEscaped(PLOTLY)) }
            script { (PreEscaped(SCRIPT)) }
        };
        document(&title, POLICY, self.top(), &sections, scripts)
    }

    /// What everyone should see first.
    fn top(&self) -> Markup {
        let (training, held_out) = self.rows;
        html! {
            header {
                p.brand { "modescope" }
                h1 { "Did the model learn the data?" }
                (self.verdict())
                p.facts {
                    "Recipe " b { (self.recipe) } " on " (self.source) ": " (training)
                    " rows to train on, " (held_out) " held out, " (self.columns.len()) " columns."
                }
                @for note in self.notes.iter().chain(&self.findings.notes) { p.note { (note) } }
                @if let Some(preflight) = &self.findings.preflight {
                    p class=(if preflight.remedy.is_some() { "note" } else { "evidence" }) {
                        "Before training, " (preflight.to_string().replacen("pre-flight: ", "", 1))
                    }
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
