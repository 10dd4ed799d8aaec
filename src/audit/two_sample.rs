//! The classifier two-sample test: can generated rows be told from real ones?

use ndarray::{ArrayView2, Axis, concatenate};

use super::estimate::Estimate;
use crate::config::ScalingKind;
use crate::data::Scaling;
use crate::error::Result;
use crate::knn::{Points, Tree, check};
use crate::random::{Generator, Stream};

/// Parts of the rows, each told apart by what the other parts show.
pub const FOLDS: usize = 5;

/// The accuracy with which a classifier tells `real` from `generated` rows, both rows × the same
/// columns (Lopez-Paz and Oquab 2017): about 0.5 where they follow one distribution, 1 where every
/// row gives itself away.
///
/// Of the larger set as many rows are taken as the other has, chosen at random. Each is classified by
/// the k nearest of the rows outside its own of [`FOLDS`] folds, which hold as many real as generated
/// rows; k is odd, so that no vote ties, and about the square root of the number of those rows. On
/// mixtures of ten Gaussians in three dimensions k = 89, of 8000 rows, told samples with lost modes,
/// wrong weights, wider or narrower modes better than fewer neighbours did (three lost modes of ten:
/// 0.62, against 0.58 for k = 5), and about as well as any number. Columns are divided by the standard deviation of the real rows, so units do not matter; a column in which
/// they are all equal is left as it is. Equally near rows are taken in random order.
///
/// The interval takes the predictions as independent. It is approximate, because folds share the
/// rows that they are told apart by.
///
/// # Errors
/// Where a set has fewer rows than folds, or a value is not finite.
///
/// # Panics
/// Where the numbers of columns differ.
pub fn two_sample_accuracy(
    real: ArrayView2<f32>,
    generated: ArrayView2<f32>,
    seed: u64,
) -> Result<Estimate> {
    check(real, generated, FOLDS)?;
    let n = real.nrows().min(generated.nrows());
    let generator = |step| Generator::new(seed, Stream::TwoSample, step);
    let scaling = Scaling::fit(ScalingKind::ZScore, real);
    let scaled = |rows: ArrayView2<f32>, step: u64| {
        let chosen = generator(step).permutation(rows.nrows());
        scaling.apply(rows.select(Axis(0), &chosen[..n]).view())
    };
    let pooled = concatenate![Axis(0), scaled(real, 0), scaled(generated, 1)];
    // The tree must not know which rows are real, or equally near rows would tell.
    let order = generator(2).permutation(2 * n);
    // A scaled value may be infinite, which has no distance from another such.
    let pooled = pooled.select(Axis(0), &order).mapv(|value| value.clamp(f32::MIN, f32::MAX));

    let tree = Tree::new(&Points::new(pooled.view()));
    let is_real: Vec<bool> = order.iter().map(|&row| row < n).collect();
    let folds: Vec<u8> = order.iter().map(|&row| (row % n % FOLDS) as u8).collect();
    let k = (2 * (n - n.div_ceil(FOLDS))).isqrt() | 1;
    let right = tree.of_rows(|leaf, found, right: &mut [bool]| {
        tree.nearest(leaf, k, |row, other| folds[other] != folds[row], found);
        for ((right, found), &row) in right.iter_mut().zip(found).zip(leaf.rows) {
            let votes = found.iter().filter(|&&(_, other)| is_real[other]).count();
            *right = (2 * votes > k) == is_real[row];
        }
    });
    Ok(Estimate::share(right.into_iter().filter(|&right| right).count(), 2 * n))
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array, s};

    use super::*;

    fn normal(n: usize, columns: usize, step: u64) -> Array2<f32> {
        let mut values = vec![0.0; n * columns];
        Generator::new(3, Stream::MixtureRows, step).normal(&mut values);
        Array2::from_shape_vec((n, columns), values).unwrap()
    }

    fn accuracy(real: &Array2<f32>, generated: &Array2<f32>) -> f64 {
        two_sample_accuracy(real.view(), generated.view(), 1).unwrap().value
    }

    /// Rows of those of ten Gaussians in three dimensions that remain.
    fn mixture(n: usize, step: u64, remain: usize) -> Array2<f32> {
        let mut means = [0.0; 30];
        Generator::new(3, Stream::MixtureShape, 0).uniform(&mut means);
        let mut rows = normal(n, 3, step);
        for (i, mut row) in rows.outer_iter_mut().enumerate() {
            let mean = &means[3 * (i % remain)..][..3];
            row.iter_mut().zip(mean).for_each(|(value, mean)| *value += 10.0 * mean - 5.0);
        }
        rows
    }

    /// Two normal distributions two standard deviations apart: Φ(1) at best.
    #[test]
    fn the_accuracy_is_about_that_of_the_best_classifier() {
        let found = accuracy(&normal(5000, 1, 0), &(normal(5000, 1, 1) + 2.0));
        // Three standard errors.
        assert!((found - 0.8413).abs() < 0.011, "{found}");
    }

    #[test]
    fn lost_modes_and_a_collapse_are_seen_and_fresh_rows_are_not() {
        let real = mixture(3000, 0, 10);
        let fresh = accuracy(&real, &mixture(2000, 1, 10));
        assert!((fresh - 0.5).abs() < 0.025, "{fresh}");
        let lost = accuracy(&real, &mixture(2000, 1, 7));
        assert!(lost > 0.57, "{lost}");
        let collapsed = accuracy(&real, &Array2::zeros((2000, 3)));
        assert!(collapsed > 0.98, "{collapsed}");
    }

    #[test]
    fn units_do_not_matter_and_constant_columns_do_no_harm() {
        let (mut real, mut generated) = (normal(400, 3, 0), normal(300, 3, 1) * 1.5);
        for rows in [&mut real, &mut generated] {
            rows.column_mut(2).fill(4.0);
        }
        let units = array![1.0_f32, 1024.0, 0.125];
        let found = accuracy(&real, &generated);
        assert_eq!(found, accuracy(&(&real * &units), &(&generated * &units)));
        let two = |rows: &Array2<f32>| rows.slice(s![.., ..2]).to_owned();
        assert_eq!(found, accuracy(&two(&real), &two(&generated)));
    }

    #[test]
    fn equal_rows_and_few_values_cannot_be_told_apart() {
        let rows = Array2::ones((10_000, 2));
        assert_eq!(accuracy(&rows, &rows), 0.5);
        let few = |step| normal(2000, 2, step).mapv(f32::signum);
        let found = accuracy(&few(0), &few(1));
        assert!((found - 0.5).abs() < 0.03, "{found}");
    }

    #[test]
    fn any_rows_have_an_accuracy_but_too_few_have_not() {
        let wide = array![[f32::MAX], [f32::MIN], [f32::MAX], [1.0], [0.0]];
        let narrow = array![[1e-38_f32], [0.0], [0.0], [0.0], [0.0]];
        assert!(accuracy(&wide, &narrow).is_finite());
        assert!(accuracy(&narrow, &wide).is_finite());
        let error = two_sample_accuracy(wide.view(), narrow.slice(s![..4, ..]), 1).unwrap_err();
        assert_eq!(error.message(), "4 generated rows are too few to compare: it takes 5");
    }
}
