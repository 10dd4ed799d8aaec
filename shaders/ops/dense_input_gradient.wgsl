// ∂loss/∂x = ∂loss/∂(xW + b) Wᵀ of one layer.

@group(0) @binding(2) var<storage, read_write> weight: array<f32>;
@group(0) @binding(3) var<storage, read_write> x_gradient: array<f32>;
@group(0) @binding(4) var<uniform> sizes: Sizes;

fn left(place: u32) -> f32 {
    return sum_gradient(place);
}

fn right(place: u32) -> f32 {
    return weight[place];
}

fn store(row: u32, column: u32, value: f32) {
    x_gradient[row * sizes.inputs + column] = value;
}

@compute @workgroup_size(32)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let at = corner(group, lane);
    if at.row >= sizes.rows || at.column >= sizes.inputs {
        return;
    }
    let gradient_rows = Operand(sizes.outputs, 1u);
    let weight_rows = Operand(sizes.outputs, 1u);
    let sums = product(at, sizes.rows, sizes.inputs, sizes.outputs, gradient_rows, weight_rows);
    store_rows(at, sizes.rows, sizes.inputs, sums);
}
