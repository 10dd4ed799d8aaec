// Slabs of both operands of a matrix product in the memory of a workgroup, from which it computes a
// square tile of the product.
//
// The stage gives `left` and `right`, and says in LEFT_ALONG_DEPTH and RIGHT_ALONG_DEPTH along which
// dimension an operand lies in memory.

const LANES: u32 = 256u;

// Rows and columns of a tile: 16, 32, 64 or 128.
override SIDE: u32;
override TILE_ROWS: u32 = SIDE;
override TILE_COLUMNS: u32 = SIDE;
// Blocks of 4 along a side, and depth of a slab: one block an invocation and operand.
override BLOCKS: u32 = SIDE / 4u;
override DEPTH: u32 = LANES / BLOCKS;
// Distance of two steps of depth in a slab; odd, so that they lie in different banks.
override STRIDE: u32 = BLOCKS + 1u;

// The slab of the left operand, then that of the right; then the sums. The less room a workgroup takes,
// the more of them are in a multiprocessor and compute while others wait for memory.
override ROOM: u32;
var<workgroup> slabs: array<vec4<f32>, ROOM>;
override RIGHT_SLAB: u32 = DEPTH * STRIDE;

// Block and depth, within a slab, that an invocation brings.
fn part_of_slab(lane: u32, along_depth: bool) -> vec2<u32> {
    if along_depth {
        return vec2(lane / DEPTH, lane % DEPTH);
    }
    return vec2(lane % BLOCKS, lane / BLOCKS);
}

// 4 rows of the left operand at this depth, and 4 columns of the right one; 0 past the depth.
fn left_block(member: u32, rows: vec4<u32>, k: u32, depth: u32) -> vec4<f32> {
    if k >= depth {
        return vec4(0.0);
    }
    return vec4(
        left(member, rows.x, k),
        left(member, rows.y, k),
        left(member, rows.z, k),
        left(member, rows.w, k),
    );
}

fn right_block(member: u32, columns: vec4<u32>, k: u32, depth: u32) -> vec4<f32> {
    if k >= depth {
        return vec4(0.0);
    }
    return vec4(
        right(member, k, columns.x),
        right(member, k, columns.y),
        right(member, k, columns.z),
        right(member, k, columns.w),
    );
}

// 4 places side by side; those past the end repeat the last.
fn places_from(first: u32, end: u32) -> vec4<u32> {
    return min(vec4(first) + vec4(0u, 1u, 2u, 3u), vec4(end - 1u));
}

// What an invocation brings of every slab.
struct Parts {
    // Its block of each operand, and how deep that lies in a slab.
    left: vec2<u32>,
    right: vec2<u32>,
    rows: vec4<u32>,
    columns: vec4<u32>,
}

fn parts_of(lane: u32, corner: vec2<u32>, size: vec2<u32>) -> Parts {
    let of_left = part_of_slab(lane, LEFT_ALONG_DEPTH);
    let of_right = part_of_slab(lane, RIGHT_ALONG_DEPTH);
    return Parts(
        of_left,
        of_right,
        places_from(corner.x + 4u * of_left.x, size.x),
        places_from(corner.y + 4u * of_right.x, size.y),
    );
}

fn store_parts(parts: Parts, l: vec4<f32>, r: vec4<f32>) {
    slabs[parts.left.y * STRIDE + parts.left.x] = l;
    slabs[RIGHT_SLAB + parts.right.y * STRIDE + parts.right.x] = r;
}
