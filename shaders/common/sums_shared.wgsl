// Sums over the rows of a batch, which the invocations of a workgroup divide among themselves.

// Elements side by side; the other invocations take other rows.
const ABREAST: u32 = 32u;

// The sum of what the invocations of the same element have, in all of them.
fn sum_of_element(lane: u32, value: vec2<f32>) -> vec2<f32> {
    slabs[lane] = vec4(value, 0.0, 0.0);
    workgroupBarrier();
    var sum = vec2(0.0);
    for (var other = lane % ABREAST; other < LANES; other += ABREAST) {
        sum += slabs[other].xy;
    }
    return sum;
}

// Invocations that share the rows of what a batch has one of, such as its loss.
const SUMMERS: u32 = LANES;

// The sum of what all of them have.
fn sum_of_all(lane: u32, value: vec2<f32>) -> vec2<f32> {
    let of_element = sum_of_element(lane, value);
    workgroupBarrier();
    slabs[lane] = vec4(of_element, 0.0, 0.0);
    workgroupBarrier();
    var sum = vec2(0.0);
    for (var other = 0u; other < ABREAST; other++) {
        sum += slabs[other].xy;
    }
    return sum;
}
