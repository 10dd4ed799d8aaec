//! Will it collapse? A check of data and loss before the first training step.
//!
//! For the loss b‖x − x̂‖² + KL the best that any decoder and an unrestricted posterior can do is the
//! maximum-likelihood mixture of Gaussians of variance v = 1/(2b) around the decoder's outputs.
//! Collapse puts all its mass on the mean μ of the rows. By Lindsay ("The geometry of mixture
//! likelihoods", Annals of Statistics 11, 1983, theorem 4.1) that is the maximum if and only if
//!
//! f(y) = meanᵢ exp(−b(‖xᵢ − y‖² − ‖xᵢ − μ‖²)) ≤ 1 for every point y.
//!
//! With the mean at the origin the exponent is b(2xᵢ·y − ‖y‖²), and the condition says that the data
//! are sub-Gaussian with the variance proxy v: mean exp(t·x) ≤ exp(v‖t‖²/2) for every t.
//!
//! Derivatives, with wᵢ the share of row i in f(y): ∇ ln f = 2b(Σ wᵢxᵢ − y), and
//! ∇² ln f = 4b²·Cov_w(x) − 2b·I. Three things follow.
//!
//! - *The ascent.* ln mean exp(2b xᵢ·y) is convex in y, so it lies above its tangent at the current
//!   point; that tangent less b‖y‖² is largest at y ← Σ wᵢxᵢ. So the step never lowers f: it is the
//!   EM step of the mixture's mean and the mean-shift step (Comaniciu and Meer 2002, theorem 1).
//! - *The local test.* At μ all shares are equal, so μ is no maximum where λmax of the covariance
//!   exceeds v. λmax ≤ v is necessary for collapse to be optimal, not sufficient: a small group of
//!   rows far away adds little to λmax and much to f.
//! - *The proof.* No weighted variance along a line exceeds the square of half the range (Popoviciu
//!   1935). So where every row is within √v of μ, ln f is concave, and f(μ) = 1 is its maximum.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::eigen::covariance_eigenvalues;
use super::subset::subset;
use crate::error::{Error, Result};

/// Largest ln f that is still 1 within rounding.
pub const TOLERANCE: f64 = 1e-9;
/// Rows that are looked at.
const ROWS: usize = 20_000;
/// Values that are looked at, which are fewer rows where rows are wide.
const VALUES: usize = 2_000_000;
/// Rows from which the ascents start and on which they run, and values of them.
const SEARCH_ROWS: usize = 2000;
const SEARCH_VALUES: usize = 500_000;
/// Ascents from the rows with the largest f, and as many from rows spread over the ranks of f.
const ASCENTS: usize = 64;
/// Values that a step of all ascents may visit; wide rows get fewer ascents, and at least 8.
const VISITS: usize = 4_000_000;
/// Steps of an ascent at most, and the gain in ln f below which it stops.
const STEPS: usize = 200;
const LEAST_GAIN: f64 = 1e-10;

/// Whether giving up the latents is the best a model can do on some rows: the global optimum of
/// b‖x − x̂‖² + KL.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Certificate {
    /// The weight b of the squared error against the KL divergence, in scaled units.
    pub b: f64,
    /// The variance 1/(2b) that the loss takes for noise.
    pub implied_variance: f64,
    /// The largest eigenvalue of the rows' covariance. Above the implied variance it alone shows
    /// that collapse is not optimal; below, it shows nothing.
    pub largest_eigenvalue: f64,
    /// ln of the largest f found, where f(y) is the mean of exp(−b(‖x − y‖² − ‖x − mean‖²)) over the
    /// rows. Never below 0, which is its value at the mean.
    pub log_max: f64,
    /// Whether collapse is the global optimum: no f above 1, and the largest eigenvalue not above
    /// the implied variance. If so, no network does better than to ignore its latents. If not, a
    /// posterior without restrictions would do better; a given network may still collapse.
    pub collapse_is_optimal: bool,
    /// Whether `collapse_is_optimal` is proved for the rows looked at. That collapse is not optimal
    /// always is. That it is optimal is proved where all rows lie within one implied standard
    /// deviation of their mean; else it means that no ascent found a better point.
    pub proved: bool,
    /// Rows looked at: all, or a random choice of a large table, and then every figure here is
    /// about those rows.
    pub rows: usize,
}

/// Checks whether collapse is the global optimum for `rows` (n × columns, in the units that the
/// model is trained on) under the loss b‖x − x̂‖² + KL.
///
/// b is 1/(Dβ) for the squared error averaged over D columns with the weight β on the KL divergence,
/// 1/β for its sum, 1/(2vβ) for a Gaussian likelihood of the fixed variance v.
///
/// The maximum of f is sought from the rows themselves, where its peaks are: from the best of them
/// and from others of every rank. Tables above 20 000 rows or 2 million values are judged by that
/// much of them, and the search runs on 2000 rows or half a million values; what it finds is carried
/// on with all rows looked at, and so is an ascent from the row that is furthest from the mean.
///
/// # Errors
/// Where b is not a positive number, there are no rows, a value is not finite, or the rows are so
/// far apart that b times their squared distance is not finite.
pub fn certify(rows: ArrayView2<f32>, b: f64) -> Result<Certificate> {
    if !(b > 0.0 && b.is_finite()) {
        return Err(Error::input(format!("the weight of the squared error is {b}"))
            .help("it must be a positive number"));
    }
    if let Some(((row, column), _)) = rows.indexed_iter().find(|(_, value)| !value.is_finite()) {
        let place = format!("row {}, column {}", row + 1, column + 1);
        return Err(Error::input(format!("{place}: not a finite number")));
    }
    let rows = rows.select(Axis(0), &within(rows, ROWS, VALUES));
    let implied_variance = 0.5 / b;
    let largest_eigenvalue = covariance_eigenvalues(rows.view()).first().copied();
    let Some(largest_eigenvalue) = largest_eigenvalue else {
        return Err(Error::input("there are no rows to check for collapse"));
    };
    let landscape = Landscape::new(rows.view(), b);
    let (furthest, squared_radius) = landscape.furthest();
    if !(b * squared_radius).is_finite() {
        return Err(Error::input(format!("rows are too far apart for a weight of {b}"))
            .help("scale the data"));
    }
    let concave = squared_radius <= implied_variance;
    let log_max = if concave { 0.0 } else { landscape.maximum(furthest) };
    // Rounding must not call rows spread that all lie at one distance from the mean.
    let curved_up = largest_eigenvalue > implied_variance * (1.0 + TOLERANCE);
    let collapse_is_optimal = log_max <= TOLERANCE && !curved_up;
    Ok(Certificate {
        b,
        implied_variance,
        largest_eigenvalue,
        log_max,
        collapse_is_optimal,
        proved: concave || !collapse_is_optimal,
        rows: rows.nrows(),
    })
}

/// The rows of a [`subset`] with at most so many rows and values, and at least one row.
fn within<T>(table: ArrayView2<T>, rows: usize, values: usize) -> Vec<usize> {
    subset(table.nrows(), rows.min(values / table.ncols().max(1)).max(1))
}

/// ln f over some rows.
struct Landscape {
    /// The rows less their mean, n × columns.
    rows: Array2<f64>,
    b: f64,
}

impl Landscape {
    fn new(rows: ArrayView2<f32>, b: f64) -> Self {
        let mut rows = rows.mapv(f64::from);
        if let Some(mean) = rows.mean_axis(Axis(0)) {
            rows -= &mean;
        }
        Self { rows, b }
    }

    /// The first of the rows that are furthest from the mean, and its squared distance to it.
    fn furthest(&self) -> (usize, f64) {
        let mut best = (0, 0.0);
        for (index, row) in self.rows.rows().into_iter().enumerate() {
            let squared = row.dot(&row);
            if squared > best.1 {
                best = (index, squared);
            }
        }
        best
    }

    /// The largest ln f that is found, and at least 0; see [`certify`]. `outlier` is one more row
    /// to start from.
    fn maximum(&self, outlier: usize) -> f64 {
        let some = within(self.rows.view(), SEARCH_ROWS, SEARCH_VALUES);
        let sample = Landscape { rows: self.rows.select(Axis(0), &some), b: self.b };
        let (_, highest) = sample.search();
        let outlier = self.rows.row(outlier);
        let ends = [highest.view(), outlier].map(|start| self.ascend(start).0);
        ends.into_iter().fold(0.0, f64::max)
    }

    /// The highest end of ascents from the rows: ln f and the place.
    fn search(&self) -> (f64, Array1<f64>) {
        let n = self.rows.nrows();
        let mut firsts: Vec<(f64, Array1<f64>)> =
            (0..n).into_par_iter().map(|row| self.step(self.rows.row(row))).collect();
        firsts.sort_by(|a, b| b.0.total_cmp(&a.0));
        let ascents = (VISITS / self.rows.len()).clamp(8, 2 * ASCENTS).min(n);
        let stride = n.div_ceil(ascents.div_ceil(2));
        let starts: Vec<&Array1<f64>> = firsts
            .iter()
            .enumerate()
            .filter(|(rank, _)| *rank < ascents / 2 || rank % stride == 0)
            .map(|(_, (_, first))| first)
            .collect();
        let ends: Vec<(f64, Array1<f64>)> =
            starts.into_par_iter().map(|start| self.ascend(start.view())).collect();
        let origin = (0.0, Array1::zeros(self.rows.ncols()));
        ends.into_iter().fold(origin, |best, end| if end.0 > best.0 { end } else { best })
    }

    /// Climbs from `start` until it gains no more: ln f and the place.
    fn ascend(&self, start: ArrayView1<f64>) -> (f64, Array1<f64>) {
        let mut place = start.to_owned();
        let (mut height, mut next) = self.step(place.view());
        for _ in 0..STEPS {
            let (higher, after) = self.step(next.view());
            let gain = higher - height;
            if gain > 0.0 {
                (height, place) = (higher, next);
            }
            if gain < LEAST_GAIN {
                break;
            }
            next = after;
        }
        (height, place)
    }

    /// ln f at `place`, and where the ascent goes from there.
    fn step(&self, place: ArrayView1<f64>) -> (f64, Array1<f64>) {
        let mut shares = self.rows.dot(&place);
        let squared = place.dot(&place);
        shares.mapv_inplace(|product| self.b * (2.0 * product - squared));
        let largest = shares.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        shares.mapv_inplace(|exponent| (exponent - largest).exp());
        let total = shares.sum();
        let height = largest + (total / shares.len() as f64).ln();
        (height, shares.dot(&self.rows) / total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Generator, Stream};
    use ndarray::{array, concatenate, s};

    fn noise(n: usize, columns: usize) -> Array2<f32> {
        let mut values = vec![0.0; n * columns];
        Generator::new(11, Stream::MixtureRows, 0).normal(&mut values);
        Array2::from_shape_vec((n, columns), values).unwrap()
    }

    /// ln f by its definition, one term after the other.
    fn by_definition(rows: &Array2<f32>, b: f64, place: &[f64]) -> f64 {
        let rows = rows.mapv(f64::from);
        let mean = rows.mean_axis(Axis(0)).unwrap();
        let terms = rows.rows().into_iter().map(|row| {
            let squared =
                |to: &[f64]| -> f64 { row.iter().zip(to).map(|(x, y)| (x - y).powi(2)).sum() };
            (-b * (squared(place) - squared(mean.as_slice().unwrap()))).exp()
        });
        (terms.sum::<f64>() / rows.nrows() as f64).ln()
    }

    /// `share` of ten rows at 1 and the others at 0.
    fn unequal_pair(share: usize) -> Array2<f32> {
        Array2::from_shape_fn((10, 1), |(row, _)| if row < share { 1.0 } else { 0.0 })
    }

    /// For ±a, ln f(y) = ln cosh(2aby) − by², and cosh t ≤ exp(t²/2): the threshold is b = 1/(2a²).
    #[test]
    fn two_equal_points_have_the_closed_form() {
        let a = 3.0;
        let rows = array![[7.0 - a as f32], [7.0 + a as f32]];
        let threshold = 0.5 / (a * a);
        let below = certify(rows.view(), threshold * (1.0 - 1e-6)).unwrap();
        assert!(below.collapse_is_optimal && below.proved && below.log_max == 0.0);
        assert!((below.largest_eigenvalue - a * a).abs() < 1e-12);
        let above = certify(rows.view(), threshold * 1.01).unwrap();
        assert!(!above.collapse_is_optimal && above.proved);
        // At b = 2/a² the best place solves y = a tanh(4y/a).
        let found = certify(rows.view(), 2.0 / (a * a)).unwrap();
        let mut y = a;
        for _ in 0..100 {
            y = a * (4.0 * y / a).tanh();
        }
        let expected = (4.0 * y / a).cosh().ln() - 2.0 * (y / a).powi(2);
        assert!((found.log_max - expected).abs() < 1e-9, "{} {expected}", found.log_max);
    }

    /// The variance proxy of a share p at 1 and the rest at 0 is (1 − 2p) / (2 ln((1 − p)/p))
    /// (Kearns and Saul 1998), above the variance p(1 − p): in between the local test passes and
    /// collapse is not optimal.
    #[test]
    fn unequal_points_collapse_below_their_variance_proxy_only() {
        for share in [1, 2, 4] {
            let rows = unequal_pair(share);
            let p = share as f64 / 10.0;
            let threshold = ((1.0 - p) / p).ln() / (1.0 - 2.0 * p);
            let below = certify(rows.view(), threshold * 0.9999).unwrap();
            assert!(below.collapse_is_optimal && !below.proved, "{below:?}");
            let above = certify(rows.view(), threshold * 1.001).unwrap();
            assert!(!above.collapse_is_optimal, "{above:?}");
            assert!(above.largest_eigenvalue < above.implied_variance, "{above:?}");
            assert!((above.largest_eigenvalue - p * (1.0 - p)).abs() < 1e-12);
        }
    }

    /// Uniform rows are strictly sub-Gaussian: the proxy is the variance (Arbel, Marchal and Nguyen
    /// 2020), so the local test is exact although no proof by the range is at hand.
    #[test]
    fn the_local_test_decides_for_uniform_rows() {
        let rows = Array2::from_shape_fn((501, 1), |(row, _)| (row as f32 - 250.0) / 250.0);
        let variance = covariance_eigenvalues(rows.view())[0];
        let below = certify(rows.view(), 0.5 / (variance * 1.0001)).unwrap();
        assert!(below.collapse_is_optimal && !below.proved, "{below:?}");
        assert!(!certify(rows.view(), 0.5 / (variance * 0.9999)).unwrap().collapse_is_optimal);
    }

    #[test]
    fn the_maximum_is_that_of_a_fine_grid() {
        let line = concatenate![Axis(0), noise(60, 1), noise(5, 1) + 9.0, noise(9, 1) - 6.0];
        for b in [0.03, 0.1, 1.0] {
            let on_the_grid = (-4000..4000)
                .map(|step| by_definition(&line, b, &[f64::from(step) * 0.004]))
                .fold(0.0, f64::max);
            let found = certify(line.view(), b).unwrap().log_max;
            assert!(found >= on_the_grid - 1e-12, "{found} {on_the_grid}");
            assert!(found <= on_the_grid + b * 0.004 * 0.004, "{found} {on_the_grid}");
        }
        let mut plane = concatenate![Axis(0), noise(50, 2), noise(4, 2), noise(8, 2) * 0.5];
        plane.slice_mut(s![50..54, ..]).mapv_inplace(|value| value + 5.0);
        plane.slice_mut(s![54.., 0]).mapv_inplace(|value| value - 6.0);
        for b in [0.05, 0.2] {
            let place = |step: i32| f64::from(step) * 0.05;
            let on_the_grid = (-180..180)
                .flat_map(|x| (-180..180).map(move |y| [place(x), place(y)]))
                .map(|place| by_definition(&plane, b, &place))
                .fold(0.0, f64::max);
            let found = certify(plane.view(), b).unwrap().log_max;
            assert!(found >= on_the_grid - 1e-12, "{found} {on_the_grid}");
            assert!(found <= on_the_grid + 2.0 * b * 0.05 * 0.05, "{found} {on_the_grid}");
        }
    }

    /// Min–max scaled rows under b = 1/96, where the reference experiment collapsed.
    #[test]
    fn the_classic_loss_is_proved_to_collapse() {
        let mut values = vec![0.0; 3000];
        Generator::new(5, Stream::MixtureRows, 0).uniform(&mut values);
        let rows = Array2::from_shape_vec((1000, 3), values).unwrap();
        let found = certify(rows.view(), 1.0 / 96.0).unwrap();
        assert!(found.collapse_is_optimal && found.proved);
        assert_eq!((found.log_max, found.rows), (0.0, 1000));
        assert!((found.implied_variance - 48.0).abs() < 1e-12);
    }

    /// One row far off among many is found although the search leaves most rows out:
    /// f ≥ exp(bR²) / n at that row.
    #[test]
    fn a_lone_row_far_away_is_not_overlooked() {
        let mut rows = noise(5000, 1);
        rows[[4321, 0]] = 60.0;
        let found = certify(rows.view(), 0.01).unwrap();
        assert!(found.largest_eigenvalue < found.implied_variance);
        assert!(!found.collapse_is_optimal && found.log_max > 36.0 * 0.99 - 5000_f64.ln());
        // A table too large for all rows says how many it stands for.
        assert_eq!(certify(noise(20_001, 1).view(), 0.01).unwrap().rows, 20_000);
    }

    #[test]
    fn rows_without_spread_collapse_and_offsets_change_nothing() {
        let one = array![[1e30_f32, -2.0, 3.0]];
        let same = Array2::from_elem((40, 3), 1e30_f32);
        for rows in [one, same] {
            let found = certify(rows.view(), 1e6).unwrap();
            assert!(found.collapse_is_optimal && found.proved);
            assert_eq!((found.log_max, found.largest_eigenvalue), (0.0, 0.0));
        }
        // Multiples of 1/4 stay exact beside 2²⁰.
        let rows = noise(300, 2).mapv(|value| (value * 4.0).round() / 4.0);
        let near = certify(rows.view(), 0.7).unwrap();
        let far = certify((&rows + 1_048_576.0).view(), 0.7).unwrap();
        assert!((near.log_max - far.log_max).abs() < 1e-9 && near.log_max > 0.0);
        assert!((near.largest_eigenvalue - far.largest_eigenvalue).abs() < 1e-9);
    }

    /// With exponents of ±10⁶ a quarter of the rows has f as large as if it were alone.
    #[test]
    fn large_exponents_stay_finite() {
        let rows = array![[0.0_f32], [0.0], [0.0], [1000.0]];
        let found = certify(rows.view(), 2.0).unwrap();
        let expected = 2.0 * 750.0 * 750.0 - 4_f64.ln();
        assert!((found.log_max - expected).abs() < 1e-6, "{}", found.log_max);
    }

    #[test]
    fn the_number_of_threads_changes_nothing() {
        let rows = noise(400, 3);
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| certify(rows.view(), 0.6).unwrap())
        };
        assert_eq!(on(1), on(3));
    }

    #[test]
    fn what_cannot_be_checked_is_refused() {
        let rows = noise(4, 2);
        for b in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(certify(rows.view(), b).is_err());
        }
        assert!(certify(rows.slice(s![..0, ..]), 1.0).is_err());
        assert!(certify(rows.slice(s![.., ..0]), 1.0).is_err());
        assert!(certify(array![[1e38_f32], [-1e38]].view(), 1e300).is_err());
        let error = certify(array![[1.0_f32, f32::NAN]].view(), 1.0).unwrap_err();
        assert_eq!(error.message(), "row 1, column 2: not a finite number");
    }
}
