// Adam's step (Kingma and Ba, "Adam", ICLR 2015) and the average of the weights.

override FIRST_DECAY: f32;
override SECOND_DECAY: f32;
// 1 − the decays.
override FIRST_SHARE: f32;
override SECOND_SHARE: f32;
override EPSILON: f32;
override AVERAGED: bool;

fn moments_at(place: vec4<u32>) -> vec4<f32> {
    return vec4(moments[place.x], moments[place.y], moments[place.z], moments[place.w]);
}

// A parameter, its moments and its average.
fn keep(place: u32, state: u32, values: vec4<f32>) {
    parameters[place] = values.x;
    moments[state] = values.y;
    moments[state + PARAMETERS] = values.z;
    if AVERAGED {
        moments[state + 2u * PARAMETERS] = values.w;
    }
}

// Four parameters of a member and what Adam knows of them.
struct State {
    values: vec4<f32>,
    first: vec4<f32>,
    second: vec4<f32>,
    average: vec4<f32>,
}

// Where the first is not inside, none is; the others that are not repeat the first.
fn state_of(member: u32, at: vec4<u32>, inside: vec4<bool>) -> State {
    var found: State;
    if inside.x {
        let own = select(vec4(at.x), at, inside);
        let place = member * PARAMETERS + own;
        let state = member * select(2u, 3u, AVERAGED) * PARAMETERS + own;
        found.values = vec4(
            parameters[place.x],
            parameters[place.y],
            parameters[place.z],
            parameters[place.w],
        );
        found.first = moments_at(state);
        found.second = moments_at(state + PARAMETERS);
        if AVERAGED {
            found.average = moments_at(state + 2u * PARAMETERS);
        }
    }
    return found;
}

// Steps those of them that are `inside` along their gradients.
fn descend(
    member: u32,
    at: vec4<u32>,
    inside: vec4<bool>,
    gradient: vec4<f32>,
    before: State,
) {
    let first = FIRST_DECAY * before.first + FIRST_SHARE * gradient;
    let second = SECOND_DECAY * before.second + SECOND_SHARE * gradient * gradient;
    let rate = step.rate * members[member].learning_rate;
    let size = sqrt(second * step.second_correction) + EPSILON;
    let value = before.values - rate * first * step.first_correction / size;
    let average = before.average + step.average_share * (value - before.average);
    let place = member * PARAMETERS + at;
    let state = member * select(2u, 3u, AVERAGED) * PARAMETERS + at;
    if inside.x {
        keep(place.x, state.x, vec4(value.x, first.x, second.x, average.x));
    }
    if inside.y {
        keep(place.y, state.y, vec4(value.y, first.y, second.y, average.y));
    }
    if inside.z {
        keep(place.z, state.z, vec4(value.z, first.z, second.z, average.z));
    }
    if inside.w {
        keep(place.w, state.w, vec4(value.w, first.w, second.w, average.w));
    }
}
