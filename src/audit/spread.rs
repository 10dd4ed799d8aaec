//! How far generated rows spread, against the data.

use ndarray::{ArrayView1, ArrayView2, Axis};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::latent::variance;
use crate::data::Units;

/// The generated standard deviation as a share of the data's: √(tr Cov(generated) / tr Cov(real)), both in
/// these units.
///
/// Both are rows × the same columns. 1 is the data's own spread; a collapsed model is near 0.
/// Nothing where all rows of `real` are equal.
///
/// # Panics
/// Where the numbers of columns differ.
pub fn spread_ratio(
    real: ArrayView2<f32>,
    generated: ArrayView2<f32>,
    units: &Units,
) -> Option<f64> {
    assert_eq!(real.ncols(), generated.ncols(), "the same columns");
    let trace = |rows: ArrayView2<f32>| -> f64 {
        let columns = rows.axis_iter(Axis(1)).enumerate();
        columns.map(|(i, column)| variance(column) / units.scale(i).powi(2)).sum()
    };
    let ratio = (trace(generated) / trace(real)).sqrt();
    ratio.is_finite().then_some(ratio)
}

/// Mean and standard deviation of one column, real and generated, in the data's units, and what may tell
/// generated values from real ones at sight.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ColumnMoments {
    /// Mean of the real rows.
    pub real_mean: f64,
    /// Standard deviation of the real rows.
    pub real_deviation: f64,
    /// Mean of the generated rows.
    pub generated_mean: f64,
    /// Standard deviation of the generated rows.
    pub generated_deviation: f64,
    /// Share of the real values that are below 0.
    pub real_negative: f64,
    /// Share of the generated values that are below 0.
    pub generated_negative: f64,
    /// Share of the real values that are whole numbers.
    pub real_whole: f64,
    /// Share of the generated values that are whole numbers.
    pub generated_whole: f64,
}

/// The moments of each column of `real` and `generated` rows, which must not be empty.
///
/// # Panics
/// Where the numbers of columns differ.
pub fn column_moments(real: ArrayView2<f32>, generated: ArrayView2<f32>) -> Vec<ColumnMoments> {
    assert_eq!(real.ncols(), generated.ncols(), "the same columns");
    let mean = |column: ArrayView1<f32>| {
        column.iter().copied().map(f64::from).sum::<f64>() / column.len().max(1) as f64
    };
    let share = |column: ArrayView1<f32>, is: fn(f32) -> bool| {
        column.iter().filter(|&&value| is(value)).count() as f64 / column.len().max(1) as f64
    };
    let negative = |column| share(column, |value| value < 0.0);
    let whole = |column| share(column, |value| value.fract() == 0.0);
    let columns = real.axis_iter(Axis(1)).zip(generated.axis_iter(Axis(1)));
    columns
        .map(|(real, generated)| ColumnMoments {
            real_mean: mean(real),
            real_deviation: variance(real).sqrt(),
            generated_mean: mean(generated),
            generated_deviation: variance(generated).sqrt(),
            real_negative: negative(real),
            generated_negative: negative(generated),
            real_whole: whole(real),
            generated_whole: whole(generated),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn scaled_rows_have_their_factor_as_ratio() {
        let real = array![[0.0_f32, 4.0], [2.0, -1.0], [-3.0, 8.0], [1.5, 0.25]];
        let (generated, units) = (&real * 0.125 + 7.0, Units::of(real.view()));
        assert!((spread_ratio(real.view(), real.view(), &units).unwrap() - 1.0).abs() < 1e-15);
        assert!(
            (spread_ratio(real.view(), generated.view(), &units).unwrap() - 0.125).abs() < 1e-12
        );
        let moments = column_moments(real.view(), generated.view());
        assert!((moments[0].real_mean - 0.125).abs() < 1e-12);
        assert!((moments[0].generated_mean - 7.015625).abs() < 1e-12);
        assert!((moments[0].generated_deviation / moments[0].real_deviation - 0.125).abs() < 1e-12);
        let shares = |index: usize| {
            let ColumnMoments { real_negative, generated_negative, .. } = moments[index];
            [real_negative, generated_negative, moments[index].real_whole]
        };
        assert_eq!([shares(0), shares(1)], [[0.25, 0.0, 0.75], [0.25, 0.0, 0.75]]);
        assert_eq!(moments[0].generated_whole, 0.25);
        let constant = array![[1.0_f32, 2.0], [1.0, 2.0]];
        assert_eq!(spread_ratio(constant.view(), real.view(), &units), None);
    }
}
