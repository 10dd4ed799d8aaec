//! What the interactive views of the page show, as the JSON that it embeds.

use ndarray::{ArrayView1, ArrayView2};
use serde::{Deserialize, Serialize};

use super::palette;
use crate::plot::PriorComponent;
use crate::plot::theme::{Marker, class_style};

/// Points of one set that a view in space shows; two sets stay smooth.
const MOST_IN_SPACE: usize = 10_000;
/// Points of one set that a view in the plane shows, where each is an element of the page.
const MOST_IN_PLANE: usize = 2_500;
/// Values of one set on the page, so that it stays small however wide the data are.
const MOST_VALUES: usize = 50_000;

/// Rows of a set with so many columns that the page shows; of more it shows the first.
pub fn most_rows(columns: usize) -> usize {
    let most = if columns > 2 { MOST_IN_SPACE } else { MOST_IN_PLANE };
    most.min(MOST_VALUES / columns.max(1)).max(1)
}

/// Everything that the interactive views show.
#[derive(Clone, Debug, Serialize)]
pub struct Charts {
    /// Names of the data's columns.
    pub columns: Vec<String>,
    /// The classes that points are coloured by; may be none.
    pub classes: Vec<Class>,
    /// The rows trained on.
    pub real: Points,
    /// The samples.
    pub generated: Points,
    /// The latent space.
    pub latent: LatentView,
    /// The t-SNE embeddings.
    pub embeddings: Vec<EmbeddingView>,
}

impl Charts {
    /// JSON that may stand in a `script` element: nothing in it can end the element.
    pub(super) fn to_json(&self) -> String {
        // A struct of names and finite numbers has no value that JSON lacks.
        serde_json::to_string(self).unwrap_or_default().replace('<', "\\u003c")
    }
}

/// A class of rows and its look, the same as in the pictures.
#[derive(Clone, Debug, Serialize)]
pub struct Class {
    /// Its name: a label, or the number of a mode.
    pub name: String,
    /// Colour as `#RRGGBB`.
    pub color: String,
    /// The same on a dark page.
    pub dark: String,
    /// Shape of its points.
    pub marker: &'static str,
}

impl Class {
    /// The classes of these names, in their order.
    pub fn all(names: &[String]) -> Vec<Self> {
        let class = |(index, name): (usize, &String)| {
            let marker = match class_style(index).marker {
                Marker::Circle => "circle",
                Marker::Triangle => "triangle",
                Marker::Square => "square",
                Marker::Diamond => "diamond",
            };
            let [color, dark] = palette::colors(index);
            Self { name: name.clone(), color, dark, marker }
        };
        names.iter().enumerate().map(class).collect()
    }
}

/// What points stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Set {
    /// Rows trained on.
    Real,
    /// Samples.
    Generated,
    /// Posterior means of the rows trained on.
    Latent,
}

/// Points of one set, by column.
#[derive(Clone, Debug, Serialize)]
pub struct Points {
    /// What they stand for.
    set: Set,
    /// How many there are in all; the first of them are shown.
    of: usize,
    /// The number of each in its file, from 1.
    rows: Vec<usize>,
    /// The values of each column, to about four digits of its range.
    columns: Vec<Vec<f64>>,
    /// The class of each; absent where it is not known.
    classes: Option<Vec<usize>>,
}

impl Points {
    /// The first of `values` (n × columns), of `of` in all. `rows` are their numbers from 1.
    pub fn new(
        set: Set,
        values: ArrayView2<f32>,
        of: usize,
        rows: impl IntoIterator<Item = usize>,
        classes: Option<&[usize]>,
    ) -> Self {
        let shown = values.nrows().min(most_rows(values.ncols()));
        Self {
            set,
            of,
            rows: rows.into_iter().take(shown).collect(),
            columns: values
                .columns()
                .into_iter()
                .map(|column| rounded(column.slice(ndarray::s![..shown])))
                .collect(),
            classes: classes.map(|classes| classes[..shown].to_vec()),
        }
    }

    /// What they stand for.
    pub(super) fn set(&self) -> Set {
        self.set
    }

    /// Columns.
    pub(super) fn width(&self) -> usize {
        self.columns.len()
    }

    /// In words, where not all are shown.
    pub(super) fn thinned(&self) -> Option<String> {
        let (shown, of) = (self.rows.len(), self.of);
        let what = match self.set {
            Set::Real => "real rows",
            Set::Generated => "generated rows",
            Set::Latent => "posterior means",
        };
        (shown < of).then(|| format!("the first {shown} of {of} {what}"))
    }
}

/// The latent space.
#[derive(Clone, Debug, Serialize)]
pub struct LatentView {
    /// Posterior means, by unit.
    pub means: Points,
    /// The prior.
    pub prior: Vec<PriorComponentView>,
    /// Values over the plane of two units; absent where there are not two.
    pub map: Option<Map>,
}

/// A component of the prior.
#[derive(Clone, Debug, Serialize)]
pub struct PriorComponentView {
    weight: f64,
    mean: Vec<f64>,
    covariance: Vec<Vec<f64>>,
}

impl From<&PriorComponent> for PriorComponentView {
    fn from(component: &PriorComponent) -> Self {
        let rows = component.covariance.rows();
        Self {
            weight: round(component.weight, 4),
            mean: component.mean.iter().map(|&value| round(value, 4)).collect(),
            covariance: rows
                .into_iter()
                .map(|row| row.iter().map(|&value| round(value, 6)).collect())
                .collect(),
        }
    }
}

/// Values over a square grid of two latents.
#[derive(Clone, Debug, Serialize)]
pub struct Map {
    /// The grid's places along each unit.
    axes: [Vec<f64>; 2],
    /// The decoder's mean of each column at each point.
    decoded: Vec<Vec<f64>>,
    /// log₁₀ of posterior over prior density at each point; null where both have none.
    ratio: Vec<Option<f64>>,
}

impl Map {
    /// From a lattice (side² × 2, the first unit fastest), what is decoded there (side² × columns)
    /// and the ratio (one a point; not finite where it has no meaning).
    pub fn new(latents: ArrayView2<f32>, decoded: ArrayView2<f32>, ratio: ArrayView1<f32>) -> Self {
        let side = latents.nrows().isqrt();
        let first = latents.column(0);
        let second = latents.column(1);
        Self {
            axes: [
                rounded(first.slice(ndarray::s![..side])),
                rounded(second.slice(ndarray::s![..;side])),
            ],
            decoded: decoded.columns().into_iter().map(rounded).collect(),
            ratio: ratio
                .iter()
                .map(|&value| value.is_finite().then(|| round(f64::from(value), 2)))
                .collect(),
        }
    }
}

/// One t-SNE embedding.
#[derive(Clone, Debug, Serialize)]
pub struct EmbeddingView {
    /// Its perplexity.
    pub perplexity: f64,
    /// The sets that were embedded together, with two columns each.
    pub sets: Vec<Points>,
}

/// Values to about four digits of their range.
fn rounded(values: ArrayView1<f32>) -> Vec<f64> {
    let (low, high) =
        values.iter().fold((f32::MAX, f32::MIN), |(low, high), &v| (low.min(v), high.max(v)));
    let range = f64::from(high) - f64::from(low);
    let digits = if range > 0.0 { 4 - range.log10().floor() as i32 } else { 6 };
    values.iter().map(|&value| round(f64::from(value), digits)).collect()
}

/// A value to so many decimals, which prints with no more.
fn round(value: f64, decimals: i32) -> f64 {
    let factor = 10f64.powi(decimals.abs());
    let rounded = match decimals >= 0 {
        true => (value * factor).round() / factor,
        false => (value / factor).round() * factor,
    };
    // What is too large to be scaled is left as it is.
    if rounded.is_finite() { rounded } else { value }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;

    #[test]
    fn numbers_are_short_and_close() {
        for (values, expected) in [
            (array![0.0_f32, 0.123_456_7, 1.0], "[0.0,0.1235,1.0]"),
            (array![0.0, 123_456.7, 1e6], "[0.0,123500.0,1000000.0]"),
            (array![1e-9, 2.000_04e-9], "[1e-9,2e-9]"),
            (array![7.25, 7.25], "[7.25,7.25]"),
        ] {
            assert_eq!(serde_json::to_string(&rounded(values.view())).unwrap(), expected);
        }
        assert!(rounded(array![f32::MIN, f32::MAX].view()).iter().all(|value| value.is_finite()));
    }

    #[test]
    fn many_rows_are_thinned_and_it_says_so() {
        let rows = Array2::zeros((11_000, 3));
        let points = Points::new(Set::Generated, rows.view(), 50_000, 1.., None);
        assert_eq!((points.rows.len(), points.columns[2].len()), (10_000, 10_000));
        assert_eq!(points.thinned().unwrap(), "the first 10000 of 50000 generated rows");
        let few = Points::new(Set::Real, rows.slice(ndarray::s![..9, ..]), 9, 1.., Some(&[0; 9]));
        assert_eq!(few.thinned(), None);
        assert_eq!([2, 5, 50, 100_000].map(most_rows), [2_500, 10_000, 1_000, 1]);
    }

    #[test]
    fn nothing_in_the_json_can_end_a_script() {
        let none = Array2::zeros((1, 1));
        let points = |set| Points::new(set, none.view(), 1, [1], None);
        let name = "</script><!--<script>".to_string();
        let latent = LatentView { means: points(Set::Latent), prior: vec![], map: None };
        let charts = Charts {
            columns: vec![name.clone()],
            classes: Class::all(std::slice::from_ref(&name)),
            real: points(Set::Real),
            generated: points(Set::Generated),
            latent,
            embeddings: vec![],
        };
        let json = charts.to_json();
        assert!(!json.contains('<'), "{json}");
        let read: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(read["columns"][0], name);
        assert_eq!(read["classes"][0]["color"], "#0072B2");
    }
}
