// Natural logarithms by the polynomial of src/random.rs: those that GPUs bring are looser.

// ln(1 + f) for f in [√½ − 1, √2 − 1], without its first two parts f and −f²/2.
fn ln_rest(f: f32) -> f32 {
    var p = 7.0376836e-2;
    p = p * f - 1.151461e-1;
    p = p * f + 1.1676999e-1;
    p = p * f - 1.2420141e-1;
    p = p * f + 1.4249323e-1;
    p = p * f - 1.6668058e-1;
    p = p * f + 2.0000715e-1;
    p = p * f - 2.4999994e-1;
    p = p * f + 3.3333331e-1;
    return f * f * f * p;
}

// ln x of a normal, positive x.
fn ln(x: f32) -> f32 {
    let shifted = bitcast<u32>(x) - 0x3F3504F3u;
    let e = f32(bitcast<i32>(shifted) >> 23u);
    let f = bitcast<f32>((shifted & 0x007FFFFFu) + 0x3F3504F3u) - 1.0;
    let small = ln_rest(f) - 2.1219444e-4 * e - 0.5 * f * f;
    return f + small + 0.6933594 * e;
}

// ln(1 + x) for x in [0, 1], also where 1 + x rounds to 1.
fn ln_1p(x: f32) -> f32 {
    if x > 0.41421356 {
        return ln(1.0 + x);
    }
    return x + (ln_rest(x) - 0.5 * x * x);
}
