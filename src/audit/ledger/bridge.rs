//! Whether two modes have grown together.
//!
//! Rows of modes i and j are seen along Fisher's direction (Σᵢ + Σⱼ)⁻¹(μⱼ − μᵢ) (Fisher 1936), in
//! which equal covariances are furthest apart, on a scale with −1 at μᵢ, 0 where the two are equally
//! probable and 1 at μⱼ. Rows on the segment between the means lie in (−1, 1).
//!
//! The figure is the *bridge*: the share of i's rows beyond −½ and of j's rows before ½, averaged
//! over the two modes. It is 0.07 for two equal Gaussians at 6 standard deviations, 0.5 for rows
//! spread evenly over the segment, near 0.37 for one Gaussian in place of both. A mode that moved can
//! reach that alone, so the bridge counts only where no *valley* is left: the lowest density between
//! the highest on either side is at least half of their geometric mean. (The geometric mean, because
//! modes of unequal weight have it at the border.)
//!
//! Two modes are looked at where the truth's own draws have a valley, and a bridge narrow enough for
//! a wider one to show: with equal covariances and weights from 3.8 standard deviations on. Modes
//! nearer than that are never called merged.

use ndarray::{Array1, Array2, ArrayView2, Axis};

use super::covariance;
use super::verdict::Figure;
use crate::data::Mixture;

/// From here on a valley counts as filled.
const FILLED: f64 = 0.5;
/// The widest bridge that the truth may have for a merge to show.
const WIDEST_TRUE: f64 = 0.17;
/// Bins a unit of position.
const BINS: usize = 16;
/// Bins that a density is taken over: half of the way from a mean to the border.
const WIDTH: usize = BINS / 2;
/// How far out densities are looked at, in units of position.
const OUTER: f64 = 2.0;

/// Where the rows of two modes are looked at.
#[derive(Clone, Debug)]
pub(super) struct Bridge {
    pub(super) modes: [usize; 2],
    direction: Array1<f64>,
    /// Coordinates along the direction: of the first mean, of the border, of the second mean.
    places: [f64; 3],
}

impl Bridge {
    /// Nothing where the truth, of which `draws` are those given to each of the two modes (m × D),
    /// has a wide bridge itself or no valley.
    pub(super) fn between(
        mixture: &Mixture,
        modes: [usize; 2],
        draws: [ArrayView2<f64>; 2],
    ) -> Option<Self> {
        let mean = |k: usize| Array1::from(mixture.means()[k].clone());
        let (covariances, means) = (modes.map(|k| covariance(mixture, k)), modes.map(mean));
        let direction = fisher(&(&covariances[0] + &covariances[1]), &(&means[1] - &means[0]));
        let [start, end] = means.map(|mean| mean.dot(&direction));
        let distance = end - start;
        let deviations =
            covariances.map(|matrix| direction.dot(&matrix.dot(&direction)).sqrt() / distance);
        let weights = modes.map(|k| mixture.weights()[k]);
        let border = start + distance * border(weights, deviations)?;
        let bridge = Self { modes, direction, places: [start, border, end] };
        let (truth, valley) = bridge.seen(draws, 0.0)?;
        (truth.value <= WIDEST_TRUE && valley < FILLED).then_some(bridge)
    }

    /// The bridge between the rows given to the two modes (each m × D), with an interval of ± z
    /// standard errors of a mean of two shares; nothing where a valley is left or a mode has no row.
    pub(super) fn share(&self, rows: [ArrayView2<f64>; 2], z: f64) -> Option<Figure> {
        let (bridge, valley) = self.seen(rows, z)?;
        (valley >= FILLED).then_some(bridge)
    }

    /// The bridge, and how far the valley is filled.
    fn seen(&self, rows: [ArrayView2<f64>; 2], z: f64) -> Option<(Figure, f64)> {
        let [mut below, above] = rows.map(|rows| self.positions(rows));
        let (p, q) = (share(&below, |u| u > -0.5)?, share(&above, |u| u < 0.5)?);
        let variance = p * (1.0 - p) / below.len() as f64 + q * (1.0 - q) / above.len() as f64;
        let (value, reach) = ((p + q) / 2.0, z * variance.sqrt() / 2.0);
        below.extend(above);
        Some((Figure { value, interval: [value - reach, value + reach] }, valley(&below)))
    }

    fn positions(&self, rows: ArrayView2<f64>) -> Vec<f64> {
        let [start, border, end] = self.places;
        let position = |along: f64| {
            let past = along - border;
            past / if past < 0.0 { border - start } else { end - border }
        };
        rows.dot(&self.direction).into_iter().map(position).collect()
    }
}

/// The share of positions that are `inside`; nothing without positions.
fn share(positions: &[f64], inside: impl Fn(f64) -> bool) -> Option<f64> {
    let count = positions.iter().filter(|&&position| inside(position)).count();
    (!positions.is_empty()).then(|| count as f64 / positions.len() as f64)
}

/// Lowest density between the highest on either side of 0, over their geometric mean: near 0 between
/// two bumps, near 1 where there is one, or none.
fn valley(positions: &[f64]) -> f64 {
    let bins = (2.0 * OUTER) as usize * BINS;
    let mut histogram = vec![0_usize; bins];
    for position in positions {
        let bin = (position + OUTER) * BINS as f64;
        if bin >= 0.0 && bin < bins as f64 {
            histogram[bin as usize] += 1;
        }
    }
    let density: Vec<usize> = histogram.windows(WIDTH).map(|window| window.iter().sum()).collect();
    // The window centred on the border.
    let middle = density.len() / 2;
    let highest = |from: usize, to: usize| {
        (from..=to).max_by_key(|&at| (density[at], std::cmp::Reverse(at.abs_diff(middle))))
    };
    let (Some(low), Some(high)) = (highest(0, middle), highest(middle, density.len() - 1)) else {
        return 0.0;
    };
    let lowest = density[low..=high].iter().min().copied().unwrap_or_default();
    let peaks = (density[low] as f64 * density[high] as f64).sqrt();
    if peaks > 0.0 { lowest as f64 / peaks } else { 0.0 }
}

/// Where two Gaussians on a line, at 0 and 1 with these weights and standard deviations, are equally
/// probable; nothing where one is the more probable at both means.
fn border(weights: [f64; 2], deviations: [f64; 2]) -> Option<f64> {
    // The log-density of the first less that of the second.
    let ahead = |t: f64| {
        let [first, second] = [0, 1].map(|k| {
            let distance = (t - k as f64) / deviations[k];
            (weights[k] / deviations[k]).ln() - 0.5 * distance * distance
        });
        first - second
    };
    let (mut low, mut high) = (0.0, 1.0);
    // 2⁻⁵⁰: all the digits there are.
    for _ in 0..50 {
        let middle = (low + high) / 2.0;
        if ahead(middle) > 0.0 { low = middle } else { high = middle }
    }
    (ahead(0.0) > 0.0 && ahead(1.0) < 0.0).then_some(low)
}

/// A⁻¹ b, found with each column in the unit in which A's diagonal is 1, so that columns of different units
/// count alike.
fn fisher(a: &Array2<f64>, b: &Array1<f64>) -> Array1<f64> {
    let units = a.diag().mapv(f64::sqrt);
    solve(&(a / &units / units.view().insert_axis(Axis(1))), &(b / &units)) / units
}

/// Solves A x = b for a positive definite A by conjugate gradients (Hestenes and Stiefel 1952). With
/// a badly conditioned A the result lies between b and the solution, and either serves as a
/// direction.
fn solve(a: &Array2<f64>, b: &Array1<f64>) -> Array1<f64> {
    let mut x = Array1::zeros(b.len());
    let (mut residual, mut step) = (b.clone(), b.clone());
    let start = b.dot(b);
    let mut square = start;
    for _ in 0..b.len() {
        let image = a.dot(&step);
        let along = square / step.dot(&image);
        x.scaled_add(along, &step);
        residual.scaled_add(-along, &image);
        let next = residual.dot(&residual);
        if next <= 1e-20 * start {
            break;
        }
        step = &residual + &(next / square * &step);
        square = next;
    }
    x
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn conjugate_gradients_solve() {
        let a = array![[4.0, 1.0, 0.5], [1.0, 3.0, -0.25], [0.5, -0.25, 2.0]];
        let expected = array![1.0, -2.0, 0.5];
        let found = solve(&a, &a.dot(&expected));
        assert!((found - expected).iter().all(|error| error.abs() < 1e-12));
    }

    /// Modes 10 standard deviations apart in a narrow column, and a tenth of one in a wide one: (0.1 / 1e5,
    /// 10 / 1e-5), to a factor.
    #[test]
    fn fishers_direction_knows_no_units() {
        let deviations = [1e5, 1e-5];
        let covariance = Array2::from_diag(&Array1::from(deviations.map(|d| d * d).to_vec()));
        let found = fisher(&covariance, &array![0.1 * deviations[0], 10.0 * deviations[1]]);
        assert!((found[0] / found[1] * 1e12 - 1.0).abs() < 1e-9, "{found}");
    }

    /// Equal deviations s: ½ + s² ln(w₀ / w₁).
    #[test]
    fn the_border_has_its_closed_form() {
        let found = border([0.3, 0.1], [0.2, 0.2]).unwrap();
        assert!((found - 0.5 - 0.04 * 3.0_f64.ln()).abs() < 1e-12, "{found}");
        // Far apart, where densities underflow, and one upon the other.
        assert!((border([0.5, 0.5], [1e-3; 2]).unwrap() - 0.5).abs() < 1e-12);
        assert!(border([0.9, 0.1], [3.0; 2]).is_none());
        assert!(border([0.5, 0.5], [f64::NAN; 2]).is_none());
    }

    /// Two Gaussians with the same shear have their valley across it: on the line between the means
    /// they overlap.
    #[test]
    fn valleys_are_seen_along_fishers_direction() {
        let shear = vec![vec![4.0, 3.9], vec![3.9, 4.0]];
        let of_distance = |distance: f64| {
            let means = vec![vec![0.0, 0.0], vec![distance, 0.0]];
            let mixture = Mixture::new(vec![0.5; 2], means, vec![shear.clone(); 2]).unwrap();
            let table = mixture.draw(20_000, 1, 0);
            let of = |k: usize| {
                let of_row = &table.labels().unwrap().of_row;
                let rows: Vec<usize> = (0..20_000).filter(|&row| of_row[row] == k).collect();
                table.rows().select(ndarray::Axis(0), &rows).mapv(f64::from)
            };
            let (first, second) = (of(0), of(1));
            Bridge::between(&mixture, [0, 1], [first.view(), second.view()])
        };
        // The Mahalanobis distance is √(4 / 0.79) = 2.25 a unit; Φ(¾ d) − Φ(¼ d) = 0.17 at d = 3.78.
        assert!(of_distance(1.75).is_some());
        assert!(of_distance(1.6).is_none());
    }

    #[test]
    fn evenly_spread_positions_have_no_valley_and_two_bumps_have_one() {
        let even = |from: f64, to: f64| {
            (0..400).map(move |i| from + (to - from) * (f64::from(i) + 0.5) / 400.0)
        };
        let bridge: Vec<f64> = even(-1.0, 1.0).collect();
        assert!(valley(&bridge) > 0.95);
        let bumps: Vec<f64> = even(-1.25, -0.75).chain(even(0.75, 1.25)).collect();
        assert_eq!(valley(&bumps), 0.0);
        // A bump in the middle is one bump.
        assert!(valley(&even(-0.2, 0.2).collect::<Vec<_>>()) > 0.95);
        assert_eq!(valley(&[]), 0.0);
    }
}
