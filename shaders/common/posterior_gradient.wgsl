// From ∂loss/∂z, and from the KL divergence, to the gradient of the encoder's output.

// ½ Σ (x̂ − x)²/σ² of a row.
fn reconstruction(member: u32, row: u32) -> f32 {
    var sum = 0.0;
    for (var feature = 0u; feature < FEATURES; feature++) {
        let residual = workspace[member * WORKSPACE + RESIDUAL + row * FEATURES + feature];
        sum += 0.5 * residual * residual * precision_of(member, feature);
    }
    return sum;
}

// Of a row and latent unit, an `element` of z. The first unit's also adds up the row's squared
// residuals.
fn posterior_gradient(member: u32, element: u32) {
    let base = member * WORKSPACE;
    let row = element / LATENT;
    let unit = element % LATENT;
    let place = base + POSTERIOR_GRADIENT + row * 2u * LATENT + unit;
    if row >= step.count {
        workspace[place] = 0.0;
        workspace[place + LATENT] = 0.0;
        return;
    }
    if unit == 0u {
        workspace[base + RECONSTRUCTION + row] = reconstruction(member, row);
    }
    let q = posterior_of(base, row, unit);
    let weight = kl_weight(member) / f32(step.count);
    var of_sample = workspace[base + SAMPLE_GRADIENT + element];
    var of_mean = weight * q.mean;
    var of_log_variance = 0.5 * weight * (q.variance - 1.0);
    if COMPONENTS > 0u {
        of_sample += weight * workspace[base + PRIOR_SLOPE + element];
        of_mean = 0.0;
        of_log_variance = -0.5 * weight;
    }
    workspace[place] = of_sample + of_mean;
    workspace[place + LATENT] = (0.5 * of_sample * deviation(q) + of_log_variance) * q.slope;
}
