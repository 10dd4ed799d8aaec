//! The exponentials of EM, for whatever SIMD the processor has: half of an iteration with the C library's.

use pulp::{Simd, WithSimd};

/// Terms of a row this far below its largest, in nats, are lost beside it in f64.
const NEGLIGIBLE: f64 = -40.0;

/// Replaces each of a component's `terms` by exp(term − largest), and adds it to the row's `total`.
pub(super) struct Exponentials<'a> {
    pub(super) terms: &'a mut [f64],
    pub(super) largest: &'a [f64],
    pub(super) total: &'a mut [f64],
}

impl WithSimd for Exponentials<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let rows = self.terms.iter_mut().zip(self.largest).zip(self.total);
        for ((term, largest), total) in rows {
            let below = *term - largest;
            let share = exp(below.max(NEGLIGIBLE));
            *term = if below > NEGLIGIBLE { share } else { 0.0 };
            *total += *term;
        }
    }
}

/// eˣ for x from −700 to 700, to some 2 ulp, without branches so that loops over it become SIMD:
/// 2ⁿ·eʳ with |r| ≤ ½ ln 2 and the Taylor polynomial of eʳ, whose rest is below 5·10⁻¹⁸.
#[inline(always)]
fn exp(x: f64) -> f64 {
    // Adding 1.5 · 2⁵² rounds to the nearest whole number, which then is in the lowest bits.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    // ln 2 in two parts, the first so short that n times it is exact (Cephes' exp).
    const LN_2: [f64; 2] = [0.693_145_751_953_125, 1.428_606_820_309_417_2e-6];
    const BIAS: u64 = 1023;
    const INVERSE_FACTORIALS: [f64; 14] = {
        let mut inverse = [1.0; 14];
        let mut n = 1;
        while n < 14 {
            inverse[n] = inverse[n - 1] / n as f64;
            n += 1;
        }
        inverse
    };
    let rounded = x * std::f64::consts::LOG2_E + ROUND;
    let n = rounded - ROUND;
    let r = (x - n * LN_2[0]) - n * LN_2[1];
    let power = INVERSE_FACTORIALS.iter().rev().fold(0.0, |sum, factor| sum * r + factor);
    power * f64::from_bits((rounded.to_bits().wrapping_add(BIAS)) << 52)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pulp::Arch;

    #[test]
    fn exp_is_the_librarys() {
        for i in -70_000..70_000 {
            let x = f64::from(i) * 0.01;
            assert!((exp(x) / x.exp() - 1.0).abs() < 5e-16, "{x}: {} {}", exp(x), x.exp());
        }
        assert_eq!(exp(0.0), 1.0);
    }

    #[test]
    fn what_is_far_below_the_largest_is_nothing() {
        let mut terms = [-3.0, -44.0, f64::NEG_INFINITY, 5.0, 2.0];
        let mut total = [1.0; 5];
        let largest = [-3.0, -3.0, 0.0, 5.0, 3.0];
        Arch::new().dispatch(Exponentials {
            terms: &mut terms,
            largest: &largest,
            total: &mut total,
        });
        assert_eq!(terms[..4], [1.0, 0.0, 0.0, 1.0]);
        assert_eq!(total[..4], [2.0, 1.0, 1.0, 2.0]);
        assert!((terms[4] - (-1.0_f64).exp()).abs() < 1e-16);
    }
}
