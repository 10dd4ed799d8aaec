// Matrix products for GPUs: a workgroup computes a square tile of the product.
//
// An invocation computes 4 × 4 outputs. Where a tile has fewer of them than a workgroup has
// invocations, the depth is divided among those of the same outputs, and their sums are added up in
// a fixed order: small products come in small tiles, so that there are enough workgroups to go round.
//
// The stage gives `finish`.

// Invocations that share the depth of the same outputs.
override SHARES: u32 = LANES / (BLOCKS * BLOCKS);

// Finishes the tile that begins at `corner` of a product of `size` rows and columns over these depths.
// Every invocation of a workgroup calls it with the same.
fn product(member: u32, corner: vec2<u32>, size: vec2<u32>, depths: vec2<u32>, lane: u32) {
    let own = parts_of(lane, corner, size);
    let share = lane / (BLOCKS * BLOCKS);
    let down = lane / BLOCKS % BLOCKS;
    let across = lane % BLOCKS;
    var s0 = vec4(0.0);
    var s1 = vec4(0.0);
    var s2 = vec4(0.0);
    var s3 = vec4(0.0);
    var l = left_block(member, own.rows, depths.x + own.left.y, depths.y);
    var r = right_block(member, own.columns, depths.x + own.right.y, depths.y);
    for (var first = depths.x; first < depths.y; first += DEPTH) {
        store_parts(own, l, r);
        workgroupBarrier();
        // The next slab is on its way while this one is used.
        l = left_block(member, own.rows, first + DEPTH + own.left.y, depths.y);
        r = right_block(member, own.columns, first + DEPTH + own.right.y, depths.y);
        for (var k = share; k < DEPTH; k += SHARES) {
            let x = slabs[k * STRIDE + down];
            let y = slabs[RIGHT_SLAB + k * STRIDE + across];
            s0 += x.x * y;
            s1 += x.y * y;
            s2 += x.z * y;
            s3 += x.w * y;
        }
        workgroupBarrier();
    }
    let place = share * SIDE * BLOCKS + 4u * down * BLOCKS + across;
    slabs[place] = s0;
    slabs[place + BLOCKS] = s1;
    slabs[place + 2u * BLOCKS] = s2;
    slabs[place + 3u * BLOCKS] = s3;
    workgroupBarrier();
    for (var output = lane; output < SIDE * SIDE; output += LANES) {
        let at = corner + vec2(output / SIDE, output % SIDE);
        if all(at < size) {
            var sum = 0.0;
            for (var part = output; part < 4u * ROOM; part += SIDE * SIDE) {
                sum += slabs[part / 4u][part % 4u];
            }
            finish(member, at.x, at.y, sum);
        }
    }
}
