//! K-means: full by `lloyd`, by mini-batches through linfa.

use std::fmt::Display;

use linfa::DatasetBase;
use linfa::ParamGuard;
use linfa::traits::FitWith;
use linfa_clustering::{IncrKMeansError, KMeans};
use ndarray::{Array2, ArrayView2, Axis};
use rand_xoshiro::Xoshiro256Plus;
use rand_xoshiro::rand_core::SeedableRng;
use rayon::prelude::*;

use super::lloyd::Clustered;
use crate::error::{Error, Result};
use crate::random::{Generator, Stream};

/// Rows in each update of mini-batch K-means.
pub const BATCH: usize = 20;
/// Passes of mini-batch K-means over all rows, each in a new random order.
pub const PASSES: usize = 10;
/// A restart stops when the centroids together move no more than this, in units of the data's spread:
/// scikit-learn's default, 10⁻⁴ of the variance.
const RESTART_TOLERANCE: f64 = 1e-2;
/// The best restart goes on until they move no more than this.
const TOLERANCE: f64 = 1e-6;
const MAX_ITERATIONS: usize = 300;

/// How the centroids are updated.
#[derive(Clone, Copy)]
pub(super) enum Method {
    /// By all rows together.
    Full,
    /// By [`BATCH`] rows at a time.
    MiniBatch,
}

/// One result of K-means, in the units of its rows.
pub(super) struct Run {
    pub centroids: Array2<f64>,
    pub assignments: Vec<usize>,
    pub inertia: f64,
}

/// The run with the least inertia over all rows of `restarts`; the first of equals. The
/// best one of full K-means is refined. `generator` gives the seeds.
///
/// # Errors
/// Where `restarts` is 0, or as [`mini_batch`].
pub(super) fn best(
    clustered: &Clustered,
    k: usize,
    restarts: usize,
    generator: Generator,
    method: Method,
) -> Result<Run> {
    let assigned = |centroids: Array2<f64>| {
        let (assignments, inertia) = clustered.assign(centroids.view());
        Run { centroids, assignments, inertia }
    };
    let run = |restart: usize| {
        let [a, b, c, d] = generator.words(restart as u32).map(u64::from);
        let centroids = match method {
            Method::Full => {
                let start = Generator::new(a << 32 | b, Stream::Clustering, 0);
                let start = clustered.plus_plus(k, &start);
                clustered.lloyd(start, RESTART_TOLERANCE, MAX_ITERATIONS)
            }
            Method::MiniBatch => mini_batch(clustered.rows(), k, c << 32 | d)?,
        };
        Ok(assigned(centroids))
    };
    let runs: Vec<Run> = (0..restarts).into_par_iter().map(run).collect::<Result<_>>()?;
    let best = runs
        .into_iter()
        .min_by(|a, b| a.inertia.total_cmp(&b.inertia))
        .ok_or_else(|| Error::input("K-means needs at least one restart"))?;
    Ok(match method {
        Method::Full => assigned(clustered.lloyd(best.centroids, TOLERANCE, MAX_ITERATIONS)),
        Method::MiniBatch => best,
    })
}

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
    Clustered::new(rows).assign(centroids)
}

/// The centroids at which Lloyd's algorithm on `rows` (n × columns) comes to rest from the given
/// ones (k × columns): it stops when they together move no more than 10⁻⁶.
///
/// From equal starts it ends where scikit-learn's `KMeans` does, but for clusters that lose all their
/// rows: they keep their centroid.
///
/// # Panics
/// As [`assign`].
pub fn refine(rows: ArrayView2<f64>, centroids: Array2<f64>) -> Array2<f64> {
    assert_eq!(rows.ncols(), centroids.ncols(), "rows and centroids have the same columns");
    assert!(!centroids.is_empty(), "there is at least one centroid");
    Clustered::new(rows).lloyd(centroids, TOLERANCE, MAX_ITERATIONS)
}

/// The centroids of one run of mini-batch K-means on `rows` (n × columns), k × columns.
///
/// Each of [`PASSES`] passes takes the rows in a new random order, [`BATCH`] at a time, and moves
/// each centroid to the running mean of the rows it ever received (Sculley 2010). k-means++ places
/// the start among the first 3·max([`BATCH`], k) rows of the first order, as scikit-learn does by
/// default; those rows are also the first update.
///
/// # Errors
/// Where linfa finds no centroids, which takes values that are not finite.
fn mini_batch(rows: ArrayView2<f64>, k: usize, seed: u64) -> Result<Array2<f64>> {
    let mut rng = Xoshiro256Plus::seed_from_u64(seed);
    let params = KMeans::params_with_rng(k, rng.clone()).n_runs(1).check();
    let failed = |error: &dyn Display| {
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
