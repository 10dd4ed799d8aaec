//! The interactive views: their controls, and what stands in their place where scripts or WebGL are
//! missing and in print.

use maud::{Markup, html};

use super::modes::swatch;
use super::parts::terms;
use super::{Charts, Points, Set};
use crate::audit::words::Standing;
use crate::plot::theme::short;

/// The columns that a view offers as axes.
const MOST_AXES: usize = 64;

impl Charts {
    /// Real and generated rows: in space, or in the plane where there are two columns. Unless all was
    /// learned the sets are told apart first: what was lost or invented has no colour of a mode.
    pub(super) fn rows_view(&self, standing: Standing, instead: Markup) -> Markup {
        let controls = html! {
            (choice("Rows", "sets", "both", &[
                ("both", "both, as many of each"), ("real", "real"), ("generated", "generated"),
            ]))
            (choice("Values", "values", "raw", &[
                ("raw", "as they are"), ("scaled", "each set min–max scaled"),
            ]))
            @if !self.classes.is_empty() {
                (colour(if standing == Standing::Good { "class" } else { "set" }))
            }
            @if self.columns.len() > 3 { (axes(&self.columns, &["x", "y", "z"])) }
            (self.class_choice())
        };
        html! {
            p { "Do the generated rows fill the places that the real rows fill, and only those?" }
            @let label = "Real and generated rows, to turn";
            (view("rows", label, controls, instead, self.columns.len() > 1))
            (thinned(&[&self.real, &self.generated]))
        }
    }

    /// The latent space: posterior means, prior, decoder grid and holes, with the share of the prior's
    /// mass that lies in holes where it is known.
    pub(super) fn latent_view(&self, hole_share: Option<f64>, instead: Markup) -> Markup {
        let map = self.latent.map.is_some();
        let units: Vec<String> =
            (0..self.latent.means.width()).map(|unit| format!("z{}", unit + 1)).collect();
        let controls = html! {
            @if map {
                fieldset {
                    legend { "Behind the points" }
                    label { span.hidden { "Behind the points" } select name="map" {
                        option value="" { "nothing" }
                        option value="ratio" { "holes of the prior" }
                        @for (index, name) in self.columns.iter().enumerate().take(MOST_AXES) {
                            option value=(index) { "decoder: " (short(name)) }
                        }
                    } }
                }
            }
            @if units.len() > 2 { (axes(&units, &["x", "y"])) }
            (self.class_choice())
        };
        html! {
            p {
                "Each point is where the encoder puts a row. Samples are drawn from the prior, outlined at \
                 2 σ (a single Gaussian also at 1 and 3): where it has mass but no points, it has a hole, \
                 and what is decoded there lies between the modes."
                @if let Some(share) = hole_share {
                    " Here " b { (format!("{:.1}%", 100.0 * share)) } " of the prior's mass lies in holes."
                }
            }
            (view("latent", "Posterior means over the prior", controls, instead, units.len() > 1))
            (thinned(&[&self.latent.means]))
        }
    }

    /// The t-SNE embeddings.
    pub(super) fn tsne_view(&self, instead: Markup) -> Markup {
        if self.embeddings.is_empty() {
            return html! {};
        }
        let of = |latent: bool| {
            self.embeddings.iter().filter(move |embedding| {
                embedding.sets.iter().any(|points| (points.set() == Set::Latent) == latent)
            })
        };
        let mut perplexities: Vec<f64> =
            self.embeddings.iter().map(|embedding| embedding.perplexity).collect();
        perplexities.sort_by(f64::total_cmp);
        perplexities.dedup();
        let perplexities: Vec<String> = perplexities.iter().map(f64::to_string).collect();
        let perplexities: Vec<(&str, &str)> =
            perplexities.iter().map(|text| (text.as_str(), text.as_str())).collect();
        let kinds = [("rows", "real and generated rows"), ("latent", "posterior means")];
        let kinds: Vec<(&str, &str)> = kinds
            .into_iter()
            .zip([false, true])
            .filter(|(_, latent)| of(*latent).next().is_some())
            .map(|(kind, _)| kind)
            .collect();
        let controls = html! {
            (choice("Embedded", "kind", kinds[0].0, &kinds))
            (choice("Perplexity", "perplexity", perplexities[perplexities.len() / 2].0, &perplexities))
            @if !self.classes.is_empty() {
                (colour("set"))
            }
            (self.class_choice())
        };
        html! {
            p {
                "Rows laid out in the plane so that near rows stay near. Where real and generated rows mix \
                 everywhere, they are alike; a patch of one kind alone is something lost or invented. \
                 Sizes of patches and distances between them mean nothing. Real and generated rows are at most \
                 250 each."
            }
            (view("tsne", "t-SNE", controls, instead, true))
            (terms(&[
                ("Perplexity", "about how many neighbours each row keeps near. Small shows fine structure \
                  and invents clumps in noise; large shows the layout of groups."),
            ]))
        }
    }

    /// Which classes to show.
    fn class_choice(&self) -> Markup {
        html! {
            @if !self.classes.is_empty() {
                fieldset.classes {
                    legend { "Modes" }
                    @for (index, class) in self.classes.iter().enumerate() {
                        label {
                            input type="checkbox" name="class" value=(index) checked;
                            (swatch(class)) (short(&class.name))
                        }
                    }
                    button type="button" data-all="true" { "all" }
                    button type="button" data-all="false" { "none" }
                }
            }
        }
    }
}

/// A view with its controls, which a script shows, and what stands for it until then. Where nothing
/// can be turned or hovered over, only that.
fn view(name: &str, label: &str, controls: Markup, instead: Markup, interactive: bool) -> Markup {
    html! {
        @if interactive {
            div.view data-view=(name) {
                form.controls hidden { (controls) button type="button" data-reset { "reset the view" } }
                p.problem hidden {
                    "This browser has no WebGL, which the view needs"
                    @if instead.0.is_empty() { "." } @else { "; here are its pictures instead." }
                }
                div.chart hidden tabindex="0" role="application" aria-label=(label)
                    aria-describedby={ (name) "-hint" } {}
                p.hint id={ (name) "-hint" } hidden {
                    span.by-mouse {
                        "Drag, scroll or use the arrow keys, + and −. Hover over a point for its row. "
                    }
                    span.by-touch {
                        "Tap the chart to drag and pinch it, and tap a point for its row; tap beside the chart to \
                         scroll on. "
                    }
                    output aria-live="polite" {}
                }
                div.instead { (instead) }
            }
        } @else { (instead) }
    }
}

/// One of several, with the value that is chosen at the start.
fn choice(legend: &str, name: &str, chosen: &str, options: &[(&str, &str)]) -> Markup {
    html! {
        fieldset {
            legend { (legend) }
            @for (value, text) in options {
                label { input type="radio" name=(name) value=(value) checked[*value == chosen]; (text) }
            }
        }
    }
}

/// What points are coloured by.
fn colour(chosen: &str) -> Markup {
    choice("Colour by", "colour", chosen, &[("class", "mode"), ("set", "real or generated")])
}

/// A column for each axis.
fn axes(columns: &[String], axes: &[&str]) -> Markup {
    html! {
        fieldset {
            legend { "Axes" }
            @for (place, axis) in axes.iter().enumerate() {
                label { (axis) " " select name=(axis) {
                    @for (index, column) in columns.iter().enumerate().take(MOST_AXES) {
                        option value=(index) selected[index == place] { (short(column)) }
                    }
                } }
            }
        }
    }
}

/// Says which sets are not shown whole.
fn thinned(sets: &[&Points]) -> Markup {
    let thinned: Vec<String> = sets.iter().filter_map(|points| points.thinned()).collect();
    html! { @if !thinned.is_empty() { p.evidence { "The view shows " (thinned.join(" and ")) "." } } }
}
