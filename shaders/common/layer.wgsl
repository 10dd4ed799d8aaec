// A dense layer, and the tile of it that an invocation computes: 8 rows × 4 columns, the lanes of a
// workgroup side by side along the columns. So they load the row operand together, in one
// transaction, and the column operand from neighbouring addresses, and need no shared memory.

override INPUTS: u32;
override OUTPUTS: u32;
// W (INPUTS × OUTPUTS) and b (OUTPUTS) in the parameters.
override WEIGHT: u32;
override BIAS: u32;
// Slots of x and y and of the gradients with respect to them.
override X: u32;
override X_GRADIENT: u32;
override Y: u32;
override Y_GRADIENT: u32;

const LANES: u32 = 32u;

// Columns that a workgroup covers.
const TILE: u32 = 4u * LANES;

struct Corner {
    row: u32,
    column: u32,
}

fn corner(group: vec3<u32>, lane: u32, width: u32) -> Corner {
    let tiles_across = (width + TILE - 1u) / TILE;
    let tile = running(group);
    return Corner(tile / tiles_across * 8u, tile % tiles_across * TILE + lane);
}

// Columns side by side, `LANES` apart; those past the width repeat its last.
fn columns_from(first: u32, width: u32) -> vec4<u32> {
    return min(vec4(first) + LANES * vec4(0u, 1u, 2u, 3u), vec4(width - 1u));
}
