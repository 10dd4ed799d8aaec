#!/usr/bin/env python3
"""Fits scikit-learn's GaussianMixture, told the right number of components, to the data of each run.

    recipe_study_peer.py FOLDER

For every folder in FOLDER that holds a mixture.json: reads data.csv and held_out.csv, fits full
covariances from ten starts, writes 10 000 samples to peer.csv and the mean log-likelihood of the
held-out rows to peer.json. Runs of one data set with several recipes share a fit.
"""

import json
import sys
from pathlib import Path

import numpy as np
from sklearn.mixture import GaussianMixture

STARTS, SAMPLES = 10, 10_000


def features(path):
    """The columns but the last, which names the component."""
    return np.loadtxt(path, delimiter=",", skiprows=1, usecols=None)[:, :-1]


def main():
    fits = {}
    for folder in sorted(path.parent for path in Path(sys.argv[1]).glob("*/mixture.json")):
        if (folder / "peer.json").exists():
            continue
        data = (folder / "data.csv").read_bytes()
        rows = features(folder / "data.csv")
        if data not in fits:
            k = len(json.loads((folder / "mixture.json").read_text())["weights"])
            fits[data] = GaussianMixture(k, n_init=STARTS, random_state=1).fit(rows)
        model = fits[data]
        samples, _ = model.sample(SAMPLES)
        np.random.default_rng(1).shuffle(samples)
        header = ",".join(f"x{i}" for i in range(rows.shape[1]))
        np.savetxt(folder / "peer.csv", samples, delimiter=",", fmt="%.7g", header=header, comments="")
        score = float(model.score(features(folder / "held_out.csv")))
        (folder / "peer.json").write_text(json.dumps({"held_out_log_likelihood": score}))


if __name__ == "__main__":
    main()
