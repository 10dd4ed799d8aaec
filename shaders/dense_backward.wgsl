// ∂loss/∂x = (∂loss/∂y) Wᵀ ⊙ f' of one layer, f' being the slope of the activation that made x.

// Whether an activation made x; its slope then stands where the gradient goes.
override ACTIVATED: bool;

fn finish(member: u32, row: u32, column: u32, value: f32) {
    if column >= INPUTS {
        return;
    }
    let place = member * WORKSPACE + X_GRADIENT + row * INPUTS + column;
    if ACTIVATED {
        workspace[place] *= value;
    } else {
        workspace[place] = value;
    }
}

fn finish_row(member: u32, row: u32, first: u32, sums: vec4<f32>) {
    finish(member, row, first, sums.x);
    finish(member, row, first + LANES, sums.y);
    finish(member, row, first + 2u * LANES, sums.z);
    finish(member, row, first + 3u * LANES, sums.w);
}

// Values of a column of W in the rows that begin here; those that no lane has are left out.
fn weights(places: vec4<u32>) -> vec4<f32> {
    var w = vec4(parameters[places.x], 0.0, 0.0, 0.0);
    if INPUTS > LANES {
        w.y = parameters[places.y];
    }
    if INPUTS > 2u * LANES {
        w.z = parameters[places.z];
    }
    if INPUTS > 3u * LANES {
        w.w = parameters[places.w];
    }
    return w;
}

@compute @workgroup_size(32)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let member = group.z;
    let at = corner(group, lane, INPUTS);
    if at.row >= step.count || at.column >= INPUTS {
        return;
    }
    var places = member * PARAMETERS + WEIGHT + columns_from(at.column, INPUTS) * OUTPUTS;
    var y = member * WORKSPACE + Y_GRADIENT + at.row * OUTPUTS;
    var s0 = vec4(0.0);
    var s1 = vec4(0.0);
    var s2 = vec4(0.0);
    var s3 = vec4(0.0);
    var s4 = vec4(0.0);
    var s5 = vec4(0.0);
    var s6 = vec4(0.0);
    var s7 = vec4(0.0);
    for (var k = 0u; k < OUTPUTS; k++) {
        let w = weights(places);
        s0 += workspace[y] * w;
        s1 += workspace[y + OUTPUTS] * w;
        s2 += workspace[y + 2u * OUTPUTS] * w;
        s3 += workspace[y + 3u * OUTPUTS] * w;
        s4 += workspace[y + 4u * OUTPUTS] * w;
        s5 += workspace[y + 5u * OUTPUTS] * w;
        s6 += workspace[y + 6u * OUTPUTS] * w;
        s7 += workspace[y + 7u * OUTPUTS] * w;
        places += vec4(1u);
        y += 1u;
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
