// Matrix products for GPUs: a workgroup computes a square tile of the product.
//
// An invocation computes 4 × 4 outputs. Where a tile has fewer of them than a workgroup has
// invocations, the depth is divided among those of the same outputs, and their sums are added up in
// a fixed order: small products come in small tiles, so that there are enough workgroups to go round.
//
// The stage gives `bring`, what the end of four outputs needs from memory, and `finish`.

// Invocations that share the depth of the same outputs.
override SHARES: u32 = LANES / (BLOCKS * BLOCKS);

// Finishes the tile that begins at `corner` of a product of `size` rows and columns over these depths.
// Every invocation of a workgroup calls it with the same.
fn product(member: u32, corner: vec2<u32>, size: vec2<u32>, depths: vec2<u32>, lane: u32) {
    let own = parts_of(lane, corner, size);
    let share = lane / (BLOCKS * BLOCKS);
    let down = lane / BLOCKS % BLOCKS;
    let across = lane % BLOCKS;
    // What the end needs from memory is on its way meanwhile.
    let first_rows = rows_of_output(corner, size, lane, 0u);
    let columns = corner.y + (vec4(lane) + LANES * vec4(0u, 1u, 2u, 3u)) % SIDE;
    var brought = bring(member, first_rows, columns, size);
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
    if SHARES > 1u {
        let place = share * SIDE * BLOCKS + 4u * down * BLOCKS + across;
        slabs[place] = s0;
        slabs[place + BLOCKS] = s1;
        slabs[place + 2u * BLOCKS] = s2;
        slabs[place + 3u * BLOCKS] = s3;
        workgroupBarrier();
        let sums = vec4(
            sum_of_shares(lane),
            sum_of_shares(lane + LANES),
            sum_of_shares(lane + 2u * LANES),
            sum_of_shares(lane + 3u * LANES),
        );
        finish(member, first_rows, columns, size, sums, brought);
        return;
    }
    // Without shares every fourth row at a time, exchanged so that lanes finish what lies side by side.
    let place = down * BLOCKS + across;
    for (var turn = 0u; turn < 4u; turn++) {
        slabs[place] = s0;
        s0 = s1;
        s1 = s2;
        s2 = s3;
        workgroupBarrier();
        let sums = vec4(
            slabs[lane / 4u][lane % 4u],
            slabs[(lane + LANES) / 4u][lane % 4u],
            slabs[(lane + 2u * LANES) / 4u][lane % 4u],
            slabs[(lane + 3u * LANES) / 4u][lane % 4u],
        );
        workgroupBarrier();
        let rows = rows_of_output(corner, size, lane, turn);
        let present = brought;
        brought = bring(member, rows_of_output(corner, size, lane, turn + 1u), columns, size);
        finish(member, rows, columns, size, sums, present);
    }
}

// The rows of what an invocation finishes in a turn; past the end where there is nothing.
fn rows_of_output(corner: vec2<u32>, size: vec2<u32>, lane: u32, turn: u32) -> vec4<u32> {
    let outputs = vec4(lane) + LANES * vec4(0u, 1u, 2u, 3u);
    if SHARES > 1u {
        return select(vec4(size.x), corner.x + outputs / SIDE, outputs < vec4(SIDE * SIDE));
    }
    return select(vec4(size.x), corner.x + outputs / SIDE * 4u + turn, vec4(turn < 4u));
}

// The sum of what was computed of an output of the tile; 0 past its end.
fn sum_of_shares(output: u32) -> f32 {
    var sum = 0.0;
    if output < SIDE * SIDE {
        for (var part = output; part < SHARES * SIDE * SIDE; part += SIDE * SIDE) {
            sum += slabs[part / 4u][part % 4u];
        }
    }
    return sum;
}
