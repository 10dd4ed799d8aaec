// ∂loss/∂(xW + b) of a layer y = f(xW + b), from what `dense_forward` left.

// ∂loss/∂y, rows × outputs.
@group(0) @binding(0) var<storage, read_write> y_gradient: array<f32>;
// f'(xW + b), rows × outputs; a single 1 for the identity.
@group(0) @binding(1) var<storage, read_write> slope: array<f32>;

fn sum_gradient(place: u32) -> f32 {
    return y_gradient[place] * slope[select(place, 0u, sizes.function == 0u)];
}
