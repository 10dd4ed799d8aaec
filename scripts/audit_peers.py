#!/usr/bin/env python3
"""The audit's speed and memory beside those of other programs, on the same rows in one run.

    python3 -m venv /tmp/venv-peers
    /tmp/venv-peers/bin/pip install scikit-learn==1.9.1 prdc==0.2 scipy==1.17.1
    cargo build --release
    /tmp/venv-peers/bin/python scripts/audit_peers.py

Prints Markdown; benches/RESULTS.md holds what it printed. Linux only. Ratios mean something on a
machine that does nothing else.
"""

import contextlib
import json
import os
import pathlib
import platform
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version

import numpy as np
from prdc import compute_prdc
from scipy.spatial import cKDTree
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score
from sklearn.mixture import GaussianMixture

ROOT = pathlib.Path(__file__).parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
PROGRAM = TARGET / "release" / "modescope"
ROWS = 10_000
MANY_ROWS = 100_000
REPEATS = 3
CORES = len(os.sched_getaffinity(0))

# Runs its arguments and prints seconds, processor seconds and peak KiB. A process of its own,
# because a child's peak counts what its parent held when it started it.
MEASURE = """
import resource, subprocess, sys, time
start = time.perf_counter()
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
taken = time.perf_counter() - start
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
print(taken, usage.ru_utime + usage.ru_stime, usage.ru_maxrss)
"""


def k_means(real, _):
    for k in range(2, 11):
        silhouette_score(real, KMeans(k, n_init=10, random_state=0).fit_predict(real))


def mixtures(real, _):
    for kind in ("full", "diag", "spherical"):
        for k in range(1, 16):
            GaussianMixture(k, covariance_type=kind, random_state=0).fit(real).bic(real)


def neighbourhoods(real, generated):
    """What prdc computes, by trees: its matrices of 100 000² distances would take 80 GB each.

    SciPy counts the rows on the surface of a ball as within, which no row here is.
    """

    def radii(rows, tree):
        return tree.query(rows, k=6, workers=CORES)[0][:, 5]

    def held(centres, radii, tree):
        return tree.query_ball_point(centres, radii, workers=CORES)

    trees = cKDTree(real), cKDTree(generated)
    of_real = held(real, radii(real, trees[0]), trees[1])
    counts = np.bincount(np.concatenate(of_real).astype(int), minlength=len(generated))
    of_generated = held(generated, radii(generated, trees[1]), trees[0])
    held_real = np.bincount(np.concatenate(of_generated).astype(int), minlength=len(real))
    coverage = np.mean([len(rows) > 0 for rows in of_real])
    return (counts > 0).mean(), (held_real > 0).mean(), counts.mean() / 5, coverage


def two_sample(real, generated):
    """Five folds, each told apart by the others' k nearest rows."""
    rows = np.concatenate([real, generated]) / real.std(axis=0)
    labels = np.arange(len(rows)) < len(real)
    folds = np.arange(len(rows)) % len(real) % 5
    k = int((len(rows) * 4 / 5) ** 0.5) | 1
    right = 0
    for fold in range(5):
        known, asked = folds != fold, folds == fold
        nearest = cKDTree(rows[known]).query(rows[asked], k=k, workers=CORES)[1]
        votes = labels[known][nearest].sum(axis=1)
        right += ((2 * votes > k) == labels[asked]).sum()
    return right / len(rows)


# The name in benches/audit.rs, the peer, what of it.
PEERS = [
    (
        "precision, recall, density, coverage",
        "prdc",
        "`compute_prdc`, nearest_k = 5",
        lambda real, generated: compute_prdc(real, generated, nearest_k=5),
    ),
    (
        "K-means and silhouettes",
        "scikit-learn",
        "`KMeans`, k = 2..10, n_init = 10, and `silhouette_score`",
        k_means,
    ),
    (
        "mixture by BIC",
        "scikit-learn",
        "`GaussianMixture`, K = 1..15, full, diag and spherical, and `bic`",
        mixtures,
    ),
]

# The same of many rows, in 3 and in 10 dimensions.
NEIGHBOUR_PEERS = [
    ("precision, recall, density, coverage", neighbourhoods),
    ("two-sample accuracy", two_sample),
    ("sliced Wasserstein distance", None),
]


def seconds(function, *arguments):
    # prdc prints the numbers of rows.
    with contextlib.redirect_stdout(sys.stderr):
        start = time.perf_counter()
        function(*arguments)
        return time.perf_counter() - start


def ours():
    """Seconds of every bench, by name."""
    command = ["cargo", "bench", "--bench", "audit", "--", "--quick"]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    found = {}
    for group in ("audit", "neighbours"):
        for path in (TARGET / "criterion" / group).glob("*/new/estimates.json"):
            benchmark = json.loads(path.with_name("benchmark.json").read_text())
            estimates = json.loads(path.read_text())
            found[benchmark["function_id"]] = estimates["median"]["point_estimate"] / 1e9
    return found


def write_data(folder, rows, dimensions=3):
    """Real and generated rows, the first and the second half of one draw, as benches/audit.rs."""
    line = [PROGRAM, "mixture", "--rows", str(2 * rows), "--dimensions", str(dimensions)]
    line += ["--seed", "1", "--out", folder, "--quiet"]
    subprocess.run(line, check=True, stdout=subprocess.DEVNULL)
    lines = [line.rsplit(",", 1)[0] for line in (folder / "data.csv").read_text().splitlines()]
    for name, half in (("real", lines[1 : rows + 1]), ("generated", lines[rows + 1 :])):
        (folder / f"{name}.csv").write_text("\n".join([lines[0], *half]) + "\n")


def load(folder):
    return [
        np.loadtxt(folder / f"{name}.csv", delimiter=",", skiprows=1)
        for name in ("real", "generated")
    ]


def whole(folder, mixture):
    """Seconds, processor seconds and peak MiB of the command."""
    line = [PROGRAM, "audit", "--quiet", "--real", folder / "real.csv"]
    line += ["--generated", folder / "generated.csv"]
    line += ["--mixture", folder / "mixture.json"] if mixture else []
    line = [sys.executable, "-c", MEASURE, *line]
    measured = subprocess.run(line, check=True, capture_output=True, text=True).stdout.split()
    taken, processor, peak = map(float, measured)
    return taken, processor, peak / 1024


def machine():
    cpu = next(
        line.split(":")[1].strip()
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    )
    rust = subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=True)
    versions = ", ".join(f"{name} {version(name)}" for name in ("scikit-learn", "prdc", "scipy", "numpy"))
    return (
        f"{len(os.sched_getaffinity(0))} cores of {cpu}, load {os.getloadavg()[0]:.1f} at the "
        f"start; {rust.stdout.split(' (')[0].strip()}, Python {platform.python_version()}, {versions}"
    )


def print_neighbours(measured, folders):
    print(
        f"\nNeighbours among {MANY_ROWS:,} real and as many generated rows. The peer is SciPy's "
        f"`cKDTree` on {CORES} threads, once.\n"
    )
    print("| what | columns | modescope (s) | SciPy (s) | ratio |\n|---|--:|--:|--:|--:|")
    for dimensions, folder in folders.items():
        rows = load(folder)
        for name, run in NEIGHBOUR_PEERS:
            taken = measured[f"{name}, {MANY_ROWS} × {dimensions}"]
            if run is None:
                print(f"| {name} | {dimensions} | {taken:.2f} | | |")
                continue
            peer = seconds(run, *rows)
            print(f"| {name} | {dimensions} | {taken:.2f} | {peer:.1f} | {peer / taken:.1f} |")


def print_parts(measured, folder):
    real, generated = load(folder)
    # The least of several runs, which is in the peers' favour, against our median.
    peers = {
        name: (f"{peer} {what}", min(seconds(run, real, generated) for _ in range(REPEATS)))
        for name, peer, what, run in PEERS
    }
    print(
        f"\nThe parts on {ROWS:,} real and as many generated rows in 3-D. Ours: `cargo bench "
        f"--bench audit -- --quick`, medians, without start and reading. Peers: the same rows in "
        f"memory, the best of {REPEATS}.\n"
    )
    print("| what | modescope (s) | peer (s) | ratio | peer |\n|---|--:|--:|--:|---|")
    for name, taken in sorted(measured.items(), key=lambda item: item[1]):
        if str(MANY_ROWS) in name:
            continue
        if name in peers:
            peer, best = peers[name]
            print(f"| {name} | {taken:.3f} | {best:.2f} | {best / taken:.1f} | {peer} |")
        else:
            print(f"| {name} | {taken:.3f} | | | |")


def print_whole(folders):
    print(
        "\nThe command `modescope audit --real A --generated B` as a user runs it, from start to "
        f"end; the best of {REPEATS}. Peak memory is the largest resident set.\n"
    )
    print("| rows on each side | modes | seconds | processor seconds | peak memory (MiB) |")
    print("|--:|---|--:|--:|--:|")
    for rows, folder in folders.items():
        for modes, mixture in (("--mixture", True), ("fitted", False)):
            taken, processor, peak = min(whole(folder, mixture) for _ in range(REPEATS))
            print(f"| {rows:,} | {modes} | {taken:.2f} | {processor:.2f} | {peak:.0f} |")


def main():
    print(machine())
    with tempfile.TemporaryDirectory() as temporary:
        folders = {n: pathlib.Path(temporary) / str(n) for n in (1000, ROWS, 4 * ROWS)}
        for rows, folder in folders.items():
            write_data(folder, rows)
        measured = ours()
        print_parts(measured, folders[ROWS])
        print_whole(folders)
        folders = {d: pathlib.Path(temporary) / f"of {d} columns" for d in (3, 10)}
        for dimensions, folder in folders.items():
            write_data(folder, MANY_ROWS, dimensions)
        print_neighbours(measured, folders)


if __name__ == "__main__":
    main()
