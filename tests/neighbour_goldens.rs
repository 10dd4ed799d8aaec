//! Comparisons of generated with real rows against prdc's and SciPy's figures in
//! `golden/neighbours.json`, which `scripts/goldens_neighbours.py` writes.

use modescope::audit::{distances, divergence, neighbours};
use ndarray::Array2;
use serde::Deserialize;

#[derive(Deserialize)]
struct Goldens {
    pairs: Vec<Pair>,
    divergences: Vec<Divergence>,
}

#[derive(Deserialize)]
struct Pair {
    real: Vec<Vec<f32>>,
    generated: Vec<Vec<f32>>,
    precision: f64,
    recall: f64,
    density: f64,
    coverage: f64,
    energy_distance: f64,
    wasserstein_distance: Option<f64>,
}

#[derive(Deserialize)]
struct Divergence {
    found: Vec<usize>,
    expected: Vec<f64>,
    js_divergence: f64,
}

impl Goldens {
    fn read() -> Self {
        serde_json::from_str(include_str!("golden/neighbours.json")).unwrap()
    }
}

fn matrix(rows: &[Vec<f32>]) -> Array2<f32> {
    Array2::from_shape_vec((rows.len(), rows[0].len()), rows.concat()).unwrap()
}

#[track_caller]
fn assert_close(ours: f64, theirs: f64, tolerance: f64) {
    let off = (ours - theirs).abs() / theirs.abs().max(1.0);
    assert!(off <= tolerance, "{ours} is not {theirs} within {tolerance}");
}

#[test]
fn precision_recall_density_and_coverage_are_prdcs() {
    for golden in Goldens::read().pairs {
        let (real, generated) = (matrix(&golden.real), matrix(&golden.generated));
        let ours = neighbours::neighbourhoods(real.view(), generated.view()).unwrap();
        assert_close(ours.precision.value, golden.precision, 1e-12);
        assert_close(ours.recall.value, golden.recall, 1e-12);
        assert_close(ours.density.value, golden.density, 1e-12);
        assert_close(ours.coverage.value, golden.coverage, 1e-12);
    }
}

#[test]
fn energy_distances_are_scipys() {
    for golden in Goldens::read().pairs {
        let (real, generated) = (matrix(&golden.real), matrix(&golden.generated));
        let ours = distances::energy_distance(real.view(), generated.view()).unwrap();
        assert_close(ours.value, golden.energy_distance, 1e-12);
    }
}

#[test]
fn sliced_wasserstein_distances_in_one_dimension_are_scipys() {
    let mut seen = 0;
    for golden in Goldens::read().pairs {
        let Some(distance) = golden.wasserstein_distance else { continue };
        let (real, generated) = (matrix(&golden.real), matrix(&golden.generated));
        let ours = distances::sliced_wasserstein(real.view(), generated.view(), 1).unwrap();
        assert_close(ours.value, distance, 1e-12);
        seen += 1;
    }
    assert_eq!(seen, 1);
}

#[test]
fn divergences_are_scipys() {
    for golden in Goldens::read().divergences {
        let ours = divergence::js_divergence(&golden.found, &golden.expected, 1).unwrap();
        assert_close(ours.value, golden.js_divergence, 1e-12);
    }
}
