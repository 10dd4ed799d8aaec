//! Functions of single values without branches, so that loops over them become SIMD.

/// eˣ to about 2 ulp (the polynomial of Moshier's Cephes library); 0 below −87, e⁸⁸ above 88.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    const LOG2_E: f32 = std::f32::consts::LOG2_E;
    // Adding and taking away 1.5 · 2²³ rounds to the nearest whole number.
    const ROUND: f32 = 12_582_912.0;
    let x = x.clamp(-88.0, 88.0);
    let n = (x * LOG2_E + ROUND) - ROUND;
    // ln 2 in two parts, the first exact in so few bits that n times it is exact.
    let r = (x - n * 0.693_359_4) + n * 2.121_944_4e-4;
    let p = ((((1.987_569_1e-4 * r + 1.398_2e-3) * r + 8.333_452e-3) * r + 4.166_579_6e-2) * r
        + 1.666_666_6e-1)
        * r
        + 0.5;
    let scale = f32::from_bits(((n as i32 + 127) as u32) << 23);
    (p * r * r + r + 1.0) * scale
}

/// 1 / (1 + e⁻ˣ).
#[inline(always)]
pub(crate) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// The hyperbolic tangent, to 2e-7.
#[inline(always)]
pub(crate) fn tanh(x: f32) -> f32 {
    2.0 * sigmoid(2.0 * x) - 1.0
}

/// The error function, to 6e-7 (Abramowitz and Stegun, "Handbook of Mathematical Functions", 7.1.26).
#[inline(always)]
pub(crate) fn erf(x: f32) -> f32 {
    let size = x.abs();
    let t = 1.0 / (1.0 + 0.327_591_1 * size);
    let p = ((((1.061_405_4 * t - 1.453_152) * t + 1.421_413_8) * t - 0.284_496_74) * t
        + 0.254_829_6)
        * t;
    (1.0 - p * exp(-size * size)).copysign(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_equals_the_library() {
        for i in -8700..8800 {
            let x = i as f32 * 0.01;
            let (found, expected) = (f64::from(exp(x)), f64::from(x).exp());
            assert!((found / expected - 1.0).abs() < 3e-7, "{x}: {found} {expected}");
        }
        assert!(exp(-1e9) < 1e-37 && exp(0.0) == 1.0 && exp(f32::NAN).is_nan());
    }

    /// Against Simpson's sums of its integral, and the library's tanh.
    #[test]
    fn erf_and_tanh_equal_an_integral_and_the_library() {
        let density = |x: f64| std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp();
        let (mut expected, step) = (0.0, 0.005);
        for i in 0..1200 {
            let x = f64::from(i) * step;
            for sign in [1.0, -1.0] {
                let found = f64::from(erf((sign * x) as f32));
                assert!((found - sign * expected).abs() < 6e-7, "{x}: {found} {expected}");
            }
            expected +=
                step / 6.0 * (density(x) + 4.0 * density(x + 0.5 * step) + density(x + step));
        }
        assert_eq!((erf(1e30), erf(-1e30)), (1.0, -1.0));
        assert!(erf(f32::NAN).is_nan() && tanh(f32::NAN).is_nan());
        for i in -1000..1000 {
            let x = i as f32 * 0.01;
            assert!((tanh(x) - x.tanh()).abs() < 2e-7, "{x}");
        }
    }
}
