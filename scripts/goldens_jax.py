#!/usr/bin/env python3
"""Golden values of the VAE objective, its gradients and three Adam steps, from JAX in float64.

    python3 -m venv /tmp/venv-jax
    /tmp/venv-jax/bin/pip install jax
    /tmp/venv-jax/bin/python scripts/goldens_jax.py

Writes tests/golden/objective.json. Inputs (parameters, x, noise) are exact in 32-bit floats, so a
program that computes in those starts from the same numbers. Gradients are checked here against
central differences. Each case takes the first seed whose ReLU inputs stay away from the kink,
whose h stay away from the clamp's ends, and whose gradients are exactly zero or well above the
rounding of 32-bit floats (the first Adam step depends on little but their sign).
"""

import json
from itertools import pairwise
from pathlib import Path

import jax

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_platforms", "cpu")

import jax.numpy as jnp
import numpy as np
from jax.scipy.stats import norm

FEATURES, HIDDEN, LATENT, BATCH = 3, [8, 6], 2, 5
LOG_VARIANCE_MIN, LOG_VARIANCE_MAX = -12.0, 8.0
STEPS, LEARNING_RATE, BETA1, BETA2, EPSILON = 3, 1e-3, 0.9, 0.999, 1e-8

CLASSIC = {
    "activation": "relu",
    "likelihood": "mean-squared-error",
    "posterior_variance": "softplus",
    "kl_reduction": "sum",
    "beta": 1.0,
}
STANDARD = {
    "activation": "relu",
    "likelihood": "learned-sigma",
    "posterior_variance": "exp",
    "kl_reduction": "mean",
    "beta": 1.0,
}
# Name, settings, factor on the encoder's output weights for h.
CASES = [
    ("classic", CLASSIC, 1.0),
    ("standard", STANDARD, 1.0),
    ("standard-silu", STANDARD | {"activation": "silu", "beta": 0.5}, 1.0),
    ("standard-tanh", STANDARD | {"activation": "tanh", "beta": 0.5}, 1.0),
    ("standard-gelu", STANDARD | {"activation": "gelu", "beta": 0.5}, 1.0),
    ("standard-clamped", STANDARD, 60.0),
]
ACTIVATIONS = {
    "relu": jax.nn.relu,
    "silu": jax.nn.silu,
    "tanh": jnp.tanh,
    "gelu": lambda x: jax.nn.gelu(x, approximate=False),
}


def layout(likelihood):
    """Name and shape of every parameter, in the order in which they are flattened."""
    encoder = [FEATURES, *HIDDEN, 2 * LATENT]
    decoder = [LATENT, *reversed(HIDDEN), FEATURES]
    shapes = []
    for part, widths in (("encoder", encoder), ("decoder", decoder)):
        for i, (inputs, outputs) in enumerate(pairwise(widths)):
            shapes.append((f"{part}.{i}.weight", (inputs, outputs)))
            shapes.append((f"{part}.{i}.bias", (outputs,)))
    if likelihood == "learned-sigma":
        shapes.append(("log_sigma", (1,)))
    return shapes


def unflatten(flat, likelihood):
    parameters, start = {}, 0
    for name, shape in layout(likelihood):
        size = int(np.prod(shape))
        parameters[name] = flat[start : start + size].reshape(shape)
        start += size
    assert start == flat.size
    return parameters


def dense(parameters, part, activation, x):
    """The part's output, and the inputs of its activations."""
    inputs = []
    for i in range(len(HIDDEN) + 1):
        x = x @ parameters[f"{part}.{i}.weight"] + parameters[f"{part}.{i}.bias"]
        if i < len(HIDDEN):
            inputs.append(x.ravel())
            x = ACTIVATIONS[activation](x)
    return x, inputs


def objective(flat, x, noise, settings):
    """The loss; beside it, reconstruction and KL, h, and the inputs of all activations."""
    parameters = unflatten(flat, settings["likelihood"])
    out, encoder_inputs = dense(parameters, "encoder", settings["activation"], x)
    mean, h = out[:, :LATENT], out[:, LATENT:]
    if settings["posterior_variance"] == "exp":
        variance = jnp.exp(jnp.clip(h, LOG_VARIANCE_MIN, LOG_VARIANCE_MAX))
    else:
        variance = jax.nn.softplus(h / 2)
    z = mean + jnp.sqrt(variance) * noise
    decoded, decoder_inputs = dense(parameters, "decoder", settings["activation"], z)

    if settings["likelihood"] == "learned-sigma":
        sigma = jnp.exp(parameters["log_sigma"][0])
        reconstruction = -norm.logpdf(x, decoded, sigma).sum(axis=1).mean()
    else:
        reconstruction = ((x - decoded) ** 2).mean()
    kl = (0.5 * (mean**2 + variance - jnp.log(variance) - 1)).sum(axis=1)
    reduced = kl.sum() if settings["kl_reduction"] == "sum" else kl.mean()
    loss = reconstruction + settings["beta"] * reduced
    inputs = jnp.concatenate(encoder_inputs + decoder_inputs)
    return loss, (reconstruction, kl.mean(), h, inputs)


def as_float32(values):
    """Rounds to 12 binary places: exact in 32-bit floats, and short to write."""
    return np.round(np.asarray(values) * 4096) / 4096


def draw(seed, settings, h_factor):
    """Parameters U(±1/√fan_in), rows and noise from the standard normal."""
    random = np.random.RandomState(seed)
    flat, fan_in = [], 1
    for name, shape in layout(settings["likelihood"]):
        if name == "log_sigma":
            flat.append([float(np.float32(-0.3))])
            continue
        if len(shape) == 2:
            fan_in = shape[0]
        values = as_float32(random.uniform(-1, 1, shape) / np.sqrt(fan_in))
        if name == f"encoder.{len(HIDDEN)}.weight":
            values[:, LATENT:] *= h_factor
        flat.append(values.ravel())
    x = as_float32(random.standard_normal((BATCH, FEATURES)))
    noise = as_float32(random.standard_normal((BATCH, LATENT)))
    return np.concatenate(flat), x, noise


def is_clean(settings, gradients, h, inputs):
    """Whether a 32-bit program must take the same branches and the same Adam steps."""
    size = np.abs(gradients)
    clean = size[size > 0].min() > 1e-4 * size.max()
    if settings["activation"] == "relu":
        clean &= np.abs(inputs).min() > 1e-2
    if settings["posterior_variance"] == "exp":
        ends = np.array([LOG_VARIANCE_MIN, LOG_VARIANCE_MAX])
        clean &= np.abs(h[..., None] - ends).min() > 1e-1
    return bool(clean)


def is_clamped(h):
    """Whether h passes both ends of the clamp, and lies within it for some row of every unit."""
    below, above = h < LOG_VARIANCE_MIN, h > LOG_VARIANCE_MAX
    return below.any() and above.any() and (~below & ~above).any(axis=0).all()


def adam(differentiate, flat):
    """Three steps of Adam as PyTorch does it, and what `differentiate` gave before each."""
    first, second, points = np.zeros_like(flat), np.zeros_like(flat), []
    for step in range(1, STEPS + 1):
        value, gradients = differentiate(flat)
        gradients = np.asarray(gradients)
        points.append((value, gradients))
        first = BETA1 * first + (1 - BETA1) * gradients
        second = BETA2 * second + (1 - BETA2) * gradients**2
        unbiased = first / (1 - BETA1**step), second / (1 - BETA2**step)
        flat = flat - LEARNING_RATE * unbiased[0] / (np.sqrt(unbiased[1]) + EPSILON)
    return flat, points


def check_gradients(loss, flat, gradients):
    """Asserts that central differences of fourth order agree.

    The step balances truncation against rounding, which is the loss's own (it reaches 1000 in the
    clamped case) over the step.
    """
    step = 1e-4

    def slope(direction, width):
        return (loss(flat + width * direction) - loss(flat - width * direction)) / (2 * width)

    differences = np.array(
        [(4 * slope(d, step) - slope(d, 2 * step)) / 3 for d in np.eye(flat.size)]
    )
    error = np.abs(differences - gradients).max() / np.abs(gradients).max()
    assert error < 1e-9, f"gradients and differences are {error:.1e} apart"
    return error


def make(name, settings, h_factor):
    differentiate = jax.jit(
        jax.value_and_grad(lambda *args: objective(*args, settings), has_aux=True)
    )
    for seed in range(100_000):
        flat, x, noise = draw(seed, settings, h_factor)
        (_, (_, _, h, inputs)), gradients = differentiate(flat, x, noise)
        if h_factor > 1 and not is_clamped(np.asarray(h)):
            continue
        if not is_clean(settings, np.asarray(gradients), h, inputs):
            continue
        after, points = adam(lambda flat: differentiate(flat, x, noise), flat)
        if all(is_clean(settings, g, aux[2], aux[3]) for (_, aux), g in points):
            break
    else:
        raise SystemExit(f"{name}: no seed gives a clean case")

    assert np.array_equal(np.float32(flat), flat) and np.array_equal(np.float32(x), x)
    (loss, (reconstruction, kl, h, _)), gradients = points[0]
    error = check_gradients(lambda flat: differentiate(flat, x, noise)[0][0], flat, gradients)
    zero = int((gradients == 0).sum())
    print(
        f"{name}: seed {seed}, loss {loss:.6f}, h in [{h.min():.2f}, {h.max():.2f}], "
        f"{zero} of {flat.size} gradients zero, differences agree to {error:.0e}"
    )
    digits = lambda values: [float(f"{v:.12g}") for v in np.ravel(values)]
    return {
        "name": name,
        "settings": settings,
        "features": FEATURES,
        "hidden": HIDDEN,
        "latent": LATENT,
        "batch": BATCH,
        "parameters": [float(v) for v in flat],
        "x": [float(v) for v in x.ravel()],
        "noise": [float(v) for v in noise.ravel()],
        "loss": digits(loss)[0],
        "reconstruction": digits(reconstruction)[0],
        "kl": digits(kl)[0],
        "gradients": digits(gradients),
        "parameters_after_3_steps": digits(after),
    }


def main():
    cases = [make(*case) for case in CASES]
    path = Path(__file__).resolve().parent.parent / "tests" / "golden" / "objective.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(json.dumps(case) for case in cases)
    path.write_text(f"[\n{lines}\n]\n")
    print(f"{path.name}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
