// Adam's step (Kingma and Ba, "Adam", ICLR 2015), with clipping and the average of the weights: four
// parameters an invocation, whatever tensors they belong to.

override FIRST_DECAY: f32;
override SECOND_DECAY: f32;
override EPSILON: f32;
// 1 − the decays, rounded once.
override FIRST_SHARE: f32;
override SECOND_SHARE: f32;
// Largest norm of the gradient; 0 where it is not clipped.
override CLIP: f32;
override AVERAGED: bool;

fn clipping(member: u32) -> f32 {
    var square = 0.0;
    for (var part = 0u; part < 64u; part++) {
        square += workspace[member * WORKSPACE + SQUARES + part];
    }
    return min(1.0, CLIP / max(sqrt(square), 1.1754944e-38));
}

fn update(member: u32, i: u32, factor: f32) {
    if i >= PARAMETERS {
        return;
    }
    let place = member * PARAMETERS + i;
    let state = member * select(2u, 3u, AVERAGED) * PARAMETERS + i;
    let gradient = gradients[place] * factor;
    let first = FIRST_DECAY * moments[state] + FIRST_SHARE * gradient;
    let second =
        SECOND_DECAY * moments[state + PARAMETERS] + SECOND_SHARE * gradient * gradient;
    let rate = step.rate * members[member].learning_rate;
    let size = sqrt(second * step.second_correction) + EPSILON;
    let value = parameters[place] - rate * first * step.first_correction / size;
    moments[state] = first;
    moments[state + PARAMETERS] = second;
    parameters[place] = value;
    if AVERAGED {
        let average = moments[state + 2u * PARAMETERS];
        moments[state + 2u * PARAMETERS] = value + step.average_decay * (average - value);
    }
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let first = running(group) * 256u + lane;
    var factor = 1.0;
    if CLIP > 0.0 {
        factor = clipping(group.z);
    }
    update(group.z, first, factor);
    update(group.z, first + 64u, factor);
    update(group.z, first + 128u, factor);
    update(group.z, first + 192u, factor);
}
