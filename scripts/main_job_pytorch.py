#!/usr/bin/env python3
"""The main job as one would write it in Python: PyTorch, scikit-learn and matplotlib.

    python3 -m venv /tmp/venv-peers
    /tmp/venv-peers/bin/pip install torch scikit-learn matplotlib pandas
    /tmp/venv-peers/bin/python scripts/main_job_pytorch.py data.csv out/

A peer of `modescope run data.csv --labels component`, for its wall time: the same network, prior,
batch, number of steps and samples; the same clusterings, mixtures and embeddings of as many rows;
distances between generated and real rows; pictures and a page. Every part is the plain call of its
library. It says less than our report does (no causes, no intervals, no latent diagnosis).
"""

import math
import pathlib
import sys
import time

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from scipy.spatial.distance import cdist
from sklearn.cluster import HDBSCAN, KMeans
from sklearn.manifold import TSNE
from sklearn.metrics import silhouette_score
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors
from torch import nn

HIDDEN, COMPONENTS, BATCH, STEPS = 128, 64, 32, 10_016
SAMPLES, ANALYSED, JOINT, NEAREST = 10_000, 1000, 250, 5
PERPLEXITIES = (5, 30, 50)


def network(inputs, outputs):
    return nn.Sequential(
        nn.Linear(inputs, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, outputs)
    )


class Vae(nn.Module):
    def __init__(self, columns, latent):
        super().__init__()
        self.encoder, self.decoder = network(columns, 2 * latent), network(latent, columns)
        self.log_sigma = nn.Parameter(torch.zeros(()))
        self.weights = nn.Parameter(torch.zeros(COMPONENTS))
        self.means = nn.Parameter(torch.randn(COMPONENTS, latent))
        self.log_variances = nn.Parameter(torch.zeros(COMPONENTS, latent))

    def loss(self, x, beta):
        mean, log_variance = self.encoder(x).chunk(2, dim=1)
        z = mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
        residual = (x - self.decoder(z)) / self.log_sigma.exp()
        constant = x.shape[1] * (self.log_sigma + 0.5 * math.log(2 * math.pi))
        reconstruction = (0.5 * residual.square().sum(1) + constant).mean()
        log_posterior = -0.5 * ((z - mean).square() / log_variance.exp() + log_variance).sum(1)
        squares = (z[:, None] - self.means).square() / self.log_variances.exp()
        log_components = -0.5 * (squares + self.log_variances).sum(2)
        log_prior = torch.logsumexp(log_components + self.weights.log_softmax(0), 1)
        return reconstruction + beta * (log_posterior - log_prior).mean()


def train(x):
    vae = Vae(x.shape[1], x.shape[1])
    adam = torch.optim.Adam(vae.parameters(), lr=5e-3)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(adam, STEPS, eta_min=5e-6)
    losses, step = [], 0
    while step < STEPS:
        for batch in torch.randperm(len(x)).split(BATCH):
            adam.zero_grad()
            loss = vae.loss(x[batch], min(1.0, step / (0.3 * STEPS)))
            loss.backward()
            adam.step()
            cosine.step()
            step += 1
        losses.append(loss.item())
    return vae, losses


@torch.no_grad()
def generate(vae, x, seed):
    mean, log_variance = vae.encoder(x).chunk(2, dim=1)
    draws = mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
    prior = GaussianMixture(40, random_state=seed).fit(draws.numpy())
    z = torch.from_numpy(prior.sample(SAMPLES)[0]).float()
    decoded = vae.decoder(z)
    return (decoded + vae.log_sigma.exp() * torch.randn_like(decoded)).numpy(), mean.numpy()


def clusters(rows):
    best = max(
        (silhouette_score(rows, labels), k)
        for k in range(2, 11)
        for labels in [KMeans(k, n_init=10, random_state=0).fit_predict(rows)]
    )
    kinds = ("full", "diag", "spherical")
    fits = [
        (GaussianMixture(k, covariance_type=kind, random_state=0).fit(rows).bic(rows), k, kind)
        for kind in kinds
        for k in range(1, 16)
    ]
    return {"k-means": best, "mixture": min(fits), "hdbscan": HDBSCAN(copy=True).fit(rows).labels_.max() + 1}


def neighbours(real, generated):
    def radii(rows):
        return NearestNeighbors(n_neighbors=NEAREST + 1).fit(rows).kneighbors(rows)[0][:, -1]

    def within(queries, centres, radii):
        return np.mean([(cdist(part, centres) < radii).any(1).mean() for part in np.array_split(queries, 10)])

    precision = within(generated, real, radii(real))
    recall = within(real, generated, radii(generated))
    both = np.concatenate([real, generated])
    side = np.repeat([0, 1], [len(real), len(generated)])
    order = np.random.default_rng(0).permutation(len(both))
    half = len(both) // 2
    classifier = KNeighborsClassifier(NEAREST).fit(both[order[:half]], side[order[:half]])
    return {"precision": precision, "recall": recall, "c2st": classifier.score(both[order[half:]], side[order[half:]])}


def main():
    start = time.perf_counter()
    data, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    table = pd.read_csv(data)
    labels, rows = table.pop("component").to_numpy(), table.to_numpy(np.float32)
    scale = np.sqrt((rows - rows.mean(0)).var())
    x = torch.from_numpy((rows - rows.mean(0)) / scale)
    vae, losses = train(x)
    parts = {"training": time.perf_counter() - start}
    scaled, means = generate(vae, x, 0)
    generated = scaled * scale + rows.mean(0)
    pd.DataFrame(generated, columns=table.columns).to_csv(out / "samples.csv", index=False)
    parts["sampling"] = time.perf_counter() - start
    some = generated[:ANALYSED]
    found = {
        "real": clusters(rows[:ANALYSED]),
        "generated": clusters(some),
        "latent": clusters(means[:ANALYSED]),
        "distances": neighbours(rows, generated),
    }
    parts["audit"] = time.perf_counter() - start
    both = np.concatenate([rows[:JOINT], generated[:JOINT]])
    layouts = [TSNE(perplexity=p).fit_transform(set) for set in (means[:ANALYSED], both) for p in PERPLEXITIES]
    parts["t-SNE"] = time.perf_counter() - start

    pages = [f"<p>{found}</p>"]

    def picture(name, draw, **options):
        figure, axes = plt.subplots(figsize=(6, 5), **options)
        draw(axes)
        for ending in ("png", "svg"):
            figure.savefig(out / f"{name}.{ending}", dpi=200)
        plt.close(figure)
        pages.append(f'<img src="{name}.png">')

    picture("loss", lambda axes: axes.plot(losses))
    deep = {"subplot_kw": {"projection": "3d"}}
    picture("real", lambda axes: axes.scatter(*rows.T[:3], c=labels, s=4), **deep)
    picture("generated", lambda axes: axes.scatter(*some.T[:3], s=4), **deep)
    picture("latent", lambda axes: axes.scatter(*means.T[:2], c=labels, s=4))
    for index, layout in enumerate(layouts):
        picture(f"tsne-{index}", lambda axes, layout=layout: axes.scatter(*layout.T, s=4))
    (out / "report.html").write_text("\n".join(pages))
    parts["pictures"] = time.perf_counter() - start
    print(" ".join(f"{name} {seconds:.1f}" for name, seconds in parts.items()))


main()
