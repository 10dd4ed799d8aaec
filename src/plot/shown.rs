//! Which columns of a table a figure shows, where it cannot show all.

use ndarray::{Array2, ArrayView1, ArrayView2, Axis};

use super::axis::drawable;
use super::legend::Entry;
use super::theme;

/// Columns of a table, in its order.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    /// Their numbers.
    pub columns: Vec<usize>,
    all: usize,
    why: &'static str,
}

impl Shown {
    /// The first columns.
    pub fn first(all: usize, most: usize) -> Self {
        Self { columns: (0..all.min(most)).collect(), all, why: "the first" }
    }

    /// The columns in which two sets of rows differ most, by the two-sample Kolmogorov–Smirnov statistic.
    pub fn differing(real: ArrayView2<f32>, generated: ArrayView2<f32>, most: usize) -> Self {
        let statistic = |column: usize| distance(real.column(column), generated.column(column));
        let all = real.ncols().min(generated.ncols());
        Self::largest(all, most, statistic, "those where real and generated differ most")
    }

    /// The columns of the largest variance, for columns that have a unit in common.
    pub fn widest(points: ArrayView2<f32>, most: usize) -> Self {
        let variance = |column: usize| {
            let n = finite(points.column(column)).count().max(1) as f64;
            let mean = finite(points.column(column)).sum::<f64>() / n;
            finite(points.column(column)).map(|value| (value - mean).powi(2)).sum::<f64>() / n
        };
        Self::largest(points.ncols(), most, variance, "the widest")
    }

    fn largest(all: usize, most: usize, figure: impl Fn(usize) -> f64, why: &'static str) -> Self {
        if all <= most {
            return Self::first(all, most);
        }
        let mut columns: Vec<(f64, usize)> =
            (0..all).map(|column| (figure(column), column)).collect();
        // Of equal ones the first.
        columns.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut columns: Vec<usize> = columns[..most].iter().map(|(_, column)| *column).collect();
        columns.sort_unstable();
        Self { columns, all, why }
    }

    /// These columns of a table.
    pub fn of(&self, points: ArrayView2<f32>) -> Array2<f32> {
        points.select(Axis(1), &self.columns)
    }

    /// Their names.
    pub fn names(&self, columns: &[String]) -> Vec<String> {
        self.columns.iter().map(|column| columns[*column].clone()).collect()
    }

    /// How many of how many there are and why these, as `8 of 13 columns, the first`, where there are more.
    pub fn some(&self, what: &str) -> Option<String> {
        let Self { columns, all, why } = self;
        (columns.len() < *all).then(|| format!("{} of {all} {what}, {why}", columns.len()))
    }

    /// As [`some`](Self::some), as a remark in a legend.
    pub fn remark(&self, what: &str) -> Option<Entry> {
        self.some(what).map(Entry::remark)
    }

    /// The names of the columns in words.
    pub fn in_words(&self, columns: &[String]) -> String {
        let names: Vec<String> =
            self.columns.iter().map(|column| theme::short(&columns[*column])).collect();
        match (self.some("columns"), &names[..]) {
            (Some(some), names) => format!("{} ({some})", names.join(", ")),
            (None, [first @ .., last]) if !first.is_empty() => {
                format!("{} and {last}", first.join(", "))
            }
            (None, names) => names.concat(),
        }
    }
}

fn finite(values: ArrayView1<'_, f32>) -> impl Iterator<Item = f64> {
    values.into_iter().map(|value| f64::from(*value)).filter(|value| drawable(*value))
}

fn sorted(values: ArrayView1<f32>) -> Vec<f64> {
    let mut values: Vec<f64> = finite(values).collect();
    values.sort_by(f64::total_cmp);
    values
}

/// The two-sample Kolmogorov–Smirnov statistic, the largest distance of the sets' distribution functions; 0
/// where one has no values.
fn distance(a: ArrayView1<f32>, b: ArrayView1<f32>) -> f64 {
    let (a, b) = (sorted(a), sorted(b));
    if a.is_empty() || b.is_empty() {
        return 0.0;
    }
    let below = |values: &[f64], at: f64| {
        values.partition_point(|value| *value <= at) as f64 / values.len() as f64
    };
    a.iter().chain(&b).map(|at| (below(&a, *at) - below(&b, *at)).abs()).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;

    /// Distribution functions of {1, 2, 3, 4} and {3, 4, 5, 6} are furthest apart, by a half, at 2.
    #[test]
    fn the_distance_is_that_of_the_distribution_functions() {
        let (a, b) = (array![4.0_f32, 2.0, 1.0, 3.0, f32::NAN], array![3.0_f32, 4.0, 5.0, 6.0]);
        assert_eq!(distance(a.view(), b.view()), 0.5);
        assert_eq!(distance(a.view(), a.view()), 0.0);
        assert_eq!(distance(a.view(), array![7.0_f32].view()), 1.0);
        assert_eq!(distance(a.view(), array![f32::NAN].view()), 0.0);
    }

    #[test]
    fn of_many_columns_those_that_differ_most_are_chosen() {
        let real = Array2::from_shape_fn((50, 6), |(row, _)| row as f32);
        let mut generated = real.clone();
        generated.column_mut(4).mapv_inplace(|value| value + 20.0);
        generated.column_mut(1).mapv_inplace(|value| value * 0.5);
        let shown = Shown::differing(real.view(), generated.view(), 3);
        assert_eq!(shown.columns, [0, 1, 4]);
        let names: Vec<String> = (0..6).map(|i| format!("x{i}")).collect();
        let words = shown.in_words(&names);
        assert_eq!(
            words,
            "x0, x1, x4 (3 of 6 columns, those where real and generated differ most)"
        );
        assert_eq!(Shown::widest(generated.view(), 5).columns, [0, 2, 3, 4, 5]);
        assert_eq!(Shown::first(2, 3).in_words(&names), "x0 and x1");
    }
}
