//! Plain decimal numbers, fast.

use crate::data::rows::Number;

/// The powers of ten that so many digits need; a double holds them exactly.
const POWERS: [f64; 19] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18,
];
/// Bits of a double's fraction that a single has not, where exactly half of a single's last bit is set.
const HALFWAY: u64 = 1 << 28;

/// A number such as `-12.0625` as the nearest f32 and f64; nothing for any other text, and for the few such
/// numbers that take more care, all of which std reads.
///
/// A mantissa below 2⁵³ over a power of ten up to 10¹⁸ is the nearest double (Clinger, "How to Read
/// Floating Point Numbers Accurately", PLDI 1990), and rounding that again gives the nearest single
/// unless the double is halfway between two.
pub(super) fn plain_decimal(text: &[u8]) -> Option<Number> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    // Eighteen digits and a point fit; more than fifteen digits may be beyond 2⁵³.
    if digits.is_empty() || digits.len() > 19 {
        return None;
    }
    let (mut mantissa, mut point) = (0_u64, None);
    for (place, &byte) in digits.iter().enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit < 10 {
            mantissa = mantissa * 10 + u64::from(digit);
        } else if byte == b'.' && point.is_none() && digits.len() > 1 {
            point = Some(place);
        } else {
            return None;
        }
    }
    let decimals = point.map_or(0, |place| digits.len() - 1 - place);
    if mantissa >= 1 << 53 {
        return None;
    }
    let value = mantissa as f64 / POWERS[decimals];
    if value.to_bits() & (2 * HALFWAY - 1) == HALFWAY {
        return None;
    }
    let written = if negative { -value } else { value };
    Some(Number { kept: written as f32, written })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn agrees(text: &str) -> bool {
        let known = text.parse::<f32>().ok();
        plain_decimal(text.as_bytes())
            .is_none_or(|number| Some(number.kept.to_bits()) == known.map(f32::to_bits))
    }

    #[test]
    fn plain_numbers_are_read_and_the_rest_is_left() {
        for (text, value) in [
            ("0", 0.0),
            ("-0.0", -0.0_f32),
            ("12.5", 12.5),
            (".5", 0.5),
            ("5.", 5.0),
            ("-1234567.125", -1_234_567.1),
        ] {
            assert_eq!(
                plain_decimal(text.as_bytes()).map(|number| number.kept.to_bits()),
                Some(value.to_bits()),
                "{text}"
            );
        }
        for text in ["", "-", ".", "+1", "1e5", "1.2.3", "nan", " 1", "1,5", "99999999999999999999"]
        {
            assert_eq!(plain_decimal(text.as_bytes()), None, "{text}");
        }
        // Halfway between two singles: the one with an even last bit is right, and 16 777 219 is odd.
        for text in ["16777217", "16777219", "16777217.000000001", "0.50000002980232238769"] {
            assert!(agrees(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_number_is_the_one_that_std_reads(
            text in "-?[0-9]{0,10}\\.?[0-9]{0,10}",
            mantissa in any::<f32>(),
        ) {
            prop_assert!(agrees(&text));
            prop_assert!(agrees(&format!("{mantissa}")), "{mantissa}");
        }
    }
}
