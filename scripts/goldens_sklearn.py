#!/usr/bin/env python3
"""What scikit-learn computes where src/audit and src/tsne.rs compute the same.

    python3 -m venv /tmp/venv-sklearn
    /tmp/venv-sklearn/bin/pip install scikit-learn==1.9.1
    /tmp/venv-sklearn/bin/python scripts/goldens_sklearn.py

Writes tests/golden/analysis.json, which tests/analysis_goldens.rs reads. Deterministic: the same
versions write the same bytes.
"""

import json
import pathlib

import numpy as np
from sklearn.cluster import KMeans
from sklearn.manifold import TSNE
from sklearn.metrics import silhouette_score
from sklearn.mixture import GaussianMixture

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


def silhouettes(rows, generator):
    # A labelling at random, one by a threshold, and one with a lone row and an unused label.
    n = len(rows)
    random = generator.integers(0, 5, n)
    halves = (rows[:, 0] > 0).astype(int)
    lone = np.where(rows[:, 1] > 0, 3, 1)
    lone[17] = 0
    labellings = [random, halves, lone]
    return [
        {"labels": labels.tolist(), "silhouette": float(silhouette_score(rows, labels))}
        for labels in labellings
    ]


def k_means(rows):
    fits = []
    for k in range(2, 7):
        fit = KMeans(k, n_init=200, tol=0, max_iter=1000, random_state=0).fit(rows)
        fits.append(
            {
                "k": k,
                "inertia": float(fit.inertia_),
                "silhouette": float(silhouette_score(rows, fit.labels_)),
            }
        )
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


def mixtures(rows):
    fits = []
    for k in range(1, 7):
        fit = GaussianMixture(k, n_init=20, tol=1e-7, max_iter=5000, random_state=0).fit(rows)
        fits.append(
            {
                "k": k,
                "weights": fit.weights_.tolist(),
                "means": fit.means_.tolist(),
                "covariances": fit.covariances_.tolist(),
                "log_likelihood": float(fit.score(rows) * len(rows)),
                "bic": float(fit.bic(rows)),
            }
        )
    return fits


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
        "silhouettes": silhouettes(rows, generator),
        "fixed_centroids": fixed_centroids(rows),
        "k_means": k_means(rows),
        "mixtures": mixtures(rows),
        "embeddings": embeddings(rows),
    }
    TARGET.write_text(json.dumps(goldens) + "\n")


if __name__ == "__main__":
    main()
