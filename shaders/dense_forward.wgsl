// y = f(xW + b) of one layer.
//
// An activation also leaves f'(xW + b) in the slot of y's gradient, where `dense_backward` finds it
// and puts the gradient. The decoder's last layer gives x̂ − x in place of x̂, and ∂loss/∂x̂.

const LEFT_ALONG_DEPTH: bool = true;
const RIGHT_ALONG_DEPTH: bool = false;

fn left(member: u32, row: u32, k: u32) -> f32 {
    return workspace[member * WORKSPACE + X + row * INPUTS + k];
}

fn right(member: u32, k: u32, column: u32) -> f32 {
    return parameters[member * PARAMETERS + WEIGHT + k * OUTPUTS + column];
}

// The bias.
fn needed(member: u32, row: u32, column: u32) -> f32 {
    return parameters[member * PARAMETERS + BIAS + column];
}

fn finish_one(member: u32, row: u32, column: u32, value: f32, bias: f32) {
    let place = member * WORKSPACE + row * OUTPUTS + column;
    let sum = value + bias;
    var made = activated(FUNCTION, sum);
    if FUNCTION == RESIDUAL_OF {
        made = residual(member, row, column, sum);
    }
    workspace[place + Y] = made.x;
    if FUNCTION != 0u {
        workspace[place + Y_GRADIENT] = made.y;
    }
}

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let corner = corner_of(group, OUTPUTS);
    if corner.x < step.count {
        product(group.z, corner, vec2(padded_count(), OUTPUTS), vec2(0u, INPUTS), lane);
    }
}
