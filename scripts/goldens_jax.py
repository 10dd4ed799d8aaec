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
PRIOR_MIN, PRIOR_MAX = -8.0, 4.0
COMPONENTS = 3
STEPS, LEARNING_RATE, BETA1, BETA2, EPSILON = 3, 1e-3, 0.9, 0.999, 1e-8

COMMON = {
    "activation": "relu",
    "posterior_variance": "exp",
    "sigma": 0.7,
    "prior": "standard-normal",
    "prior_components": COMPONENTS,
    "kl_reduction": "mean",
    "beta": 1.0,
    "free_bits": 0.0,
    "importance_samples": 1,
}
CLASSIC = COMMON | {
    "likelihood": "mean-squared-error",
    "posterior_variance": "softplus",
    "kl_reduction": "sum",
}
STANDARD = COMMON | {"likelihood": "learned-sigma"}
MIXTURE = STANDARD | {"prior": "mixture"}
VAMP = STANDARD | {"prior": "vamp"}
WEIGHTED = {"importance_samples": 3}
# Name, settings, factor on the encoder's output weights for h.
CASES = [
    ("classic", CLASSIC, 1.0),
    ("standard", STANDARD, 1.0),
    ("standard-silu", STANDARD | {"activation": "silu", "beta": 0.5}, 1.0),
    ("standard-tanh", STANDARD | {"activation": "tanh", "beta": 0.5}, 1.0),
    ("standard-gelu", STANDARD | {"activation": "gelu", "beta": 0.5}, 1.0),
    ("standard-clamped", STANDARD, 60.0),
    ("fixed-sigma", STANDARD | {"likelihood": "fixed-sigma"}, 1.0),
    ("sigma-per-column", STANDARD | {"likelihood": "learned-sigma-per-column"}, 1.0),
    ("free-bits", STANDARD | {"free_bits": 0.1, "beta": 2.0}, 1.0),
    ("mixture", MIXTURE | {"beta": 0.3}, 1.0),
    ("mixture-softplus", MIXTURE | CLASSIC | {"prior": "mixture", "kl_reduction": "mean"}, 1.0),
    ("vamp", VAMP | {"beta": 0.3}, 1.0),
    ("weighted", STANDARD | WEIGHTED, 1.0),
    ("weighted-fixed-sigma", STANDARD | WEIGHTED | {"likelihood": "fixed-sigma"}, 1.0),
    ("weighted-mixture", MIXTURE | WEIGHTED | {"likelihood": "learned-sigma-per-column"}, 1.0),
    ("weighted-vamp", VAMP | WEIGHTED, 1.0),
]
ACTIVATIONS = {
    "relu": jax.nn.relu,
    "silu": jax.nn.silu,
    "tanh": jnp.tanh,
    "gelu": lambda x: jax.nn.gelu(x, approximate=False),
}


def layout(settings):
    """Name and shape of every parameter, in the order in which they are flattened."""
    encoder = [FEATURES, *HIDDEN, 2 * LATENT]
    decoder = [LATENT, *reversed(HIDDEN), FEATURES]
    shapes = []
    for part, widths in (("encoder", encoder), ("decoder", decoder)):
        for i, (inputs, outputs) in enumerate(pairwise(widths)):
            shapes.append((f"{part}.{i}.weight", (inputs, outputs)))
            shapes.append((f"{part}.{i}.bias", (outputs,)))
    if settings["likelihood"].startswith("learned-sigma"):
        shapes.append(("log_sigma", (1 if settings["likelihood"] == "learned-sigma" else FEATURES,)))
    if settings["prior"] == "mixture":
        shapes.append(("prior.means", (COMPONENTS, LATENT)))
        shapes.append(("prior.log_variances", (COMPONENTS, LATENT)))
        shapes.append(("prior.logits", (COMPONENTS,)))
    if settings["prior"] == "vamp":
        shapes.append(("prior.pseudo_inputs", (COMPONENTS, FEATURES)))
    return shapes


def unflatten(flat, settings):
    parameters, start = {}, 0
    for name, shape in layout(settings):
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


def encode(parameters, settings, x):
    """Posterior mean and variance, h, and the inputs of the activations."""
    out, inputs = dense(parameters, "encoder", settings["activation"], x)
    mean, h = out[:, :LATENT], out[:, LATENT:]
    if settings["posterior_variance"] == "exp":
        variance = jnp.exp(jnp.clip(h, LOG_VARIANCE_MIN, LOG_VARIANCE_MAX))
    else:
        variance = jax.nn.softplus(h / 2)
    return mean, variance, h, inputs


def log_prior(parameters, settings, z):
    """ln p(z) over the last axis; h and the inputs of the activations that it takes."""
    if settings["prior"] == "standard-normal":
        return norm.logpdf(z).sum(axis=-1), jnp.zeros((0, LATENT)), []
    if settings["prior"] == "mixture":
        mean, h, inputs = parameters["prior.means"], jnp.zeros((0, LATENT)), []
        variance = jnp.exp(jnp.clip(parameters["prior.log_variances"], PRIOR_MIN, PRIOR_MAX))
        log_weights = jax.nn.log_softmax(parameters["prior.logits"])
    else:
        mean, variance, h, inputs = encode(parameters, settings, parameters["prior.pseudo_inputs"])
        log_weights = -jnp.log(COMPONENTS) * jnp.ones(COMPONENTS)
    terms = norm.logpdf(z[..., None, :], mean, jnp.sqrt(variance)).sum(axis=-1)
    return jax.scipy.special.logsumexp(log_weights + terms, axis=-1), h, inputs


def objective(flat, x, noise, settings):
    """The loss; beside it reconstruction, KL, h, the inputs of all activations and KL by unit."""
    parameters = unflatten(flat, settings)
    mean, variance, h, encoder_inputs = encode(parameters, settings, x)
    draws = settings["importance_samples"]
    noise = noise.reshape(BATCH, draws, LATENT)
    z = mean[:, None] + jnp.sqrt(variance)[:, None] * noise
    decoded, decoder_inputs = dense(parameters, "decoder", settings["activation"], z)

    if settings["likelihood"] == "mean-squared-error":
        reconstruction = ((x[:, None] - decoded) ** 2).mean(axis=-1)
    else:
        learned = settings["likelihood"] != "fixed-sigma"
        sigma = jnp.exp(parameters["log_sigma"]) if learned else settings["sigma"]
        reconstruction = -norm.logpdf(x[:, None], decoded, sigma).sum(axis=-1)
    prior, prior_h, prior_inputs = log_prior(parameters, settings, z)
    posterior = norm.logpdf(z, mean[:, None], jnp.sqrt(variance)[:, None]).sum(axis=-1)
    by_unit = 0.5 * (mean**2 + variance - jnp.log(variance) - 1)
    exact = settings["prior"] == "standard-normal" and draws == 1
    kl = by_unit.sum(axis=1) if exact else (posterior - prior).mean(axis=1)
    if draws > 1:
        log_weights = -reconstruction + prior - posterior
        loss = -(jax.scipy.special.logsumexp(log_weights, axis=1) - jnp.log(draws)).mean()
    else:
        reduced = kl.sum() if settings["kl_reduction"] == "sum" else kl.mean()
        if settings["free_bits"] > 0:
            reduced = jnp.maximum(by_unit.mean(axis=0), settings["free_bits"]).sum()
        loss = reconstruction.mean() + settings["beta"] * reduced
    inputs = jnp.concatenate(
        [values.ravel() for values in encoder_inputs + decoder_inputs + prior_inputs]
    )
    units = by_unit.mean(axis=0)
    return loss, (reconstruction.mean(), kl.mean(), jnp.concatenate([h, prior_h]), inputs, units)


def as_float32(values):
    """Rounds to 12 binary places: exact in 32-bit floats, and short to write."""
    return np.round(np.asarray(values) * 4096) / 4096


def draw(seed, settings, h_factor):
    """Parameters U(±1/√fan_in), rows and noise from the standard normal."""
    random = np.random.RandomState(seed)
    flat, fan_in = [], 1
    for name, shape in layout(settings):
        if name == "log_sigma":
            flat.append(as_float32(-0.3 + 0.1 * np.arange(shape[0])))
            continue
        if name.startswith("prior."):
            values = as_float32(random.standard_normal(shape))
            if name == "prior.log_variances":
                # One beyond the upper end of the clamp; beyond the lower its density would be nil.
                values[0, 0] += 6.5
            flat.append(values.ravel())
            continue
        if len(shape) == 2:
            fan_in = shape[0]
        values = as_float32(random.uniform(-1, 1, shape) / np.sqrt(fan_in))
        if name == f"encoder.{len(HIDDEN)}.weight":
            values[:, LATENT:] *= h_factor
        flat.append(values.ravel())
    x = as_float32(random.standard_normal((BATCH, FEATURES)))
    noise = as_float32(random.standard_normal((BATCH, settings["importance_samples"] * LATENT)))
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


def is_straddled(excess):
    """Whether some unit has clearly more than its free nats, and another clearly less."""
    return excess.max() > 0.02 and excess.min() < -0.02


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
        (_, (_, _, h, inputs, units)), gradients = differentiate(flat, x, noise)
        if settings["free_bits"] > 0 and not is_straddled(units - settings["free_bits"]):
            continue
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
    (loss, (reconstruction, kl, h, _, _)), gradients = points[0]
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
