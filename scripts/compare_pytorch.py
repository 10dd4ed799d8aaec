"""Times PyTorch's training step beside modescope's in one run, and prints ratios.

    python3 -m venv /tmp/venv-torch && /tmp/venv-torch/bin/pip install torch numpy
    cargo build --release
    scripts/compare_pytorch /tmp/venv-torch/bin/python [--seconds 3] [--threads 1]

The same model on both sides: 3 columns, two hidden layers, 2 latent units, ReLU, one learned sigma, N(0, I) prior,
Adam 1e-3 on batches gathered from a shuffled table. PyTorch runs eager with its default Adam, eager with its fused Adam,
compiled (the step by torch.compile, fused Adam), and vmapped over members (torch.func, one Adam over stacked weights).
Where PyTorch has a CUDA device it runs there, also as a replayed CUDA graph, and modescope on wgpu.
"""

import argparse
import json
import os
import subprocess
import time
from pathlib import Path

import torch
from torch import nn
from torch.func import functional_call, stack_module_state, vmap

ROOT = Path(__file__).resolve().parent.parent
FEATURES, LATENT, ROWS = 3, 2, 32  # ROWS: batches in the table


class Vae(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        widths = [FEATURES, hidden, hidden, 2 * LATENT]
        self.encoder = dense(widths)
        self.decoder = dense([LATENT, hidden, hidden, FEATURES])
        self.log_sigma = nn.Parameter(torch.zeros(1))

    def forward(self, x, noise):
        """The loss of a batch: -ln p(x|z) + KL, in nats a row."""
        mean, log_variance = self.encoder(x).chunk(2, dim=-1)
        log_variance = log_variance.clamp(-12.0, 8.0)
        z = mean + (0.5 * log_variance).exp() * noise
        square = (self.decoder(z) - x).square().sum(-1).mean()
        half_log_tau = 0.9189385332046727
        reconstruction = 0.5 * square * (-2 * self.log_sigma).exp() + FEATURES * (self.log_sigma + half_log_tau)
        kl = 0.5 * (mean.square() + log_variance.exp() - log_variance - 1).sum(-1).mean()
        return (reconstruction + kl).sum()


def dense(widths):
    layers = []
    for inputs, outputs in zip(widths, widths[1:]):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class Batches:
    """Batches of a table in a new order every epoch, gathered on the device."""

    def __init__(self, batch, device):
        self.batch, self.device = batch, device
        self.rows = torch.randn(batch * ROWS, FEATURES, device=device)
        self.place = ROWS

    def next(self):
        if self.place == ROWS:
            self.order, self.place = torch.randperm(len(self.rows), device=self.device), 0
        start = self.place * self.batch
        self.place += 1
        rows = self.rows[self.order[start : start + self.batch]]
        return rows, torch.randn(self.batch, LATENT, device=self.device)


def rate(step, seconds, sync):
    """Steps a second, after a warm-up of half a second."""
    for limit in (0.5, seconds):
        sync()
        count, start = 0, time.perf_counter()
        while time.perf_counter() - start < limit:
            step()
            count += 1
            if count % 50 == 0:
                sync()
        sync()
        found = count / (time.perf_counter() - start)
    return found


def eager(batch, hidden, device, fused):
    model, batches = Vae(hidden).to(device), Batches(batch, device)
    adam = torch.optim.Adam(model.parameters(), lr=1e-3, fused=fused)

    def step():
        adam.zero_grad(set_to_none=True)
        model(*batches.next()).backward()
        adam.step()

    return step


def compiled(batch, hidden, device):
    model, batches = Vae(hidden).to(device), Batches(batch, device)
    adam = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    loss = torch.compile(model)

    def step():
        adam.zero_grad(set_to_none=True)
        loss(*batches.next()).backward()
        adam.step()

    return step


def vmapped(batch, hidden, device, members):
    models = [Vae(hidden).to(device) for _ in range(members)]
    weights, buffers = stack_module_state(models)
    skeleton, batches = models[0].to("meta"), Batches(batch, device)
    weights = {name: value.detach().requires_grad_() for name, value in weights.items()}
    adam = torch.optim.Adam(weights.values(), lr=1e-3, fused=True)

    def loss(weights, x, noise):
        return functional_call(skeleton, (weights, buffers), (x, noise))

    def step():
        adam.zero_grad(set_to_none=True)
        drawn = [batches.next() for _ in range(members)]
        x, noise = (torch.stack(part) for part in zip(*drawn))
        vmap(loss)(weights, x, noise).sum().backward()
        adam.step()

    return step


def graph(batch, hidden, device):
    """A whole step in a CUDA graph, the batch gathered and the noise drawn in it: a replay is one launch."""
    model, batches = Vae(hidden).to(device), Batches(batch, device)
    adam = torch.optim.Adam(model.parameters(), lr=1e-3, capturable=True)
    order = torch.randperm(len(batches.rows), device=device)
    start = torch.zeros((), dtype=torch.int64, device=device)
    places = torch.arange(batch, device=device)

    def whole():
        adam.zero_grad(set_to_none=True)
        x = batches.rows[order[start + places]]
        model(x, torch.randn(batch, LATENT, device=device)).backward()
        adam.step()
        start.add_(batch).remainder_(len(order))

    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            whole()
    torch.cuda.current_stream().wait_stream(side)
    captured = torch.cuda.CUDAGraph()
    with torch.cuda.graph(captured):
        whole()
    count = 3  # Steps of the warm-up.

    def step(keep=(model, adam, batches, start, places)):  # What the graph works on must outlive it.
        nonlocal count
        count += 1
        if count % ROWS == 0:
            order.copy_(torch.randperm(len(order), device=device))
        captured.replay()

    return step


def ours(backend, seconds, threads):
    """Our figures by (batch, hidden, members)."""
    command = [ROOT / "target/release/modescope", "bench", "--json", "--quiet", "--backend", backend]
    command += ["--engine", "fused", "--seconds", str(seconds)]
    if "CARGO_TARGET_DIR" in os.environ:
        command[0] = Path(os.environ["CARGO_TARGET_DIR"]) / "release/modescope"
    environment = dict(os.environ, RAYON_NUM_THREADS=str(threads))
    found = json.loads(subprocess.run(command, env=environment, check=True, capture_output=True).stdout)
    return {(f["batch"], f["hidden"], f["members"]): f["steps_per_second"] for f in found["figures"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3.0, help="for each figure")
    parser.add_argument("--threads", type=int, default=1, help="on both sides")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    sync = torch.cuda.synchronize if device == "cuda" else lambda: None
    mine = ours("wgpu" if device == "cuda" else "cpu", options.seconds, options.threads)
    print(f"PyTorch {torch.__version__} on {device}, {options.threads} threads; steps of single models a second\n")
    print("| batch | hidden | members | modescope | PyTorch | how | ratio |")
    print("|--:|--:|--:|--:|--:|---|--:|")
    for (batch, hidden, members), rate_of_ours in sorted(mine.items(), key=lambda item: (item[0][1], item[0][0], item[0][2])):
        shape = (batch, hidden, device)
        peers = {"vmap, fused Adam": lambda: vmapped(*shape, members)}
        if members == 1:
            peers = {
                "eager": lambda: eager(*shape, fused=False),
                "eager, fused Adam": lambda: eager(*shape, fused=True),
                "compiled, fused Adam": lambda: compiled(*shape),
            }
            if device == "cuda":
                peers["CUDA graph"] = lambda: graph(*shape)
        for how, make in peers.items():
            theirs = members * rate(make(), options.seconds, sync)
            if rate_of_ours:
                print(f"| {batch} | {hidden} | {members} | {rate_of_ours:.1f} | {theirs:.1f} | {how} | {rate_of_ours / theirs:.1f} |", flush=True)


if __name__ == "__main__":
    main()
