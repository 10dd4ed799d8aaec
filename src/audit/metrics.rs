//! Distances between generated and real rows, each beside its value for fresh real rows.

use std::collections::HashSet;

use ndarray::{Array2, ArrayView2, Axis, s};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::distances::{energy_distance, sliced_wasserstein};
use super::divergence::js_divergence;
use super::estimate::Estimate;
use super::exact::Exact;
use super::ledger::{Judged, Ledger};
use super::neighbours::{Balls, NEAREST};
use super::reference::Reference;
use super::two_sample::two_sample_accuracy;
use crate::data::Units;
use crate::error::Result;
use crate::knn::check;
use crate::random::{Generator, Stream};

/// Most rows on each side of a comparison.
const MOST_ROWS: usize = 100_000;
/// Most values on each side: with many columns neighbours are searched for among nearly all rows.
const MOST_VALUES: usize = 1_000_000;
/// Rows that are compared of any table that has them, and all that the energy distance takes, which is
/// between every pair.
pub(super) const FEWEST_ROWS: usize = 20_000;
/// Rows that the two-sample test takes of any table that has them. It asks for hundreds of neighbours,
/// and its interval is ± 0.01 then.
const FEWEST_TOLD_APART: usize = 5000;

/// A figure for the generated rows, and the same figure for fresh real rows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Metric {
    /// For the generated rows.
    #[serde(flatten)]
    pub generated: Estimate,
    /// For fresh real rows in their place: what a perfect generator would get.
    pub real: Estimate,
}

/// How much less likely held-out rows are under the model than under the truth.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NllGap {
    /// Mean over held-out rows of log p(x) under the reference less log p(x) under the model, in
    /// nats a row, in the data's own units; interval by the standard error of the mean, rows paired.
    /// The model's log p(x) is importance-sampled with 256 draws from the posterior, widened by 0.2
    /// in log-variance.
    #[serde(flatten)]
    pub generated: Estimate,
    /// The same for the mixture fitted to the real rows in place of the model; absent where that is
    /// the reference. Without a given mixture it was fitted to half of the rows that the model saw.
    pub baseline: Option<Estimate>,
    /// Mean negative log-likelihood under the model, in nats a row.
    pub model: f64,
    /// Mean negative log-likelihood under the reference, in nats a row.
    pub reference: f64,
    /// Held-out rows that were asked, 2000 at most.
    pub rows: usize,
}

/// Every figure that compares the generated rows with the real ones as a whole.
///
/// Wilson intervals of precision, recall, density and coverage take rows for independent. They are not
/// quite, since one row lies in many balls: those intervals are narrower than 95 %, coverage's most.
///
/// Each compares equally many rows on both sides, because the values depend on how many there are, and
/// each `real` figure is of as many fresh real rows: `rows`, where nothing else is said. Of that
/// `high_quality` and `copies` are excepted, which are shares of all rows there are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Metrics {
    /// Rows on each side of a comparison: 100 000 at most, and where so many have more than a million
    /// values, as many as have a million, but no fewer than 20 000.
    pub rows: usize,
    /// Rows on each side that the two-sample test took: fewer where there are many columns.
    pub told_apart_rows: usize,
    /// Share of all generated, and of all fresh real rows within the 0.9973 quantile of the squared
    /// Mahalanobis distance from their mode; Wilson interval. Never to be read alone: a collapsed model
    /// scores 1.
    pub high_quality: Metric,
    /// Jensen–Shannon divergence between the weights of the modes found and expected, in nats (0 to
    /// ln 2); interval by a multinomial bootstrap of the found counts.
    pub js_divergence: Metric,
    /// Squared energy distance 2E|X−Y| − E|X−X′| − E|Y−Y′| (Székely and Rizzo 2013), in the units of
    /// the data, or as `standardised` says, of 20 000 of the rows at most; interval by the jackknife over 20 groups of rows, with
    /// Student's t.
    pub energy_distance: Metric,
    /// Mean over 100 random directions of the Wasserstein distance of order 1 between the
    /// projections (Rabin et al. 2011), in the units of the data, or as `standardised` says; interval by the jackknife over 20
    /// groups of rows, with Student's t.
    pub sliced_wasserstein: Metric,
    /// Accuracy of telling generated rows from real ones by k nearest neighbours, 5-fold
    /// cross-validated (Lopez-Paz and Oquab 2017): 0.5 where they cannot be told apart; Wilson
    /// interval. Of tables with more than 50 columns as many rows as have a million values, but no
    /// fewer than 5000.
    pub c2st_accuracy: Metric,
    /// Share of generated rows that lie within the 5-nearest-neighbour ball of a real row
    /// (Kynkäänniemi et al. 2019); Wilson interval.
    pub precision: Metric,
    /// Share of real rows that lie within the 5-nearest-neighbour ball of a generated row; Wilson
    /// interval.
    pub recall: Metric,
    /// Mean number of those real balls that hold a generated row, divided by 5 (Naeem et al. 2020);
    /// interval by the standard error of the mean.
    pub density: Metric,
    /// Share of real rows whose ball holds a generated row (Naeem et al. 2020); Wilson interval.
    pub coverage: Metric,
    /// Share of all generated rows that are exact copies of any real row: high where a generator
    /// repeats what it was trained on. For the fresh real rows it is the share that equals a row which
    /// the reference was fitted to. Wilson interval.
    pub copies: Metric,
    /// Share of generated rows that lie no nearer to a real row than the nearest other real row does (Alaa
    /// et al. 2022): about half of new rows, few of near copies, no copies; Wilson interval.
    pub authenticity: Metric,
    /// Whether distances between rows are of columns that were each divided by the real rows' standard
    /// deviation, as they are where these differ more than tenfold: else the widest would be all that
    /// counts.
    pub standardised: bool,
    /// Held-out likelihood against the reference; present where the model itself is at hand.
    pub nll_gap: Option<NllGap>,
}

impl Metrics {
    /// Compares `generated` rows with the rows of the reference, which `ledger` is of. Of more rows
    /// than are compared a random choice is taken, so their order does not matter. Copies are looked
    /// for among all the `given` real rows; `judged` is what the ledger says of all generated and of
    /// all fresh rows; distances are taken in `units`.
    ///
    /// # Errors
    /// Too few rows on one side; the message says how many are needed.
    pub fn compare(
        (reference, ledger): (&Reference, &Ledger),
        given: ArrayView2<f32>,
        generated: ArrayView2<f32>,
        judged: [&Judged; 2],
        units: &Units,
        seed: u64,
    ) -> Result<Self> {
        let copies = Metric {
            generated: copies(given, generated),
            real: copies(reference.real.view(), reference.fresh.view()),
        };
        let (real, fresh) = (reference.real.view(), reference.fresh.view());
        let columns = real.ncols();
        let most = most_rows(columns, FEWEST_ROWS);
        let rows = real.nrows().min(generated.nrows()).min(fresh.nrows()).min(most);
        // In random order too: the jackknife's groups must not take turns with the modes.
        let some = |all: ArrayView2<'_, f32>| {
            let order = Generator::new(seed, Stream::Subset, 1).permutation(all.nrows());
            all.select(Axis(0), &order[..rows])
        };
        let (real, generated, fresh) = (some(real), some(generated), some(fresh));
        let shares = ledger.expected_shares();
        let weights = |rows: &Array2<f32>| {
            js_divergence(&ledger.judge(rows.view()).assigned(), &shares, seed)
        };
        let js_divergence = Metric { generated: weights(&generated)?, real: weights(&fresh)? };
        let [real, generated, fresh] =
            [real, generated, fresh].map(|rows| units.apply(rows.view()));
        let (real, generated, fresh) = (real.view(), generated.view(), fresh.view());
        let every_pair = s![..rows.min(FEWEST_ROWS), ..];
        let told_apart = s![..rows.min(most_rows(columns, FEWEST_TOLD_APART)), ..];
        let both = |figure: &dyn Fn(ArrayView2<f32>) -> Result<Estimate>| {
            Ok(Metric { generated: figure(generated)?, real: figure(fresh)? })
        };
        check(real, generated, NEAREST + 1)?;
        check(real, fresh, NEAREST + 1)?;
        let balls = Balls::new(real);
        let near = |rows| {
            let rows = Balls::new(rows);
            (balls.neighbourhoods(&rows), balls.authenticity(&rows))
        };
        let ((near, authentic), (near_real, authentic_real)) = (near(generated), near(fresh));
        let pair = |generated, real| Metric { generated, real };
        let told_apart_rows = real.slice(told_apart).nrows();
        Ok(Self {
            rows,
            told_apart_rows,
            high_quality: pair(judged[0].high_quality, judged[1].high_quality),
            js_divergence,
            energy_distance: both(&|rows| {
                energy_distance(real.slice(every_pair), rows.slice(every_pair))
            })?,
            sliced_wasserstein: both(&|rows| sliced_wasserstein(real, rows, seed))?,
            c2st_accuracy: both(&|rows| {
                two_sample_accuracy(real.slice(told_apart), rows.slice(told_apart), seed)
            })?,
            precision: pair(near.precision, near_real.precision),
            recall: pair(near.recall, near_real.recall),
            density: pair(near.density, near_real.density),
            coverage: pair(near.coverage, near_real.coverage),
            copies,
            authenticity: pair(authentic, authentic_real),
            standardised: units.are_standardised(),
            nll_gap: None,
        })
    }
}

/// Most rows of so many columns on each side, at least `fewest`.
fn most_rows(columns: usize, fewest: usize) -> usize {
    (MOST_VALUES / columns.max(1)).clamp(fewest, MOST_ROWS)
}

/// Share of `rows` that are equal to one of the `real` rows.
fn copies(real: ArrayView2<f32>, rows: ArrayView2<f32>) -> Estimate {
    let known: HashSet<Exact> = real.rows().into_iter().map(Exact).collect();
    let copied = rows.rows().into_iter().filter(|&row| known.contains(&Exact(row))).count();
    Estimate::share(copied, rows.nrows())
}

/// Held-out likelihood of a model against the reference, from the log-likelihoods of the same rows
/// under each, in nats.
pub fn nll_gap(model: &[f64], reference: &[f64], baseline: Option<&[f64]>) -> NllGap {
    let gap = |other: &[f64]| {
        let gaps: Vec<f64> =
            reference.iter().zip(other).map(|(truth, other)| truth - other).collect();
        Estimate::mean(&gaps)
    };
    let mean = |values: &[f64]| -values.iter().sum::<f64>() / values.len() as f64;
    NllGap {
        generated: gap(model),
        baseline: baseline.map(gap),
        model: mean(model),
        reference: mean(reference),
        rows: model.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn the_more_columns_the_fewer_rows_are_compared() {
        let most = |columns| [FEWEST_ROWS, FEWEST_TOLD_APART].map(|few| most_rows(columns, few));
        let found = [1, 10, 20, 50, 784].map(most);
        let [all, half, few] = [100_000, 50_000, 20_000];
        assert_eq!(found, [[all; 2], [all; 2], [half; 2], [few; 2], [few, 5000]]);
    }

    #[test]
    fn copies_are_rows_that_equal_a_real_one_in_every_column() {
        let real = array![[0.0_f32, 1.0], [2.0, -0.0], [2.0, -0.0], [f32::MIN_POSITIVE, 5.0]];
        for (rows, expected) in [
            (real.clone(), 4),
            (array![[1.0_f32, 0.0], [0.0, 2.0], [2.0, 1.0], [2.0, f32::MIN_POSITIVE]], 0),
            (array![[-0.0_f32, 1.0], [2.0, 0.0], [-2.0, 0.0], [0.0, 5.0]], 2),
        ] {
            assert_eq!(copies(real.view(), rows.view()), Estimate::share(expected, 4), "{rows}");
        }
    }

    /// Gaps of 0.5 and 1.5: mean 1, standard error 0.5; t with one degree of freedom.
    #[test]
    fn the_gap_is_the_mean_of_paired_differences() {
        let (model, reference) = ([-1.0, -3.0], [-0.5, -1.5]);
        let gap = nll_gap(&model, &reference, Some(&reference));
        assert_eq!((gap.model, gap.reference, gap.rows), (2.0, 1.0, 2));
        assert_eq!(gap.generated.value, 1.0);
        let [low, high] = gap.generated.interval;
        let reach = 0.5 * 12.706204736174694;
        assert!((low - 1.0 + reach).abs() < 1e-9 && (high - 1.0 - reach).abs() < 1e-9);
        assert_eq!(gap.baseline, Some(Estimate { value: 0.0, interval: [0.0, 0.0] }));
        assert_eq!(nll_gap(&model, &model, None).baseline, None);
    }
}
