// Adam's step with clipping: four parameters an invocation, whatever tensors they belong to.

const LANES: u32 = 256u;

// Largest norm of the gradient; 0 where it is not clipped.
override CLIP: f32;
// The first parameter that the gradients have not stepped.
override FIRST: u32;

fn clipping(member: u32) -> f32 {
    var square = 0.0;
    for (var part = 0u; part < SQUARE_PARTS; part++) {
        square += workspace[member * WORKSPACE + SQUARES + part];
    }
    return min(1.0, NORM_UNIT * CLIP / max(sqrt(square), 1.1754944e-38));
}

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let member = group.z;
    let first = FIRST + running(group) * 4u * LANES + lane;
    let at = vec4(first) + LANES * vec4(0u, 1u, 2u, 3u);
    let inside = at < vec4(PARAMETERS);
    if !inside.x {
        return;
    }
    // Load all before storing: the compiler cannot prove that loads and stores do not alias.
    let before = state_of(member, at, inside);
    var factor = 1.0;
    if CLIP > 0.0 {
        factor = clipping(member);
    }
    let own = min(at, vec4(PARAMETERS - 1u));
    let gradient = factor * vec4(
        gradient_at(member, own.x),
        gradient_at(member, own.y),
        gradient_at(member, own.z),
        gradient_at(member, own.w),
    );
    descend(member, at, inside, gradient, before);
}
