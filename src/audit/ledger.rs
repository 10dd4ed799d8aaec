//! The mode ledger: which modes of a known mixture a set of rows holds, and what is wrong with the
//! others.
//!
//! Every row is given to its most probable component and is of *high quality* where its squared
//! Mahalanobis distance from it is at most the χ² quantile 0.9973 with D degrees of freedom (three
//! standard deviations in one dimension). What the truth itself gives under the same rule comes
//! from [`TRUTH_DRAWS`] draws of it, so modes that overlap are judged fairly.
//!
//! The figures of a mode, and the intervals that say whether a figure is clear of its threshold:
//!
//! - **ratio**: high-quality rows found, over those expected. Wilson's interval of the found share,
//!   over the expected share, widened by the noise of the draws and, of a fitted mixture, of its weights.
//! - **mean shift** s: distance of the mean of the rows given to the mode from the mean of the
//!   truth's, in σ = √(tr Σ / D). The difference δ of the means has the covariance V = S/m + uΣ: S is
//!   that of the m rows found, Σ that of the truth's draws, and u = 1/draws, of a fitted mixture with
//!   one over the rows that the mode was fitted to added. E‖δ‖² exceeds the square of the true
//!   distance by tr V, which in many dimensions would pass for a shift, so it is taken off. The
//!   variance of ‖δ‖² is 4 δᵀVδ + 2 tr V² (normal means); the interval is that of s², its roots taken.
//! - **spread ratio**: mean squared distance of those rows from their own mean, over the truth's.
//!   The interval is normal in the logarithm, whose variance is c²/m for the rows and uc² for the
//!   truth, c being the coefficient of variation of the squared distances of either.
//! - **bridge**, for two modes that merge: the share of their rows past half of the way to the border
//!   between them, where no valley is left on the way (`ledger/bridge.rs`). The interval is normal.

mod bridge;
mod fit;
mod judged;
mod rows;
mod units;
mod verdict;

use ndarray::{Array1, Array2, ArrayView2, Axis};
use statrs::distribution::{ChiSquared, ContinuousCDF};

use self::bridge::Bridge;
pub use self::fit::{check_labels, gaussian_per_label, least_variances, one_gaussian};
pub use self::judged::{Counts, EligibleCounts, Judged, Mode};
pub(super) use self::rows::Hidden;
use self::rows::{Group, Shape};
use self::units::{units, units_of_fit};
pub use self::verdict::Verdict;
pub(crate) use self::verdict::{CAPTURED, MISSING, OVER_WEIGHTED};
use self::verdict::{Decision, Figure, Figures};
pub(super) use self::verdict::{SHIFTED, SHRUNK, SMEARED};
use super::estimate::{CONFIDENCE, Estimate, wilson, z};
use super::repeated::Repeated;
use crate::data::Mixture;

/// Draws of the truth that say what to expect; fewer where rows are wide.
pub const TRUTH_DRAWS: usize = 200_000;
/// Values that are drawn at most, which bounds memory, unless that leaves too few draws.
const MOST_VALUES: usize = 20_000_000;
const LEAST_DRAWS: usize = 20_000;
/// The step of the mixture's stream that those draws come from: no data set has it.
const TRUTH_STEP: u64 = u64::MAX;
/// Probability that a row of a mode is of high quality.
const HIGH_QUALITY: f64 = 0.9973;
/// Training rows below which a mode is too small to judge.
pub(crate) const LEAST_TRAINING_ROWS: f64 = 20.0;
/// Rows to judge below which a mode is too small to judge.
pub(crate) const LEAST_ROWS: f64 = 50.0;
/// High-quality rows below which, expected to judge, a mode is too small to judge.
pub(crate) const LEAST_EXPECTED: f64 = 20.0;
/// The chance that an audit meets an interval that does not hold, at most.
const ERROR: f64 = 0.05;
/// Intervals that a mode's verdict hangs on: of ratio, shift, spread and its widest bridge.
const INTERVALS: usize = 4;

/// What a mixture gives when it is judged, kept to judge rows by.
#[derive(Clone, Debug)]
pub struct Ledger {
    mixture: Mixture,
    names: Vec<String>,
    /// Expected training rows of each mode.
    training_rows: Vec<f64>,
    /// The largest squared Mahalanobis distance of a high-quality row.
    reach: f64,
    truth: Vec<Truth>,
    bridges: Vec<Bridge>,
    /// Rows that the weights of a fitted mixture are shares of.
    weighed_rows: Option<f64>,
    /// Draws of the truth.
    draws: usize,
    /// What places and widths are measured in, column by column.
    units: Array1<f64>,
    hidden: Hidden,
    /// Rows with these are not judged.
    repeated: Repeated,
}

/// A mode under the rules of the audit.
#[derive(Clone, Debug)]
struct Truth {
    /// High-quality rows of the mode, as a share of all rows.
    share: f64,
    /// Where the mode has no draws its own moments stand in.
    draws: usize,
    mean: Array1<f64>,
    covariance: Array2<f64>,
    /// Its trace.
    trace: f64,
    /// Variance of `mean`, as a share of that of one row: one over the rows that it is known from.
    uncertainty: f64,
    /// Squared coefficient of variation of the squared distances from the mean.
    variation: f64,
    /// √(tr Σ / D).
    sigma: f64,
}

impl Ledger {
    /// The ledger of `mixture`, of which a model was trained on so many rows. `names` are the labels
    /// of its components, or empty.
    ///
    /// # Panics
    /// Where there are names, but not one a component.
    pub fn new(mixture: Mixture, names: Vec<String>, training_rows: usize, seed: u64) -> Self {
        let modes = || mixture.weights().iter().zip(mixture.covariances());
        let within = |j: usize| modes().map(|(weight, own)| weight * own[j][j]).sum();
        let within: Vec<f64> = (0..mixture.dimensions()).map(within).collect();
        Self::measured(mixture, names, training_rows, units(&within), seed)
    }

    /// As [`new`](Self::new), of a mixture fitted to `rows` (n × D), whose covariances have what is
    /// `hidden` in the rows.
    pub(super) fn of_fit(
        mixture: Mixture,
        names: Vec<String>,
        training_rows: usize,
        rows: ArrayView2<f32>,
        hidden: &Hidden,
        seed: u64,
    ) -> Self {
        let units = units_of_fit(&mixture, rows, hidden);
        let ledger = Self::measured(mixture, names, training_rows, units, seed);
        Self { hidden: hidden.measured_in(&ledger.units), ..ledger }
    }

    fn measured(
        mixture: Mixture,
        names: Vec<String>,
        training_rows: usize,
        units: Array1<f64>,
        seed: u64,
    ) -> Self {
        assert!(names.is_empty() || names.len() == mixture.components(), "one name a component");
        let quantile = ChiSquared::new(mixture.dimensions() as f64)
            .expect("a mixture has dimensions")
            .inverse_cdf(HIGH_QUALITY);
        let draws = TRUTH_DRAWS.min(MOST_VALUES / mixture.dimensions()).max(LEAST_DRAWS);
        let drawn = mixture.draw(draws, seed, TRUTH_STEP);
        let groups = Group::all(&mixture, drawn.rows(), quantile);
        let of_mode = |(k, group)| Truth::new(&mixture, k, group, draws, &units);
        let truth = groups.iter().enumerate().map(of_mode).collect();
        let training_rows: Vec<f64> =
            mixture.weights().iter().map(|weight| weight * training_rows as f64).collect();
        let large: Vec<usize> = (0..mixture.components())
            .filter(|&k| training_rows[k] >= LEAST_TRAINING_ROWS)
            .collect();
        let pairs = large
            .iter()
            .enumerate()
            .flat_map(|(i, &first)| large[i + 1..].iter().map(move |&second| [first, second]));
        let rows_of = |pair: [usize; 2]| pair.map(|k| groups[k].rows.view());
        let bridges =
            pairs.filter_map(|pair| Bridge::between(&mixture, pair, rows_of(pair))).collect();
        let reach = quantile;
        let (weighed_rows, hidden) = (None, Hidden::Nothing);
        let repeated = Repeated::none(mixture.dimensions());
        Self {
            mixture,
            names,
            training_rows,
            reach,
            truth,
            bridges,
            weighed_rows,
            draws,
            units,
            hidden,
            repeated,
        }
    }

    /// The same ledger of a mixture that is itself a fit to so many `rows`, so that place and width of
    /// a mode are known no better than from its share of them. Its weights are shares of the `weighed`
    /// rows, which may be more.
    #[must_use]
    pub fn fitted_to(mut self, rows: usize, weighed: usize) -> Self {
        for (truth, weight) in self.truth.iter_mut().zip(self.mixture.weights()) {
            truth.uncertainty += 1.0 / (weight * rows as f64).max(1.0);
        }
        self.weighed_rows = Some(weighed as f64);
        self
    }

    /// The same, for rows that lie with none of those that repeat; where hardly any does, none is left out.
    #[must_use]
    pub fn apart_from(self, repeated: Repeated) -> Self {
        Self { repeated, ..self }
    }

    /// What columns are compared in: the units that places and widths are measured in, and for columns that
    /// do not count there, since modes have no width in them or less than is hidden, the width by the fit or,
    /// where the others are in the units of the data, those.
    pub fn scales(&self) -> Array1<f64> {
        let are_own = self.units.iter().any(|unit| unit.is_finite() && *unit != 1.0);
        let weighted = || self.mixture.weights().iter().zip(self.mixture.covariances());
        let pooled = |j: usize| weighted().map(|(weight, own)| weight * own[j][j]).sum::<f64>();
        let scale = |(j, &unit): (usize, &f64)| match (unit.is_finite(), are_own) {
            (true, _) => unit,
            (false, true) => pooled(j).sqrt(),
            (false, false) => 1.0,
        };
        self.units.iter().enumerate().map(scale).collect()
    }

    /// Share of all rows that the truth gives to each mode, of high quality or not.
    pub fn expected_shares(&self) -> Vec<f64> {
        self.truth.iter().map(|truth| truth.draws as f64 / self.draws as f64).collect()
    }

    /// Share of all rows that are high-quality rows of each mode in the truth.
    pub fn expected_high_quality(&self) -> Vec<f64> {
        self.truth.iter().map(|truth| truth.share).collect()
    }

    /// Judges `rows` (n × D, finite).
    ///
    /// # Panics
    /// Where there are no rows, or they have not D columns.
    pub fn judge(&self, rows: ArrayView2<f32>) -> Judged {
        let rows = self.repeated.judged(rows);
        let rows = rows.view();
        let n = rows.nrows();
        let groups = Group::all(&self.mixture, rows, self.reach);
        let eligible: Vec<bool> = (0..groups.len()).map(|k| self.eligible(k, n)).collect();
        let judged = eligible.iter().filter(|eligible| **eligible).count();
        let confidence = 1.0 - ERROR / (INTERVALS * judged.max(1)) as f64;
        let bridges = self.widest_bridges(&groups, &eligible, confidence);
        let (mut modes, mut strict) = (Vec::with_capacity(groups.len()), 0);
        for (k, group) in groups.iter().enumerate() {
            let (bridge, neighbour) = bridges[k].unzip();
            let figures = self.figures(k, group, n, bridge, confidence);
            let mut decision = verdict::decide(&figures);
            strict += usize::from(decision.verdict == Verdict::Strict && figures.complete());
            if !eligible[k] {
                decision = Decision { verdict: Verdict::TooSmall, or: None, ..decision };
            }
            modes.push(self.mode(k, group, n, &figures, decision, neighbour));
        }
        let of_high_quality = groups.iter().map(|group| group.found).sum();
        Judged {
            rows: n,
            counts: Counts::of(&modes, strict),
            high_quality: Estimate::share(of_high_quality, n),
            modes,
        }
    }

    fn mode(
        &self,
        k: usize,
        group: &Group,
        rows: usize,
        figures: &Figures,
        Decision { verdict, or, may_be_strict }: Decision,
        neighbour: Option<usize>,
    ) -> Mode {
        let share = self.truth[k].share;
        let merged = verdict == Verdict::Merged || or == Some(Verdict::Merged);
        Mode {
            id: k,
            name: self.names.get(k).cloned(),
            weight: self.mixture.weights()[k],
            expected: share * rows as f64,
            found: group.found,
            assigned: group.rows.nrows(),
            ratio: figures.ratio.map(|ratio| ratio.value),
            ratio_ci: self.ratio(k, group.found, rows, CONFIDENCE).map(|ratio| ratio.interval),
            mean_shift: figures.shift.map(|shift| shift.value),
            spread_ratio: figures.spread.map(|spread| spread.value),
            mean_shift_ci: figures.shift.map(|shift| shift.interval),
            spread_ratio_ci: figures.spread.map(|spread| spread.interval),
            verdict,
            borderline: or.is_some(),
            or,
            may_be_strict,
            merged_with: neighbour.filter(|_| merged),
        }
    }

    /// Whether mode `k` is large enough to judge by so many rows. A mode that others hide expects
    /// few rows of high quality, whatever its weight.
    fn eligible(&self, k: usize, rows: usize) -> bool {
        self.training_rows[k] >= LEAST_TRAINING_ROWS
            && self.mixture.weights()[k] * rows as f64 >= LEAST_ROWS
            && self.truth[k].share * rows as f64 >= LEAST_EXPECTED
    }

    /// For each mode the widest bridge to another, both eligible, and that other.
    fn widest_bridges(
        &self,
        groups: &[Group],
        eligible: &[bool],
        confidence: f64,
    ) -> Vec<Option<(Figure, usize)>> {
        let mut widest: Vec<Option<(Figure, usize)>> = vec![None; groups.len()];
        let z = z(confidence);
        for bridge in self.bridges.iter().filter(|bridge| bridge.modes.iter().all(|&k| eligible[k]))
        {
            let [first, second] = bridge.modes;
            let rows = bridge.modes.map(|k| groups[k].rows.view());
            let Some(share) = bridge.share(rows, z) else { continue };
            for (k, other) in [(first, second), (second, first)] {
                if widest[k].is_none_or(|(figure, _)| figure.value < share.value) {
                    widest[k] = Some((share, other));
                }
            }
        }
        widest
    }

    /// High-quality rows found of mode `k` over those expected, where any are. The noise of the expected
    /// share, by the draws and by the fit, is added to the interval in quadrature.
    fn ratio(&self, k: usize, found: usize, rows: usize, confidence: f64) -> Option<Figure> {
        let share = self.truth[k].share;
        let value = found as f64 / (rows as f64 * share);
        // The squared relative error of a share of so many rows.
        let error = |share: f64, rows: f64| (1.0 - share) / (share * rows);
        let of_fit = self.weighed_rows.map_or(0.0, |rows| error(self.mixture.weights()[k], rows));
        let noise = z(confidence) * value * (error(share, self.draws as f64) + of_fit).sqrt();
        let [low, high] = wilson(found, rows, confidence).map(|end| end / share);
        let interval =
            [(value - (value - low).hypot(noise)).max(0.0), value + (high - value).hypot(noise)];
        (share > 0.0).then_some(Figure { value, interval })
    }

    /// The figures of mode `k`, with intervals of this `confidence`.
    fn figures(
        &self,
        k: usize,
        group: &Group,
        rows: usize,
        bridge: Option<Figure>,
        confidence: f64,
    ) -> Figures {
        let truth = &self.truth[k];
        let shape = Shape::new(group.rows.view(), &self.units);
        let z = z(confidence);
        Figures {
            ratio: self.ratio(k, group.found, rows, confidence),
            bridge,
            shift: shape.as_ref().map(|shape| shape.shift(truth, z)),
            spread: shape.as_ref().map(|shape| shape.spread(truth, &self.hidden, z)),
        }
    }
}

impl Truth {
    fn new(mixture: &Mixture, k: usize, group: &Group, all: usize, units: &Array1<f64>) -> Self {
        let own = covariance(mixture, k) / units / units.view().insert_axis(Axis(1));
        let trace = own.diag().sum();
        let counted = units.iter().filter(|unit| unit.is_finite()).count();
        let sigma = (trace / counted as f64).sqrt();
        let share = group.found as f64 / all as f64;
        let draws = group.rows.nrows();
        let uncertainty = 1.0 / draws.max(1) as f64;
        let (mean, covariance, trace, variation) = match Shape::new(group.rows.view(), units) {
            Some(shape) => {
                let (covariance, variation) = (shape.covariance(), shape.variation());
                (shape.mean, covariance, shape.trace, variation)
            }
            None => {
                let variation = 2.0 * own.iter().map(|x| x * x).sum::<f64>() / (trace * trace);
                (Array1::from(mixture.means()[k].clone()) / units, own, trace, variation)
            }
        };
        Self { share, draws, mean, covariance, trace, uncertainty, variation, sigma }
    }
}

/// The covariance of a component, D × D.
fn covariance(mixture: &Mixture, k: usize) -> Array2<f64> {
    let d = mixture.dimensions();
    Array2::from_shape_fn((d, d), |(i, j)| mixture.covariances()[k][i][j])
}

#[cfg(test)]
mod tests;
