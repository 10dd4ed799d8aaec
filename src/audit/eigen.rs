//! Eigenvalues of symmetric matrices: the variances of data along their principal axes.

use ndarray::{Array2, ArrayView2, Axis};

use crate::random::{Generator, Stream};

/// Matrices up to this size give all their eigenvalues, larger ones the [`LARGEST`] largest.
pub const COMPLETE: usize = 64;
/// Eigenvalues of a matrix larger than [`COMPLETE`].
pub const LARGEST: usize = 8;
/// Sweeps of Jacobi's method at most; it converges quadratically and needs about 8.
const SWEEPS: usize = 40;
/// Steps of the subspace iteration at most.
const STEPS: usize = 500;

/// The eigenvalues of a symmetric matrix, largest first: all of them up to [`COMPLETE`] rows, the
/// [`LARGEST`] largest of a larger matrix.
///
/// Small matrices are diagonalised by Jacobi rotations, to rounding. For large ones it is subspace
/// iteration with Rayleigh–Ritz values (Golub and Van Loan 2013, sections 8.5 and 8.2.4): never
/// above the eigenvalues but for rounding, and below them by little where many eigenvalues are
/// nearly equal. There the matrix must be positive semidefinite, as a covariance is.
///
/// # Panics
/// Where the matrix is not square.
pub fn eigenvalues(matrix: ArrayView2<f64>) -> Vec<f64> {
    assert!(matrix.is_square(), "a symmetric matrix is square");
    if matrix.nrows() <= COMPLETE { jacobi(matrix).0 } else { largest(matrix) }
}

/// The [`eigenvalues`] of the covariance (the mean squared deviation, divisor n) of `rows`
/// (n × columns): the variances along the principal axes, in squared units of the data. None without
/// rows or columns.
///
/// With more columns than rows they are found on the n × n matrix of inner products, which has the
/// same ones above zero; then there are min(n, columns) of them, or [`LARGEST`].
pub fn covariance_eigenvalues(rows: ArrayView2<f32>) -> Vec<f64> {
    let mut rows = rows.mapv(f64::from);
    let Some(mean) = rows.mean_axis(Axis(0)) else { return Vec::new() };
    rows -= &mean;
    let covariance = if rows.ncols() <= rows.nrows() {
        covariance(rows.view())
    } else {
        rows.dot(&rows.t()) / rows.nrows() as f64
    };
    eigenvalues(covariance.view())
}

/// The covariance (divisor n) of rows whose mean is 0.
pub(crate) fn covariance(centred: ArrayView2<f64>) -> Array2<f64> {
    centred.t().dot(&centred) / centred.nrows() as f64
}

/// All eigenvalues of a symmetric matrix, largest first, and the eigenvectors as columns, in the
/// same order: cyclic Jacobi rotations.
pub(crate) fn jacobi(matrix: ArrayView2<f64>) -> (Vec<f64>, Array2<f64>) {
    let size = matrix.nrows();
    let mut matrix = matrix.to_owned();
    let mut vectors = Array2::eye(size);
    let negligible = f64::EPSILON * matrix.iter().map(|value| value * value).sum::<f64>().sqrt();
    for _ in 0..SWEEPS {
        let mut rotated = false;
        for p in 0..size {
            for q in p + 1..size {
                if matrix[[p, q]].abs() > negligible {
                    rotate(&mut matrix, &mut vectors, p, q);
                    rotated = true;
                }
            }
        }
        if !rotated {
            break;
        }
    }
    let values = matrix.diag();
    let mut order: Vec<usize> = (0..size).collect();
    order.sort_by(|&a, &b| values[b].total_cmp(&values[a]));
    (order.iter().map(|&index| values[index]).collect(), vectors.select(Axis(1), &order))
}

/// The rotation in the plane of `p` and `q` that makes the element (p, q) zero.
fn rotate(matrix: &mut Array2<f64>, vectors: &mut Array2<f64>, p: usize, q: usize) {
    let theta = (matrix[[q, q]] - matrix[[p, p]]) / (2.0 * matrix[[p, q]]);
    let tangent = theta.signum() / (theta.abs() + theta.hypot(1.0));
    let cosine = 1.0 / tangent.hypot(1.0);
    let sine = tangent * cosine;
    let turn = |first: &mut f64, second: &mut f64| {
        (*first, *second) = (cosine * *first - sine * *second, sine * *first + cosine * *second);
    };
    for target in [&mut *matrix, vectors] {
        let (mut left, mut right) =
            target.multi_slice_mut((ndarray::s![.., p], ndarray::s![.., q]));
        ndarray::Zip::from(&mut left).and(&mut right).for_each(turn);
    }
    let (mut upper, mut lower) = matrix.multi_slice_mut((ndarray::s![p, ..], ndarray::s![q, ..]));
    ndarray::Zip::from(&mut upper).and(&mut lower).for_each(turn);
    (matrix[[p, q]], matrix[[q, p]]) = (0.0, 0.0);
}

/// The [`LARGEST`] largest eigenvalues of a large positive semidefinite matrix.
fn largest(matrix: ArrayView2<f64>) -> Vec<f64> {
    let size = matrix.nrows();
    // A random start: no eigenvector is at right angles to it.
    let mut start = vec![0.0; size * LARGEST];
    Generator::new(0, Stream::Eigenvalues, 0).normal(&mut start);
    let mut basis = Array2::from_shape_fn((size, LARGEST), |(row, column)| {
        f64::from(start[row * LARGEST + column])
    });
    let mut values = vec![0.0; LARGEST];
    for _ in 0..STEPS {
        orthonormalise(&mut basis);
        let image = matrix.dot(&basis);
        let found = jacobi(basis.t().dot(&image).view()).0;
        let change = found.iter().zip(&values).map(|(new, old)| (new - old).abs());
        let settled = change.fold(0.0, f64::max) <= 1e-12 * found[0].abs();
        (values, basis) = (found, image);
        if settled {
            break;
        }
    }
    values
}

/// Makes the columns orthonormal by the modified Gram–Schmidt method; columns that depend on the
/// earlier ones become zero.
fn orthonormalise(basis: &mut Array2<f64>) {
    for column in 0..basis.ncols() {
        let (earlier, mut rest) = basis.view_mut().split_at(Axis(1), column);
        let mut own = rest.column_mut(0);
        let before = own.dot(&own).sqrt();
        // Twice, which is enough to lose no orthogonality (Kahan and Parlett).
        for _ in 0..2 {
            for other in earlier.columns() {
                let along = other.dot(&own);
                own.scaled_add(-along, &other);
            }
        }
        let length = own.dot(&own).sqrt();
        let factor = if length > 1e-12 * before { 1.0 / length } else { 0.0 };
        own *= factor;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array1, array};

    #[track_caller]
    fn assert_close(ours: &[f64], expected: &[f64], tolerance: f64) {
        assert_eq!(ours.len(), expected.len());
        for (ours, expected) in ours.iter().zip(expected) {
            let off = (ours - expected).abs() / expected.abs().max(1.0);
            assert!(off <= tolerance, "{ours} is not {expected} within {tolerance}");
        }
    }

    /// The second difference has the eigenvalues 2 − 2 cos(jπ / (size + 1)), j = 1..=size.
    fn second_difference(size: usize) -> (Array2<f64>, Vec<f64>) {
        let matrix =
            Array2::from_shape_fn((size, size), |(row, column)| match row.abs_diff(column) {
                0 => 2.0,
                1 => -1.0,
                _ => 0.0,
            });
        let angle = std::f64::consts::PI / (size + 1) as f64;
        (matrix, (1..=size).rev().map(|j| 2.0 - 2.0 * (j as f64 * angle).cos()).collect())
    }

    #[test]
    fn small_matrices_have_the_known_eigenvalues() {
        assert_close(&eigenvalues(array![[2.0, 1.0], [1.0, 2.0]].view()), &[3.0, 1.0], 1e-15);
        assert_close(&eigenvalues(array![[-5.0]].view()), &[-5.0], 0.0);
        assert_close(&eigenvalues(Array2::zeros((3, 3)).view()), &[0.0; 3], 0.0);
        for size in [5, COMPLETE] {
            let (matrix, expected) = second_difference(size);
            assert_close(&eigenvalues(matrix.view()), &expected, 1e-13);
            let (values, vectors) = jacobi(matrix.view());
            let product = vectors.dot(&Array2::from_diag(&Array1::from(values))).dot(&vectors.t());
            assert!((product - matrix).iter().all(|off| off.abs() < 1e-13));
        }
    }

    /// A rank below [`LARGEST`], eigenvalues of different size, and a leading eigenvector that no
    /// large element of the diagonal shows.
    #[test]
    fn large_matrices_have_their_largest_eigenvalues() {
        let size = 200;
        let mut matrix = Array2::from_elem((size, size), 0.0);
        matrix.slice_mut(ndarray::s![..100, ..100]).fill(1.0);
        for (index, variance) in [(150, 30.0), (160, 9.0), (170, 1e-3)] {
            matrix[[index, index]] = variance;
        }
        let expected = [100.0, 30.0, 9.0, 1e-3, 0.0, 0.0, 0.0, 0.0];
        assert_close(&eigenvalues(matrix.view()), &expected, 1e-9);
        // Nearly equal ones are found from below.
        let (matrix, expected) = second_difference(size);
        let ours = eigenvalues(matrix.view());
        assert!(ours[0] <= expected[0] + 1e-12 && ours[0] > 0.999 * expected[0], "{ours:?}");
    }

    #[test]
    fn variances_of_rows_do_not_depend_on_which_matrix_is_formed() {
        // Three rows in four columns: the points (±1, 0), (0, 2) in a rotated plane, far off.
        let offset = 1e4_f32;
        let wide = array![
            [offset + 1.0, offset, offset + 1.0, 0.0],
            [offset - 1.0, offset, offset - 1.0, 0.0],
            [offset, offset + 2.0, offset, 0.0],
        ];
        // Covariance: 4/3 along the first direction, 8/9 along the second.
        let expected = [4.0 / 3.0, 8.0 / 9.0, 0.0];
        assert_close(&covariance_eigenvalues(wide.view()), &expected, 1e-12);
        let twice = ndarray::concatenate![Axis(0), wide, wide];
        let all = [4.0 / 3.0, 8.0 / 9.0, 0.0, 0.0];
        assert_close(&covariance_eigenvalues(twice.view()), &all, 1e-12);
        assert!(covariance_eigenvalues(Array2::zeros((0, 3)).view()).is_empty());
        assert!(covariance_eigenvalues(Array2::zeros((3, 0)).view()).is_empty());
    }
}
