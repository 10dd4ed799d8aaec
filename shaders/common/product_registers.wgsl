// Matrix products where a GPU is simulated by a processor, on which workgroup barriers are slow: an
// invocation computes 8 rows × 4 columns, the lanes of a workgroup side by side along the columns. So
// the left operand is the same for all of them, and the right one lies side by side.
//
// The stage gives `left`, `right`, `bring` and `finish`. Rows of the left operand are loaded in whole groups
// of 8; `finish` leaves out those past the product's last.

const LANES: u32 = 32u;
const TILE_ROWS: u32 = 8u;
const TILE_COLUMNS: u32 = 4u * LANES;

// Columns side by side, `LANES` apart; those past the width repeat its last.
fn columns_from(first: u32, width: u32) -> vec4<u32> {
    return min(vec4(first) + LANES * vec4(0u, 1u, 2u, 3u), vec4(width - 1u));
}

// A row of the right operand in these columns; those that no lane has are left out.
fn right_row(member: u32, k: u32, columns: vec4<u32>, width: u32) -> vec4<f32> {
    var values = vec4(right(member, k, columns.x), 0.0, 0.0, 0.0);
    if width > LANES {
        values.y = right(member, k, columns.y);
    }
    if width > 2u * LANES {
        values.z = right(member, k, columns.z);
    }
    if width > 3u * LANES {
        values.w = right(member, k, columns.w);
    }
    return values;
}

// Four columns of a row.
fn finish_row(member: u32, row: u32, column: u32, size: vec2<u32>, sums: vec4<f32>) {
    let rows = vec4(row);
    let columns = vec4(column) + LANES * vec4(0u, 1u, 2u, 3u);
    finish(member, rows, columns, size, sums, bring(member, rows, columns, size));
}

// As in `product_tiles`.
fn product(member: u32, corner: vec2<u32>, size: vec2<u32>, depths: vec2<u32>, lane: u32) {
    let row = corner.x;
    let column = corner.y + lane;
    if column >= size.y {
        return;
    }
    let columns = columns_from(column, size.y);
    let width = size.y - corner.y;
    var s0 = vec4(0.0);
    var s1 = vec4(0.0);
    var s2 = vec4(0.0);
    var s3 = vec4(0.0);
    var s4 = vec4(0.0);
    var s5 = vec4(0.0);
    var s6 = vec4(0.0);
    var s7 = vec4(0.0);
    for (var k = depths.x; k < depths.y; k++) {
        let r = right_row(member, k, columns, width);
        s0 += left(member, row, k) * r;
        s1 += left(member, row + 1u, k) * r;
        s2 += left(member, row + 2u, k) * r;
        s3 += left(member, row + 3u, k) * r;
        s4 += left(member, row + 4u, k) * r;
        s5 += left(member, row + 5u, k) * r;
        s6 += left(member, row + 6u, k) * r;
        s7 += left(member, row + 7u, k) * r;
    }
    finish_row(member, row, column, size, s0);
    finish_row(member, row + 1u, column, size, s1);
    finish_row(member, row + 2u, column, size, s2);
    finish_row(member, row + 3u, column, size, s3);
    finish_row(member, row + 4u, column, size, s4);
    finish_row(member, row + 5u, column, size, s5);
    finish_row(member, row + 6u, column, size, s6);
    finish_row(member, row + 7u, column, size, s7);
}
