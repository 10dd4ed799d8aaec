// The gradient of the log-densities' points: an invocation a unit of a row.

// ∂loss/∂log-density, rows.
@group(0) @binding(3) var<storage, read_write> gradient: array<f32>;
// See `mixture_forward`.
@group(0) @binding(4) var<storage, read_write> responsibilities: array<f32>;
// rows × latent.
@group(0) @binding(5) var<storage, read_write> z_gradient: array<f32>;
@group(0) @binding(6) var<uniform> sizes: Sizes;

@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let place = id.x;
    if place >= sizes.rows * sizes.latent {
        return;
    }
    let row = place / sizes.latent;
    let unit = place % sizes.latent;
    var sum = 0.0;
    for (var component = 0u; component < sizes.components; component++) {
        let element = component * sizes.latent + unit;
        let pull = (means[element] - z[place]) * exp(-log_variance_of(element));
        sum += responsibilities[row * sizes.components + component] * pull;
    }
    z_gradient[place] = gradient[row] * sum;
}
