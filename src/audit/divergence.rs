//! How far the weights of the modes are from those they should have.

use std::f64::consts::LN_2;

use rand_distr::{Binomial, Distribution};

use super::estimate::{CONFIDENCE, Estimate};
use crate::error::{Error, Result};
use crate::random::{Draws, Generator, Stream};

/// Counts drawn again for the interval.
pub const REPLICATES: usize = 1000;

/// The Jensen–Shannon divergence between the shares of the `found` counts and the `expected` shares,
/// in nats: 0 where they are equal, ln 2 where they share no mode (Lin 1991). `expected` need not sum
/// to 1. Its root is `scipy.spatial.distance.jensenshannon`.
///
/// The interval holds the middle 95 % of the divergences of [`REPLICATES`] counts drawn with the
/// found shares, moved by their mean's excess over the divergence found: counts drawn anew are
/// further from anything than those they were drawn from.
///
/// # Errors
/// Where nothing was found, or an expected share is negative or not finite, or all are 0.
///
/// # Panics
/// Where there is not one share a count.
pub fn js_divergence(found: &[usize], expected: &[f64], seed: u64) -> Result<Estimate> {
    assert_eq!(found.len(), expected.len(), "one share a mode");
    let total: f64 = expected.iter().sum();
    if !(total > 0.0 && total.is_finite() && expected.iter().all(|&share| share >= 0.0)) {
        return Err(Error::input("the expected weights of the modes are no shares of a whole"));
    }
    if found.iter().all(|&count| count == 0) {
        return Err(Error::input("no generated row belongs to any mode, so modes have no weights"));
    }
    let expected: Vec<f64> = expected.iter().map(|share| share / total).collect();
    let value = divergence(found, &expected);
    let mut drawn: Vec<f64> = (0..REPLICATES)
        .map(|step| {
            let mut draws = Generator::new(seed, Stream::Bootstrap, step as u64).draws();
            divergence(&redraw(found, &mut draws), &expected)
        })
        .collect();
    drawn.sort_unstable_by(f64::total_cmp);
    let excess = drawn.iter().sum::<f64>() / REPLICATES as f64 - value;
    let cut = ((1.0 - CONFIDENCE) / 2.0 * REPLICATES as f64) as usize;
    let interval = [drawn[cut], drawn[REPLICATES - 1 - cut]].map(|end| end - excess);
    Ok(Estimate { value, interval }.within(0.0, LN_2))
}

/// As many counts as `found` has, multinomial with its shares: one binomial after the other.
fn redraw(found: &[usize], draws: &mut Draws) -> Vec<usize> {
    let mut rows = found.iter().sum::<usize>();
    let mut left = rows;
    let draw = |&count: &usize| {
        let share = count as f64 / left.max(1) as f64;
        left -= count;
        // A share from counts is always a probability.
        let drawn = Binomial::new(rows as u64, share).map_or(0, |binomial| binomial.sample(draws));
        rows -= drawn as usize;
        drawn as usize
    };
    found.iter().map(draw).collect()
}

/// The divergence of counts, not all 0, from shares that sum to 1.
fn divergence(found: &[usize], expected: &[f64]) -> f64 {
    let total = found.iter().sum::<usize>() as f64;
    // p ln(p / m), half of it, with its limit 0 at p = 0.
    let half = |p: f64, middle: f64| if p > 0.0 { 0.5 * p * (p / middle).ln() } else { 0.0 };
    let terms = found.iter().zip(expected).map(|(&count, &q)| {
        let p = count as f64 / total;
        let middle = 0.5 * (p + q);
        half(p, middle) + half(q, middle)
    });
    terms.sum::<f64>().clamp(0.0, LN_2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_close(ours: f64, expected: f64) {
        assert!((ours - expected).abs() < 1e-12, "{ours}, {expected}");
    }

    #[test]
    fn divergences_by_hand() {
        assert_eq!(js_divergence(&[7], &[2.0], 1).unwrap().value, 0.0);
        let equal = js_divergence(&[10, 30], &[0.25, 0.75], 1).unwrap();
        assert_eq!((equal.value, equal.interval[0]), (0.0, 0.0));
        let apart = js_divergence(&[10, 0], &[0.0, 1.0], 1).unwrap();
        assert_eq!(apart, Estimate { value: LN_2, interval: [LN_2; 2] });
        // (1, 0) against (1/2, 1/2), with the middle (3/4, 1/4).
        let half = js_divergence(&[10, 0], &[3.0, 3.0], 1).unwrap().value;
        assert_close(half, 0.5 * (4.0_f64 / 3.0).ln() + 0.25 * ((2.0_f64 / 3.0).ln() + LN_2));
        assert!(js_divergence(&[0, 0], &[0.5, 0.5], 1).is_err());
        assert!(js_divergence(&[1, 2], &[0.5, f64::NAN], 1).is_err());
    }

    /// Weights (0.5, 0.3, 0.2) seen in counts of 500 draws: of 200 intervals at least 180 hold the
    /// divergence of the weights themselves, for expected shares that are and are not theirs.
    #[test]
    fn intervals_of_the_divergence_hold_the_truth() {
        let truth = [5_000_000, 3_000_000, 2_000_000];
        for expected in [[0.5, 0.3, 0.2], [0.4, 0.2, 0.4]] {
            let true_divergence = divergence(&truth, &expected);
            let holds = |seed: &u64| {
                let mut draws = Generator::new(*seed, Stream::MixtureRows, 0).draws();
                let found = redraw(&[250, 150, 100], &mut draws);
                assert_eq!(found.iter().sum::<usize>(), 500);
                let estimate = js_divergence(&found, &expected, *seed).unwrap();
                let [low, high] = estimate.interval;
                assert!(low <= estimate.value && estimate.value <= high, "{estimate:?}");
                low <= true_divergence && true_divergence <= high
            };
            let held = (0..200).filter(holds).count();
            assert!(held >= 180, "{held} of 200 for {expected:?}");
        }
    }
}
