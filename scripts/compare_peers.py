#!/usr/bin/env python3
"""Reading, embedding, sampling and the main job beside what one would use in Python, in one run.

    python3 -m venv /tmp/venv-peers
    /tmp/venv-peers/bin/pip install torch scikit-learn openTSNE pandas pyarrow matplotlib
    cargo build --release && cargo bench --bench data -- --quick
    /tmp/venv-peers/bin/python scripts/compare_peers.py [read] [tsne] [sample] [run]

Prints Markdown rows; benches/RESULTS.md holds what it printed. The files that are read have the shape
and rows of those in benches/data.rs, whose figures must be there: `cargo bench` keeps them. Training steps are
compared by compare_pytorch, the parts of the audit by audit_peers.py. Ratios mean something on a
machine that does nothing else.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np

ROOT = pathlib.Path(__file__).parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
PROGRAM = TARGET / "release" / "modescope"
SAMPLES = 3_000_000


def timed(work, repeats=3):
    """The mean of some times, in seconds, and what the work returned."""
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = work()
        taken.append(time.perf_counter() - start)
    return sum(taken) / repeats, result


def modescope(*arguments):
    done = subprocess.run([PROGRAM, *map(str, arguments)], check=True, capture_output=True, text=True)
    return done.stdout


def row(what, ours, peer, theirs, note=""):
    print(f"| {what} | {ours:.2f} s | {peer} | {theirs:.2f} s | {theirs / ours:.1f} | {note} |", flush=True)


def read(folder):
    import pandas
    import pyarrow.csv
    import pyarrow.parquet

    modescope("mixture", "--rows", 200_000, "--dimensions", 8, "--seed", 1, "--out", folder / "read")
    path = folder / "read" / "data.csv"
    table = pandas.read_csv(path)
    parquet, npy = path.with_suffix(".parquet"), path.with_suffix(".npy")
    table.astype({name: np.float32 for name in table.columns[:-1]}).to_parquet(parquet, compression=None, use_dictionary=False)
    np.save(npy, np.ascontiguousarray(table.to_numpy(np.float32)[:, :-1]))

    def matrix(frame):
        return frame.to_numpy(np.float32)

    peers = [
        ("data.csv", "pandas.read_csv", lambda: matrix(pandas.read_csv(path))),
        ("data.csv", "pyarrow.csv, all cores", lambda: matrix(pyarrow.csv.read_csv(path).to_pandas())),
        ("data.parquet", "pandas.read_parquet, all cores", lambda: matrix(pandas.read_parquet(parquet))),
        ("data.npy", "numpy.load", lambda: np.load(npy)),
    ]
    for name, peer, work in peers:
        estimates = TARGET / "criterion" / "table" / "read" / name / "new" / "estimates.json"
        if not estimates.exists():
            estimates = TARGET / "criterion" / "table" / "read_" / name / "new" / "estimates.json"
        ours = json.loads(estimates.read_text())["mean"]["point_estimate"] / 1e9
        megabytes = path.with_suffix(pathlib.Path(name).suffix).stat().st_size / 1e6
        row(f"read {name}, 200 000 × 8", ours, peer, timed(work, 5)[0], f"{megabytes / ours:.0f} MB/s")


def tsne(folder):
    import openTSNE
    import pandas
    from sklearn.manifold import trustworthiness

    for rows, method in [(10_000, "bh"), (10_000, "fft"), (50_000, "fft")]:
        out = folder / f"tsne-{rows}"
        modescope("mixture", "--rows", rows, "--dimensions", 10, "--seed", 4, "--out", out, "--force")
        layout = out / "layout.csv"
        arguments = ["tsne", out / "data.csv", "--labels", "component", "--out", layout, "--force", "--json"]
        ours, said = timed(lambda: modescope(*arguments), 1)
        kl = json.loads(said)["kl_divergence"]
        x = pandas.read_csv(out / "data.csv").iloc[:, :-1].to_numpy()
        peer = openTSNE.TSNE(n_jobs=2, random_state=1, negative_gradient_method=method)
        theirs, embedding = timed(lambda: peer.fit(x), 1)
        some = np.random.default_rng(0).permutation(rows)[:5000]
        here = pandas.read_csv(layout).iloc[:, :2].to_numpy()
        trusted = [trustworthiness(x[some], y[some], n_neighbors=12) for y in (here, np.asarray(embedding))]
        note = f"1000 epochs for 750, KL {kl:.3f} for {embedding.kl_divergence:.3f}, trustworthiness {trusted[0]:.4f} for {trusted[1]:.4f}"
        row(f"t-SNE, {rows} × 10", ours, f"openTSNE {openTSNE.__version__}, {method}, 2 threads", theirs, note)


def sample(folder):
    import pyarrow
    import pyarrow.parquet
    import torch

    run = folder / "trained"
    modescope("mixture", "--seed", 1, "--out", folder / "given")
    data = folder / "given" / "data.csv"
    modescope("train", data, "--labels", "component", "--backend", "cpu", "--out", run)
    out = folder / "samples.parquet"
    work = lambda: modescope("sample", run, "-n", SAMPLES, "--backend", "cpu", "--out", out, "--force")
    ours, _ = timed(work)
    layers = []
    for inputs, outputs in [(3, 128), (128, 128), (128, 3)]:
        layers += [torch.nn.Linear(inputs, outputs), torch.nn.ReLU()]
    decoder = torch.nn.Sequential(*layers[:-1])
    weights, means, factors = torch.rand(64), torch.randn(64, 3), torch.randn(64, 3, 3)
    names = ["x0", "x1", "x2"]

    @torch.no_grad()
    def generate(batch):
        writer = None
        for start in range(0, SAMPLES, batch):
            count = min(batch, SAMPLES - start)
            of_row = torch.multinomial(weights, count, replacement=True)
            z = means[of_row] + torch.einsum("nij,nj->ni", factors[of_row], torch.randn(count, 3))
            x = decoder(z)
            x = ((x + 0.1 * torch.randn_like(x)) * 4.0 + 1.0).numpy()
            table = pyarrow.table(dict(zip(names, x.T)))
            writer = writer or pyarrow.parquet.ParquetWriter(folder / "torch.parquet", table.schema, compression="none", use_dictionary=False)
            writer.write_table(table)
        writer.close()

    theirs, batch = min((timed(lambda: generate(batch))[0], batch) for batch in (4096, 65_536, 1 << 20))
    row(f"sample {SAMPLES} × 3 to Parquet", ours, f"PyTorch {torch.__version__}, batches of {batch}, pyarrow", theirs)


def run(folder):
    modescope("mixture", "--seed", 1, "--out", folder / "reference")
    data = folder / "reference" / "data.csv"
    ours, _ = timed(lambda: modescope("run", data, "--labels", "component", "--backend", "cpu", "--out", folder / "run", "--force"), 1)
    script = ROOT / "scripts" / "main_job_pytorch.py"
    command = [sys.executable, script, data, folder / "python"]
    theirs, done = timed(lambda: subprocess.run(command, check=True, capture_output=True, text=True), 1)
    row("the main job", ours, "scripts/main_job_pytorch.py", theirs, f"its parts end at {done.stdout.strip()} s")


def main():
    parts = {"read": read, "tsne": tsne, "sample": sample, "run": run}
    chosen = sys.argv[1:] or list(parts)
    print("| what | modescope | peer | | ratio | |\n|---|--:|---|--:|--:|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for name in chosen:
            parts[name](pathlib.Path(folder))


main()
