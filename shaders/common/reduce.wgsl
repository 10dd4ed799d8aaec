// Sums over the invocations of a row, always in the same order.
//
// `parts.wgsl`, or the stage, gives ROW_LANES, how many these are, and keeps what each of a workgroup
// has: `keep_part` and `part`.

// The sum of every value of the row, in all of its invocations.
fn total(lane: u32, value: vec2<f32>) -> vec2<f32> {
    keep_part(lane, value);
    workgroupBarrier();
    let first = lane / ROW_LANES * ROW_LANES;
    var sum = vec2(0.0);
    for (var other = first; other < first + ROW_LANES; other++) {
        sum += part(other);
    }
    workgroupBarrier();
    return sum;
}

// The largest of every value of the row, in all of its invocations.
fn largest(lane: u32, value: vec2<f32>) -> vec2<f32> {
    keep_part(lane, value);
    workgroupBarrier();
    let first = lane / ROW_LANES * ROW_LANES;
    var most = part(first);
    for (var other = first + 1u; other < first + ROW_LANES; other++) {
        most = max(most, part(other));
    }
    workgroupBarrier();
    return most;
}
