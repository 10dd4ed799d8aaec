// What a workgroup that has a row for itself keeps for `reduce`.

const LANES: u32 = 32u;
const ROW_LANES: u32 = LANES;

var<workgroup> parts: array<vec2<f32>, LANES>;

fn keep_part(lane: u32, value: vec2<f32>) {
    parts[lane] = value;
}

fn part(lane: u32) -> vec2<f32> {
    return parts[lane];
}
