// Finishes four outputs of a product, those that are inside of it, one by one.
//
// The stage gives `needed`, what an output needs from memory besides its sum, and `finish_one`.

struct Brought {
    each: vec4<f32>,
}

fn bring(member: u32, rows: vec4<u32>, columns: vec4<u32>, size: vec2<u32>) -> Brought {
    let inside = rows < vec4(size.x) & columns < vec4(size.y);
    var each = vec4(0.0);
    if inside.x {
        each.x = needed(member, rows.x, columns.x);
    }
    if inside.y {
        each.y = needed(member, rows.y, columns.y);
    }
    if inside.z {
        each.z = needed(member, rows.z, columns.z);
    }
    if inside.w {
        each.w = needed(member, rows.w, columns.w);
    }
    return Brought(each);
}

fn finish(
    member: u32,
    rows: vec4<u32>,
    columns: vec4<u32>,
    size: vec2<u32>,
    sums: vec4<f32>,
    brought: Brought,
) {
    let inside = rows < vec4(size.x) & columns < vec4(size.y);
    if inside.x {
        finish_one(member, rows.x, columns.x, sums.x, brought.each.x);
    }
    if inside.y {
        finish_one(member, rows.y, columns.y, sums.y, brought.each.y);
    }
    if inside.z {
        finish_one(member, rows.z, columns.z, sums.z, brought.each.z);
    }
    if inside.w {
        finish_one(member, rows.w, columns.w, sums.w, brought.each.w);
    }
}
