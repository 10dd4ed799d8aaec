#!/usr/bin/env python3
"""What prdc and SciPy compute where src/audit compares generated rows with real ones.

    python3 -m venv /tmp/venv-neighbours
    /tmp/venv-neighbours/bin/pip install prdc==0.2 scipy==1.17.1 scikit-learn==1.9.1
    /tmp/venv-neighbours/bin/python scripts/goldens_neighbours.py

Writes tests/golden/neighbours.json, which tests/neighbour_goldens.rs reads. Deterministic: the same
versions write the same bytes.
"""

import json
import pathlib

import numpy as np
from prdc import compute_prdc
from scipy.spatial.distance import cdist, jensenshannon
from scipy.stats import energy_distance, wasserstein_distance

TARGET = pathlib.Path(__file__).parent.parent / "tests" / "golden" / "neighbours.json"


def on_a_grid(values, steps):
    """Multiples of 1/steps: exact in single precision, and so coarse that many distances tie."""
    return np.round(np.asarray(values) * steps) / steps


def blobs(generator, means, spread, n):
    noise = generator.normal(0, spread, (n, means.shape[1]))
    return means[generator.integers(0, len(means), n)] + noise


def pairs(generator):
    """Real and generated rows: few and many columns, rows twice over, and sets of unlike size."""
    means = generator.uniform(-4, 4, (5, 3))
    real = on_a_grid(blobs(generator, means, 0.7, 160), 4)
    lost = on_a_grid(blobs(generator, means[:3], 0.8, 110), 4)
    yield real, np.vstack([lost, lost[:9], real[:9]])
    yield np.vstack([real[:90], real[:90], real[:30]]), real[100:]
    means = generator.uniform(-1, 1, (3, 20))
    real = on_a_grid(blobs(generator, means, 0.5, 70), 2)
    fresh = on_a_grid(blobs(generator, means, 0.6, 85), 2)
    yield np.vstack([real, real[:12]]), np.vstack([fresh, real[:5], fresh[:7]])
    real = on_a_grid(generator.normal(0, 2, (120, 1)), 16)
    yield real, on_a_grid(generator.normal(0.5, 1.5, (75, 1)), 16)


def energy(real, generated):
    """The squared energy distance with all pairs."""
    apart = 2 * cdist(real, generated).mean()
    return float(apart - cdist(real, real).mean() - cdist(generated, generated).mean())


def compare(real, generated):
    figures = {
        "real": real.tolist(),
        "generated": generated.tolist(),
        **{name: float(value) for name, value in compute_prdc(real, generated, 5).items()},
        "energy_distance": energy(real, generated),
    }
    if real.shape[1] == 1:
        columns = real[:, 0], generated[:, 0]
        assert np.isclose(figures["energy_distance"], energy_distance(*columns) ** 2)
        figures["wasserstein_distance"] = float(wasserstein_distance(*columns))
    return figures


def divergences(generator):
    for modes in (2, 5, 30):
        found = generator.integers(0, 400, modes) * generator.integers(0, 2, modes)
        found[0] += 1
        expected = generator.uniform(0, 1, modes) * (generator.uniform(0, 1, modes) > 0.2)
        expected[-1] += 0.1
        yield {
            "found": found.tolist(),
            "expected": expected.tolist(),
            "js_divergence": float(jensenshannon(found, expected) ** 2),
        }


def main():
    generator = np.random.default_rng(1)
    goldens = {
        "pairs": [compare(*pair) for pair in pairs(generator)],
        "divergences": list(divergences(generator)),
    }
    TARGET.write_text(json.dumps(goldens) + "\n")


if __name__ == "__main__":
    main()
