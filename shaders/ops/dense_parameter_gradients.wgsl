// ∂loss/∂W = xᵀ ∂loss/∂(xW + b) of one layer, and ∂loss/∂b, the sum over the rows.

@group(0) @binding(2) var<storage, read_write> x: array<f32>;
@group(0) @binding(3) var<storage, read_write> weight_gradient: array<f32>;
@group(0) @binding(4) var<storage, read_write> bias_gradient: array<f32>;
@group(0) @binding(5) var<uniform> sizes: Sizes;

fn left(place: u32) -> f32 {
    return x[place];
}

fn right(place: u32) -> f32 {
    return sum_gradient(place);
}

fn store(row: u32, column: u32, value: f32) {
    if row < sizes.inputs {
        weight_gradient[row * sizes.outputs + column] = value;
    } else {
        bias_gradient[column] = value;
    }
}

@compute @workgroup_size(32)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let at = corner(group, lane);
    if at.row >= sizes.inputs || at.column >= sizes.outputs {
        return;
    }
    let x_columns = Operand(1u, sizes.inputs);
    let gradient_columns = Operand(1u, sizes.outputs);
    let sums = product(at, sizes.inputs, sizes.outputs, sizes.rows, x_columns, gradient_columns);
    store_rows(at, sizes.inputs, sizes.outputs, sums);
    // The bias follows the weights as one more row of them.
    if at.row == 0u {
        store_row(sizes.inputs, sizes.inputs + 1u, at.column, sizes.outputs, sums.right);
    }
}
