//! From the figures of a mode to its verdict.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Below this ratio a mode is missing.
pub(crate) const MISSING: f64 = 0.2;
/// Below this ratio it is under-weighted; from it on it is captured.
pub(crate) const CAPTURED: f64 = 0.5;
/// Above this ratio it is over-weighted.
pub(crate) const OVER_WEIGHTED: f64 = 2.0;
/// Above this share of rows near the border to a neighbour it is merged with it: half of what rows
/// spread evenly between the two would give.
const BRIDGED: f64 = 0.25;
/// Above this distance, in σ, it is shifted.
pub(in crate::audit) const SHIFTED: f64 = 0.5;
/// Above this spread ratio it is smeared.
pub(in crate::audit) const SMEARED: f64 = 2.0;
/// Below this spread ratio it is shrunk.
pub(in crate::audit) const SHRUNK: f64 = 0.5;

/// What became of a mode. The first that holds, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Fewer than 20 training rows or 50 rows to judge are expected of it, or fewer than 20 of high
    /// quality because other modes hide it.
    TooSmall,
    /// Less than a fifth of the high-quality rows expected.
    Missing,
    /// Less than half of them.
    UnderWeighted,
    /// No gap is left between it and a neighbour: the rows of both fill it.
    Merged,
    /// Its rows lie more than half a standard deviation away from their place.
    Shifted,
    /// Its rows have more than twice the variance expected.
    Smeared,
    /// Its rows have less than half of the variance expected.
    Shrunk,
    /// More than twice the high-quality rows expected.
    OverWeighted,
    /// Right in weight, place and spread.
    Strict,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::TooSmall => "too small to judge",
            Self::Missing => "missing",
            Self::UnderWeighted => "under-weighted",
            Self::Merged => "merged",
            Self::Shifted => "shifted",
            Self::Smeared => "smeared",
            Self::Shrunk => "shrunk",
            Self::OverWeighted => "over-weighted",
            Self::Strict => "strict",
        })
    }
}

/// A figure and its interval.
#[derive(Clone, Copy, Debug)]
pub(super) struct Figure {
    pub(super) value: f64,
    pub(super) interval: [f64; 2],
}

/// The figures that decide; absent where they cannot be had.
#[derive(Clone, Copy, Debug)]
pub(super) struct Figures {
    pub(super) ratio: Option<Figure>,
    pub(super) bridge: Option<Figure>,
    pub(super) shift: Option<Figure>,
    pub(super) spread: Option<Figure>,
}

impl Figures {
    /// Whether there is enough to call the mode strict; a mode without ratio or shape is not.
    pub(super) fn complete(&self) -> bool {
        self.ratio.is_some() && self.shift.is_some() && self.spread.is_some()
    }
}

/// A verdict, and what it may be instead.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Decision {
    pub(super) verdict: Verdict,
    pub(super) or: Option<Verdict>,
    /// Whether no figure is clearly beyond its threshold.
    pub(super) may_be_strict: bool,
}

/// One figure against one threshold.
struct Test {
    verdict: Verdict,
    holds: bool,
    /// Whether the interval has the threshold within it.
    open: bool,
}

impl Test {
    fn below(verdict: Verdict, figure: Option<Figure>, threshold: f64) -> Option<Self> {
        let Figure { value, interval: [low, high] } = figure?;
        Some(Self { verdict, holds: value < threshold, open: low < threshold && threshold <= high })
    }

    fn above(verdict: Verdict, figure: Option<Figure>, threshold: f64) -> Option<Self> {
        let Figure { value, interval: [low, high] } = figure?;
        Some(Self { verdict, holds: value > threshold, open: low <= threshold && threshold < high })
    }
}

/// The first verdict that holds. Another is possible where a test up to that one is open: the open
/// one's own, or, where the deciding test itself is open, the next that holds. What is absent is not
/// tested.
pub(super) fn decide(figures: &Figures) -> Decision {
    let &Figures { ratio, bridge, shift, spread } = figures;
    let tests: Vec<Test> = [
        Test::below(Verdict::Missing, ratio, MISSING),
        Test::below(Verdict::UnderWeighted, ratio, CAPTURED),
        Test::above(Verdict::Merged, bridge, BRIDGED),
        Test::above(Verdict::Shifted, shift, SHIFTED),
        Test::above(Verdict::Smeared, spread, SMEARED),
        Test::below(Verdict::Shrunk, spread, SHRUNK),
        Test::above(Verdict::OverWeighted, ratio, OVER_WEIGHTED),
    ]
    .into_iter()
    .flatten()
    .collect();
    let first = |tests: &[Test]| tests.iter().position(|test| test.holds).unwrap_or(tests.len());
    let name = |index: usize| tests.get(index).map_or(Verdict::Strict, |test| test.verdict);
    let deciding = first(&tests);
    let open = tests.iter().take(deciding + 1).position(|test| test.open);
    let or = open.map(|open| {
        if open == deciding { name(open + 1 + first(&tests[open + 1..])) } else { name(open) }
    });
    let may_be_strict = tests.iter().all(|test| !test.holds || test.open);
    Decision { verdict: name(deciding), or, may_be_strict }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exactly(value: f64) -> Option<Figure> {
        Some(Figure { value, interval: [value, value] })
    }

    /// A mode with these figures and no doubt of them.
    fn mode(ratio: f64, bridge: f64, shift: f64, spread: f64) -> Figures {
        Figures {
            ratio: exactly(ratio),
            bridge: exactly(bridge),
            shift: exactly(shift),
            spread: exactly(spread),
        }
    }

    #[test]
    fn the_first_verdict_that_holds_is_given() {
        for (figures, verdict) in [
            (mode(0.1, 0.5, 3.0, 9.0), Verdict::Missing),
            (mode(0.2, 0.5, 3.0, 9.0), Verdict::UnderWeighted),
            (mode(0.5, 0.5, 3.0, 9.0), Verdict::Merged),
            (mode(3.0, 0.1, 0.6, 9.0), Verdict::Shifted),
            (mode(3.0, 0.1, 0.5, 9.0), Verdict::Smeared),
            (mode(3.0, 0.1, 0.5, 0.1), Verdict::Shrunk),
            (mode(3.0, 0.1, 0.5, 2.0), Verdict::OverWeighted),
            (mode(2.0, 0.25, 0.5, 0.5), Verdict::Strict),
        ] {
            let may_be_strict = verdict == Verdict::Strict;
            let decision = Decision { verdict, or: None, may_be_strict };
            assert_eq!(decide(&figures), decision, "{figures:?}");
        }
    }

    #[test]
    fn an_interval_over_a_threshold_that_matters_opens_the_verdict() {
        let around =
            |value: f64, low: f64, high: f64| Some(Figure { value, interval: [low, high] });
        let strict = mode(1.0, 0.0, 0.1, 1.0);
        let or = |figures: Figures| decide(&figures).or;
        assert_eq!(or(strict), None);
        // Before the deciding test: its own verdict. After it: nothing.
        let under = Figures { ratio: around(0.6, 0.4, 0.8), ..strict };
        assert_eq!(or(under), Some(Verdict::UnderWeighted));
        let missing = Figures { spread: around(1.9, 1.0, 4.0), ..mode(0.1, 0.0, 0.1, 1.0) };
        assert_eq!(or(missing), None);
        // The deciding test itself: the next that holds.
        let shifted = Figures { shift: around(0.6, 0.4, 0.8), ..strict };
        assert_eq!(or(shifted), Some(Verdict::Strict));
        assert_eq!(or(Figures { spread: exactly(3.0), ..shifted }), Some(Verdict::Smeared));
        let barely = Figures { ratio: around(0.19, 0.1, 0.3), ..strict };
        assert_eq!(or(barely), Some(Verdict::UnderWeighted));
    }

    #[test]
    fn verdicts_are_kebab_case_in_files_and_words_for_people() {
        for (verdict, file, words) in [
            (Verdict::TooSmall, "\"too-small\"", "too small to judge"),
            (Verdict::UnderWeighted, "\"under-weighted\"", "under-weighted"),
            (Verdict::Strict, "\"strict\"", "strict"),
        ] {
            assert_eq!(serde_json::to_string(&verdict).unwrap(), file);
            assert_eq!(verdict.to_string(), words);
        }
    }
}
