// Sums over the rows of a batch where workgroup barriers are slow: an invocation adds up all rows of its
// element by itself, and the first invocation all rows of what a batch has one of.
const ABREAST: u32 = LANES;
const SUMMERS: u32 = 1u;

fn sum_of_element(lane: u32, value: vec2<f32>) -> vec2<f32> {
    return value;
}

fn sum_of_all(lane: u32, value: vec2<f32>) -> vec2<f32> {
    return value;
}
