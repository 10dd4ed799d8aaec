//! What a page runs, and what its content security policy allows for that.

use maud::{Markup, PreEscaped, html};

use super::Charts;

const VIEWS: &str = include_str!("page.js");
const LIVE: &str = include_str!("live.js");
/// plotly.js 4.1.1, its bundle for charts in space: npm's `plotly.js-gl3d-dist-min`.
const PLOTLY: &str = include_str!("../../assets/plotly/plotly-gl3d.min.js");
pub(super) const PLOTLY_LICENCE: &str = include_str!("../../assets/plotly/LICENSE");

/// What a page runs.
pub(super) enum Scripts<'a> {
    /// Nothing.
    None,
    /// What draws the views of these charts.
    Views(&'a Charts),
    /// The same, of charts that the page's server sends as they come.
    Live,
}

impl Scripts<'_> {
    /// The browser is told to fetch nothing, whatever the page holds, but from its own server where
    /// there is one. plotly.js compiles functions and draws images.
    pub fn policy(&self) -> String {
        let scripts = "; script-src 'unsafe-inline' 'unsafe-eval'; img-src data: blob:";
        let [scripts, server] = match self {
            Self::None => ["", ""],
            Self::Views(_) => [scripts, ""],
            Self::Live => [scripts, "; connect-src 'self'"],
        };
        format!("default-src 'none'; style-src 'unsafe-inline'{scripts}{server}")
    }

    /// The elements at the end of the page.
    pub fn elements(&self) -> Markup {
        let (charts, server) = match self {
            Self::None => return html! {},
            Self::Views(charts) => (charts.to_json(), ""),
            Self::Live => ("null".into(), LIVE),
        };
        html! {
            script type="application/json" id="data" { (PreEscaped(charts)) }
            @for script in [PLOTLY, VIEWS, server].into_iter().filter(|script| !script.is_empty()) { script { (PreEscaped(script)) } }
        }
    }
}
