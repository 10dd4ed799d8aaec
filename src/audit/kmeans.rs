//! K-means, full and by mini-batches, through linfa.

use linfa::DatasetBase;
use linfa::ParamGuard;
use linfa::traits::{Fit, FitWith};
use linfa_clustering::{IncrKMeansError, KMeans};
use ndarray::{Array2, ArrayView2, Axis};
use rand_xoshiro::Xoshiro256Plus;
use rand_xoshiro::rand_core::SeedableRng;

use crate::error::{Error, Result};

/// Rows in each update of mini-batch K-means.
pub const BATCH: usize = 20;
/// Passes of mini-batch K-means over all rows, each in a new random order.
pub const PASSES: usize = 10;
/// K-means stops when the centroids together move less than this, in units of the data's spread.
const TOLERANCE: f64 = 1e-6;
const MAX_ITERATIONS: u64 = 300;

/// The nearest centroid of each row, and the inertia: the sum of the squared distances to them, as
/// scikit-learn defines it.
///
/// `rows` is n × columns, `centroids` k × columns. Of equally near centroids the first is taken.
///
/// # Panics
/// Where there is no centroid, or the numbers of columns differ.
pub fn assign(rows: ArrayView2<f64>, centroids: ArrayView2<f64>) -> (Vec<usize>, f64) {
    assert_eq!(rows.ncols(), centroids.ncols(), "rows and centroids have the same columns");
    assert!(!centroids.is_empty(), "there is at least one centroid");
    let mut inertia = 0.0;
    let nearest = |row: ndarray::ArrayView1<f64>| {
        let mut best = (0, f64::INFINITY);
        for (index, centroid) in centroids.axis_iter(Axis(0)).enumerate() {
            let distance = row.iter().zip(centroid).map(|(x, c)| (x - c) * (x - c)).sum();
            if distance < best.1 {
                best = (index, distance);
            }
        }
        inertia += best.1;
        best.0
    };
    let assignments = rows.axis_iter(Axis(0)).map(nearest).collect();
    (assignments, inertia)
}

/// The centroids of one run of K-means on `rows` (n × columns), k × columns.
///
/// k-means++ places the start (Arthur and Vassilvitskii 2007). linfa's updates count the old centroid
/// as one more member of its cluster (Pakhira 2009), so no cluster loses its centroid; where they
/// come to rest the centroids are the means of their rows, as in Lloyd's algorithm.
///
/// # Errors
/// Where linfa finds no centroids, which takes values that are not finite.
pub(super) fn full(rows: ArrayView2<f64>, k: usize, seed: u64) -> Result<Array2<f64>> {
    let fit = KMeans::params_with_rng(k, Xoshiro256Plus::seed_from_u64(seed))
        .n_runs(1)
        .tolerance(TOLERANCE)
        .max_n_iterations(MAX_ITERATIONS)
        .fit(&DatasetBase::from(rows))
        .map_err(|error| Error::failed(format!("K-means with {k} clusters: {error}")))?;
    Ok(fit.centroids().clone())
}

/// The centroids of one run of mini-batch K-means on `rows` (n × columns), k × columns.
///
/// Each of [`PASSES`] passes takes the rows in a new random order, [`BATCH`] at a time, and moves
/// each centroid to the running mean of the rows it ever received (Sculley 2010). k-means++ places
/// the start among the first 3·max([`BATCH`], k) rows of the first order, as scikit-learn does by
/// default; those rows are also the first update.
///
/// # Errors
/// As [`full`].
pub(super) fn mini_batch(rows: ArrayView2<f64>, k: usize, seed: u64) -> Result<Array2<f64>> {
    let mut rng = Xoshiro256Plus::seed_from_u64(seed);
    let params = KMeans::params_with_rng(k, rng.clone()).n_runs(1).check();
    let failed = |error: &dyn std::fmt::Display| {
        Error::failed(format!("mini-batch K-means with {k} clusters: {error}"))
    };
    let params = params.map_err(|error| failed(&error))?;
    let rows = DatasetBase::from(rows);
    let mut model = None;
    for _ in 0..PASSES {
        let shuffled = rows.shuffle(&mut rng);
        let mut left = shuffled.records().view();
        while left.nrows() > 0 {
            let wanted = if model.is_none() { 3 * BATCH.max(k) } else { BATCH };
            let (batch, rest) = left.split_at(Axis(0), wanted.min(left.nrows()));
            left = rest;
            model = match params.fit_with(model, &DatasetBase::from(batch)) {
                Ok(model) | Err(IncrKMeansError::NotConverged(model)) => Some(model),
                Err(error) => return Err(failed(&error)),
            };
        }
    }
    match model {
        Some(model) => Ok(model.centroids().clone()),
        None => Err(failed(&"there are no rows")),
    }
}
