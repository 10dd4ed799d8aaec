#!/usr/bin/env python3
"""Writes real data sets that scikit-learn ships, iris.csv, wine.csv and breast_cancer.csv, to a folder.

    python3 -m venv /tmp/venv-data
    /tmp/venv-data/bin/pip install scikit-learn
    /tmp/venv-data/bin/python scripts/real_data.py FOLDER

Each has a header row, numeric feature columns, and its label as text in the last column: `species`
for iris, `cultivar` for wine, `diagnosis` for breast cancer.
"""

import csv
import re
import sys
from pathlib import Path

from sklearn.datasets import load_breast_cancer, load_iris, load_wine


def column_name(name):
    """`sepal length (cm)` becomes `sepal_length_cm`."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def write(path, data, label):
    with path.open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow([column_name(name) for name in data.feature_names] + [label])
        for features, target in zip(data.data, data.target):
            rows.writerow([float(value) for value in features] + [str(data.target_names[target])])
    print(f"{path}: {len(data.data)} rows")


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: real_data.py FOLDER")
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "iris.csv", load_iris(), "species")
    write(folder / "wine.csv", load_wine(), "cultivar")
    write(folder / "breast_cancer.csv", load_breast_cancer(), "diagnosis")


if __name__ == "__main__":
    main()
