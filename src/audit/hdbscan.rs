//! How many dense groups rows form, without being told a number: HDBSCAN.

use ::hdbscan::{Hdbscan, HdbscanHyperParams};
use ndarray::ArrayView2;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::subset::subset;
use crate::data::Scaled;
use crate::error::{Error, Result};

/// Rows that are looked at: the time grows with their square.
const ROWS: usize = 2000;
/// A cluster has at least one row in so many.
const ROWS_PER_CLUSTER: usize = 50;
/// A cluster has at least so many rows, scikit-learn's default.
const FEWEST: usize = 5;

/// What HDBSCAN finds: groups of rows that are denser than what lies between them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DensityClusters {
    /// Number of clusters: never 1, and 0 where no group stands out from the others.
    pub clusters: usize,
    /// Share of the rows in no cluster.
    pub noise_share: f64,
    /// Rows that a group must have to count: 2 % of the rows looked at, and at least 5.
    pub min_cluster_size: usize,
    /// Rows looked at: all, or a random choice of 2000.
    pub rows: usize,
}

/// Counts the density clusters of `rows` (n × columns) with HDBSCAN (Campello, Moulavi and Sander
/// 2013), the clusters chosen by excess of mass.
///
/// The core distance is that to the `min_cluster_size`-th nearest row, the row itself included, as in
/// scikit-learn. With fewer rows than that nothing is a cluster, and neither are rows that are all
/// equal. So many equal rows among others have an infinite density: they are a cluster, and may split
/// the group around them.
///
/// # Errors
/// Where there are no rows, or a value is not finite.
pub fn density_clusters(rows: ArrayView2<f32>) -> Result<DensityClusters> {
    let scaled = Scaled::new(rows)?.rows;
    let rows: Vec<Vec<f64>> =
        subset(scaled.nrows(), ROWS).into_iter().map(|row| scaled.row(row).to_vec()).collect();
    let n = rows.len();
    let min_cluster_size = (n / ROWS_PER_CLUSTER).max(FEWEST);
    let labels = if n < min_cluster_size {
        vec![-1; n]
    } else {
        let settings = HdbscanHyperParams::builder().min_cluster_size(min_cluster_size).build();
        Hdbscan::new(&rows, settings)
            .cluster()
            .map_err(|error| Error::failed(format!("density clusters: {error}")))?
    };
    let noise = labels.iter().filter(|&&label| label < 0).count();
    let clusters = labels.iter().max().map_or(0, |&largest| (largest + 1) as usize);
    Ok(DensityClusters {
        clusters,
        noise_share: noise as f64 / n as f64,
        min_cluster_size,
        rows: n,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Generator, Stream};
    use ndarray::Array2;

    fn noise(n: usize, columns: usize) -> Array2<f32> {
        let mut values = vec![0.0; n * columns];
        Generator::new(3, Stream::MixtureRows, 0).normal(&mut values);
        Array2::from_shape_vec((n, columns), values).unwrap()
    }

    fn clusters(rows: &Array2<f32>) -> usize {
        density_clusters(rows.view()).unwrap().clusters
    }

    #[test]
    fn groups_that_are_apart_are_counted_in_any_unit() {
        let corners = [[0.0, 0.0], [20.0, 0.0], [10.0, 17.3]];
        let rows = noise(300, 2) + Array2::from_shape_fn((300, 2), |(row, c)| corners[row % 3][c]);
        let found = density_clusters(rows.view()).unwrap();
        assert_eq!((found.clusters, found.min_cluster_size, found.rows), (3, 6, 300));
        assert!(found.noise_share < 0.1, "{found:?}");
        assert_eq!(clusters(&(&rows * 1e-12 + 1e-9)), 3);
        let line = rows.select(ndarray::Axis(1), &[0]);
        assert_eq!(clusters(&line), 3);
    }

    #[test]
    fn one_cloud_is_no_set_of_modes() {
        let mut values = vec![0.0; 2000];
        Generator::new(3, Stream::MixtureRows, 0).uniform(&mut values);
        assert!(clusters(&Array2::from_shape_vec((1000, 2), values).unwrap()) <= 6);
        assert_eq!(clusters(&noise(1000, 10)), 0);
    }

    #[test]
    fn large_tables_are_judged_by_some_rows() {
        let rows = noise(6000, 1)
            + Array2::from_shape_fn((6000, 1), |(row, _)| if row % 2 == 0 { 20.0 } else { 0.0 });
        let found = density_clusters(rows.view()).unwrap();
        assert_eq!((found.clusters, found.min_cluster_size, found.rows), (2, 40, 2000));
    }

    #[test]
    fn rows_that_cannot_be_clustered_give_a_verdict() {
        for rows in [noise(1, 2), noise(4, 2), noise(5, 1), Array2::from_elem((1000, 2), 0.3)] {
            let found = density_clusters(rows.view()).unwrap();
            assert_eq!((found.clusters, found.noise_share), (0, 1.0));
        }
        let atoms = Array2::from_shape_fn((60, 2), |(row, _)| (row % 3) as f32);
        assert_eq!(clusters(&atoms), 3);
        assert!(density_clusters(noise(0, 2).view()).is_err());
        assert!(density_clusters(ndarray::array![[f32::NAN], [1.0]].view()).is_err());
    }
}
