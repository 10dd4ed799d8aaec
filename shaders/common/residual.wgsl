// What the decoder's last layer gives in place of an activation.

const RESIDUAL_OF: u32 = 4u;

// x̂ − x and ∂loss/∂x̂ where x̂ is `sum`.
fn residual(member: u32, row: u32, column: u32, sum: f32) -> vec2<f32> {
    let y = sum - workspace[member * WORKSPACE + BATCH + row * FEATURES + column];
    let slope = y * precision_of(member, column) / f32(step.count);
    return vec2(y, select(0.0, slope, row < step.count));
}
