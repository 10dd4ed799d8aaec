//! The silhouette: how much nearer rows are to their own cluster than to the next one.

use std::ops::Range;

use ndarray::ArrayView2;
use rayon::prelude::*;

/// Rows that are compared with all rows together: enough to fill vector registers, and few enough
/// that their sums for about a hundred clusters stay in the first-level cache.
const LANES: usize = 16;

/// The mean silhouette of `rows` (n × columns) under each labelling, in [−1, 1].
///
/// For a row, a is the mean distance to the others of its cluster, b the smallest mean distance to
/// another cluster, and its silhouette is (b − a) / max(a, b), or 0 where it is alone in its cluster
/// (Rousseeuw 1987; scikit-learn's `silhouette_score`). A labelling with fewer than two clusters
/// has none and scores 0.
///
/// Exact, in O(n²) time and O(n) memory. The distances are computed once for all labellings.
///
/// # Panics
/// Where a labelling has not one label a row.
pub fn silhouettes(rows: ArrayView2<f64>, labellings: &[&[usize]]) -> Vec<f64> {
    if labellings.is_empty() {
        return Vec::new();
    }
    let n = rows.nrows();
    let rows = rows.as_standard_layout();
    let rows: Vec<&[f64]> = rows.rows().into_iter().filter_map(|row| row.to_slice()).collect();
    let clusterings = Clusterings::new(n, labellings);
    let blocks: Vec<Vec<f64>> = (0..n.div_ceil(LANES))
        .into_par_iter()
        .map(|block| {
            let range = block * LANES..n.min((block + 1) * LANES);
            clusterings.sum_silhouettes(range.clone(), &clusterings.sum_distances(range, &rows))
        })
        .collect();
    // Added block by block, so that the number of threads does not change the rounding.
    let mut totals = vec![0.0; labellings.len()];
    for block in blocks {
        totals.iter_mut().zip(block).for_each(|(total, sum)| *total += sum);
    }
    totals.into_iter().map(|total| total / n.max(1) as f64).collect()
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

    /// For each cluster the sums of the distances from the rows in `range` to its rows.
    fn sum_distances(&self, range: Range<usize>, rows: &[&[f64]]) -> Vec<[f64; LANES]> {
        let columns = rows[range.start].len();
        let mut block = vec![[0.0; LANES]; columns];
        for (lane, row) in range.enumerate() {
            block.iter_mut().zip(rows[row]).for_each(|(lanes, &value)| lanes[lane] = value);
        }
        let mut sums = vec![[0.0; LANES]; self.sizes.len()];
        for (row, clusters) in rows.iter().zip(self.clusters.chunks_exact(self.spans.len())) {
            let mut distances = [0.0; LANES];
            for (lanes, &value) in block.iter().zip(*row) {
                for (sum, own) in distances.iter_mut().zip(lanes) {
                    *sum += (own - value) * (own - value);
                }
            }
            distances.iter_mut().for_each(|distance| *distance = distance.sqrt());
            for &cluster in clusters {
                sums[cluster].iter_mut().zip(distances).for_each(|(sum, d)| *sum += d);
            }
        }
        sums
    }

    /// For each labelling the sum of the silhouettes of the rows in `range`, given their
    /// [`sum_distances`](Self::sum_distances).
    fn sum_silhouettes(&self, range: Range<usize>, sums: &[[f64; LANES]]) -> Vec<f64> {
        let labellings = self.spans.len();
        let of_labelling = |(labelling, span): (usize, &Range<usize>)| {
            let silhouette = |(lane, row): (usize, usize)| {
                self.silhouette(self.clusters[row * labellings + labelling], span, lane, sums)
            };
            range.clone().enumerate().map(silhouette).sum()
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

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, array};

    /// On the line 0, 1, 4, 10 with clusters {0, 1} and {4, 10}, by hand:
    /// a = 1, 1, 6, 6 and b = 7, 6, 3.5, 9.5.
    #[test]
    fn a_small_case_by_hand() {
        let rows = array![[0.0], [1.0], [4.0], [10.0]];
        let by_hand = (6.0 / 7.0 + 5.0 / 6.0 - 2.5 / 6.0 + 3.5 / 9.5) / 4.0;
        // One cluster has no silhouette, and neither has a row alone in its cluster.
        let labellings: [&[usize]; 3] = [&[0, 0, 1, 1], &[0, 0, 0, 0], &[0, 1, 2, 3]];
        let scores = silhouettes(rows.view(), &labellings);
        assert!((scores[0] - by_hand).abs() < 1e-15);
        assert_eq!(scores[1..], [0.0, 0.0]);
    }

    #[test]
    fn equal_rows_in_different_clusters_score_zero() {
        let rows = Array2::ones((6, 2));
        assert_eq!(silhouettes(rows.view(), &[&[0, 1, 0, 1, 0, 1]]), [0.0]);
    }

    #[test]
    fn nothing_to_score_is_no_panic() {
        assert_eq!(silhouettes(Array2::zeros((0, 3)).view(), &[&[]]), [0.0]);
        assert!(silhouettes(Array2::zeros((4, 3)).view(), &[]).is_empty());
        assert_eq!(silhouettes(Array2::zeros((4, 0)).view(), &[&[0, 0, 1, 1]]), [0.0]);
    }
}
