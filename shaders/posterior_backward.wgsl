// From ∂loss/∂z, and from the KL divergence, to the gradient of the encoder's output: an invocation
// a row and latent unit.

const LANES: u32 = 32u;

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let element = running(group) * LANES + lane;
    if element / LATENT < padded_count() {
        posterior_gradient(group.z, element);
    }
}
