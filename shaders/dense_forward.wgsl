// y = f(xW + b) of one layer.
//
// An activation also leaves f'(xW + b) in the slot of y's gradient, where `dense_backward` finds it
// and puts the gradient. The decoder's last layer gives x̂ − x in place of x̂, and ∂loss/∂x̂.

// 0 the identity, 1 relu, 2 silu, 3 tanh, 4 the residual.
override FUNCTION: u32;

fn finish(member: u32, row: u32, column: u32, value: f32) {
    if column >= OUTPUTS {
        return;
    }
    let base = member * WORKSPACE;
    let place = row * OUTPUTS + column;
    let sum = value + parameters[member * PARAMETERS + BIAS + column];
    var y = sum;
    var gradient = 0.0;
    switch FUNCTION {
        case 1u: {
            y = max(sum, 0.0);
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

fn finish_row(member: u32, row: u32, first: u32, sums: vec4<f32>) {
    finish(member, row, first, sums.x);
    finish(member, row, first + LANES, sums.y);
    finish(member, row, first + 2u * LANES, sums.z);
    finish(member, row, first + 3u * LANES, sums.w);
}

// Values of a row of W in these columns; those that no lane has are left out.
fn weights(place: u32, columns: vec4<u32>) -> vec4<f32> {
    var w = vec4(parameters[place + columns.x], 0.0, 0.0, 0.0);
    if OUTPUTS > LANES {
        w.y = parameters[place + columns.y];
    }
    if OUTPUTS > 2u * LANES {
        w.z = parameters[place + columns.z];
    }
    if OUTPUTS > 3u * LANES {
        w.w = parameters[place + columns.w];
    }
    return w;
}

@compute @workgroup_size(32)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let member = group.z;
    let at = corner(group, lane, OUTPUTS);
    if at.row >= step.count || at.column >= OUTPUTS {
        return;
    }
    let columns = columns_from(at.column, OUTPUTS);
    var weight = member * PARAMETERS + WEIGHT;
    var x = member * WORKSPACE + X + at.row * INPUTS;
    var s0 = vec4(0.0);
    var s1 = vec4(0.0);
    var s2 = vec4(0.0);
    var s3 = vec4(0.0);
    var s4 = vec4(0.0);
    var s5 = vec4(0.0);
    var s6 = vec4(0.0);
    var s7 = vec4(0.0);
    for (var k = 0u; k < INPUTS; k++) {
        let w = weights(weight, columns);
        s0 += workspace[x] * w;
        s1 += workspace[x + INPUTS] * w;
        s2 += workspace[x + 2u * INPUTS] * w;
        s3 += workspace[x + 3u * INPUTS] * w;
        s4 += workspace[x + 4u * INPUTS] * w;
        s5 += workspace[x + 5u * INPUTS] * w;
        s6 += workspace[x + 6u * INPUTS] * w;
        s7 += workspace[x + 7u * INPUTS] * w;
        weight += OUTPUTS;
        x += 1u;
    }
    finish_row(member, at.row, at.column, s0);
    finish_row(member, at.row + 1u, at.column, s1);
    finish_row(member, at.row + 2u, at.column, s2);
    finish_row(member, at.row + 3u, at.column, s3);
    finish_row(member, at.row + 4u, at.column, s4);
    finish_row(member, at.row + 5u, at.column, s5);
    finish_row(member, at.row + 6u, at.column, s6);
    finish_row(member, at.row + 7u, at.column, s7);
}
