//! Normal draws by functions that a shader can repeat.

use super::unit;

/// Two independent standard normal draws from two random words.
///
/// The logarithm, sine and cosine are the single-precision polynomials of Moshier's Cephes library,
/// spelled out because those that GPUs bring are looser than a twin may be.
#[inline(always)]
pub(super) fn box_muller(first: u32, second: u32) -> [f32; 2] {
    // 1 − u lies in (0, 1], so the logarithm is finite.
    let radius = (-2.0 * ln(1.0 - unit(first))).sqrt();
    let (sin, cos) = sin_cos_of_turn(unit(second));
    [radius * cos, radius * sin]
}

/// The natural logarithm of a normal, positive `x`.
#[inline(always)]
fn ln(x: f32) -> f32 {
    // x = m · 2^e with m in [√½, √2), and f = m − 1.
    let shifted = x.to_bits().wrapping_sub(std::f32::consts::FRAC_1_SQRT_2.to_bits());
    let e = (shifted as i32 >> 23) as f32;
    let f = f32::from_bits(
        (shifted & 0x007F_FFFF).wrapping_add(std::f32::consts::FRAC_1_SQRT_2.to_bits()),
    ) - 1.0;
    let coefficients = [
        -1.151_461e-1,
        1.167_699_9e-1,
        -1.242_014_1e-1,
        1.424_932_3e-1,
        -1.666_805_8e-1,
        2.000_071_5e-1,
        -2.499_999_4e-1,
        3.333_333e-1,
    ];
    let polynomial = coefficients.iter().fold(7.037_683_6e-2, |sum, c| sum * f + c);
    let square = f * f;
    // ln 2 in two parts, the first exact in so few bits that e times it is exact.
    let small = f * square * polynomial - 2.121_944_4e-4 * e - 0.5 * square;
    f + small + 0.693_359_4 * e
}

/// Sine and cosine of `turns` full turns, for `turns` in [0, 1).
#[inline(always)]
fn sin_cos_of_turn(turns: f32) -> (f32, f32) {
    let quarters = 4.0 * turns;
    let nearest = (quarters + 0.5).floor();
    let angle = (quarters - nearest) * std::f32::consts::FRAC_PI_2;
    let z = angle * angle;
    let sin = ((-1.951_529_6e-4 * z + 8.332_161e-3) * z - 1.666_665_5e-1) * z * angle + angle;
    let cos = ((2.443_315_7e-5 * z - 1.388_731_6e-3) * z + 4.166_664_6e-2) * z * z - 0.5 * z + 1.0;
    // Adding 1.5 · 2²³ leaves the number of quarters in the lowest bits, without a branch.
    let quarter = (nearest + 12_582_912.0).to_bits();
    let (sin, cos) = if quarter & 1 == 0 { (sin, cos) } else { (cos, sin) };
    let signed = |value: f32, minus: u32| if minus & 2 == 0 { value } else { -value };
    (signed(sin, quarter), signed(cos, quarter + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Generator, Stream};

    #[test]
    fn normal_draws_equal_the_transform_in_double_precision() {
        let generator = Generator::new(3, Stream::PosteriorNoise, 9);
        let mut draws = vec![0.0; 40_000];
        generator.normal(&mut draws);
        for (block, draws) in draws.chunks_exact(4).enumerate() {
            for (pair, draws) in generator.words(block as u32).chunks(2).zip(draws.chunks(2)) {
                let [u, turn] = [pair[0], pair[1]].map(|word| f64::from(unit(word)));
                let radius = (-2.0 * (1.0 - u).ln()).sqrt();
                let (sin, cos) = (std::f64::consts::TAU * turn).sin_cos();
                for (found, expected) in draws.iter().zip([radius * cos, radius * sin]) {
                    assert!((f64::from(*found) - expected).abs() < 1e-6, "{found} {expected}");
                }
            }
        }
        // The ends of the range of u.
        assert_eq!(ln(1.0), 0.0);
        assert!((f64::from(ln(2f32.powi(-24))) + 24.0 * 2f64.ln()).abs() < 1e-6);
    }
}
