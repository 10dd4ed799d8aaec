// A unit of a row's posterior q(z|x).

struct Posterior {
    mean: f32,
    variance: f32,
    log_variance: f32,
    // ∂log-variance/∂head.
    slope: f32,
    noise: f32,
}

fn posterior_of(base: u32, row: u32, unit: u32) -> Posterior {
    var q: Posterior;
    let place = base + POSTERIOR + row * 2u * LATENT + unit;
    let head = workspace[place + LATENT];
    q.mean = workspace[place];
    q.noise = workspace[base + NOISE + row * LATENT + unit];
    if SOFTPLUS {
        let half = 0.5 * head;
        let e = exp(-abs(half));
        let variance = max(half, 0.0) + ln_1p(e);
        let sigmoid = select(e, 1.0, half >= 0.0) / (1.0 + e);
        q.variance = max(variance, SMALLEST_VARIANCE);
        q.log_variance = ln(q.variance);
        q.slope = select(0.0, 0.5 * sigmoid / q.variance, variance >= SMALLEST_VARIANCE);
    } else {
        q.log_variance = clamp(head, LOWEST_LOG_VARIANCE, HIGHEST_LOG_VARIANCE);
        q.variance = exp(q.log_variance);
        q.slope = select(0.0, 1.0, q.log_variance == head);
    }
    return q;
}

// z − mean.
fn deviation(q: Posterior) -> f32 {
    return exp(0.5 * q.log_variance) * q.noise;
}
