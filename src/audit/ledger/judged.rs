//! What the ledger says of a set of rows, as `audit.json` holds it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::verdict::{CAPTURED, Verdict};
use crate::audit::estimate::Estimate;

/// What an audit found in a set of rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Judged {
    /// Rows judged.
    pub rows: usize,
    /// Modes counted.
    pub counts: Counts,
    /// Share of the rows that are of high quality: within the χ² quantile 0.9973 of their most
    /// probable mode. A collapsed model can score 1, so it means nothing alone.
    pub high_quality: Estimate,
    /// One entry a mode, in the order of the mixture's components.
    pub modes: Vec<Mode>,
}

/// Modes counted, over all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    /// Modes that the reference has.
    pub modes: usize,
    /// Modes with at least half of the high-quality rows expected, whatever their size or shape.
    pub captured: usize,
    /// Modes right in weight, place and spread. Modes too small to judge count where their figures
    /// are right, uncertain as those are.
    pub strict: usize,
    /// Modes whose verdict is `missing`. A mode too small to judge is never missing.
    pub missing: usize,
    /// The same over the modes large enough to judge.
    pub eligible_only: EligibleCounts,
}

/// Modes counted, over those large enough to judge: at least 20 expected training rows, 50 expected
/// rows to judge, and 20 of high quality that the others do not hide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EligibleCounts {
    /// Modes large enough to judge.
    pub modes: usize,
    /// Those with at least half of the high-quality rows expected.
    pub captured: usize,
    /// Those whose verdict is `strict`.
    pub strict: usize,
    /// Those whose verdict is `missing`.
    pub missing: usize,
}

/// A mode of the reference and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Mode {
    /// Index of the component, from 0.
    pub id: usize,
    /// Its label, where the modes are labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its weight in the reference.
    pub weight: f64,
    /// High-quality rows expected of the truth itself.
    pub expected: f64,
    /// High-quality rows found.
    pub found: usize,
    /// All rows that are given to the mode, of high quality or not.
    pub assigned: usize,
    /// Found over expected. Absent where none is expected.
    pub ratio: Option<f64>,
    /// The 95 % interval of the ratio: Wilson's, of the found share, with the noise of the draws that say
    /// what to expect; of a reference that was fitted the noise of its weight is added.
    pub ratio_ci: Option<[f64; 2]>,
    /// Distance of the mean of the assigned rows from its place, in standard deviations of the mode
    /// (root mean square over the dimensions), the noise of a mean taken off. Absent below two rows.
    pub mean_shift: Option<f64>,
    /// Variance of the assigned rows, summed over the dimensions, over that expected. Absent below
    /// two rows.
    pub spread_ratio: Option<f64>,
    /// Interval of `mean_shift`; of this and the next, those that hold for all figures of all eligible
    /// modes at once.
    pub mean_shift_ci: Option<[f64; 2]>,
    /// Interval of `spread_ratio`.
    pub spread_ratio_ci: Option<[f64; 2]>,
    /// What the figures say.
    pub verdict: Verdict,
    /// Whether a figure is so near its threshold that the verdict may be another. Intervals for this,
    /// four a mode, hold for all eligible modes at once with 95 % (Bonferroni).
    pub borderline: bool,
    /// The verdict that it may be instead, where it is borderline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub or: Option<Verdict>,
    /// Whether no figure is clearly beyond what a strict mode has: it is strict, or may be.
    pub may_be_strict: bool,
    /// The mode that it is merged with, where either verdict is `merged`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merged_with: Option<usize>,
}

impl Mode {
    /// Assigned rows that are not of high quality.
    pub fn stray(&self) -> usize {
        self.assigned - self.found
    }

    /// The verdict in words: `merged with 3`, `strict, or shifted`. `name` is what a mode is called.
    pub fn words(&self, name: impl Fn(usize) -> String) -> String {
        let in_words = |verdict: Verdict| match (verdict, self.merged_with) {
            (Verdict::Merged, Some(other)) => format!("merged with {}", name(other)),
            _ => verdict.to_string(),
        };
        match self.or {
            Some(other) => format!("{}, or {}", in_words(self.verdict), in_words(other)),
            None => in_words(self.verdict),
        }
    }

    /// Whether at least half of the high-quality rows expected were found.
    pub fn captured(&self) -> bool {
        self.ratio.is_some_and(|ratio| ratio >= CAPTURED)
    }
}

impl Judged {
    /// All rows given to each mode, of high quality or not.
    pub fn assigned(&self) -> Vec<usize> {
        self.modes.iter().map(|mode| mode.assigned).collect()
    }
}

impl Counts {
    /// Counts `modes`, of which so many are strict by their figures, whatever their size.
    pub(super) fn of(modes: &[Mode], strict: usize) -> Self {
        let eligible: Vec<&Mode> =
            modes.iter().filter(|mode| mode.verdict != Verdict::TooSmall).collect();
        let with = |verdict| eligible.iter().filter(|mode| mode.verdict == verdict).count();
        let missing = with(Verdict::Missing);
        Self {
            modes: modes.len(),
            captured: modes.iter().filter(|mode| mode.captured()).count(),
            strict,
            missing,
            eligible_only: EligibleCounts {
                modes: eligible.len(),
                captured: eligible.iter().filter(|mode| mode.captured()).count(),
                strict: with(Verdict::Strict),
                missing,
            },
        }
    }
}
