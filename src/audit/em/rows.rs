//! Rows as EM takes them: which of them count, how finely they are known, and their layout.

use std::collections::HashSet;
use std::f64::consts::TAU;

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};

use super::components::Components;
use super::{FIRST_STEP, Fit, SAMPLE, VARIANCE_FLOOR};
use crate::audit::exact::Exact;
use crate::data::Mixture;
use crate::data::Scaled;
use crate::error::Result;
use crate::random::{Generator, Stream};

/// Rows in a block.
const BLOCK: usize = 256;
/// A column of at most so many values is one of categories, each of which may be a mode.
const CATEGORIES: usize = 5;
/// Categories are blurred by their distance over this, which leaves them apart and forgives a generator
/// the noise that it adds to them.
const BLUR: f64 = 8.0;
/// A column has steps where the median gap between neighbouring values is at most this many times
/// the smallest. Among a hundred draws from a continuous distribution the smallest is far smaller.
const REGULAR: f64 = 4.0;

/// Rows ready to be fitted: scaled, in a random order, in blocks of columns.
///
/// A density has no bound where rows repeat, and a mixture would find a component for every
/// repeated row. Two rules keep it from that:
///
/// - A column whose values are multiples of a step h (counts, readings to a decimal) is known to
///   that step only. h²/2π is added to its variances, so that no component gives a cell of that
///   grid a probability above 1. Of one with at most five values (yes or no, a grade) it is (h/8)²,
///   so that each of them can be a mode.
/// - Where some column is continuous, rows do not repeat by chance. Exact copies of a row
///   (memorised, padded, joined twice) are then no further evidence, and each distinct row counts
///   once. Where every column has steps, copies are to be expected and all count.
pub struct Rows {
    /// Each (1 + columns) × [`BLOCK`] or fewer, the first row ones.
    pub(super) blocks: Vec<Array2<f64>>,
    /// Added to each column's variances, in scaled units.
    pub(super) floor: Vec<f64>,
    /// The first rows, n × columns.
    sample: Array2<f64>,
    mean: Vec<f64>,
    scale: f64,
    count: usize,
    distinct: usize,
}

impl Rows {
    /// Prepares `rows`, n × columns, in an order that depends on `seed`.
    ///
    /// # Errors
    /// Where there is no value at all, or one that is not finite.
    pub fn new(rows: ArrayView2<f32>, seed: u64) -> Result<Self> {
        // Checks the values before anything else looks at them.
        let mut scaled = Scaled::new(rows)?;
        let steps: Vec<Option<Steps>> = rows.columns().into_iter().map(steps).collect();
        let distinct = first_of_copies(rows);
        if steps.iter().any(Option::is_none) && distinct.len() < rows.nrows() {
            scaled = Scaled::new(rows.select(Axis(0), &distinct).view())?;
        }
        let floor = |steps: &Option<Steps>| {
            VARIANCE_FLOOR + steps.as_ref().map_or(0.0, Steps::variance) / scaled.scale.powi(2)
        };
        let n = scaled.rows.nrows();
        let order = Generator::new(seed, Stream::Clustering, FIRST_STEP).permutation(n);
        let block = |order: &[usize]| {
            Array2::from_shape_fn((1 + rows.ncols(), order.len()), |(i, row)| match i {
                0 => 1.0,
                _ => scaled.rows[(order[row], i - 1)],
            })
        };
        Ok(Self {
            blocks: order.chunks(BLOCK).map(block).collect(),
            floor: steps.iter().map(floor).collect(),
            sample: scaled.rows.select(Axis(0), &order[..n.min(SAMPLE)]),
            mean: scaled.mean.to_vec(),
            scale: scaled.scale,
            count: n,
            distinct: distinct.len(),
        })
    }

    /// Number of rows that count.
    pub fn count(&self) -> usize {
        self.count
    }

    /// How many of them differ.
    pub fn distinct(&self) -> usize {
        self.distinct
    }

    /// Columns of each.
    pub fn columns(&self) -> usize {
        self.mean.len()
    }

    /// Some of the rows at random, n × columns, in scaled units.
    pub(super) fn sample(&self) -> ArrayView2<'_, f64> {
        self.sample.view()
    }

    /// The same rows in blocks.
    pub(super) fn sample_blocks(&self) -> &[Array2<f64>] {
        &self.blocks[..self.blocks.len().min(SAMPLE / BLOCK)]
    }

    /// What the log-likelihood of n rows in scaled units is above that in the units of the data.
    pub(super) fn unscaling(&self, n: usize) -> f64 {
        (n * self.columns()) as f64 * self.scale.ln()
    }

    /// A mixture's parameters in scaled units.
    pub(super) fn scaled(&self, mixture: &Mixture) -> Components {
        assert_eq!(mixture.dimensions(), self.columns(), "columns of the mixture and of the rows");
        let square = self.scale * self.scale;
        let place = |mean: &Vec<f64>| {
            mean.iter().zip(&self.mean).map(|(x, mean)| (x - mean) / self.scale).collect()
        };
        Components {
            weights: mixture.weights().to_vec(),
            means: mixture.means().iter().map(place).collect(),
            covariances: rescaled(mixture.covariances(), square.recip()),
        }
    }

    /// A fitted mixture in the units of the data, with full covariances whatever their kind.
    ///
    /// # Errors
    /// Where a value is beyond what a [`Mixture`] may hold.
    pub fn mixture(&self, fit: &Fit) -> Result<Mixture> {
        let Components { weights, means, covariances } = &fit.components;
        let place = |mean: &Vec<f64>| {
            mean.iter().zip(&self.mean).map(|(x, mean)| x * self.scale + mean).collect()
        };
        Mixture::new(
            weights.clone(),
            means.iter().map(place).collect(),
            rescaled(covariances, self.scale * self.scale),
        )
    }
}

fn rescaled(covariances: &[Vec<Vec<f64>>], factor: f64) -> Vec<Vec<Vec<f64>>> {
    let row = |row: &Vec<f64>| row.iter().map(|value| value * factor).collect();
    covariances.iter().map(|rows| rows.iter().map(row).collect()).collect()
}

/// The steps of a column that is not continuous.
#[derive(Debug, PartialEq)]
struct Steps {
    /// Of which its values are multiples; 0 where they are all equal.
    size: f64,
    /// How many of them differ.
    values: usize,
}

impl Steps {
    /// The variance that stands for what the steps hide.
    fn variance(&self) -> f64 {
        match self.values {
            ..=CATEGORIES => (self.size / BLUR).powi(2),
            _ => self.size.powi(2) / TAU,
        }
    }
}

/// The variance that the steps of a column hide, as [`Rows`] says; 0 where it is continuous.
pub fn hidden_by_steps(column: ArrayView1<f32>) -> f64 {
    steps(column).as_ref().map_or(0.0, Steps::variance)
}

/// Whether a column of these rows (n × columns) is continuous, so that rows do not repeat by chance.
pub fn has_continuous_column(rows: ArrayView2<f32>) -> bool {
    rows.columns().into_iter().any(|column| steps(column).is_none())
}

/// What a fit of these rows (n × columns) adds to the variances of each column, in its units squared.
///
/// # Errors
/// As [`Rows::new`].
pub fn added_variances(rows: ArrayView2<f32>) -> Result<Array1<f64>> {
    let floor = VARIANCE_FLOOR * Scaled::new(rows)?.scale.powi(2);
    Ok(rows.map_axis(Axis(0), |column| floor + hidden_by_steps(column)))
}

/// The steps of a column; nothing where it is continuous.
fn steps(column: ArrayView1<f32>) -> Option<Steps> {
    let mut values: Vec<f32> = column.to_vec();
    values.sort_unstable_by(f32::total_cmp);
    let mut gaps: Vec<f64> = values
        .windows(2)
        .map(|pair| f64::from(pair[1]) - f64::from(pair[0]))
        .filter(|&gap| gap > 0.0)
        .collect();
    gaps.sort_unstable_by(f64::total_cmp);
    let size = gaps.first().copied().unwrap_or(0.0);
    let regular = gaps.get(gaps.len() / 2).is_none_or(|&median| median <= REGULAR * size);
    let distinct = gaps.len() + 1;
    // Few values that come again are categories, however far apart they lie.
    let categories = distinct <= CATEGORIES && distinct < values.len();
    (regular || categories).then_some(Steps { size, values: distinct })
}

/// The first of every set of equal rows.
fn first_of_copies(rows: ArrayView2<f32>) -> Vec<usize> {
    let mut seen = HashSet::with_capacity(rows.nrows());
    let rows = rows.axis_iter(Axis(0)).enumerate();
    rows.filter(|(_, row)| seen.insert(Exact(*row))).map(|(index, _)| index).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_found_where_there_are_any() {
        let mut normal = vec![0.0; 1000];
        Generator::new(1, Stream::MixtureRows, 0).normal(&mut normal);
        let of = |values: Vec<f32>| steps(Array1::from(values).view()).map(|steps| steps.size);
        assert_eq!(of(normal.clone()), None);
        assert_eq!(of(normal.iter().map(|x| (x * 3.0).round()).collect()), Some(1.0));
        assert_eq!(of(normal.iter().map(|x| (x * 300.0).round()).collect()), Some(1.0));
        let tenths = of(normal.iter().map(|x| (x * 10.0).round() / 10.0).collect()).unwrap();
        assert!((tenths - 0.1).abs() < 1e-6, "{tenths}");
        assert_eq!(of(vec![7.5; 10]), Some(0.0));
        assert_eq!(of(vec![0.0, -0.0, 1.0]), Some(1.0));
        assert_eq!(of(vec![-999.0, 0.0, 1.0, 1.0]), Some(1.0));
        assert_eq!(of(vec![-999.0, 0.0, 1.0]), None);
        // Repeated draws are no steps.
        assert_eq!(of(normal.iter().chain(&normal).copied().collect()), None);
        assert_eq!(of(normal.iter().map(|x| x.max(0.0)).collect()), None);
    }
}
