// Gathers the batch of each member and draws its noise.
//
// Workgroups with an even `y` bring the rows of 64 places each, the others the noise of 64 blocks.

var<workgroup> rounds: array<vec4<u32>, 16>;
var<workgroup> chosen: array<u32, 64>;

fn bring_rows(member: u32, group: u32, lane: u32) {
    if lane < 16u {
        rounds[lane] = shuffle_rounds(words(member, STREAM_SHUFFLE, lane));
    }
    workgroupBarrier();
    let first = group * 64u;
    var row = min(step.first + first + lane, step.rows - 1u);
    for (var pair = 0u; pair < 16u; pair++) {
        let round = rounds[pair];
        row = swap_or_not(row, round.x, round.y);
        row = swap_or_not(row, round.z, round.w);
    }
    chosen[lane] = row;
    workgroupBarrier();
    let count = min(64u, padded_count() - min(first, padded_count()));
    for (var element = lane; element < count * FEATURES; element += 64u) {
        let place = element / FEATURES;
        let value = rows[chosen[place] * FEATURES + element % FEATURES];
        let target_place = member * WORKSPACE + BATCH + first * FEATURES + element;
        workspace[target_place] = select(0.0, value, first + place < step.count);
    }
}

fn draw_noise(member: u32, thread: u32) {
    let draws = normals(words(member, STREAM_POSTERIOR_NOISE, step.noise_block + thread));
    for (var i = 0u; i < 4u; i++) {
        // Wraps around below the first element, and is then past the last.
        let element = 4u * thread + i - step.noise_skip;
        if element < padded_count() * LATENT {
            let value = select(0.0, draws[i], element < step.count * LATENT);
            workspace[member * WORKSPACE + NOISE + element] = value;
        }
    }
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let number = running(vec3(group.x, group.y / 2u, group.z));
    if group.y % 2u == 0u {
        bring_rows(group.z, number, lane);
    } else {
        draw_noise(group.z, number * 64u + lane);
    }
}
