//! The silhouette: how much nearer rows are to their own cluster than to the next one.

use std::ops::Range;

use ndarray::{Array2, ArrayView1, ArrayView2, Axis};
use rayon::prelude::*;

/// Rows whose distances to all others are held at once.
const BLOCK: usize = 32;

/// The mean silhouette of `rows` (n × columns) under each labelling, in [−1, 1].
///
/// For a row, a is the mean distance to the others of its cluster, b the smallest mean distance to
/// another cluster, and its silhouette is (b − a) / max(a, b), or 0 where it is alone in its cluster
/// (Rousseeuw 1987; scikit-learn's `silhouette_score`). A labelling with fewer than two clusters
/// has none and scores 0.
///
/// Exact, in O(n²) time and O(n) memory. The distances are computed once for all labellings: the sums
/// of a row's distances by cluster are one product with the clusters' membership matrix.
///
/// # Panics
/// Where a labelling has not one label a row.
pub fn silhouettes(rows: ArrayView2<f64>, labellings: &[&[usize]]) -> Vec<f64> {
    let n = rows.nrows();
    let clusterings = Clusterings::new(n, labellings);
    let columns = rows.t().as_standard_layout().into_owned();
    let blocks: Vec<Vec<f64>> = (0..n.div_ceil(BLOCK))
        .into_par_iter()
        .map(|block| {
            let range = block * BLOCK..n.min((block + 1) * BLOCK);
            clusterings.sum_silhouettes(range.clone(), &distances(columns.view(), range))
        })
        .collect();
    // Added block by block, so that the number of threads does not change the rounding.
    let mut totals = vec![0.0; labellings.len()];
    for block in blocks {
        totals.iter_mut().zip(block).for_each(|(total, sum)| *total += sum);
    }
    totals.into_iter().map(|total| total / n.max(1) as f64).collect()
}

/// The distances from some rows to all rows, `range` × n; `columns` is columns × n.
fn distances(columns: ArrayView2<f64>, range: Range<usize>) -> Array2<f64> {
    let mut distances = Array2::zeros((range.len(), columns.ncols()));
    for (row, mut to_all) in range.zip(distances.axis_iter_mut(Axis(0))) {
        for column in columns.axis_iter(Axis(0)) {
            let own = column[row];
            to_all.zip_mut_with(&column, |sum, &other| *sum += (own - other) * (own - other));
        }
        to_all.mapv_inplace(f64::sqrt);
    }
    distances
}

/// Several labellings of the same rows.
struct Clusterings<'a> {
    labellings: &'a [&'a [usize]],
    /// n × all clusters of all labellings: 1 where the row belongs to the cluster.
    members: Array2<f64>,
    /// Rows in each of those clusters.
    sizes: Vec<f64>,
    /// The columns of `members` that belong to each labelling.
    spans: Vec<Range<usize>>,
}

impl<'a> Clusterings<'a> {
    fn new(n: usize, labellings: &'a [&'a [usize]]) -> Self {
        let mut spans = Vec::with_capacity(labellings.len());
        let mut end = 0;
        for labels in labellings {
            assert_eq!(labels.len(), n, "one label a row");
            let start = end;
            end += labels.iter().max().map_or(0, |largest| largest + 1);
            spans.push(start..end);
        }
        let mut members = Array2::zeros((n, end));
        for (labels, span) in labellings.iter().zip(&spans) {
            for (row, label) in labels.iter().enumerate() {
                members[[row, span.start + label]] = 1.0;
            }
        }
        let sizes = members.sum_axis(Axis(0)).to_vec();
        Self { labellings, members, sizes, spans }
    }

    /// For each labelling the sum of the silhouettes of the rows in `range`, given their distances
    /// to all rows.
    fn sum_silhouettes(&self, range: Range<usize>, distances: &Array2<f64>) -> Vec<f64> {
        let sums = distances.dot(&self.members);
        let of_labelling = |(labels, span): (&&[usize], &Range<usize>)| {
            let sizes = &self.sizes[span.clone()];
            range
                .clone()
                .zip(sums.axis_iter(Axis(0)))
                .map(|(row, sums)| {
                    silhouette(labels[row], sums.slice(ndarray::s![span.clone()]), sizes)
                })
                .sum()
        };
        self.labellings.iter().zip(&self.spans).map(of_labelling).collect()
    }
}

/// The silhouette of one row from the sums of its distances to the rows of each cluster.
fn silhouette(own: usize, sums: ArrayView1<f64>, sizes: &[f64]) -> f64 {
    if sizes[own] < 2.0 {
        return 0.0;
    }
    let within = sums[own] / (sizes[own] - 1.0);
    let nearest = (0..sizes.len())
        .filter(|&other| other != own && sizes[other] > 0.0)
        .map(|other| sums[other] / sizes[other])
        .fold(f64::INFINITY, f64::min);
    let larger = within.max(nearest);
    if larger > 0.0 && larger.is_finite() { (nearest - within) / larger } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

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
}
