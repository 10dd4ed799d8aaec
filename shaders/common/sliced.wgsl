// The gradient of a parameter: the sum of its slices.
fn gradient_at(member: u32, parameter: u32) -> f32 {
    var sum = gradients[gradients_of(member, 0u) + parameter];
    for (var slice = 1u; slice < SLICES; slice++) {
        sum += gradients[gradients_of(member, slice) + parameter];
    }
    return sum;
}
