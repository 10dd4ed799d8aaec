// The layer of a pass that has one for itself: see `Dense`.

override INPUTS: u32;
override OUTPUTS: u32;
override WEIGHT: u32;
override BIAS: u32;
override X: u32;
override X_GRADIENT: u32;
override Y: u32;
override Y_GRADIENT: u32;
override FUNCTION: u32;
override ACTIVATED: u32;

// The first row and column of a workgroup's tile of a matrix of this width.
fn corner_of(group: vec3<u32>, width: u32) -> vec2<u32> {
    let across = (width + TILE_COLUMNS - 1u) / TILE_COLUMNS;
    let tile = running(group);
    return vec2(tile / across * TILE_ROWS, tile % across * TILE_COLUMNS);
}
