//! The rules that choose a number of clusters from K-means with every k.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, Zip};
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::clusters::KSummary;
use super::eigen::{COMPLETE, covariance, jacobi};
use super::kmeans::{self, Method};
use super::lloyd::Clustered;
use super::subset::subset;
use crate::error::Result;
use crate::random::{Generator, Stream};

/// Reference sets of the gap statistic.
pub const REFERENCES: usize = 10;
/// Rows that the gap statistic looks at, of the data and in each reference set.
pub const GAP_ROWS: usize = 1000;
/// Restarts of each fit to a reference set. Without clusters the optima differ little: with 20 the
/// rule chose the same k on 57 of 60 mixtures.
const REFERENCE_RESTARTS: usize = 2;
/// Stands for an inertia of 0, so that the gap is wide but finite.
const LEAST: f64 = f64::MIN_POSITIVE;

/// The gap statistic of one k (Tibshirani, Walther and Hastie 2001).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Gap {
    /// Number of clusters.
    pub k: usize,
    /// Mean ln inertia of reference sets without clusters, less ln inertia of the rows.
    pub gap: f64,
    /// Its standard error: the standard deviation over the B = 10 sets times √(1 + 1/B).
    pub error: f64,
}

/// The score of Calinski and Harabasz 1974 for `rows` (n × columns) under one label a row: the
/// variance of the clusters' means, with k − 1 degrees of freedom, over the variance within the
/// clusters, with n − k (scikit-learn's `calinski_harabasz_score`).
///
/// k is the number of labels in use; 0 where it is below 2. As in scikit-learn it is 1 where no row
/// differs from its cluster's mean.
///
/// # Panics
/// Where there is not one label a row.
pub fn calinski_harabasz(rows: ArrayView2<f64>, labels: &[usize]) -> f64 {
    assert_eq!(rows.nrows(), labels.len(), "one label a row");
    let clusters = labels.iter().max().map_or(0, |largest| largest + 1);
    let mut sizes = vec![0.0; clusters];
    let mut means = Array2::zeros((clusters, rows.ncols()));
    for (row, &label) in rows.rows().into_iter().zip(labels) {
        sizes[label] += 1.0;
        means.row_mut(label).zip_mut_with(&row, |sum, value| *sum += value);
    }
    let used = sizes.iter().filter(|&&size| size > 0.0).count();
    let Some(centre) = rows.mean_axis(Axis(0)).filter(|_| used > 1) else { return 0.0 };
    let mut between = 0.0;
    for (mut mean, &size) in means.rows_mut().into_iter().zip(&sizes).filter(|pair| *pair.1 > 0.0) {
        mean /= size;
        between += size * squared_distance(mean.view(), centre.view());
    }
    let distances = rows.rows().into_iter().zip(labels);
    let within: f64 = distances.map(|(row, &label)| squared_distance(row, means.row(label))).sum();
    if within == 0.0 {
        return 1.0;
    }
    between * (labels.len() - used) as f64 / (within * (used - 1) as f64)
}

fn squared_distance(a: ArrayView1<f64>, b: ArrayView1<f64>) -> f64 {
    Zip::from(a).and(b).fold(0.0, |sum, a, b| sum + (a - b) * (a - b))
}

/// The first k with the largest score; 1 where there are no fits.
pub(super) fn largest_by(fits: &[KSummary], score: impl Fn(&KSummary) -> f64) -> usize {
    fits.iter().rev().max_by(|a, b| score(a).total_cmp(&score(b))).map_or(1, |fit| fit.k)
}

/// The elbow of the inertias; see [`choose_k`](super::clusters::choose_k).
pub(super) fn elbow(fits: &[KSummary]) -> usize {
    let (Some(first), Some(last)) = (fits.first(), fits.last()) else { return 1 };
    // A single fit has no width and no fall.
    let width = (last.k - first.k).max(1) as f64;
    let fall = (first.inertia - last.inertia).max(f64::MIN_POSITIVE);
    let inner = if fits.len() > 2 { &fits[1..fits.len() - 1] } else { fits };
    largest_by(inner, |fit| (first.inertia - fit.inertia) / fall - (fit.k - first.k) as f64 / width)
}

/// The smallest k with gap(k) ≥ gap(k + 1) − error(k + 1), or the largest; 1 where there are none.
pub(super) fn by_gap(gaps: &[Gap]) -> usize {
    let enough = gaps.windows(2).find(|pair| pair[0].gap >= pair[1].gap - pair[1].error);
    enough.map(|pair| pair[0]).or(gaps.last().copied()).map_or(1, |gap| gap.k)
}

/// The gap statistic of `rows` (n × columns) for each k from 1, given the `inertias` of K-means.
///
/// The reference rows are uniform over the box along the principal axes that holds the rows, choice
/// (b) of the paper: a box along the columns would call a thin oblique cloud clustered. Beyond
/// [`COMPLETE`] columns it is the box along the columns, choice (a). Of more than [`GAP_ROWS`] rows
/// a random choice is looked at, and fitted from `restarts` starts.
///
/// # Errors
/// As [`kmeans::best`].
pub(super) fn gaps(
    rows: ArrayView2<f64>,
    inertias: &[f64],
    restarts: usize,
    seed: u64,
) -> Result<Vec<Gap>> {
    let all = rows.nrows() <= GAP_ROWS;
    let rows = rows.select(Axis(0), &subset(rows.nrows(), GAP_ROWS));
    let own = Clustered::new(rows.view());
    let ln_inertia = |rows: &Clustered, k: usize, restarts: usize, set: usize| {
        // Steps that no other draw of the stream has.
        let seeds = Generator::new(seed, Stream::GapReference, (set as u64 + 1) << 32 | k as u64);
        Ok(kmeans::best(rows, k, restarts, seeds, Method::Full)?.inertia.max(LEAST).ln())
    };
    let of_rows = |k: usize| match all {
        true => Ok(inertias[k - 1].max(LEAST).ln()),
        false => ln_inertia(&own, k, restarts, 0),
    };
    let sides = box_sides(&rows);
    let reference = |set| Clustered::new(uniform(rows.nrows(), &sides, seed, set).view());
    let references: Vec<Clustered> = (1..=REFERENCES).map(reference).collect();
    let of_reference =
        |index: usize, k: usize| ln_inertia(&references[index], k, REFERENCE_RESTARTS, index + 1);
    let gap = |k: usize| {
        let own = of_rows(k)?;
        let logs = (0..REFERENCES).into_par_iter().map(|index| of_reference(index, k));
        let logs = Array1::from(logs.collect::<Result<Vec<f64>>>()?);
        let error = logs.std(0.0) * (1.0 + 1.0 / REFERENCES as f64).sqrt();
        Ok(Gap { k, gap: logs.sum() / REFERENCES as f64 - own, error })
    };
    (1..=inertias.len()).into_par_iter().map(gap).collect()
}

/// The sides of the box that holds `rows`; see [`gaps`].
fn box_sides(rows: &Array2<f64>) -> Vec<f64> {
    let range = |column: ArrayView1<f64>| {
        let highest = column.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        highest - column.iter().copied().fold(f64::INFINITY, f64::min)
    };
    if rows.ncols() > COMPLETE {
        return rows.columns().into_iter().map(range).collect();
    }
    let mean = rows.sum_axis(Axis(0)) / rows.nrows() as f64;
    let centred = rows - &mean;
    let axes = jacobi(covariance(centred.view()).view()).1;
    centred.dot(&axes).columns().into_iter().map(range).collect()
}

/// `n` rows uniform over a box with these sides. K-means knows no direction, so the box need not be
/// turned back to where the data lie.
fn uniform(n: usize, sides: &[f64], seed: u64, set: usize) -> Array2<f64> {
    let mut draws = vec![0.0; n * sides.len()];
    Generator::new(seed, Stream::GapReference, set as u64).uniform(&mut draws);
    Array2::from_shape_fn((n, sides.len()), |(row, column)| {
        (f64::from(draws[row * sides.len() + column]) - 0.5) * sides[column]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// On the line 0, 1, 4, 10 with clusters {0, 1} and {4, 10} by hand: means 0.5 and 7 around 3.75,
    /// between 4·3.25² = 42.25, within 0.5 + 18.
    #[test]
    fn a_small_score_by_hand() {
        let rows = ndarray::array![[0.0], [1.0], [4.0], [10.0]];
        let score = |labels: &[usize]| calinski_harabasz(rows.view(), labels);
        assert!((score(&[0, 0, 1, 1]) - 42.25 / (18.5 / 2.0)).abs() < 1e-12);
        // A label that is not in use is no cluster; one cluster has no score.
        assert_eq!(score(&[0, 0, 5, 5]), score(&[0, 0, 1, 1]));
        assert_eq!(score(&[2; 4]), 0.0);
        assert_eq!(score(&[0, 1, 2, 3]), 1.0);
        assert_eq!(calinski_harabasz(Array2::zeros((0, 2)).view(), &[]), 0.0);
    }

    #[test]
    fn the_gap_rule_takes_the_first_k_within_an_error_of_the_next() {
        let choose = |gaps: &[(f64, f64)]| {
            let gaps = gaps.iter().enumerate();
            by_gap(&gaps.map(|(i, &(gap, error))| Gap { k: i + 1, gap, error }).collect::<Vec<_>>())
        };
        assert_eq!(choose(&[(0.5, 0.0), (0.4, 0.1), (0.9, 0.1)]), 1);
        assert_eq!(choose(&[(0.1, 0.0), (0.4, 0.1), (0.45, 0.1)]), 2);
        assert_eq!(choose(&[(0.1, 0.0), (0.4, 0.1), (0.8, 0.1)]), 3);
        assert_eq!(choose(&[]), 1);
    }

    /// K-means with k = 1 has a closed form: a uniform reference on a box with sides s has the
    /// inertia n Σ s²/12 but for chance. Evenly spaced rows are such a reference themselves.
    #[test]
    fn the_gap_of_evenly_spaced_rows_is_nought() {
        let n = 400;
        let rows = Array2::from_shape_fn((n, 1), |(row, _)| (row as f64 + 0.5) / n as f64 - 0.5);
        let inertia = rows.iter().map(|value| value * value).sum::<f64>();
        // Two halves have a quarter of it.
        let gaps = gaps(rows.view(), &[inertia, inertia / 4.0], 1, 7).unwrap();
        for gap in &gaps {
            // The reference's ln inertia scatters by √(4/5n) about the exact value.
            let spread = (0.8 / n as f64).sqrt();
            assert!(gap.gap.abs() < 4.0 * spread / (REFERENCES as f64).sqrt(), "{gap:?}");
            assert!(gap.error > 0.3 * spread && gap.error < 3.0 * spread, "{gap:?}");
        }
        assert_eq!(by_gap(&gaps), 1);
    }

    /// A thin oblique cloud is one cluster: the reference lies along it.
    #[test]
    fn a_line_in_space_is_one_cluster_and_many_rows_are_sampled() {
        let n = 1500;
        let mut along = vec![0.0; n];
        Generator::new(2, Stream::MixtureRows, 0).uniform(&mut along);
        let line = Array2::from_shape_fn((n, 3), |(row, column)| {
            f64::from(along[row] - 0.5) * [1.0, -1.0, 2.0][column]
        });
        let found = gaps(line.view(), &[f64::NAN; 4], 2, 1).unwrap();
        assert_eq!((found.len(), by_gap(&found)), (4, 1));
        let sides = box_sides(&line);
        assert!((sides[0] - 6_f64.sqrt()).abs() < 0.01 && sides[1] < 1e-6, "{sides:?}");
    }

    #[test]
    fn the_elbow_is_furthest_below_the_chord() {
        let fit = |(k, inertia): (usize, f64)| KSummary {
            k,
            inertia,
            silhouette: 0.0,
            silhouette_error: 0.0,
            calinski_harabasz: 0.0,
            mini_batch_inertia: inertia,
            mini_batch_silhouette: 0.0,
            mini_batch_silhouette_error: 0.0,
        };
        // Scaled: (0, 1), (1/4, .4), (1/2, .1), (3/4, .05), (1, 0): below the chord by .35, .4, .2.
        let curve: Vec<KSummary> =
            (2..).zip([200.0, 140.0, 110.0, 105.0, 100.0]).map(fit).collect();
        assert_eq!(elbow(&curve), 4);
        assert_eq!(elbow(&curve[..2]), 2);
        assert_eq!(elbow(&curve[..1]), 2);
        assert_eq!(elbow(&[]), 1);
    }
}
