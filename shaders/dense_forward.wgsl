// y = f(xW + b) of one layer.
//
// An activation also leaves f'(xW + b) in the slot of y's gradient, where `dense_backward` finds it
// and puts the gradient. The decoder's last layer gives x̂ − x in place of x̂, and ∂loss/∂x̂.

// 0 the identity, 1 relu, 2 silu, 3 tanh, 4 the residual.
override FUNCTION: u32;

const LEFT_ALONG_DEPTH: bool = true;
const RIGHT_ALONG_DEPTH: bool = false;

fn left(member: u32, row: u32, k: u32) -> f32 {
    return workspace[member * WORKSPACE + X + row * INPUTS + k];
}

fn right(member: u32, k: u32, column: u32) -> f32 {
    return parameters[member * PARAMETERS + WEIGHT + k * OUTPUTS + column];
}

fn finish(member: u32, row: u32, column: u32, value: f32) {
    let base = member * WORKSPACE;
    let place = row * OUTPUTS + column;
    let sum = value + parameters[member * PARAMETERS + BIAS + column];
    var y = sum;
    var gradient = 0.0;
    switch FUNCTION {
        case 1u: {
            // Written so that NaN stays NaN.
            y = select(sum, 0.0, sum < 0.0);
            gradient = select(0.0, 1.0, sum > 0.0);
        }
        case 2u: {
            // Past ±80 it is 0 or 1, and the exponential stays finite.
            let sigmoid = 1.0 / (1.0 + exp(-clamp(sum, -80.0, 80.0)));
            y = sum * sigmoid;
            gradient = sigmoid * (1.0 + sum * (1.0 - sigmoid));
        }
        case 3u: {
            // Past ±10 it is ±1, and some drivers' tanh overflows.
            y = tanh(clamp(sum, -10.0, 10.0));
            gradient = 1.0 - y * y;
        }
        case 4u: {
            y = sum - workspace[base + BATCH + place];
            let slope = y * precision_of(member, column) / f32(step.count);
            gradient = select(0.0, slope, row < step.count);
        }
        default: {}
    }
    workspace[base + Y + place] = y;
    if FUNCTION != 0u {
        workspace[base + Y_GRADIENT + place] = gradient;
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
