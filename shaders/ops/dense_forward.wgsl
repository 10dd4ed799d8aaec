// y = f(xW + b) of one layer, and f'(xW + b) for the way back.

@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
// rows × outputs; a single 1 for the identity.
@group(0) @binding(4) var<storage, read_write> slope: array<f32>;
@group(0) @binding(5) var<uniform> sizes: Sizes;

fn left(place: u32) -> f32 {
    return x[place];
}

fn right(place: u32) -> f32 {
    return weight[place];
}

fn store(row: u32, column: u32, value: f32) {
    let place = row * sizes.outputs + column;
    let made = activated(sizes.function, value + bias[column]);
    y[place] = made.x;
    if sizes.function != 0u {
        slope[place] = made.y;
    } else if place == 0u {
        slope[0] = 1.0;
    }
}

@compute @workgroup_size(32)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let at = corner(group, lane);
    if at.row >= sizes.rows || at.column >= sizes.outputs {
        return;
    }
    let x_rows = Operand(sizes.inputs, 1u);
    let weight_columns = Operand(1u, sizes.outputs);
    let sums = product(at, sizes.rows, sizes.outputs, sizes.inputs, x_rows, weight_columns);
    store_rows(at, sizes.rows, sizes.outputs, sums);
}
