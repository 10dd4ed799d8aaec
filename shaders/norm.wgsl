// The squared norm of a member's gradient in 64 parts, which `update` adds up.

var<workgroup> parts: array<f32, 256>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    var sum = 0.0;
    for (var i = group.x * 256u + lane; i < PARAMETERS; i += 64u * 256u) {
        let gradient = NORM_UNIT * gradient_at(group.z, i);
        sum += gradient * gradient;
    }
    parts[lane] = sum;
    workgroupBarrier();
    for (var half = 128u; half > 0u; half /= 2u) {
        if lane < half {
            parts[lane] += parts[lane + half];
        }
        workgroupBarrier();
    }
    if lane == 0u {
        workspace[group.z * WORKSPACE + SQUARES + group.x] = parts[0];
    }
}
