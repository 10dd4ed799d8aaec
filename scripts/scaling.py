#!/usr/bin/env python3
"""Time and peak memory of every stage against rows and columns.

    python3 -m venv /tmp/venv-peers
    /tmp/venv-peers/bin/pip install matplotlib
    cargo build --release
    /tmp/venv-peers/bin/python scripts/scaling.py [LARGEST]

Writes docs/images/scaling.png and prints the Markdown of docs/scaling.md's table. Each stage is a command
of its own in a process of its own, on the CPU, from 1000 rows on up to LARGEST (10^6 unless given); a
stage whose next size would take some minutes goes no further. Linux only.
"""

import math
import os
import pathlib
import subprocess
import sys
import tempfile

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

ROOT = pathlib.Path(__file__).parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
PROGRAM = TARGET / "release" / "modescope"
COLUMNS = (3, 10, 50)
# A stage goes no further after a size that took so many seconds: ten times the rows would take too long.
LONG = {"tsne": 3.0}
ELSE_LONG = 40.0
# The others read what these write.
NEEDED = {"mixture", "train", "sample"}
# Files of more values take more disk than they tell.
MOST_VALUES = 10**8

# A process of its own, because a child's peak counts what its parent held when it started it.
MEASURE = """
import resource, subprocess, sys, time
start = time.perf_counter()
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
"""


def measured(arguments):
    command = [sys.executable, "-c", MEASURE, PROGRAM, *map(str, arguments)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return tuple(map(float, done.stdout.split()))


def stages(folder, rows, columns):
    """The stages in order, each with its command."""
    mixture, data = folder / "mixture", folder / "mixture" / "data.csv"
    samples, run = folder / "samples.parquet", folder / "run"
    cpu = ["--backend", "cpu"]
    label = ["--labels", "component"]
    return {
        "mixture": ["mixture", "--rows", rows, "--dimensions", columns, "--seed", 1, "--out", mixture, "--force"],
        "train": ["train", data, *label, *cpu, "--out", run, "--force"],
        "sample": ["sample", run, "-n", rows, *cpu, "--out", samples, "--force"],
        "encode": ["encode", run, samples, *cpu, "--out", folder / "latents.parquet", "--force"],
        "audit": ["audit", "--real", data, "--mixture", mixture / "mixture.json", "--generated", samples, *label],
        "tsne": ["tsne", samples, "--out", folder / "tsne.csv", "--force"],
    }


def exponent(points):
    """The slope of log time over log rows, over the last factor of ten or more of rows."""
    (rows, seconds), (last, longest) = points[-2], points[-1]
    return math.log(longest / seconds) / math.log(last / rows)


def main():
    largest = int(float(sys.argv[1])) if len(sys.argv) > 1 else 10**6
    sizes = [10**power for power in range(3, 8) if 10**power <= largest]
    found = {}
    for columns in COLUMNS:
        stopped = set()
        for rows in sizes:
            if rows * columns > MOST_VALUES:
                continue
            before = set(stopped)
            with tempfile.TemporaryDirectory() as folder:
                for stage, command in stages(pathlib.Path(folder), rows, columns).items():
                    if stage in before or before & NEEDED:
                        continue
                    seconds, megabytes = measured(command)
                    found.setdefault((stage, columns), []).append((rows, seconds, megabytes))
                    print(stage, columns, rows, f"{seconds:.2f} s {megabytes:.0f} MiB", file=sys.stderr, flush=True)
                    if seconds > LONG.get(stage, ELSE_LONG):
                        stopped.add(stage)

    header = [f"10{'³⁴⁵⁶⁷'[index]}" for index in range(len(sizes))]
    print("| stage | columns | " + " | ".join(header) + " | exponent |")
    print("|---|--:|" + "--:|" * (len(sizes) + 1))
    for (stage, columns), points in found.items():
        cells = {rows: f"{seconds:.2f} s, {megabytes:.0f} MiB" for rows, seconds, megabytes in points}
        row = [cells.get(rows, "–") for rows in sizes]
        power = f"{exponent([point[:2] for point in points]):.2f}" if len(points) > 1 else "–"
        print(f"| {stage} | {columns} | " + " | ".join(row) + f" | {power} |")

    figure, axes = plt.subplots(1, 2, figsize=(11, 5), constrained_layout=True)
    colours = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9"]
    names = list(dict.fromkeys(stage for stage, _ in found))
    for (stage, columns), points in found.items():
        style = {3: "-", 10: "--", 50: ":"}[columns]
        colour = colours[names.index(stage)]
        for place, column in ((axes[0], 1), (axes[1], 2)):
            label = stage if (columns, column) == (3, 1) else None
            place.loglog([p[0] for p in points], [p[column] for p in points], style, color=colour, marker="o", ms=3, label=label)
    for place, label in zip(axes, ("time in seconds", "peak memory in MiB")):
        place.set_xlabel("rows")
        place.set_ylabel(label)
        place.grid(alpha=0.3)
    title = "3 columns solid, 10 dashed, 50 dotted"
    figure.legend(title=title, loc="outside lower center", ncols=len(names), fontsize=8, title_fontsize=8)
    figure.savefig(ROOT / "docs" / "images" / "scaling.png", dpi=150)


main()
