//! How many clusters K-means sees: every k in a range, full and by mini-batches, and the k that each
//! rule chooses.

use std::collections::HashSet;

use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::exact::Exact;
use super::k_rules::{Gap, by_gap, calinski_harabasz, elbow, gaps, largest_by};
use super::kmeans::{self, Method, Run};
use super::lloyd::Clustered;
use super::silhouette::{Silhouette, silhouettes};
use crate::data::Scaled;
use crate::error::{Error, Result};
use crate::random::{Generator, Stream};

/// K-means with one number of clusters: the restart with the least inertia.
#[derive(Clone, Debug, PartialEq)]
pub struct KMeansFit {
    /// Number of centroids.
    pub k: usize,
    /// The centroids in the units of the data, k × columns.
    pub centroids: Array2<f64>,
    /// For each row the index of its nearest centroid.
    pub assignments: Vec<usize>,
    /// Sum of the squared distances to the nearest centroid, in squared units of the data.
    pub inertia: f64,
    /// See [`silhouettes`].
    pub silhouette: Silhouette,
}

/// What K-means found with one number of clusters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct KSummary {
    /// Number of clusters.
    pub k: usize,
    /// Inertia of full K-means, in squared units of the data.
    pub inertia: f64,
    /// Mean silhouette of full K-means; of more than 5000 rows that of so many among all.
    pub silhouette: f64,
    /// Its standard error; 0 up to 5000 rows.
    #[serde(default)] // Older files asked every row.
    pub silhouette_error: f64,
    /// Calinski–Harabasz score of full K-means: its spread between clusters over that within.
    pub calinski_harabasz: f64,
    /// Inertia of mini-batch K-means.
    pub mini_batch_inertia: f64,
    /// Mean silhouette of mini-batch K-means.
    pub mini_batch_silhouette: f64,
    /// Its standard error; 0 up to 5000 rows.
    #[serde(default)]
    pub mini_batch_silhouette_error: f64,
}

/// K-means for every k, and the k that each rule chooses: 1 where there is nothing to choose from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct KChoice {
    /// One entry a k, ascending from 2; none where fewer than two clusters can be told apart.
    pub fits: Vec<KSummary>,
    /// The gap statistic, one entry a k, ascending from 1; none where there are no fits.
    pub gaps: Vec<Gap>,
    /// The k with the largest silhouette.
    pub by_silhouette: usize,
    /// The k with the largest Calinski–Harabasz score.
    pub by_calinski_harabasz: usize,
    /// The smallest k whose gap is not below the next one less its standard error, or the largest k
    /// tried. The only rule that can find a single cluster.
    pub by_gap: usize,
    /// The k at the elbow of the inertia: furthest below the chord between its ends.
    pub by_elbow: usize,
    /// The k with the largest silhouette of mini-batch K-means.
    pub mini_batch_by_silhouette: usize,
}

/// Fits K-means with each of `ks` clusters to `rows` (n × columns) from `restarts` starts and keeps
/// the ones with the least inertia, as [`choose_k`] does. All silhouettes take one pass over the
/// distances.
///
/// # Errors
/// Where `restarts` is 0, a value is not finite, or a k is not from 1 to the number of distinct rows.
pub fn fit(
    rows: ArrayView2<f32>,
    ks: &[usize],
    restarts: usize,
    seed: u64,
) -> Result<Vec<KMeansFit>> {
    let scaled = Scaled::new(rows)?;
    let view = scaled.rows.view();
    let distinct = distinct_rows(rows, ks.iter().copied().max().unwrap_or(0));
    if let Some(k) = ks.iter().find(|&&k| k == 0 || distinct < k) {
        return Err(Error::input(format!("{k} clusters from {distinct} distinct rows"))
            .help("ask for at least one cluster, and for no more than there are distinct rows"));
    }
    let clustered = Clustered::new(view);
    let run = |&k: &usize| kmeans::best(&clustered, k, restarts, seeds(seed, k), Method::Full);
    let runs: Vec<Run> = ks.par_iter().map(run).collect::<Result<_>>()?;
    let labellings: Vec<&[usize]> = runs.iter().map(|run| &run.assignments[..]).collect();
    let scores = silhouettes(view, &labellings);
    let fits = ks.iter().zip(runs).zip(scores).map(|((&k, run), silhouette)| KMeansFit {
        k,
        centroids: scaled.unscale(&run.centroids),
        assignments: run.assignments,
        inertia: run.inertia * scaled.scale.powi(2),
        silhouette,
    });
    Ok(fits.collect())
}

/// Fits K-means and mini-batch K-means to `rows` (n × columns) for every k from 2 to `max_k`, or to
/// n − 1 or the number of distinct rows where that is less, and chooses k.
///
/// Each fit is the best of `restarts` runs by inertia over all rows. The silhouette and the
/// [`calinski_harabasz`] score choose the k where they are largest, the smaller k of two equals. The
/// gap statistic takes the smallest k whose [`Gap`] is not below the next one less its error, or the
/// largest k tried. The elbow is the k whose inertia lies furthest below the chord from the first to
/// the last fit, both axes scaled to [0, 1] (Satopää et al. 2011, "Finding a 'kneedle' in a
/// haystack"). The chord's own ends are never the elbow, unless there are no other fits: then it is
/// the first.
///
/// `tick` is called once for every k, from any thread, when its runs are done.
///
/// # Errors
/// Where there are no rows, a value is not finite, or `restarts` is 0 and there is a k to fit.
pub fn choose_k(
    rows: ArrayView2<f32>,
    max_k: usize,
    restarts: usize,
    seed: u64,
    tick: &(dyn Fn() + Sync),
) -> Result<KChoice> {
    let scaled = Scaled::new(rows)?;
    let view = scaled.rows.view();
    let largest = max_k.min(rows.nrows() - 1).min(distinct_rows(rows, max_k));
    let clustered = Clustered::new(view);
    let runs: Vec<(usize, Run, Run)> = (2..=largest)
        .into_par_iter()
        .map(|k| {
            let run = |method| kmeans::best(&clustered, k, restarts, seeds(seed, k), method);
            let runs = (k, run(Method::Full)?, run(Method::MiniBatch)?);
            tick();
            Ok(runs)
        })
        .collect::<Result<_>>()?;
    let labellings: Vec<&[usize]> = runs
        .iter()
        .flat_map(|(_, full, mini_batch)| [&full.assignments[..], &mini_batch.assignments[..]])
        .collect();
    let scores = silhouettes(view, &labellings);
    let unit = scaled.scale.powi(2);
    let fits: Vec<KSummary> = runs
        .iter()
        .zip(scores.chunks_exact(2))
        .map(|((k, full, mini_batch), scores)| KSummary {
            k: *k,
            inertia: full.inertia * unit,
            silhouette: scores[0].mean,
            silhouette_error: scores[0].error,
            calinski_harabasz: calinski_harabasz(view, &full.assignments),
            mini_batch_inertia: mini_batch.inertia * unit,
            mini_batch_silhouette: scores[1].mean,
            mini_batch_silhouette_error: scores[1].error,
        })
        .collect();
    let gaps = if runs.is_empty() {
        Vec::new()
    } else {
        // The rows are centred: this is the inertia of one cluster.
        let one = view.iter().map(|value| value * value).sum();
        let inertias: Vec<f64> =
            std::iter::once(one).chain(runs.iter().map(|(_, full, _)| full.inertia)).collect();
        gaps(view, &inertias, restarts, seed)?
    };
    Ok(KChoice {
        by_silhouette: largest_by(&fits, |fit| fit.silhouette),
        by_calinski_harabasz: largest_by(&fits, |fit| fit.calinski_harabasz),
        by_gap: by_gap(&gaps),
        by_elbow: elbow(&fits),
        mini_batch_by_silhouette: largest_by(&fits, |fit| fit.mini_batch_silhouette),
        fits,
        gaps,
    })
}

/// The seeds of the runs with `k` clusters.
fn seeds(seed: u64, k: usize) -> Generator {
    Generator::new(seed, Stream::Clustering, k as u64)
}

/// The number of distinct rows, counted up to `enough`.
fn distinct_rows(rows: ArrayView2<f32>, enough: usize) -> usize {
    let mut seen = HashSet::new();
    for row in rows.rows() {
        if seen.len() >= enough {
            break;
        }
        seen.insert(Exact(row));
    }
    seen.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Rows of standard normal noise, some columns wide.
    fn noise(n: usize, columns: usize) -> Array2<f32> {
        let mut values = vec![0.0; n * columns];
        Generator::new(3, Stream::MixtureRows, 0).normal(&mut values);
        Array2::from_shape_vec((n, columns), values).unwrap()
    }

    /// As [`noise`] in 2-D, about the corners of an equilateral triangle of side 20.
    fn three_groups(n: usize) -> Array2<f32> {
        let corners = [[0.0, 0.0], [20.0, 0.0], [10.0, 17.3]];
        noise(n, 2) + Array2::from_shape_fn((n, 2), |(row, column)| corners[row % 3][column])
    }

    fn choose(rows: &Array2<f32>) -> KChoice {
        choose_k(rows.view(), 6, 4, 1, &|| ()).unwrap()
    }

    #[test]
    fn every_rule_counts_groups_that_are_apart() {
        let rows = three_groups(90);
        let ticks = AtomicUsize::new(0);
        let tick = || {
            ticks.fetch_add(1, Ordering::Relaxed);
        };
        let choice = choose_k(rows.view(), 6, 4, 1, &tick).unwrap();
        assert_eq!(ticks.into_inner(), 5);
        assert!(choice.fits.iter().map(|fit| fit.k).eq(2..=6));
        assert!(choice.gaps.iter().map(|gap| gap.k).eq(1..=6));
        let chosen = [choice.by_silhouette, choice.by_calinski_harabasz, choice.by_gap];
        assert_eq!(chosen, [3; 3]);
        assert_eq!((choice.by_elbow, choice.mini_batch_by_silhouette), (3, 3));

        let fits = fit(rows.view(), &[2, 3], 4, 1).unwrap();
        assert_eq!(fits[0].inertia, choice.fits[0].inertia);
        let fit = &fits[1];
        assert_eq!(
            (fit.inertia, fit.silhouette.mean),
            (choice.fits[1].inertia, choice.fits[1].silhouette)
        );
        assert!(fit.assignments.iter().zip(0..).all(|(&a, row)| a == fit.assignments[row % 3]));
        let distances = rows.rows().into_iter().zip(&fit.assignments).map(|(row, &cluster)| {
            let centroid = fit.centroids.row(cluster);
            row.iter().zip(centroid).map(|(&x, c)| (f64::from(x) - c).powi(2)).sum::<f64>()
        });
        assert!((distances.sum::<f64>() / fit.inertia - 1.0).abs() < 1e-12);
    }

    #[test]
    fn unit_and_offset_of_the_data_change_no_choice() {
        let rows = three_groups(60);
        let moved = choose(&(&rows * 1e-6 + 1e-3));
        let choice = choose(&rows);
        assert_eq!((moved.by_silhouette, moved.by_elbow), (choice.by_silhouette, choice.by_elbow));
        assert_eq!((moved.by_calinski_harabasz, moved.by_gap), (3, choice.by_gap));
        let inertia = moved.fits[1].inertia * 1e12;
        assert!((inertia / choice.fits[1].inertia - 1.0).abs() < 1e-3);
    }

    #[test]
    fn the_number_of_threads_changes_nothing() {
        let rows = noise(70, 3);
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| choose(&rows))
        };
        assert_eq!(on(1), on(3));
    }

    #[test]
    fn too_few_distinct_rows_give_a_verdict() {
        let nothing = KChoice {
            fits: vec![],
            gaps: vec![],
            by_silhouette: 1,
            by_calinski_harabasz: 1,
            by_gap: 1,
            by_elbow: 1,
            mini_batch_by_silhouette: 1,
        };
        assert_eq!(choose(&Array2::from_elem((50, 3), 0.7)), nothing);
        assert_eq!(choose(&noise(1, 3)), nothing);
        assert_eq!(choose(&noise(2, 3)), nothing);
        // Zero has two signs but is one value.
        assert_eq!(choose(&ndarray::array![[0.0_f32], [-0.0], [0.0]]), nothing);

        let two = Array2::from_shape_fn((9, 2), |(row, _)| (row % 2) as f32);
        let choice = choose(&two);
        assert_eq!(choice.fits.len(), 1);
        assert_eq!((choice.by_silhouette, choice.by_elbow, choice.by_gap), (2, 2, 2));
        assert_eq!((choice.fits[0].inertia, choice.fits[0].silhouette), (0.0, 1.0));
        assert_eq!(choose(&noise(3, 1)).fits.len(), 1);
    }

    #[test]
    fn what_cannot_be_clustered_is_refused() {
        let rows = noise(4, 2);
        assert!(fit(rows.view(), &[2, 5], 1, 1).is_err() && fit(rows.view(), &[0], 1, 1).is_err());
        assert!(fit(rows.view(), &[2], 0, 1).is_err());
        assert!(fit(rows.view(), &[], 1, 1).unwrap().is_empty());
        assert!(choose_k(noise(0, 2).view(), 6, 1, 1, &|| ()).is_err());
        let broken = ndarray::array![[0.0_f32, 1.0], [2.0, f32::NAN]];
        let error = choose_k(broken.view(), 6, 1, 1, &|| ()).unwrap_err();
        assert_eq!(error.message(), "row 2, column 2: not a finite number");
    }
}
