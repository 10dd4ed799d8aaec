//! The analyses against scikit-learn's figures in `golden/analysis.json`, which
//! `scripts/goldens_sklearn.py` writes.

use modescope::audit::{bic, clusters, kmeans, silhouette};
use modescope::tsne;
use ndarray::{Array1, Array2, Array3};
use serde::Deserialize;

#[derive(Deserialize)]
struct Goldens {
    rows: Vec<Vec<f64>>,
    silhouettes: Vec<Labelling>,
    fixed_centroids: FixedCentroids,
    k_means: Vec<KMeans>,
    mixtures: Vec<Mixture>,
    embeddings: Vec<Embedding>,
}

#[derive(Deserialize)]
struct Labelling {
    labels: Vec<usize>,
    silhouette: f64,
}

#[derive(Deserialize)]
struct FixedCentroids {
    centroids: Vec<Vec<f64>>,
    assignments: Vec<usize>,
    inertia: f64,
}

#[derive(Deserialize)]
struct KMeans {
    k: usize,
    inertia: f64,
    silhouette: f64,
}

#[derive(Deserialize)]
struct Mixture {
    k: usize,
    weights: Vec<f64>,
    means: Vec<Vec<f64>>,
    covariances: Vec<Vec<Vec<f64>>>,
    log_likelihood: f64,
    bic: f64,
}

#[derive(Deserialize)]
struct Embedding {
    perplexity: f64,
    kl_divergence: f64,
}

impl Goldens {
    fn read() -> Self {
        serde_json::from_str(include_str!("golden/analysis.json")).unwrap()
    }

    fn rows(&self) -> Array2<f64> {
        matrix(&self.rows)
    }

    /// The same numbers: they are exact in single precision.
    fn single(&self) -> Array2<f32> {
        self.rows().mapv(|value| value as f32)
    }
}

fn matrix(rows: &[Vec<f64>]) -> Array2<f64> {
    Array2::from_shape_vec((rows.len(), rows[0].len()), rows.concat()).unwrap()
}

#[track_caller]
fn assert_close(ours: f64, theirs: f64, tolerance: f64) {
    let off = (ours - theirs).abs() / theirs.abs().max(1.0);
    assert!(off <= tolerance, "{ours} is not {theirs} within {tolerance}");
}

#[test]
fn silhouettes_are_scikit_learns() {
    let goldens = Goldens::read();
    let labellings: Vec<&[usize]> = goldens.silhouettes.iter().map(|g| &g.labels[..]).collect();
    let ours = silhouette::silhouettes(goldens.rows().view(), &labellings);
    for (ours, golden) in ours.into_iter().zip(&goldens.silhouettes) {
        assert_close(ours, golden.silhouette, 1e-12);
    }
}

#[test]
fn assignments_and_inertia_are_scikit_learns() {
    let goldens = Goldens::read();
    let fixed = &goldens.fixed_centroids;
    let (assignments, inertia) =
        kmeans::assign(goldens.rows().view(), matrix(&fixed.centroids).view());
    assert_eq!(assignments, fixed.assignments);
    assert_close(inertia, fixed.inertia, 1e-12);
}

/// scikit-learn's are the best of 200 starts, so they are the optima.
#[test]
fn k_means_finds_scikit_learns_optima() {
    let goldens = Goldens::read();
    let choice = clusters::choose_k(goldens.single().view(), 6, 30, 1, &|| ()).unwrap();
    assert_eq!(choice.fits.len(), goldens.k_means.len());
    for (fit, golden) in choice.fits.iter().zip(&goldens.k_means) {
        assert_eq!(fit.k, golden.k);
        assert_close(fit.inertia, golden.inertia, 1e-6);
        assert_close(fit.silhouette, golden.silhouette, 1e-6);
        assert!(fit.mini_batch_inertia >= golden.inertia * (1.0 - 1e-6));
        assert!(fit.mini_batch_inertia <= golden.inertia * 1.1);
    }
    assert_eq!((choice.by_silhouette, choice.mini_batch_by_silhouette), (4, 4));
    assert_eq!(choice.by_elbow, 4);
}

#[test]
fn log_likelihood_and_bic_of_given_mixtures_are_scikit_learns() {
    let goldens = Goldens::read();
    let rows = goldens.rows();
    for golden in &goldens.mixtures {
        let weights = Array1::from(golden.weights.clone());
        let covariances = golden.covariances.concat().concat();
        let covariances = Array3::from_shape_vec((golden.k, 3, 3), covariances).unwrap();
        let means = matrix(&golden.means);
        let ours =
            bic::log_likelihood(rows.view(), weights.view(), means.view(), covariances.view());
        let ours = ours.unwrap();
        assert_close(ours, golden.log_likelihood, 1e-12);
        assert_close(bic::bic(ours, golden.k, 3, rows.nrows()), golden.bic, 1e-12);
    }
}

#[test]
fn fitted_mixtures_reach_scikit_learns_likelihood_and_choose_its_number() {
    let goldens = Goldens::read();
    let choice = bic::choose_components(goldens.single().view(), 6, 2, 1).unwrap();
    assert_eq!(choice.fits.len(), 6);
    // One component has a closed form.
    assert_close(choice.fits[0].log_likelihood, goldens.mixtures[0].log_likelihood, 1e-6);
    // The four groups are apart, so up to there every start ends in the same optimum.
    for (fit, golden) in choice.fits.iter().zip(&goldens.mixtures).take(4) {
        assert_eq!(fit.k, golden.k);
        assert_close(fit.bic, golden.bic, 1e-4);
    }
    assert_eq!(choice.best, 4);
}

/// Different starts and approximations end in different layouts, but about as good ones.
#[test]
fn embeddings_reach_scikit_learns_divergence() {
    let goldens = Goldens::read();
    for golden in &goldens.embeddings {
        let rows = goldens.single();
        let ours = tsne::embed(rows.view(), golden.perplexity, tsne::EPOCHS, |_| ()).unwrap();
        assert!(ours.kl_divergence > 0.0);
        assert!(
            ours.kl_divergence < 1.05 * golden.kl_divergence,
            "perplexity {}: {} against {}",
            golden.perplexity,
            ours.kl_divergence,
            golden.kl_divergence
        );
    }
}
