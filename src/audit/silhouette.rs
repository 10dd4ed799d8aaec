//! The silhouette: how much nearer rows are to their own cluster than to the next one.

use std::ops::Range;

use ndarray::ArrayView2;
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::subset::subset;
use crate::knn::{LANES, Points, squared_distances};

/// Rows whose silhouettes are computed at most.
pub const MOST_ROWS: usize = 5000;

/// A mean silhouette.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Silhouette {
    /// In [−1, 1].
    pub mean: f64,
    /// Its standard error; 0 where every row was asked.
    pub error: f64,
}

/// The mean silhouette of `rows` (n × columns) under each labelling.
///
/// For a row, a is the mean distance to the others of its cluster, b the smallest mean distance to
/// another cluster, and its silhouette is (b − a) / max(a, b), or 0 where it is alone in its cluster
/// (Rousseeuw 1987; scikit-learn's `silhouette_score`). A labelling with fewer than two clusters
/// has none and scores 0.
///
/// Exact up to [`MOST_ROWS`] rows. Of more, the silhouettes of so many rows are averaged, chosen at
/// random without replacement and the same for every labelling; each is held against all n rows, so
/// that only the mean is a sample's, and its error says how far off it may be (Cochran, Sampling
/// Techniques, 1977, eq. 2.20). O(n · min(n, [`MOST_ROWS`])) time, O(n) memory; the distances are
/// computed once for all labellings.
///
/// # Panics
/// Where a labelling has not one label a row.
pub fn silhouettes(rows: ArrayView2<f64>, labellings: &[&[usize]]) -> Vec<Silhouette> {
    if labellings.is_empty() {
        return Vec::new();
    }
    let n = rows.nrows();
    let clusterings = Clusterings::new(n, labellings);
    if rows.is_empty() {
        return vec![Silhouette { mean: 0.0, error: 0.0 }; labellings.len()];
    }
    let (arch, points, asked) = (Arch::new(), Points::new(rows), subset(n, MOST_ROWS));
    // Few enough together that their sums for about a hundred clusters stay in the first-level cache.
    let of_block = |block: &[usize]| {
        let tile = &points.tiles(block);
        let sums = arch.dispatch(SumDistances { clusterings: &clusterings, points: &points, tile });
        clusterings.sum_silhouettes(block, &sums)
    };
    let blocks: Vec<Vec<Sums>> = asked.par_chunks(LANES).map(of_block).collect();
    // Added block by block, so that the number of threads does not change the rounding.
    let mut totals = vec![Sums::default(); labellings.len()];
    for block in blocks {
        for (total, sums) in totals.iter_mut().zip(block) {
            total.first += sums.first;
            total.second += sums.second;
        }
    }
    let asked = asked.len() as f64;
    let unasked = 1.0 - asked / n as f64;
    let of_labelling = |sums: Sums| {
        let mean = sums.first / asked;
        let variance = (sums.second - mean * sums.first).max(0.0) / (asked - 1.0).max(1.0);
        Silhouette { mean, error: (variance / asked * unasked).sqrt() }
    };
    totals.into_iter().map(of_labelling).collect()
}

/// Sums of silhouettes and of their squares.
#[derive(Clone, Copy, Default)]
struct Sums {
    first: f64,
    second: f64,
}

/// Several labellings of the same rows; their clusters are numbered through.
struct Clusterings {
    /// n × labellings: the cluster of each row.
    clusters: Vec<usize>,
    /// Rows in each cluster.
    sizes: Vec<f64>,
    /// The clusters that belong to each labelling.
    spans: Vec<Range<usize>>,
}

impl Clusterings {
    fn new(n: usize, labellings: &[&[usize]]) -> Self {
        let mut spans = Vec::with_capacity(labellings.len());
        let mut end = 0;
        for labels in labellings {
            assert_eq!(labels.len(), n, "one label a row");
            let start = end;
            end += labels.iter().max().map_or(0, |largest| largest + 1);
            spans.push(start..end);
        }
        let of_row = |row: usize| {
            labellings.iter().zip(&spans).map(move |(labels, span)| span.start + labels[row])
        };
        let clusters: Vec<usize> = (0..n).flat_map(of_row).collect();
        let mut sizes = vec![0.0; end];
        clusters.iter().for_each(|&cluster| sizes[cluster] += 1.0);
        Self { clusters, sizes, spans }
    }

    /// For each labelling the sums over the `asked` rows, given their [`SumDistances`].
    fn sum_silhouettes(&self, asked: &[usize], distances: &[[f64; LANES]]) -> Vec<Sums> {
        let labellings = self.spans.len();
        let of_labelling = |(labelling, span): (usize, &Range<usize>)| {
            let mut sums = Sums::default();
            for (lane, &row) in asked.iter().enumerate() {
                let own = self.clusters[row * labellings + labelling];
                let silhouette = self.silhouette(own, span, lane, distances);
                sums.first += silhouette;
                sums.second += silhouette * silhouette;
            }
            sums
        };
        self.spans.iter().enumerate().map(of_labelling).collect()
    }

    /// The silhouette of one row of cluster `own`, in the labelling with the clusters `span`.
    fn silhouette(
        &self,
        own: usize,
        span: &Range<usize>,
        lane: usize,
        sums: &[[f64; LANES]],
    ) -> f64 {
        if self.sizes[own] < 2.0 {
            return 0.0;
        }
        let within = sums[own][lane] / (self.sizes[own] - 1.0);
        let nearest = span
            .clone()
            .filter(|&other| other != own && self.sizes[other] > 0.0)
            .map(|other| sums[other][lane] / self.sizes[other])
            .fold(f64::INFINITY, f64::min);
        let larger = within.max(nearest);
        if larger > 0.0 && larger.is_finite() { (nearest - within) / larger } else { 0.0 }
    }
}

/// For each cluster the sums of the distances from the rows of a tile to its rows.
struct SumDistances<'a> {
    clusterings: &'a Clusterings,
    points: &'a Points,
    tile: &'a [[f64; LANES]],
}

impl WithSimd for SumDistances<'_> {
    type Output = Vec<[f64; LANES]>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Self::Output {
        let Clusterings { clusters, sizes, spans } = self.clusterings;
        let mut sums = vec![[0.0; LANES]; sizes.len()];
        for (row, clusters) in clusters.chunks_exact(spans.len()).enumerate() {
            let mut distances = squared_distances(self.tile, self.points.row(row).iter().copied());
            distances.iter_mut().for_each(|distance| *distance = distance.sqrt());
            for &cluster in clusters {
                sums[cluster].iter_mut().zip(distances).for_each(|(sum, d)| *sum += d);
            }
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Generator, Stream};
    use ndarray::{Array2, array};

    const NONE: Silhouette = Silhouette { mean: 0.0, error: 0.0 };

    /// On the line 0, 1, 4, 10 with clusters {0, 1} and {4, 10}, by hand:
    /// a = 1, 1, 6, 6 and b = 7, 6, 3.5, 9.5.
    #[test]
    fn a_small_case_by_hand() {
        let rows = array![[0.0], [1.0], [4.0], [10.0]];
        let by_hand = (6.0 / 7.0 + 5.0 / 6.0 - 2.5 / 6.0 + 3.5 / 9.5) / 4.0;
        // One cluster has no silhouette, and neither has a row alone in its cluster.
        let labellings: [&[usize]; 3] = [&[0, 0, 1, 1], &[0, 0, 0, 0], &[0, 1, 2, 3]];
        let scores = silhouettes(rows.view(), &labellings);
        assert!((scores[0].mean - by_hand).abs() < 1e-15);
        assert!(scores.iter().all(|score| score.error == 0.0));
        assert_eq!([scores[1].mean, scores[2].mean], [0.0, 0.0]);
    }

    #[test]
    fn equal_rows_in_different_clusters_score_zero() {
        let rows = Array2::ones((6, 2));
        assert_eq!(silhouettes(rows.view(), &[&[0, 1, 0, 1, 0, 1]]), [NONE]);
    }

    #[test]
    fn nothing_to_score_is_no_panic() {
        assert_eq!(silhouettes(Array2::zeros((0, 3)).view(), &[&[]]), [NONE]);
        assert!(silhouettes(Array2::zeros((4, 3)).view(), &[]).is_empty());
        assert_eq!(silhouettes(Array2::zeros((4, 0)).view(), &[&[0, 0, 1, 1]]), [NONE]);
    }

    /// Two clusters on a line, from 0 to 4 and from 6 to 10. In order along the line the mean distances
    /// are running sums, so that the exact mean takes no n² distances.
    #[test]
    fn many_rows_are_a_sample_with_its_error() {
        let n = 2 * MOST_ROWS;
        let mut values = vec![0.0_f32; 2 * n];
        Generator::new(5, Stream::MixtureRows, 0).uniform(&mut values);
        let labels: Vec<usize> = (0..2 * n).map(|row| row % 2).collect();
        let rows = Array2::from_shape_fn((2 * n, 1), |(row, _)| {
            4.0 * f64::from(values[row]) + 6.0 * (row % 2) as f64
        });
        let clusters = [0, 1].map(|own| {
            let mut of: Vec<f64> = rows.column(0).iter().skip(own).step_by(2).copied().collect();
            of.sort_by(f64::total_cmp);
            of
        });
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let centres = clusters.each_ref().map(|of| mean(of));
        let mut exact = Vec::new();
        for (own, of) in clusters.iter().enumerate() {
            let (mut below, total) = (0.0, of.iter().sum::<f64>());
            for (rank, value) in of.iter().enumerate() {
                let above = total - below - value;
                let (left, right) = (rank as f64, (n - 1 - rank) as f64);
                let a = (left * value - below + above - right * value) / (n - 1) as f64;
                let b = (centres[1 - own] - value).abs();
                exact.push((b - a) / a.max(b));
                below += value;
            }
        }
        let [found] = silhouettes(rows.view(), &[&labels])[..] else { panic!("one labelling") };
        // A quarter of the rows is asked.
        let variance = exact.iter().map(|s| (s - mean(&exact)).powi(2)).sum::<f64>();
        let error = (variance / (2 * n - 1) as f64 / MOST_ROWS as f64 * 0.75).sqrt();
        assert!((found.error / error - 1.0).abs() < 0.05, "{found:?}, {error}");
        assert!((found.mean - mean(&exact)).abs() < 3.0 * error, "{found:?}, {error}");
    }
}
