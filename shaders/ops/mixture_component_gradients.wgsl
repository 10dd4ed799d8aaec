// The gradients of the log-densities' mixture: its means, log-variances and logits. A workgroup a
// Gaussian, the rows divided among its lanes.

// ∂loss/∂log-density, rows.
@group(0) @binding(3) var<storage, read_write> gradient: array<f32>;
// See `mixture_forward`.
@group(0) @binding(4) var<storage, read_write> responsibilities: array<f32>;
@group(0) @binding(5) var<storage, read_write> mean_gradients: array<f32>;
@group(0) @binding(6) var<storage, read_write> log_variance_gradients: array<f32>;
@group(0) @binding(7) var<storage, read_write> logit_gradients: array<f32>;
@group(0) @binding(8) var<uniform> sizes: Sizes;

@compute @workgroup_size(32)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let component = group.x;
    for (var unit = 0u; unit < sizes.latent; unit++) {
        let element = component * sizes.latent + unit;
        let log_variance = log_variance_of(element);
        let inverse_variance = exp(-log_variance);
        var sums = vec2(0.0);
        for (var row = lane; row < sizes.rows; row += LANES) {
            let share = gradient[row] * responsibilities[row * sizes.components + component];
            let distance = z[row * sizes.latent + unit] - means[element];
            let pull = distance * inverse_variance;
            sums += share * vec2(pull, 0.5 * (distance * pull - 1.0));
        }
        sums = total(lane, sums);
        if lane == 0u {
            let inside = log_variance == log_variances[element];
            mean_gradients[element] = sums.x;
            log_variance_gradients[element] = select(0.0, sums.y, inside);
        }
    }
    // Σ gradient·responsibility, and Σ gradient, of which the weight takes its share.
    var sums = vec2(0.0);
    for (var row = lane; row < sizes.rows; row += LANES) {
        let responsibility = responsibilities[row * sizes.components + component];
        sums += gradient[row] * vec2(responsibility, 1.0);
    }
    sums = total(lane, sums);
    if lane == 0u {
        let weight = responsibilities[sizes.rows * sizes.components + component];
        logit_gradients[component] = sums.x - weight * sums.y;
    }
}
