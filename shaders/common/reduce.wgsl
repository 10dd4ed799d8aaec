// Sums over a workgroup, always in the same order.

const LANES: u32 = 32u;
var<workgroup> parts: array<vec2<f32>, LANES>;

// The sum of every lane's value, in every lane.
fn total(lane: u32, value: vec2<f32>) -> vec2<f32> {
    parts[lane] = value;
    workgroupBarrier();
    var sum = vec2(0.0);
    for (var other = 0u; other < LANES; other++) {
        sum += parts[other];
    }
    workgroupBarrier();
    return sum;
}

// The largest of every lane's value, in every lane.
fn largest(lane: u32, value: vec2<f32>) -> vec2<f32> {
    parts[lane] = value;
    workgroupBarrier();
    var most = parts[0];
    for (var other = 1u; other < LANES; other++) {
        most = max(most, parts[other]);
    }
    workgroupBarrier();
    return most;
}
