// Samples the posterior of each row and finds its KL divergence from the prior.

// From N(0, I), in closed form: an invocation a row.
@compute @workgroup_size(32)
fn standard_normal(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let base = group.z * WORKSPACE;
    let row = running(group) * LANES + lane;
    if row >= padded_count() {
        return;
    }
    var kl = 0.0;
    for (var unit = 0u; unit < LATENT; unit++) {
        let q = posterior_of(base, row, unit);
        workspace[base + SAMPLE + row * LATENT + unit] = q.mean + deviation(q);
        kl += q.mean * q.mean + q.variance - q.log_variance - 1.0;
    }
    workspace[base + KL + row] = 0.5 * kl;
}

// From a mixture, by the sample, with the responsibility of each Gaussian for it: a workgroup a row,
// the Gaussians divided among its lanes.
@compute @workgroup_size(32)
fn mixture(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let member = group.z;
    let base = member * WORKSPACE;
    let row = running(group);
    let sample = base + SAMPLE + row * LATENT;
    let responsibilities = base + RESPONSIBILITIES + row * COMPONENTS;
    if row >= step.count {
        // Keeps what follows finite; the whole workgroup leaves.
        for (var unit = lane; unit < LATENT && row < padded_count(); unit += LANES) {
            workspace[sample + unit] = 0.0;
        }
        return;
    }
    var log_q = 0.0;
    for (var unit = lane; unit < LATENT; unit += LANES) {
        let q = posterior_of(base, row, unit);
        workspace[sample + unit] = q.mean + deviation(q);
        log_q -= 0.5 * (q.log_variance + q.noise * q.noise);
    }
    storageBarrier();
    workgroupBarrier();

    // Logits with and without the density at the sample: their difference in log-sum-exp is ln p(z).
    var most = vec2(-3.0e38);
    for (var k = lane; k < COMPONENTS; k += LANES) {
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
    for (var k = lane; k < COMPONENTS; k += LANES) {
        let logit = parameters[member * PARAMETERS + PRIOR_LOGITS + k];
        let share = exp(workspace[responsibilities + k] - most.x);
        workspace[responsibilities + k] = share;
        sums += vec2(share, exp(logit - most.y));
    }
    sums = total(lane, sums);
    for (var k = lane; k < COMPONENTS; k += LANES) {
        workspace[responsibilities + k] /= sums.x;
    }
    // −L/2·ln 2π stands in ln q and in ln p, and cancels.
    log_q = total(lane, vec2(log_q, 0.0)).x;
    if lane == 0u {
        let log_p = most.x - most.y + ln(sums.x) - ln(sums.y);
        workspace[base + KL + row] = log_q - log_p;
    }
}
