// A dense layer.

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

// The first row and column of a workgroup's tile of a matrix of this width.
fn corner_of(group: vec3<u32>, width: u32) -> vec2<u32> {
    let across = (width + TILE_COLUMNS - 1u) / TILE_COLUMNS;
    let tile = running(group);
    return vec2(tile / across * TILE_ROWS, tile % across * TILE_COLUMNS);
}
