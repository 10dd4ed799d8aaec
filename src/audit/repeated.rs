//! Rows that real data have again and again, such as customers who bought nothing: a density has no bound
//! there, so they are no mode of a mixture, and are judged by how many rows lie with them.

use std::collections::{HashMap, HashSet};

use ndarray::{Array2, ArrayView1, ArrayView2, Axis, CowArray, Ix2};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::em::has_continuous_column;
use super::estimate::Estimate;
use super::exact::Exact;
use super::neighbours::NEAREST;
use super::samples::LEAST_REAL;
use crate::config::ScalingKind;
use crate::data::Scaling;

/// Share of the rows that copies of one take at least, and how many they are at least.
const LEAST_SHARE: f64 = 0.01;
const LEAST_COPIES: usize = 20;
/// Rows that repeat so at most: more are no exception among the others.
const MOST_PLACES: usize = 10;
/// How far from a repeated row a row may lie to be with it, in standard deviations of each column.
const REACH: f32 = 0.1;
/// Share of the repeated rows that may be lost.
const MOST_LOST: f64 = 0.5;

/// The rows that repeat, and what is with them.
#[derive(Clone, Debug)]
pub struct Repeated {
    /// One a row, m × columns; often none.
    places: Array2<f32>,
    /// Of each column.
    reach: Vec<f32>,
    /// Copies among the real rows.
    share: f64,
}

/// Real and generated rows with rows that repeat.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RepeatedRows {
    /// The rows that repeat, one value a column.
    pub rows: Vec<Vec<f32>>,
    /// Share of the real rows that are copies of them.
    pub copies: f64,
    /// Share of the real rows within a tenth of a standard deviation of one, in every column.
    pub real: Estimate,
    /// The same of the generated rows.
    pub generated: Estimate,
}

impl RepeatedRows {
    /// Whether the generated rows have clearly lost half of the copies, or have half as many more.
    pub fn are_lost(&self) -> bool {
        let margin = MOST_LOST * self.copies;
        let [low, high] = self.generated.interval;
        high < self.real.value - margin || low > self.real.value + margin
    }
}

/// The share of rows (n × columns) that are copies of an earlier one beside those that [`Repeated`] finds; 0
/// where every column has steps, so that copies are to be expected.
pub fn share_of_copies(rows: ArrayView2<f32>) -> f64 {
    if rows.is_empty() || !has_continuous_column(rows) {
        return 0.0;
    }
    let others = Repeated::find(rows).others(rows);
    let mut seen = HashSet::with_capacity(others.len());
    let copies = others.iter().filter(|&&index| !seen.insert(Exact(rows.row(index)))).count();
    copies as f64 / rows.nrows() as f64
}

impl Repeated {
    /// None.
    pub fn none(columns: usize) -> Self {
        Self { places: Array2::zeros((0, columns)), reach: vec![0.0; columns], share: 0.0 }
    }

    /// Those of real rows (n × columns). Where every column has steps copies are to be expected, and are
    /// none.
    pub fn find(rows: ArrayView2<f32>) -> Self {
        let mut copies: HashMap<Exact, (usize, usize)> = HashMap::new();
        for (index, row) in rows.axis_iter(Axis(0)).enumerate() {
            copies.entry(Exact(row)).or_insert((index, 0)).1 += 1;
        }
        let least = LEAST_COPIES.max((LEAST_SHARE * rows.nrows() as f64).ceil() as usize);
        let distinct = copies.len();
        let mut often: Vec<_> = copies.into_values().filter(|&(_, count)| count >= least).collect();
        often.sort_unstable();
        let (first, counts): (Vec<usize>, Vec<usize>) = often.into_iter().unzip();
        let copied: usize = counts.iter().sum();
        // Of a table that was joined to itself the others have copies too.
        let others_repeat = 2 * (distinct - first.len()) < rows.nrows() - copied;
        let few = (1..=MOST_PLACES).contains(&first.len()) && copied + LEAST_REAL <= rows.nrows();
        if !few || others_repeat || !has_continuous_column(rows) {
            return Self::none(rows.ncols());
        }
        let deviations = Scaling::fit(ScalingKind::ZScore, rows).scale;
        let found = Self {
            places: rows.select(Axis(0), &first),
            reach: deviations.into_iter().map(|deviation| REACH * deviation).collect(),
            share: copied as f64 / rows.nrows() as f64,
        };
        // Where hardly a row lies elsewhere there would be nothing to judge.
        match found.others(rows).len() < LEAST_REAL {
            true => Self::none(rows.ncols()),
            false => found,
        }
    }

    /// Whether no row repeats so.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The rows that lie with none of them.
    pub fn elsewhere<'a>(&self, rows: ArrayView2<'a, f32>) -> CowArray<'a, f32, Ix2> {
        match self.is_empty() {
            true => rows.into(),
            false => rows.select(Axis(0), &self.others(rows)).into(),
        }
    }

    /// The generated rows to judge: those that lie with none of them, or all where these are too few, as those
    /// of a generator that knows but one row.
    pub fn judged<'a>(&self, rows: ArrayView2<'a, f32>) -> CowArray<'a, f32, Ix2> {
        let elsewhere = self.elsewhere(rows);
        if elsewhere.nrows() > NEAREST { elsewhere } else { rows.into() }
    }

    /// The numbers of the rows that lie with none of them.
    pub fn others(&self, rows: ArrayView2<f32>) -> Vec<usize> {
        let rows = rows.axis_iter(Axis(0)).enumerate();
        rows.filter(|(_, row)| !self.holds(row.view())).map(|(index, _)| index).collect()
    }

    /// How many of the real and the generated rows lie with them; nothing where there are none.
    pub fn count(&self, real: ArrayView2<f32>, generated: ArrayView2<f32>) -> Option<RepeatedRows> {
        if self.is_empty() {
            return None;
        }
        let share = |rows: ArrayView2<f32>| {
            Estimate::share(rows.nrows() - self.others(rows).len(), rows.nrows())
        };
        Some(RepeatedRows {
            rows: self.places.rows().into_iter().map(|row| row.to_vec()).collect(),
            copies: self.share,
            real: share(real),
            generated: share(generated),
        })
    }

    fn holds(&self, row: ArrayView1<f32>) -> bool {
        let near = |(&x, (&place, &reach)): (&f32, (&f32, &f32))| (x - place).abs() <= reach;
        let with = |place: ArrayView1<f32>| row.iter().zip(place.iter().zip(&self.reach)).all(near);
        self.places.rows().into_iter().any(with)
    }
}
