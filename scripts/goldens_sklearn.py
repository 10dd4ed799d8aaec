#!/usr/bin/env python3
"""What scikit-learn computes where src/audit and src/tsne compute the same.

    python3 -m venv /tmp/venv-sklearn
    /tmp/venv-sklearn/bin/pip install scikit-learn==1.9.1
    /tmp/venv-sklearn/bin/python scripts/goldens_sklearn.py target/release/modescope

Writes tests/golden/analysis.json, which tests/analysis_goldens.rs reads. modescope only draws the
mixtures, which the tests draw again, so that their rows need not be kept. Deterministic: the same
versions write the same bytes.
"""

import copy
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from sklearn.cluster import HDBSCAN, KMeans
from sklearn.datasets import load_iris
from sklearn.manifold import TSNE
from sklearn.metrics import calinski_harabasz_score, silhouette_score
from sklearn.mixture import GaussianMixture

KINDS = {"full": "full", "diag": "diagonal", "spherical": "spherical"}
TARGET = pathlib.Path(__file__).parent.parent / "tests" / "golden" / "analysis.json"


def on_a_grid(values):
    """Multiples of 1/64: exact in single precision and short in decimal."""
    return np.round(np.asarray(values) * 64) / 64


def blobs(generator):
    """240 rows in 3-D: four Gaussians of different size and shape."""
    means = [[-4, 0, 1], [3, 3, -2], [2, -4, 0], [4, 2, 3]]
    spreads = [[1, 0.5, 0.7], [0.6, 1.2, 0.6], [1, 1, 1], [0.5, 0.6, 0.4]]
    sizes = [90, 70, 50, 30]
    parts = zip(means, spreads, sizes)
    return on_a_grid(np.vstack([generator.normal(m, s, (n, 3)) for m, s, n in parts]))


def scores(rows, labels):
    return {
        "silhouette": float(silhouette_score(rows, labels)),
        "calinski_harabasz": float(calinski_harabasz_score(rows, labels)),
    }


def labellings(rows, generator):
    # A labelling at random, one by a threshold, and one with a lone row and an unused label.
    n = len(rows)
    random = generator.integers(0, 5, n)
    halves = (rows[:, 0] > 0).astype(int)
    lone = np.where(rows[:, 1] > 0, 3, 1)
    lone[17] = 0
    return [{"labels": x.tolist()} | scores(rows, x) for x in (random, halves, lone)]


def k_means(rows):
    fits = []
    for k in range(2, 7):
        fit = KMeans(k, n_init=200, tol=0, max_iter=1000, random_state=0).fit(rows)
        fits.append({"k": k, "inertia": float(fit.inertia_)} | scores(rows, fit.labels_))
    return fits


def fixed_centroids(rows):
    centroids = rows[[3, 100, 180, 220]]
    fit = KMeans(4, init=centroids, n_init=1, max_iter=1).fit(rows)
    fit.cluster_centers_ = centroids
    return {
        "centroids": centroids.tolist(),
        "assignments": fit.predict(rows).tolist(),
        "inertia": float(-fit.score(rows)),
    }


def from_given_starts(rows):
    # One start in each group, all starts in one group, and more starts than groups.
    fits = []
    for start in ([3, 100, 180, 220], [0, 1, 2], [5, 60, 95, 150, 170, 230]):
        fit = KMeans(len(start), init=rows[start], n_init=1, tol=0, max_iter=1000).fit(rows)
        fits.append({"start": start, "inertia": float(fit.inertia_)})
    return fits


def density(rows):
    labels = HDBSCAN(min_cluster_size=5, copy=True).fit(rows).labels_
    return {"clusters": int(labels.max() + 1), "noise_share": float(np.mean(labels == -1))}


def full_covariances(fit):
    k, columns = fit.means_.shape
    if fit.covariance_type == "full":
        return fit.covariances_
    if fit.covariance_type == "diag":
        return np.array([np.diag(variances) for variances in fit.covariances_])
    return np.array([variance * np.eye(columns) for variance in fit.covariances_])


def judged(fit, rows):
    return {
        "k": fit.n_components,
        "covariance": KINDS[fit.covariance_type],
        "weights": fit.weights_.tolist(),
        "means": fit.means_.tolist(),
        "covariances": full_covariances(fit).tolist(),
        "log_likelihood": float(fit.score(rows) * len(rows)),
        "bic": float(fit.bic(rows)),
    }


def mixtures(rows):
    fits = []
    for kind in KINDS:
        for k in range(1, 7):
            model = GaussianMixture(k, covariance_type=kind, n_init=20, tol=1e-7, max_iter=5000)
            fits.append(judged(model.set_params(random_state=0).fit(rows), rows))
    return fits


def from_given_mixtures(rows):
    """Where EM comes to rest from five components of which no two of a kind start alike."""
    # The floor of src/audit/em/rows.rs: a share of the mean variance, and what the grid hides.
    floor = 1e-6 * rows.var(axis=0).mean() + (1 / 64) ** 2 / (2 * np.pi)
    weights = np.array([0.3, 0.25, 0.2, 0.15, 0.1])
    means = rows[[3, 40, 100, 180, 220]]
    fits = []
    for kind in KINDS:
        variances = {
            "full": np.array([np.eye(3) * v + 0.3 for v in range(1, 6)]),
            "diag": np.array([[v, v + 1.0, 2.0] for v in range(1, 6)]),
            "spherical": np.arange(1.0, 6.0),
        }[kind]
        inverse = np.linalg.inv if kind == "full" else np.reciprocal
        model = GaussianMixture(
            5,
            covariance_type=kind,
            tol=1e-13,
            max_iter=100_000,
            reg_covar=floor,
            weights_init=weights,
            means_init=means,
            precisions_init=inverse(variances),
            random_state=0,
        )
        start = copy.copy(model)
        start.weights_, start.means_, start.covariances_ = weights, means, variances
        covariances = full_covariances(start).tolist()
        start = {"weights": weights.tolist(), "means": means.tolist(), "covariances": covariances}
        fits.append({"start": start, "end": judged(model.fit(rows), rows)})
    return fits


def choice(rows):
    """The best of all kinds and of 1 to 15 components by the criterion."""
    fits = [
        GaussianMixture(k, covariance_type=kind, n_init=5, max_iter=1000, random_state=0).fit(rows)
        for kind in KINDS
        for k in range(1, 16)
    ]
    best = min(fits, key=lambda fit: fit.bic(rows))
    kind = KINDS[best.covariance_type]
    return {"k": best.n_components, "covariance": kind, "bic": float(best.bic(rows))}


def choices(modescope):
    """On mixtures that the tests draw again: ten of each spread, 1000 rows."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for spread in (5, 10):
            for seed in range(1, 11):
                settings = f"--spread {spread} --seed {seed} --out {folder} --force"
                draw = [modescope, "mixture", *settings.split()]
                subprocess.run(draw, check=True, capture_output=True)
                data = np.loadtxt(f"{folder}/data.csv", delimiter=",", skiprows=1)
                found.append({"spread": spread, "seed": seed} | choice(data[:, :3]))
    return found


def iris():
    """Fisher's data in millimetres, and what is chosen for them."""
    rows = load_iris().data
    return {"millimetres": np.round(rows * 10).astype(int).tolist()} | choice(rows)


def embeddings(rows):
    fits = []
    for perplexity in (5, 30):
        fit = TSNE(perplexity=perplexity, init="pca", method="exact", random_state=0).fit(rows)
        fits.append({"perplexity": perplexity, "kl_divergence": float(fit.kl_divergence_)})
    return fits


def main():
    generator = np.random.default_rng(1)
    rows = blobs(generator)
    goldens = {
        "rows": rows.tolist(),
        "labellings": labellings(rows, generator),
        "fixed_centroids": fixed_centroids(rows),
        "from_given_starts": from_given_starts(rows),
        "k_means": k_means(rows),
        "density": density(rows),
        "mixtures": mixtures(rows),
        "from_given_mixtures": from_given_mixtures(rows),
        "choices": choices(sys.argv[1]),
        "iris": iris(),
        "embeddings": embeddings(rows),
    }
    TARGET.write_text(json.dumps(goldens) + "\n")


if __name__ == "__main__":
    main()
