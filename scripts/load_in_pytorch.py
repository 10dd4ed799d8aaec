#!/usr/bin/env python3
"""A trained model of modescope in PyTorch.

    python3 -m venv /tmp/venv-torch
    /tmp/venv-torch/bin/pip install torch numpy safetensors
    modescope run --epochs 20 --out runs/short
    /tmp/venv-torch/bin/python scripts/load_in_pytorch.py runs/short [DATA]

Rebuilds the VAE from model.safetensors and model.json of the folder, encodes the rows of its data.csv
(or of DATA, a CSV file with the model's columns in its header), decodes their posterior means, and
holds the posteriors against latents.csv. Prints the largest differences, and exits with 1 where one is
above 1e-5 of the largest value there (of 1 where all are smaller: means of a collapsed posterior are
little but what rounding leaves of larger numbers, and 1 is the prior's standard deviation). `modescope
encode RUN DATA --out RUN/latents.csv` makes a latents.csv where there is none (add --force where it has
only some rows of large data).

As a module, with `scripts` on the path:

    from load_in_pytorch import load
    vae = load("runs/short")
    mean, log_variance = vae.encode(rows)     # rows in the data's own units
    means = vae.decode(mean)                  # back in those units, without the noise
    new = vae.sample(1000)                    # from the prior of model.json, with the noise
"""

import argparse
import csv
import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal

# As in src/model/architecture.rs.
LOG_VARIANCE_RANGE = (-12.0, 8.0)
SMALLEST_VARIANCE = 1e-12
TOLERANCE = 1e-5
ACTIVATIONS = {"relu": nn.ReLU, "silu": nn.SiLU, "tanh": nn.Tanh, "gelu": nn.GELU}


class Vae(nn.Module):
    """A VAE of dense layers as `card`, the content of model.json, describes it.

    Its parameters are those of the encoder and the decoder. What training knew besides, the prior
    that it used, is left out: samples are drawn from the prior of the card.
    """

    def __init__(self, card):
        super().__init__()
        shape = card["architecture"]
        self.columns = card["columns"]
        self.posterior_variance = shape["posterior_variance"]
        hidden, activation = shape["hidden"], ACTIVATIONS[shape["activation"]]
        self.encoder = dense([shape["features"], *hidden, 2 * shape["latent"]], activation)
        self.decoder = dense([shape["latent"], *hidden[::-1], shape["features"]], activation)
        # Rows are scaled in double precision, and then rounded.
        scaling = card["scaling"]
        for name in ("shift", "scale"):
            self.register_buffer(name, torch.tensor(scaling[name], dtype=torch.float64))
        self.constant = scaling.get("constant", [])
        # Standard deviation of the noise in scaled units: none for a mean squared error.
        sigma = shape["sigma"] if shape["likelihood"] == "fixed-sigma" else 0.0
        self.register_buffer("sigma", torch.full((shape["features"],), sigma))
        # A standard normal is a mixture of one.
        prior, latent = card["prior"], shape["latent"]
        if prior["kind"] == "standard-normal":
            prior = {"weights": [1.0], "means": [[0.0] * latent]}
            prior["covariances"] = [torch.eye(latent).tolist()]
        for name in ("weights", "means", "covariances"):
            values = torch.tensor(prior[name], dtype=torch.float64)
            self.register_buffer(f"prior_{name}", values)

    def encode(self, rows):
        """Mean and log-variance of the posterior of each row."""
        scaled = ((rows.double() - self.shift) / self.scale).float()
        mean, head = self.encoder(scaled).chunk(2, dim=1)
        if self.posterior_variance == "exp":
            return mean, head.clamp(*LOG_VARIANCE_RANGE)
        return mean, nn.functional.softplus(head / 2).clamp_min(SMALLEST_VARIANCE).log()

    def decode(self, z):
        """The mean of the likelihood at each latent."""
        return self.unscale(self.decoder(z))

    def unscale(self, rows):
        """Scaled rows in the data's own units."""
        rows = rows.double() * self.scale + self.shift
        # Columns whose values were all equal.
        rows[:, self.constant] = self.shift[self.constant]
        return rows.float()

    def prior(self):
        """The distribution that latents are drawn from."""
        components = MultivariateNormal(self.prior_means, self.prior_covariances)
        return MixtureSameFamily(Categorical(self.prior_weights), components)

    @torch.no_grad()
    def sample(self, count, noise=True):
        """New rows; without `noise` the decoder's mean alone.

        They follow the same distribution as those of `modescope sample`, but PyTorch's random draws
        are not modescope's: the rows are others.
        """
        rows = self.decoder(self.prior().sample((count,)).float())
        if noise:
            rows = rows + self.sigma * torch.randn_like(rows)
        return self.unscale(rows)


def dense(widths, activation):
    """Dense layers with the activation between them, and none after the last."""
    layers = []
    for inputs, outputs in zip(widths, widths[1:]):
        layers += [nn.Linear(inputs, outputs), activation()]
    return nn.Sequential(*layers[:-1])


def load(run):
    """The trained model of a run folder."""
    run = Path(run)
    card = json.loads((run / "model.json").read_text())
    if card["format"] != 2:
        raise ValueError(f"{run / 'model.json'}: format {card['format']}; this script reads format 2")
    tensors = load_file(run / "model.safetensors")
    vae = Vae(card)
    with torch.no_grad():
        for part in ("encoder", "decoder"):
            layers = [layer for layer in getattr(vae, part) if isinstance(layer, nn.Linear)]
            for index, layer in enumerate(layers):
                # y = xW + b there, y = xWᵀ + b here.
                layer.weight.copy_(tensors[f"{part}.{index}.weight"].T)
                layer.bias.copy_(tensors[f"{part}.{index}.bias"])
        if "log_sigma" in tensors:
            vae.sigma.copy_(tensors["log_sigma"].exp())
    return vae.eval()


def read(path, columns):
    """These columns of a CSV file, as a tensor."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file)
        missing = [column for column in columns if column not in (rows.fieldnames or [])]
        if missing:
            raise ValueError(f"{path} has no column {missing[0]}")
        return torch.tensor([[float(row[column]) for column in columns] for row in rows])


def agree(name, found, expected):
    """Whether rounding explains all differences; prints the largest."""
    difference, largest = (found - expected).abs().max().item(), expected.abs().max().item()
    print(f"{name}: largest difference {difference:.1e}, largest value {largest:.3g}")
    return difference <= TOLERANCE * max(largest, 1.0)


@torch.no_grad()
def compare(run, data):
    """Whether the model in PyTorch encodes the rows of `data` as the latents.csv of the run has them."""
    vae = load(run)
    rows = read(data, vae.columns)
    mean, log_variance = vae.encode(rows)
    names = [f"{name}{unit}" for name in ("mean", "log_variance") for unit in range(mean.shape[1])]
    latents = read(run / "latents.csv", names)
    if len(latents) != len(rows):
        raise ValueError(f"{run / 'latents.csv'} has {len(latents)} rows, {data} {len(rows)}")
    expected_mean, expected_log_variance = latents.chunk(2, dim=1)
    print(f"{len(rows)} rows, {mean.shape[1]} latent units")
    agreed = [
        agree("posterior means", mean, expected_mean),
        agree("log-variances", log_variance, expected_log_variance),
    ]
    residual = vae.decode(mean) - rows
    print(f"decoded means: {residual.square().mean().sqrt():.4g} from the rows (root mean square)")
    print(f"noise of the likelihood: {(vae.sigma * vae.scale).square().mean().sqrt():.4g}")
    return all(agreed)


def main():
    parser = argparse.ArgumentParser(description="Holds a run's model in PyTorch against its latents.csv.")
    parser.add_argument("run", type=Path, help="folder of a trained run")
    parser.add_argument("data", type=Path, nargs="?", help="CSV file of the rows of latents.csv")
    arguments = parser.parse_args()
    try:
        agreed = compare(arguments.run, arguments.data or arguments.run / "data.csv")
    except (OSError, ValueError) as error:
        sys.exit(f"{error}: see the first lines of this script")
    sys.exit(not agreed)


if __name__ == "__main__":
    main()
