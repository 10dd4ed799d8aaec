// Adam's step (Kingma and Ba, "Adam", ICLR 2015), with clipping and the average of the weights: four
// parameters an invocation, whatever tensors they belong to.

const LANES: u32 = 256u;

override FIRST_DECAY: f32;
override SECOND_DECAY: f32;
override EPSILON: f32;
// 1 − the decays, rounded once.
override FIRST_SHARE: f32;
override SECOND_SHARE: f32;
// Largest norm of the gradient; 0 where it is not clipped.
override CLIP: f32;
override AVERAGED: bool;

fn moments_at(place: vec4<u32>) -> vec4<f32> {
    return vec4(moments[place.x], moments[place.y], moments[place.z], moments[place.w]);
}

fn clipping(member: u32) -> f32 {
    var square = 0.0;
    for (var part = 0u; part < 64u; part++) {
        square += workspace[member * WORKSPACE + SQUARES + part];
    }
    return min(1.0, NORM_UNIT * CLIP / max(sqrt(square), 1.1754944e-38));
}

// A parameter, its moments and its average.
fn keep(i: u32, place: u32, state: u32, values: vec4<f32>) {
    if i >= PARAMETERS {
        return;
    }
    parameters[place] = values.x;
    moments[state] = values.y;
    moments[state + PARAMETERS] = values.z;
    if AVERAGED {
        moments[state + 2u * PARAMETERS] = values.w;
    }
}

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let member = group.z;
    let at = vec4(running(group) * 4u * LANES + lane) + LANES * vec4(0u, 1u, 2u, 3u);
    if at.x >= PARAMETERS {
        return;
    }
    // Those past the end repeat the first and are not stored. All loads come before all stores, which
    // a GPU could not tell apart.
    let inside = select(vec4(at.x), at, at < vec4(PARAMETERS));
    let place = member * PARAMETERS + inside;
    let state = member * select(2u, 3u, AVERAGED) * PARAMETERS + inside;
    var factor = 1.0;
    if CLIP > 0.0 {
        factor = clipping(member);
    }
    let gradient = factor * vec4(
        gradient_at(member, inside.x),
        gradient_at(member, inside.y),
        gradient_at(member, inside.z),
        gradient_at(member, inside.w),
    );
    let before = vec4(
        parameters[place.x],
        parameters[place.y],
        parameters[place.z],
        parameters[place.w],
    );
    let first = FIRST_DECAY * moments_at(state) + FIRST_SHARE * gradient;
    let second =
        SECOND_DECAY * moments_at(state + PARAMETERS) + SECOND_SHARE * gradient * gradient;
    var average = vec4(0.0);
    if AVERAGED {
        average = moments_at(state + 2u * PARAMETERS);
    }
    let rate = step.rate * members[member].learning_rate;
    let size = sqrt(second * step.second_correction) + EPSILON;
    let value = before - rate * first * step.first_correction / size;
    average = value + step.average_decay * (average - value);
    keep(at.x, place.x, state.x, vec4(value.x, first.x, second.x, average.x));
    keep(at.y, place.y, state.y, vec4(value.y, first.y, second.y, average.y));
    keep(at.z, place.z, state.z, vec4(value.z, first.z, second.z, average.z));
    keep(at.w, place.w, state.w, vec4(value.w, first.w, second.w, average.w));
}
