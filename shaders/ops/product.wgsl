// A product of matrices, Σ_k left(i, k)·right(k, j), in registers: 8 rows × 4 columns an invocation.
//
// The stage says what `left` and `right` are at a place of theirs, and `store`s the sums. Lanes side
// by side along the columns load the left operand together and the right one from neighbouring
// addresses; a narrow product has few of those, and the other lanes take rows further down.

struct Sizes {
    // x is rows × inputs, W inputs × outputs, y rows × outputs.
    rows: u32,
    inputs: u32,
    outputs: u32,
    // Lanes along the columns, a power of two.
    across: u32,
    // 0 the identity, the others in `activation.wgsl`.
    function: u32,
}

// Where an operand's values lie.
struct Operand {
    // From one row (left) or column (right) to the next.
    stride: u32,
    // From one k to the next.
    step: u32,
}

struct Corner {
    row: u32,
    column: u32,
}

// Rows of the product at the invocation's four columns, and at the end Σ_k right(k, j).
struct Sums {
    row0: vec4<f32>,
    row1: vec4<f32>,
    row2: vec4<f32>,
    row3: vec4<f32>,
    row4: vec4<f32>,
    row5: vec4<f32>,
    row6: vec4<f32>,
    row7: vec4<f32>,
    right: vec4<f32>,
}

const LANES: u32 = 32u;

fn corner(group: vec3<u32>, lane: u32) -> Corner {
    let down = group.y * (LANES / sizes.across) + lane / sizes.across;
    return Corner(8u * down, 4u * sizes.across * group.x + lane % sizes.across);
}

// Rows and columns past the last repeat it.
fn product(at: Corner, height: u32, width: u32, depth: u32, a: Operand, b: Operand) -> Sums {
    let next = vec4(0u, 1u, 2u, 3u);
    var upper = min(at.row + next, vec4(height - 1u)) * a.stride;
    var lower = min(at.row + 4u + next, vec4(height - 1u)) * a.stride;
    var columns = min(at.column + sizes.across * next, vec4(width - 1u)) * b.stride;
    var sums: Sums;
    for (var k = 0u; k < depth; k++) {
        let v = vec4(right(columns.x), right(columns.y), right(columns.z), right(columns.w));
        sums.row0 += left(upper.x) * v;
        sums.row1 += left(upper.y) * v;
        sums.row2 += left(upper.z) * v;
        sums.row3 += left(upper.w) * v;
        sums.row4 += left(lower.x) * v;
        sums.row5 += left(lower.y) * v;
        sums.row6 += left(lower.z) * v;
        sums.row7 += left(lower.w) * v;
        sums.right += v;
        upper += a.step;
        lower += a.step;
        columns += b.step;
    }
    return sums;
}

fn store_row(row: u32, height: u32, column: u32, width: u32, sums: vec4<f32>) {
    if row >= height {
        return;
    }
    for (var i = 0u; i < 4u && column + i * sizes.across < width; i++) {
        store(row, column + i * sizes.across, sums[i]);
    }
}

fn store_rows(at: Corner, height: u32, width: u32, sums: Sums) {
    store_row(at.row, height, at.column, width, sums.row0);
    store_row(at.row + 1u, height, at.column, width, sums.row1);
    store_row(at.row + 2u, height, at.column, width, sums.row2);
    store_row(at.row + 3u, height, at.column, width, sums.row3);
    store_row(at.row + 4u, height, at.column, width, sums.row4);
    store_row(at.row + 5u, height, at.column, width, sums.row5);
    store_row(at.row + 6u, height, at.column, width, sums.row6);
    store_row(at.row + 7u, height, at.column, width, sums.row7);
}
