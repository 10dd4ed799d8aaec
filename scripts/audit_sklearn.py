#!/usr/bin/env python3
"""Rows of two generators of scikit-learn, for `modescope audit`.

    python3 -m venv /tmp/venv-sklearn
    /tmp/venv-sklearn/bin/pip install scikit-learn
    /tmp/venv-sklearn/bin/python scripts/audit_sklearn.py FOLDER

Writes real.csv, 4000 rows of eight round clusters in three columns with the cluster in a fourth, and what
two generators that were fitted to its rows draw: gaussian_mixture.csv, of a GaussianMixture with five
components, and kernel_density.csv, of a KernelDensity with the default bandwidth of 1. Prints the
commands that audit them. docs/handbook/other-generators.md shows what they say.
"""

import csv
import sys
from pathlib import Path

from sklearn.datasets import make_blobs
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KernelDensity

COLUMNS = ["x", "y", "z"]
GENERATED = 10_000


def write(path, columns, rows):
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: audit_sklearn.py FOLDER")
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    rows, clusters = make_blobs(4000, n_features=3, centers=8, random_state=1)
    real = folder / "real.csv"
    labelled = [[*row, f"c{cluster}"] for row, cluster in zip(rows.tolist(), clusters)]
    write(real, [*COLUMNS, "cluster"], labelled)
    mixture = GaussianMixture(5, n_init=10, random_state=1).fit(rows)
    density = KernelDensity(bandwidth=1.0).fit(rows)
    draws = {
        "gaussian_mixture": mixture.sample(GENERATED)[0],
        "kernel_density": density.sample(GENERATED, random_state=1),
    }
    for name, drawn in draws.items():
        generated = folder / f"{name}.csv"
        write(generated, COLUMNS, drawn.tolist())
        print(f"modescope audit --real {real} --labels cluster --generated {generated}")


if __name__ == "__main__":
    main()
