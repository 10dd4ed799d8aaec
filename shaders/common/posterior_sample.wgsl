// The sample of a row's posterior, and its KL divergence from the prior.
//
// `parts.wgsl`, or the stage, gives ROW_LANES, the invocations that share a row under a mixture prior.

// From N(0, I), in closed form.
fn sample_standard_normal(member: u32, row: u32) {
    let base = member * WORKSPACE;
    var kl = 0.0;
    for (var unit = 0u; unit < LATENT; unit++) {
        let q = posterior_of(base, row, unit);
        workspace[base + SAMPLE + row * LATENT + unit] = q.mean + deviation(q);
        kl += q.mean * q.mean + q.variance - q.log_variance - 1.0;
    }
    workspace[base + KL + row] = 0.5 * kl;
}

// From a mixture, by the sample, with the responsibility of each Gaussian for it: the Gaussians are
// divided among the row's invocations. All of a workgroup call it together. Rows past the batch get a
// sample of zeros, which keeps what follows finite.
fn sample_mixture(member: u32, row: u32, lane: u32) {
    let base = member * WORKSPACE;
    let sample = base + SAMPLE + row * LATENT;
    let responsibilities = base + RESPONSIBILITIES + row * COMPONENTS;
    let inside = row < step.count;
    let units = select(0u, LATENT, row < padded_count());
    let components = select(0u, COMPONENTS, inside);
    let own = lane % ROW_LANES;
    var log_q = 0.0;
    for (var unit = own; unit < units; unit += ROW_LANES) {
        let q = posterior_of(base, row, unit);
        workspace[sample + unit] = select(0.0, q.mean + deviation(q), inside);
        log_q -= 0.5 * (q.log_variance + q.noise * q.noise);
    }
    storageBarrier();
    workgroupBarrier();

    // Logits with and without the density at the sample: their difference in log-sum-exp is ln p(z).
    var most = vec2(-3.0e38);
    for (var k = own; k < components; k += ROW_LANES) {
        let logit = parameters[member * PARAMETERS + PRIOR_LOGITS + k];
        var exponent = 0.0;
        for (var unit = 0u; unit < LATENT; unit++) {
            let log_variance = prior_log_variance(member, k * LATENT + unit);
            let distance = workspace[sample + unit] - prior_mean(member, k * LATENT + unit);
            exponent += log_variance + distance * distance * exp(-log_variance);
        }
        workspace[responsibilities + k] = logit - 0.5 * exponent;
        most = max(most, vec2(logit - 0.5 * exponent, logit));
    }
    most = largest(lane, most);
    var sums = vec2(0.0);
    for (var k = own; k < components; k += ROW_LANES) {
        let logit = parameters[member * PARAMETERS + PRIOR_LOGITS + k];
        let share = exp(workspace[responsibilities + k] - most.x);
        workspace[responsibilities + k] = share;
        sums += vec2(share, exp(logit - most.y));
    }
    sums = total(lane, sums);
    for (var k = own; k < components; k += ROW_LANES) {
        workspace[responsibilities + k] /= sums.x;
    }
    // −L/2·ln 2π stands in ln q and in ln p, and cancels.
    log_q = total(lane, vec2(log_q, 0.0)).x;
    if inside && own == 0u {
        let log_p = most.x - most.y + ln(sums.x) - ln(sums.y);
        workspace[base + KL + row] = log_q - log_p;
    }
    if row == 0u && own == 0u {
        workspace[base + LOGIT_SUM] = most.y + ln(sums.y);
    }
}
