// ∂loss/∂x = (∂loss/∂y) Wᵀ ⊙ f' of one layer, f' being the slope of the activation that made x.

const LEFT_ALONG_DEPTH: bool = true;
const RIGHT_ALONG_DEPTH: bool = true;

fn left(member: u32, row: u32, k: u32) -> f32 {
    return workspace[member * WORKSPACE + Y_GRADIENT + row * OUTPUTS + k];
}

fn right(member: u32, k: u32, column: u32) -> f32 {
    return parameters[member * PARAMETERS + WEIGHT + column * OUTPUTS + k];
}

// The slope of what made x.
fn needed(member: u32, row: u32, column: u32) -> f32 {
    if ACTIVATED == 1u {
        return workspace[member * WORKSPACE + X_GRADIENT + row * INPUTS + column];
    }
    return 1.0;
}

fn finish_one(member: u32, row: u32, column: u32, value: f32, slope: f32) {
    workspace[member * WORKSPACE + X_GRADIENT + row * INPUTS + column] = slope * value;
}

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let corner = corner_of(group, INPUTS);
    if corner.x < step.count {
        product(group.z, corner, vec2(padded_count(), INPUTS), vec2(0u, OUTPUTS), lane);
    }
}
