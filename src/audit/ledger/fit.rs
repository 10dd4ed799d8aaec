//! Gaussians fitted to rows: one to all of them, or one a label.
//!
//! A covariance is that of the rows, as soon as there are [`ENOUGH`] of them a column. Of fewer rows
//! its correlations are shrunk towards 0 by the share that Schäfer and Strimmer (Statistical
//! Applications in Genetics and Molecular Biology 4, 2005, art. 32, target D) estimate to lose least:
//! Σ Var(rᵢⱼ) / Σ rᵢⱼ² over i ≠ j, held in (0, 1]. Variances stay as they are. So with fewer rows than
//! columns too the covariance is positive definite.
//!
//! That share loses least in the sum of squared errors of the correlations, in which a narrow
//! direction counts for nothing. Between columns with a correlation r near 1 it turns the variance
//! 1 − r into 1 − r + λr, and λ is about 2/n at least, and larger the more columns have nothing to do
//! with each other: of 20 columns, two of them with r = 0.99995, λ was 0.3 for 400 rows, and 5 % of
//! the draws of the fit lay where 99.7 % should. Unshrunk it was 99.7 %.

use std::collections::HashSet;

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};

use crate::audit::em::hidden_by_steps;
use crate::data::{Labels, Mixture};
use crate::error::{Error, Result};

/// The least variance of a column in a mode, as a share of that over all rows, so that columns that are
/// constant in a mode do no harm.
const VARIANCE_FLOOR: f64 = 1e-6;
/// Standard deviation of a constant column, as a share of its value.
const CONSTANT: f64 = 1e-6;
/// The least by which correlations are shrunk, so that columns may be copies of one another.
const LEAST_SHRINKAGE: f64 = 1e-6;
const SHARED: &str = "modes need labels that many rows share";
/// Labels at most: every pair of them is looked at.
const MOST_LABELS: usize = 1000;
/// Rows a column from which on nothing more is shrunk. The sample covariance of so many has 0.90 (50
/// columns) to 0.97 (5 columns) of fresh rows within its 0.9973 quantile; of three rows a column,
/// 0.66 to 0.89.
const ENOUGH: usize = 5;

/// One Gaussian fitted to `rows` (n × D): a mixture of one component.
///
/// # Errors
/// Where there are fewer than two rows, or their values are beyond what a [`Mixture`] holds.
pub fn one_gaussian(rows: ArrayView2<f32>) -> Result<Mixture> {
    if rows.nrows() < 2 {
        return Err(Error::input("a Gaussian cannot be fitted to fewer than two rows"));
    }
    let (floor, rows) = (least_variances(rows), rows.mapv(f64::from));
    Mixture::new(vec![1.0], vec![mean(&rows).to_vec()], vec![covariance(&rows, &floor, &floor)])
}

/// One Gaussian a label, fitted to the `rows` (n × D) that have it, weighted by their share. No column has a
/// smaller variance in it than the `least`, those of [`least_variances`] of these rows or of more.
///
/// A label with one row has the mean variances of the other labels about it, or those of all rows where
/// no label has two; a label without rows has weight 0.
///
/// # Errors
/// Where there are more than 1000 labels, or values are beyond what a [`Mixture`] holds.
///
/// # Panics
/// Where there is not one label a row, or one variance a column.
pub fn gaussian_per_label(
    rows: ArrayView2<f32>,
    labels: &Labels,
    least: &Array1<f64>,
) -> Result<Mixture> {
    assert_eq!(labels.of_row.len(), rows.nrows(), "one label a row");
    check_count(labels)?;
    assert_eq!(least.len(), rows.ncols(), "one variance a column");
    let all = rows.mapv(f64::from);
    let mut of_label = vec![Vec::new(); labels.names.len()];
    labels.of_row.iter().enumerate().for_each(|(row, &label)| of_label[label].push(row));
    let groups: Vec<Array2<f64>> =
        of_label.iter().map(|of_label| all.select(Axis(0), of_label)).collect();
    let (mut squares, mut free) = (Array1::<f64>::zeros(all.ncols()), 0.0);
    for group in groups.iter().filter(|group| group.nrows() > 1) {
        squares += &(group - &mean(group)).mapv(|x| x * x).sum_axis(Axis(0));
        free += group.nrows() as f64 - 1.0;
    }
    if free == 0.0 {
        squares = (&all - &mean(&all)).mapv(|x| x * x).sum_axis(Axis(0));
        free = (all.nrows() as f64 - 1.0).max(1.0);
    }
    let pooled = Array1::from_shape_fn(least.len(), |i| (squares[i] / free).max(least[i]));
    let of_group = |group: &Array2<f64>| {
        let mean = if group.is_empty() { mean(&all) } else { mean(group) };
        (mean.to_vec(), covariance(group, &pooled, least))
    };
    let (means, covariances) = groups.iter().map(of_group).unzip();
    let weights = groups.iter().map(|group| group.nrows() as f64 / all.nrows() as f64).collect();
    Mixture::new(weights, means, covariances)
}

/// Refuses the labels of a whole table where no modes can be made of them.
///
/// # Errors
/// Where there are more than 1000, or no two rows have the same.
pub fn check_labels(labels: &Labels) -> Result<()> {
    let (column, mut seen) = (&labels.column, HashSet::new());
    match labels.of_row.iter().all(|label| seen.insert(label)) {
        true => {
            Err(Error::input(format!("no label in column \"{column}\" has two rows")).help(SHARED))
        }
        false => check_count(labels),
    }
}

fn check_count(labels: &Labels) -> Result<()> {
    let (column, count) = (&labels.column, labels.names.len());
    match count > MOST_LABELS {
        true => Err(Error::input(format!(
            "column \"{column}\" has {count} labels, and an audit takes at most {MOST_LABELS}"
        ))
        .help(SHARED)),
        false => Ok(()),
    }
}

fn mean(rows: &Array2<f64>) -> Array1<f64> {
    rows.sum_axis(Axis(0)) / rows.nrows().max(1) as f64
}

/// The least variance that a fit of these rows (n × D) gives a column: the floor of a fit's variances.
/// Where it has none its value says how wide it is, a few times what f32 can tell apart, and no other
/// column's unit. For a column of steps at least [`hidden_by_steps`].
pub fn least_variances(rows: ArrayView2<f32>) -> Array1<f64> {
    let of_column = |column: ArrayView1<f32>| {
        let values = column.mapv(f64::from);
        let variance = values.var(0.0);
        let value = values.first().copied().unwrap_or_default();
        let least = match (variance > 0.0, value == 0.0) {
            (true, _) => VARIANCE_FLOOR * variance,
            (false, true) => CONSTANT.powi(2),
            (false, false) => (CONSTANT * value).powi(2),
        };
        least.max(hidden_by_steps(column))
    };
    rows.map_axis(Axis(0), of_column)
}

/// The covariance of `rows` as the module says; diagonal with the variances `without` for fewer than
/// two rows.
fn covariance(rows: &Array2<f64>, without: &Array1<f64>, floor: &Array1<f64>) -> Vec<Vec<f64>> {
    let (n, d) = rows.dim();
    if n < 2 {
        let entry = |i: usize, j: usize| if i == j { without[i] } else { 0.0 };
        return (0..d).map(|i| (0..d).map(|j| entry(i, j)).collect()).collect();
    }
    let n = n as f64;
    let centred = rows - &mean(rows);
    let variances = centred.mapv(|x| x * x).sum_axis(Axis(0)) / (n - 1.0);
    let deviations = Array1::from_shape_fn(d, |i| variances[i].max(floor[i]).sqrt());
    let scaled = centred / &deviations;
    let correlations = scaled.t().dot(&scaled) / (n - 1.0);
    let shrinkage = match rows.nrows() < ENOUGH * d {
        true => shrinkage(&scaled, &correlations),
        false => LEAST_SHRINKAGE,
    };
    let entry = |i: usize, j: usize| {
        let scale = deviations[i] * deviations[j];
        if i == j { scale } else { scale * correlations[(i, j)] * (1.0 - shrinkage) }
    };
    (0..d).map(|i| (0..d).map(|j| entry(i, j)).collect()).collect()
}

/// The share by which the `correlations` of the `scaled` rows are shrunk, as the module says.
fn shrinkage(scaled: &Array2<f64>, correlations: &Array2<f64>) -> f64 {
    let n = scaled.nrows() as f64;
    let squares = scaled.mapv(|x| x * x);
    // Over the rows, Σ (x y − mean of x y)², with x y of two scaled columns.
    let products = squares.t().dot(&squares);
    let (mut noise, mut signal) = (0.0, 0.0);
    for ((i, j), r) in correlations.indexed_iter().filter(|((i, j), _)| i < j) {
        let about_mean = products[(i, j)] - (r * (n - 1.0)).powi(2) / n;
        noise += n / (n - 1.0).powi(3) * about_mean;
        signal += r * r;
    }
    if signal > 0.0 { (noise / signal).clamp(LEAST_SHRINKAGE, 1.0) } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    fn labels(of_row: Vec<usize>, count: usize) -> Labels {
        let names = (0..count).map(|label| label.to_string()).collect();
        Labels { column: "kind".into(), names, of_row }
    }

    /// Mean, variances and correlation of a known Gaussian, from 200 000 draws of it.
    #[test]
    fn a_gaussian_is_found_again() {
        let truth = Mixture::new(
            vec![1.0],
            vec![vec![3.0, -2.0]],
            vec![vec![vec![4.0, 1.2], vec![1.2, 1.0]]],
        )
        .unwrap();
        let rows = truth.draw(200_000, 5, 0);
        let fitted = one_gaussian(rows.rows()).unwrap();
        for i in 0..2 {
            // Four standard errors, at most, of a mean and of a covariance.
            assert!((fitted.means()[0][i] - truth.means()[0][i]).abs() < 0.018);
            for j in 0..2 {
                let (found, expected) =
                    (fitted.covariances()[0][i][j], truth.covariances()[0][i][j]);
                assert!((found - expected).abs() < 0.051, "{found} {expected}");
            }
        }
    }

    /// Worked out with numpy from the paper's formulae: λ = 0.9205039503445039.
    #[test]
    fn correlations_are_shrunk_as_in_the_paper() {
        let rows = array![
            [1.0, 2.0, -1.0],
            [2.0, 1.0, 0.5],
            [4.0, 5.0, 2.0],
            [-1.0, 0.0, 3.0],
            [0.5, -2.0, 1.0]
        ];
        let floor = Array1::from_elem(3, 1e-9);
        let expected = [
            [3.45, 3.02084989e-01, -3.27921205e-02],
            [3.02084989e-01, 6.7, -1.98740124e-03],
            [-3.27921205e-02, -1.98740124e-03, 2.3],
        ];
        let found = covariance(&rows, &floor, &floor);
        for (found, expected) in found.iter().flatten().zip(expected.iter().flatten()) {
            assert!((found - expected).abs() < 1e-9, "{found} {expected}");
        }
    }

    /// As many draws of the fit as of the truth lie within the truth's 0.9973 quantile, 14.156 of χ²₃,
    /// where two columns differ by a hundredth of their deviation.
    #[test]
    fn narrow_directions_stay_narrow() {
        let covariance = vec![vec![1.0, 1.0, 0.0], vec![1.0, 1.0 + 1e-4, 0.0], vec![0.0, 0.0, 1.0]];
        let truth = Mixture::new(vec![1.0], vec![vec![0.0; 3]], vec![covariance]).unwrap();
        let fitted = one_gaussian(truth.draw(400, 5, 0).rows()).unwrap();
        let draws = truth.assign(fitted.draw(4000, 5, 1).rows());
        let near = draws.iter().filter(|row| row.squared_distance <= 14.156).count();
        assert!(near > 3900, "{near}");
    }

    #[test]
    fn constant_and_repeated_columns_and_few_rows_do_no_harm() {
        let constant = Array2::from_elem((5, 3), 7.0_f32);
        assert_eq!(one_gaussian(constant.view()).unwrap().means()[0], [7.0; 3]);
        let repeated = Array2::from_shape_fn((40, 3), |(i, j)| if j == 2 { 1.0 } else { i as f32 });
        one_gaussian(repeated.view()).unwrap();
        let wide = Array2::from_shape_fn((4, 30), |(i, j)| ((i * 31 + j * 17) % 7) as f32);
        one_gaussian(wide.view()).unwrap();
        assert!(one_gaussian(constant.slice(ndarray::s![..1, ..])).is_err());
    }

    /// Another column's unit makes none of them wide.
    #[test]
    fn a_constant_column_is_as_wide_as_its_value_allows() {
        let income = [31_000.0, 52_000.0, 47_500.0, 64_250.0];
        let rows = Array2::from_shape_fn((4, 3), |(i, j)| [income[i], 7.0, 0.0][j]);
        let least = least_variances(rows.view());
        assert!((least[1].sqrt() - 7e-6).abs() < 1e-12 && (least[2].sqrt() - 1e-6).abs() < 1e-12);
    }

    #[test]
    fn each_label_has_its_gaussian_and_few_rows_borrow() {
        let rows = array![[0.0_f32, 0.0], [2.0, 0.0], [0.0, 4.0], [2.0, 4.0], [9.0, 9.0]];
        let least = least_variances(rows.view());
        let some = labels(vec![0, 0, 0, 0, 2], 3);
        let fitted = gaussian_per_label(rows.view(), &some, &least).unwrap();
        assert_eq!(fitted.weights(), [0.8, 0.0, 0.2]);
        assert_eq!(fitted.means()[0], [1.0, 2.0]);
        assert_eq!(fitted.means()[2], [9.0, 9.0]);
        let close = |found: f64, expected: f64| assert!((found / expected - 1.0).abs() < 1e-12);
        close(fitted.covariances()[0][0][0], 4.0 / 3.0);
        close(fitted.covariances()[0][1][1], 16.0 / 3.0);
        assert_eq!(fitted.covariances()[0][0][1], 0.0);
        close(fitted.covariances()[2][1][1], 16.0 / 3.0);
        // Where no label has two rows, those of all rows, of which numpy's var(ddof=1) is 13.8.
        let single = labels(vec![0, 1, 2, 3, 4], 5);
        let fitted = gaussian_per_label(rows.view(), &single, &least).unwrap();
        close(fitted.covariances()[3][0][0], 13.8);
        let error = check_labels(&single).unwrap_err();
        assert_eq!(error.message(), "no label in column \"kind\" has two rows");
        // Some rows of a table have its names, those of other rows too.
        assert!(check_labels(&labels(vec![0, 2, 2], 3)).is_ok());
    }
}
