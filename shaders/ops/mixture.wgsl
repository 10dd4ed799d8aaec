// A mixture of Gaussians with diagonal covariances, and the points whose density it gives.

struct Sizes {
    rows: u32,
    latent: u32,
    components: u32,
    // The log-variances are used within these.
    low: f32,
    high: f32,
}

// rows × latent.
@group(0) @binding(0) var<storage, read_write> z: array<f32>;
// components × latent.
@group(0) @binding(1) var<storage, read_write> means: array<f32>;
// components × latent, before they are clamped.
@group(0) @binding(2) var<storage, read_write> log_variances: array<f32>;

fn log_variance_of(element: u32) -> f32 {
    return clamp(log_variances[element], sizes.low, sizes.high);
}
