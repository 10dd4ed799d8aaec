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

// −∂ln p(z)/∂z of one Gaussian of the prior, by its responsibility; 0 past the last.
fn pull(member: u32, row: u32, unit: u32, k: u32) -> f32 {
    let base = member * WORKSPACE;
    let gaussian = min(k, COMPONENTS - 1u);
    let responsibility = workspace[base + RESPONSIBILITIES + row * COMPONENTS + gaussian];
    let distance = workspace[base + SAMPLE + row * LATENT + unit]
        - prior_mean(member, gaussian * LATENT + unit);
    let inverse_variance = exp(-prior_log_variance(member, gaussian * LATENT + unit));
    return select(0.0, responsibility * distance * inverse_variance, k < COMPONENTS);
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
        // 4 at a time, so that a GPU waits for all of their loads at once.
        var pulls = vec4(0.0);
        for (var k = 0u; k < COMPONENTS; k += 4u) {
            pulls += vec4(
                pull(member, row, unit, k),
                pull(member, row, unit, k + 1u),
                pull(member, row, unit, k + 2u),
                pull(member, row, unit, k + 3u),
            );
        }
        of_sample += weight * (pulls.x + pulls.y + pulls.z + pulls.w);
        of_mean = 0.0;
        of_log_variance = -0.5 * weight;
    }
    workspace[place] = of_sample + of_mean;
    workspace[place + LATENT] = (0.5 * of_sample * deviation(q) + of_log_variance) * q.slope;
}
