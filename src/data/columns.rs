//! What stands out in the columns of a table before anything is learned from it.

use ndarray::{ArrayView1, ArrayView2, Axis};

/// Columns that are looked at for dependence at most, whose cost is of the square of their number.
const MOST_COLUMNS: usize = 300;
/// Share of a column's standard deviation that may be left of one that follows from others: what is left
/// of sums of rounded figures.
const LEAST_OWN: f64 = 1e-3;
/// Share of a column's standard deviation that another must bring to be named as one that it follows from.
const LEAST_PART: f64 = 1e-2;

/// Fewest rows of a column that counts.
const LEAST_COUNTED: usize = 20;

/// Share of the rows at one end of a column that may be apart from the rest.
const MOST_APART: f64 = 0.05;
/// How many times the reach of the rest they lie away from it at least.
const APART: f64 = 3.0;

/// A column that is a linear combination of earlier ones and a constant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependence {
    /// The column.
    pub column: usize,
    /// Those that it follows from, in their order.
    pub on: Vec<usize>,
}

/// The columns of `rows` (n × columns) that follow from those before them, by Gram–Schmidt on standardised
/// columns. Looks at 300 columns at most; constant columns follow from nothing. Of rows that are not more than
/// the columns nothing can be said.
pub fn dependences(rows: ArrayView2<f32>) -> Vec<Dependence> {
    let (n, width) = rows.dim();
    if width > MOST_COLUMNS || n <= width + 1 {
        return Vec::new();
    }
    let mut basis: Vec<Member> = Vec::new();
    let mut found = Vec::new();
    for (column, values) in rows.axis_iter(Axis(1)).enumerate() {
        let Some(mut rest) = standardised(values) else { continue };
        // In terms of the columns of the basis, and not of its directions.
        let mut parts = vec![0.0; basis.len()];
        // A second pass takes away what rounding left in the first.
        for _ in 0..2 {
            for member in &basis {
                let along = dot(&rest, &member.direction);
                rest.iter_mut().zip(&member.direction).for_each(|(x, y)| *x -= along * y);
                parts.iter_mut().zip(&member.parts).for_each(|(part, of)| *part += along * of);
            }
        }
        let left = dot(&rest, &rest).sqrt();
        if left < LEAST_OWN {
            let named = basis.iter().zip(&parts).filter(|(_, part)| part.abs() >= LEAST_PART);
            found.push(Dependence { column, on: named.map(|(member, _)| member.column).collect() });
            continue;
        }
        rest.iter_mut().for_each(|x| *x /= left);
        let mut parts: Vec<f64> = parts.iter().map(|part| -part / left).collect();
        parts.push(1.0 / left);
        basis.push(Member { column, direction: rest, parts });
    }
    found
}

/// A direction of the space that columns span.
struct Member {
    /// The column that brought it.
    column: usize,
    /// One value a row, of length 1.
    direction: Vec<f64>,
    /// It as a sum of the standardised columns of this and of earlier members.
    parts: Vec<f64>,
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// The values less their mean, of length 1; nothing where they are equal.
fn standardised(values: ArrayView1<f32>) -> Option<Vec<f64>> {
    let mut values: Vec<f64> = values.iter().map(|&value| f64::from(value)).collect();
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    values.iter_mut().for_each(|value| *value -= mean);
    let length = dot(&values, &values).sqrt();
    // Of equal values rounding leaves a little.
    (length > 1e-9 * mean.abs() * n.sqrt()).then(|| {
        values.iter_mut().for_each(|value| *value /= length);
        values
    })
}

/// Whether a column of a table with so many `rows`, some of whose `values` these are, numbers them: whole
/// numbers, each once, hardly one left out.
pub fn counts_rows(values: ArrayView1<f32>, rows: usize) -> bool {
    let mut sorted: Vec<f32> = values.to_vec();
    sorted.sort_by(f32::total_cmp);
    let (Some(first), Some(last)) = (sorted.first(), sorted.last()) else { return false };
    let gaps = f64::from(*last) - f64::from(*first);
    sorted.len() >= LEAST_COUNTED
        && gaps <= 1.1 * rows as f64
        && sorted.iter().all(|value| value.fract() == 0.0)
        && sorted.windows(2).all(|pair| pair[0] < pair[1])
}

/// Values of a column that lie far from all others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Apart {
    /// How many they are.
    pub count: usize,
    /// The one of them that is furthest away.
    pub furthest: f32,
    /// The reach of the others.
    pub others: [f32; 2],
}

/// The few values at one end of a column, if any, that lie further from all others than three times as far as
/// these reach: a code for what is missing, a slip of the pen, or another unit.
pub fn apart(values: ArrayView1<f32>) -> Option<Apart> {
    let mut sorted: Vec<f32> = values.to_vec();
    sorted.sort_by(f32::total_cmp);
    let n = sorted.len();
    let most = (MOST_APART * n as f64) as usize;
    let wide = |gap: [f32; 2], others: [f32; 2]| {
        let [gap, reach] = [gap, others].map(|[low, high]| f64::from(high) - f64::from(low));
        reach > 0.0 && gap > APART * reach
    };
    let found = (1..=most.min(n.saturating_sub(2))).find_map(|count| {
        let above = [sorted[0], sorted[n - count - 1]];
        let below = [sorted[count], sorted[n - 1]];
        if wide([above[1], sorted[n - count]], above) {
            return Some((count, sorted[n - 1], above));
        }
        wide([sorted[count - 1], below[0]], below).then(|| (count, sorted[0], below))
    });
    found.map(|(count, furthest, others)| Apart { count, furthest, others })
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, Array2, array};

    use super::*;
    use crate::random::{Generator, Stream};

    fn normal(rows: usize, columns: usize) -> Array2<f32> {
        let mut values = vec![0.0; rows * columns];
        Generator::new(5, Stream::MixtureRows, 0).normal(&mut values);
        Array2::from_shape_vec((rows, columns), values).unwrap()
    }

    /// The third is the sum of the first two and a constant in cents, the fifth the fourth in other units; the
    /// sixth only goes with the first.
    #[test]
    fn columns_that_follow_from_others_are_found_with_these() {
        let mut rows = normal(500, 6);
        for mut row in rows.rows_mut() {
            row[2] = ((100.0 * (row[0] + row[1])).round() / 100.0) + 7.0;
            row[4] = 32.0 + 1.8 * row[3];
            row[5] = row[0] + 0.01 * row[5];
        }
        let on = |column, on: &[usize]| Dependence { column, on: on.to_vec() };
        // Cents of a sum of such are not all of its spread.
        assert_eq!(dependences(rows.view()), [on(4, &[3])]);
        for mut row in rows.rows_mut() {
            row[2] = row[0] + row[1] + 7.0;
        }
        assert_eq!(dependences(rows.view()), [on(2, &[0, 1]), on(4, &[3])]);
        rows.column_mut(3).fill(1e6);
        assert_eq!(dependences(rows.view()), [on(2, &[0, 1])]);
        assert_eq!(dependences(normal(7, 6).view()), []);
    }

    #[test]
    fn whole_numbers_that_come_once_count_rows() {
        let count = Array1::from_iter((0..150).map(|i| (i * 7 % 150 + 3) as f32));
        let is_count = |values: Array1<f32>| counts_rows(values.view(), 150);
        assert!(is_count(count.clone()));
        assert!(is_count(count.slice(ndarray::s![..60]).to_owned()));
        assert!(!is_count(&count / 2.0) && !is_count(&count * 2.0));
        assert!(!is_count(Array1::zeros(150)) && !is_count(array![1.0, 2.0, 3.0]));
    }

    #[test]
    fn values_far_from_all_others_are_found() {
        let mut values = normal(200, 1).column(0).to_owned();
        assert_eq!(apart(values.view()), None);
        (values[17], values[30]) = (-999.0, -999.0);
        let found = apart(values.view()).unwrap();
        assert_eq!((found.count, found.furthest), (2, -999.0));
        assert!(found.others[0] > -5.0 && found.others[1] < 5.0, "{found:?}");
        (values[17], values[30]) = (0.0, 9999.0);
        let found = apart(values.view()).unwrap();
        assert_eq!((found.count, found.furthest), (1, 9999.0));
        // A mode of its own is none of the few.
        values.slice_mut(ndarray::s![..20]).fill(500.0);
        values[30] = 500.0;
        assert_eq!(apart(values.view()), None);
        // Nor is the one that differs among equal ones.
        let mut flag = Array1::<f32>::zeros(100);
        flag[3] = 1.0;
        assert_eq!(apart(flag.view()), None);
        assert_eq!(apart(array![0.0_f32].view()), None);
    }
}
