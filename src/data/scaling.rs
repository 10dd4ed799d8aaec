//! Scaling of columns before training, and its inverse.

use ndarray::{Array2, ArrayView1, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

use crate::config::{ScalingChoice, ScalingKind};

/// An affine map of each column: `scaled = (value − shift) / scale`.
///
/// Statistics are taken in f64 and stored in f32. A scale is always positive and finite, so the map
/// can be inverted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scaling {
    /// How shift and scale were found.
    pub kind: ScalingKind,
    /// What is subtracted from each column.
    pub shift: Vec<f32>,
    /// What each column is then divided by.
    pub scale: Vec<f32>,
    /// Columns whose values are all equal to their shift, which is what they are given back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub constant: Vec<usize>,
}

impl Scaling {
    /// The scaling that is asked for, for `rows` (n × columns). [`ScalingChoice::Auto`] becomes z-score where
    /// [`mixed_spreads`] finds columns of different units, else RMS.
    pub fn choose(asked: ScalingChoice, rows: ArrayView2<f32>) -> Self {
        let by_units = || match mixed_spreads(rows) {
            Some(_) => ScalingKind::ZScore,
            None => ScalingKind::Rms,
        };
        Self::fit(asked.named().unwrap_or_else(by_units), rows)
    }

    /// The scaling of this kind for `rows` (n × columns).
    ///
    /// Variances are those of the population (divided by n). [`ScalingKind::Rms`] divides every
    /// column by the square root of the mean of the columns' variances. For z-score and min–max a
    /// column that is constant has scale 1; for RMS the scale is 1 where every column is constant.
    /// Without rows nothing is shifted or scaled.
    pub fn fit(kind: ScalingKind, rows: ArrayView2<f32>) -> Self {
        let columns: Vec<Column> = rows.axis_iter(Axis(1)).map(Column::of).collect();
        let rms = {
            let sum: f64 = columns.iter().map(|column| column.variance).sum();
            (sum / columns.len() as f64).sqrt()
        };
        let (shift, scale) = columns
            .iter()
            .map(|column| match kind {
                ScalingKind::Rms => (column.mean, divisor(rms)),
                ScalingKind::ZScore => (column.mean, divisor(column.variance.sqrt())),
                ScalingKind::MinMax => (column.min, divisor(column.max - column.min)),
                ScalingKind::None => (0.0, 1.0),
            })
            .map(|(shift, scale)| (shift as f32, scale))
            .unzip();
        let is_known = kind != ScalingKind::None && rows.nrows() > 0;
        let constant = columns.iter().enumerate().filter(|(_, column)| column.variance == 0.0);
        let constant = constant.map(|(index, _)| index).filter(|_| is_known).collect();
        Self { kind, shift, scale, constant }
    }

    /// `rows` (n × columns) in scaled units.
    ///
    /// # Panics
    /// Where `rows` has another number of columns than the scaling.
    pub fn apply(&self, rows: ArrayView2<f32>) -> Array2<f32> {
        self.map(rows, |value, shift, scale| (value - shift) / scale)
    }

    /// `rows` (n × columns) of scaled units back in units of the data: the inverse of
    /// [`apply`](Self::apply) up to the rounding of the scaled value to f32. A result beyond f32's
    /// range is infinite, and a column that is constant has its value.
    ///
    /// # Panics
    /// Where `rows` has another number of columns than the scaling.
    pub fn invert(&self, rows: ArrayView2<f32>) -> Array2<f32> {
        let mut rows = self.map(rows, |value, shift, scale| value * scale + shift);
        for &column in &self.constant {
            rows.column_mut(column).fill(self.shift[column]);
        }
        rows
    }

    /// Σ ln scale: a log density in data units is the one in scaled units minus this.
    pub fn log_jacobian(&self) -> f64 {
        self.scale.iter().map(|&scale| f64::from(scale).ln()).sum()
    }

    /// Maps each value in f64, with its column's shift and scale, so that only the result is rounded.
    fn map(&self, rows: ArrayView2<f32>, f: impl Fn(f64, f64, f64) -> f64) -> Array2<f32> {
        assert_eq!(rows.ncols(), self.scale.len(), "columns of the rows and of the scaling");
        let mut rows = rows.as_standard_layout().into_owned();
        let values = rows.as_slice_mut().expect("rows one after the other");
        for row in values.chunks_exact_mut(self.scale.len().max(1)) {
            for ((value, &shift), &scale) in row.iter_mut().zip(&self.shift).zip(&self.scale) {
                *value = f((*value).into(), shift.into(), scale.into()) as f32;
            }
        }
        rows
    }
}

/// Columns whose standard deviations differ by more than this factor have different units.
const MIXED_SPREADS: f64 = 10.0;

/// Two columns of different units: the one with the least and the one with the largest standard
/// deviation, and how many times the one is the other, where that is more than ten. Constant columns
/// do not count.
pub fn mixed_spreads(rows: ArrayView2<f32>) -> Option<(usize, usize, f64)> {
    let spread = |column| Column::of(column).variance.sqrt();
    mixed_deviations(&rows.axis_iter(Axis(1)).map(spread).collect::<Vec<f64>>())
}

/// As [`mixed_spreads`], given the columns' standard deviations.
pub fn mixed_deviations(deviations: &[f64]) -> Option<(usize, usize, f64)> {
    let varying = || deviations.iter().copied().enumerate().filter(|(_, spread)| *spread > 0.0);
    let (narrow, least) = varying().min_by(|a, b| a.1.total_cmp(&b.1))?;
    let (wide, most) = varying().max_by(|a, b| a.1.total_cmp(&b.1))?;
    (most / least > MIXED_SPREADS).then_some((narrow, wide, most / least))
}

/// The statistics of one column.
struct Column {
    min: f64,
    max: f64,
    mean: f64,
    variance: f64,
}

impl Column {
    fn of(values: ArrayView1<f32>) -> Self {
        let values = || values.iter().map(|&value| f64::from(value));
        let n = values().len() as f64;
        let (min, max) = (values().fold(f64::NAN, f64::min), values().fold(f64::NAN, f64::max));
        // Equal values would leave a variance of rounding errors.
        if values().len() == 0 || min == max {
            let value = if min.is_nan() { 0.0 } else { min };
            return Self { min: value, max: value, mean: value, variance: 0.0 };
        }
        let mean = values().sum::<f64>() / n;
        let variance = values().map(|value| (value - mean).powi(2)).sum::<f64>() / n;
        Self { min, max, mean, variance }
    }
}

/// A spread as the number to divide by: 1 for no spread, else what is nearest among f32's normal
/// numbers (a range can reach twice f32's largest number).
fn divisor(spread: f64) -> f32 {
    if spread > 0.0 { spread.clamp(f32::MIN_POSITIVE.into(), f32::MAX.into()) as f32 } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use ndarray::array;
    use proptest::prelude::*;

    use super::*;

    const KINDS: [ScalingKind; 4] =
        [ScalingKind::Rms, ScalingKind::ZScore, ScalingKind::MinMax, ScalingKind::None];

    /// Population variances 1, 4 and 0; ranges 2, 4 and 0.
    fn rows() -> Array2<f32> {
        array![[1.0, 10.0, 7.0], [3.0, 14.0, 7.0]]
    }

    #[test]
    fn each_kind_has_its_closed_form() {
        let fit = |kind| {
            let scaling = Scaling::fit(kind, rows().view());
            (scaling.shift, scaling.scale)
        };
        let rms = (5.0_f64 / 3.0).sqrt() as f32;
        assert_eq!(fit(ScalingKind::Rms), (vec![2.0, 12.0, 7.0], vec![rms; 3]));
        assert_eq!(fit(ScalingKind::ZScore), (vec![2.0, 12.0, 7.0], vec![1.0, 2.0, 1.0]));
        assert_eq!(fit(ScalingKind::MinMax), (vec![1.0, 10.0, 7.0], vec![2.0, 4.0, 1.0]));
        assert_eq!(fit(ScalingKind::None), (vec![0.0; 3], vec![1.0; 3]));
    }

    #[test]
    fn a_constant_column_is_given_back_as_it_was() {
        for kind in [ScalingKind::Rms, ScalingKind::ZScore, ScalingKind::MinMax] {
            let scaling = Scaling::fit(kind, rows().view());
            assert_eq!(scaling.constant, [2]);
            let noisy = array![[0.3, -0.1, 0.2]];
            assert_eq!(scaling.invert(noisy.view())[(0, 2)], 7.0);
        }
    }

    #[test]
    fn min_max_maps_onto_the_unit_interval() {
        let scaled = Scaling::fit(ScalingKind::MinMax, rows().view()).apply(rows().view());
        assert_eq!(scaled, array![[0.0, 0.0, 0.0], [1.0, 1.0, 0.0]]);
    }

    #[test]
    fn rms_keeps_ratios_of_distances_and_has_mean_variance_one() {
        let data = array![[0.0_f32, 5.0], [3.0, 9.0], [-2.0, 100.0], [7.0, 31.0]];
        let scaling = Scaling::fit(ScalingKind::Rms, data.view());
        let scaled = scaling.apply(data.view());
        let variance: f32 = scaled.var_axis(Axis(0), 0.0).mean().unwrap();
        assert!((variance - 1.0).abs() < 1e-6);
        assert_eq!(scaling.scale[0], scaling.scale[1]);
    }

    #[test]
    fn units_that_differ_are_scaled_apart() {
        let alike = array![[0.0_f32, 5.0, 7.0], [3.0, 9.0, 7.0], [-2.0, 30.0, 7.0]];
        assert_eq!(Scaling::choose(ScalingChoice::Auto, alike.view()).kind, ScalingKind::Rms);
        let mut mixed = alike.clone();
        mixed.column_mut(1).mapv_inplace(|x| 10.0 * x);
        let (narrow, wide, ratio) = mixed_spreads(mixed.view()).unwrap();
        assert!((narrow, wide) == (0, 1) && ratio > 40.0, "{ratio}");
        let found = Scaling::choose(ScalingChoice::Auto, mixed.view());
        assert_eq!(found, Scaling::fit(ScalingKind::ZScore, mixed.view()));
    }

    #[test]
    fn the_jacobian_turns_a_density_back_to_data_units() {
        let scaling = Scaling::fit(ScalingKind::ZScore, rows().view());
        assert!((scaling.log_jacobian() - 2.0_f64.ln()).abs() < 1e-12);
        // A normal density of standard deviation 2 at one standard deviation, both ways.
        let normal =
            |x: f64, sd: f64| -0.5 * (x / sd).powi(2) - sd.ln() - 0.5 * std::f64::consts::TAU.ln();
        let back = normal(1.0, 1.0) - scaling.log_jacobian();
        assert!((back - normal(2.0, 2.0)).abs() < 1e-12);
    }

    #[test]
    fn extremes_stay_finite() {
        let data = array![[f32::MAX, 1e-45, 1e8], [f32::MIN, 0.0, 1e8 + 8.0], [0.0, 0.0, 1e8]];
        for kind in KINDS {
            let scaling = Scaling::fit(kind, data.view());
            assert!(scaling.scale.iter().all(|scale| scale.is_normal()), "{scaling:?}");
            assert!(scaling.apply(data.view()).iter().all(|value| value.is_finite()));
        }
        let none = Scaling::fit(ScalingKind::Rms, Array2::zeros((0, 2)).view());
        assert_eq!((none.shift, none.scale), (vec![0.0; 2], vec![1.0; 2]));
    }

    #[test]
    fn scalings_survive_json() {
        let scaling = Scaling::fit(ScalingKind::Rms, rows().view());
        let text = serde_json::to_string(&scaling).unwrap();
        assert!(text.contains("\"rms\""), "{text}");
        assert_eq!(serde_json::from_str::<Scaling>(&text).unwrap(), scaling);
    }

    proptest! {
        /// Two roundings: of the scaled value, worth |x − shift| · 2⁻²⁴, and of the result.
        #[test]
        fn inverting_returns_the_value_to_rounding(
            values in prop::collection::vec(-1.0_f32..1.0, 6),
            offset in -1.0_f32..1.0,
            exponent in -30_i32..38,
        ) {
            let size = 10.0_f32.powi(exponent);
            let data = Array2::from_shape_fn((3, 2), |(row, column)| {
                (values[2 * row + column] + 3.0 * offset * column as f32) * size / 4.0
            });
            for kind in KINDS {
                let scaling = Scaling::fit(kind, data.view());
                let back = scaling.invert(scaling.apply(data.view()).view());
                for ((row, column), &x) in data.indexed_iter() {
                    let far = (x - scaling.shift[column]).abs();
                    let allowed = (x.abs() + 2.0 * far) * f32::EPSILON / 2.0;
                    let error = (back[(row, column)] - x).abs();
                    prop_assert!(error <= allowed, "{kind:?}: {x} came back {error} away");
                }
            }
        }
    }
}
