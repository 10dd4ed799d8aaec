// Sums over the rows of a batch where workgroup barriers are slow.

// An invocation sums an element over all rows of a batch, and one what there is once in it.
const ABREAST: u32 = LANES;
const SUMMERS: u32 = 1u;

fn sum_of_element(lane: u32, value: vec2<f32>) -> vec2<f32> {
    return value;
}

fn sum_of_all(lane: u32, value: vec2<f32>) -> vec2<f32> {
    return value;
}
