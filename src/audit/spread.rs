//! How far generated rows spread, against the data.

use ndarray::{ArrayView2, Axis};

use super::latent::variance;

/// The generated standard deviation as a share of the data's: √(tr Cov(generated) / tr Cov(real)).
///
/// Both are rows × the same columns. 1 is the data's own spread; a collapsed model is near 0.
/// Nothing where all rows of `real` are equal.
///
/// # Panics
/// Where the numbers of columns differ.
pub fn spread_ratio(real: ArrayView2<f32>, generated: ArrayView2<f32>) -> Option<f64> {
    assert_eq!(real.ncols(), generated.ncols(), "the same columns");
    let trace = |rows: ArrayView2<f32>| rows.axis_iter(Axis(1)).map(variance).sum::<f64>();
    let ratio = (trace(generated) / trace(real)).sqrt();
    ratio.is_finite().then_some(ratio)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn scaled_rows_have_their_factor_as_ratio() {
        let real = array![[0.0_f32, 4.0], [2.0, -1.0], [-3.0, 8.0], [1.5, 0.25]];
        let generated = &real * 0.125 + 7.0;
        assert!((spread_ratio(real.view(), real.view()).unwrap() - 1.0).abs() < 1e-15);
        assert!((spread_ratio(real.view(), generated.view()).unwrap() - 0.125).abs() < 1e-12);
        let constant = array![[1.0_f32, 2.0], [1.0, 2.0]];
        assert_eq!(spread_ratio(constant.view(), real.view()), None);
    }
}
