// Samples the posterior of each row and finds its KL divergence from the prior.

// An invocation a row.
@compute @workgroup_size(LANES)
fn standard_normal(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let row = running(group) * LANES + lane;
    if row < padded_count() {
        sample_standard_normal(group.z, row);
    }
}

// A workgroup a row.
@compute @workgroup_size(LANES)
fn mixture(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    sample_mixture(group.z, running(group), lane);
}
