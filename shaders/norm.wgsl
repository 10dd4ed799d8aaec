// The squared norm of a member's gradient in parts, one a workgroup, which `update` adds up.

const LANES: u32 = 256u;

var<workgroup> parts: array<f32, LANES>;

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    var sum = 0.0;
    for (var i = group.x * LANES + lane; i < PARAMETERS; i += SQUARE_PARTS * LANES) {
        let gradient = NORM_UNIT * gradient_at(group.z, i);
        sum += gradient * gradient;
    }
    parts[lane] = sum;
    workgroupBarrier();
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        if lane < half {
            parts[lane] += parts[lane + half];
        }
        workgroupBarrier();
    }
    if lane == 0u {
        workspace[group.z * WORKSPACE + SQUARES + group.x] = parts[0];
    }
}
