// Large matrix products for GPUs: tiles of 128 × 128, of which an invocation computes four blocks of
// 4 × 4 outputs, half a tile apart. So every value that it takes from a slab is used eight times.
//
// The stage gives `bring` and `finish`, as for `product_tiles`.

const HALF: u32 = 16u;

// Four columns of a row.
fn finish_row(member: u32, at: vec2<u32>, size: vec2<u32>, sums: vec4<f32>) {
    let rows = vec4(at.x);
    let columns = vec4(at.y) + vec4(0u, 1u, 2u, 3u);
    finish(member, rows, columns, size, sums, bring(member, rows, columns, size));
}

// As in `product_tiles`.
fn product(member: u32, corner: vec2<u32>, size: vec2<u32>, depths: vec2<u32>, lane: u32) {
    let own = parts_of(lane, corner, size);
    let down = lane / HALF;
    let across = lane % HALF;
    // Upper left, upper right, lower left and lower right block.
    var a0 = vec4(0.0);
    var a1 = vec4(0.0);
    var a2 = vec4(0.0);
    var a3 = vec4(0.0);
    var b0 = vec4(0.0);
    var b1 = vec4(0.0);
    var b2 = vec4(0.0);
    var b3 = vec4(0.0);
    var c0 = vec4(0.0);
    var c1 = vec4(0.0);
    var c2 = vec4(0.0);
    var c3 = vec4(0.0);
    var d0 = vec4(0.0);
    var d1 = vec4(0.0);
    var d2 = vec4(0.0);
    var d3 = vec4(0.0);
    var l = left_block(member, own.rows, depths.x + own.left.y, depths.y);
    var r = right_block(member, own.columns, depths.x + own.right.y, depths.y);
    for (var first = depths.x; first < depths.y; first += DEPTH) {
        store_parts(own, l, r);
        workgroupBarrier();
        l = left_block(member, own.rows, first + DEPTH + own.left.y, depths.y);
        r = right_block(member, own.columns, first + DEPTH + own.right.y, depths.y);
        for (var k = 0u; k < DEPTH; k++) {
            let upper = slabs[k * STRIDE + down];
            let lower = slabs[k * STRIDE + down + HALF];
            let y = slabs[RIGHT_SLAB + k * STRIDE + across];
            let z = slabs[RIGHT_SLAB + k * STRIDE + across + HALF];
            a0 += upper.x * y;
            a1 += upper.y * y;
            a2 += upper.z * y;
            a3 += upper.w * y;
            b0 += upper.x * z;
            b1 += upper.y * z;
            b2 += upper.z * z;
            b3 += upper.w * z;
            c0 += lower.x * y;
            c1 += lower.y * y;
            c2 += lower.z * y;
            c3 += lower.w * y;
            d0 += lower.x * z;
            d1 += lower.y * z;
            d2 += lower.z * z;
            d3 += lower.w * z;
        }
        workgroupBarrier();
    }
    let left_half = corner + 4u * vec2(down, across);
    let right_half = left_half + vec2(0u, 4u * HALF);
    finish_row(member, left_half, size, a0);
    finish_row(member, left_half + vec2(1u, 0u), size, a1);
    finish_row(member, left_half + vec2(2u, 0u), size, a2);
    finish_row(member, left_half + vec2(3u, 0u), size, a3);
    finish_row(member, right_half, size, b0);
    finish_row(member, right_half + vec2(1u, 0u), size, b1);
    finish_row(member, right_half + vec2(2u, 0u), size, b2);
    finish_row(member, right_half + vec2(3u, 0u), size, b3);
    let below = vec2(4u * HALF, 0u);
    finish_row(member, below + left_half, size, c0);
    finish_row(member, below + left_half + vec2(1u, 0u), size, c1);
    finish_row(member, below + left_half + vec2(2u, 0u), size, c2);
    finish_row(member, below + left_half + vec2(3u, 0u), size, c3);
    finish_row(member, below + right_half, size, d0);
    finish_row(member, below + right_half + vec2(1u, 0u), size, d1);
    finish_row(member, below + right_half + vec2(2u, 0u), size, d2);
    finish_row(member, below + right_half + vec2(3u, 0u), size, d3);
}
