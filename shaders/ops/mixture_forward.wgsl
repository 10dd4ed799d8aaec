// ln Σ_k w_k N(z; m_k, diag s_k) of each row, and the responsibilities: a workgroup a row, the
// Gaussians divided among its lanes.

// components.
@group(0) @binding(3) var<storage, read_write> logits: array<f32>;
// rows.
@group(0) @binding(4) var<storage, read_write> log_density: array<f32>;
// rows × components, and a last row with the weights w.
@group(0) @binding(5) var<storage, read_write> responsibilities: array<f32>;
@group(0) @binding(6) var<uniform> sizes: Sizes;

// ln N(z; m_k, diag s_k).
fn log_normal(row: u32, component: u32) -> f32 {
    var sum = 0.0;
    for (var unit = 0u; unit < sizes.latent; unit++) {
        let element = component * sizes.latent + unit;
        let log_variance = log_variance_of(element);
        let distance = z[row * sizes.latent + unit] - means[element];
        sum += log_variance + distance * distance * exp(-log_variance);
    }
    return -0.5 * (sum + f32(sizes.latent) * 1.8378770664093453);
}

@compute @workgroup_size(32)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let row = group.x;
    let first = row * sizes.components;
    // Of the terms, and of the logits, whose sum makes the weights of the terms.
    var most = vec2(-3.4028235e38);
    for (var k = lane; k < sizes.components; k += LANES) {
        let term = logits[k] + log_normal(row, k);
        responsibilities[first + k] = term;
        most = max(most, vec2(term, logits[k]));
    }
    most = largest(lane, most);
    var sum = vec2(0.0);
    for (var k = lane; k < sizes.components; k += LANES) {
        let shares = exp(vec2(responsibilities[first + k], logits[k]) - most);
        responsibilities[first + k] = shares.x;
        sum += shares;
    }
    sum = total(lane, sum);
    for (var k = lane; k < sizes.components; k += LANES) {
        responsibilities[first + k] /= sum.x;
        if row == 0u {
            responsibilities[sizes.rows * sizes.components + k] = exp(logits[k] - most.y) / sum.y;
        }
    }
    if lane == 0u {
        let logarithms = most + log(sum);
        log_density[row] = logarithms.x - logarithms.y;
    }
}
