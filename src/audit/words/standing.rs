//! How samples and their modes stand to what is wanted.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::audit::ledger::{Mode, Verdict};
use crate::audit::metrics::Metric;
use crate::audit::samples::{AuditedMode, SamplesAudit};

/// Share of rows near no mode, beyond that of fresh real rows, that is worth a word.
const LEAST_ASTRAY: f64 = 0.02;

/// How a verdict stands to what is wanted: its colour, and the answer to whether the model learned the
/// data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Standing {
    /// As in the data.
    #[serde(rename = "yes")]
    Good,
    /// There, but not as in the data.
    #[serde(rename = "in-part")]
    Fair,
    /// Lost.
    #[serde(rename = "no")]
    Bad,
    /// Not judged.
    #[serde(rename = "cannot-be-judged")]
    Unknown,
}

impl Standing {
    /// The answer to whether the model learned the data.
    pub fn answer(self) -> &'static str {
        match self {
            Self::Good => "Yes",
            Self::Fair => "In part",
            Self::Bad => "No",
            Self::Unknown => "That cannot be judged",
        }
    }
}

/// How the modes of the samples stand as a whole: good where every mode that can be judged is as in the
/// data, bad where none is, nor is captured and may be. Not judged where those modes are less than half
/// of the data, or every verdict is open and the rows are near the modes.
pub fn overall(audit: &SamplesAudit) -> Standing {
    let judged = audit.counts.eligible_only;
    let known: f64 = eligible(audit).map(|mode| mode.weight).sum();
    let open = is_open(audit) && astray(audit).is_none();
    if !audit.reference.trusted || judged.modes == 0 || known < 0.5 || open {
        return Standing::Unknown;
    }
    match judged.strict {
        strict if strict == judged.modes => Standing::Good,
        0 if !eligible(audit).any(|mode| mode.captured() && mode.may_be_strict) => Standing::Bad,
        _ => Standing::Fair,
    }
}

/// The modes that can be judged.
pub(super) fn eligible(audit: &SamplesAudit) -> impl Iterator<Item = &Mode> {
    let modes = audit.modes.iter().map(|audited| &audited.mode);
    modes.filter(|mode| mode.verdict != Verdict::TooSmall)
}

/// Whether no verdict is certain: each may be strict, and another.
pub(super) fn is_open(audit: &SamplesAudit) -> bool {
    eligible(audit).all(|mode| mode.borderline && mode.may_be_strict)
}

/// The shares of generated and of fresh real rows near no mode, where the first is clearly more.
pub fn astray(samples: &SamplesAudit) -> Option<[f64; 2]> {
    let Metric { generated, real } = samples.metrics.high_quality;
    let apart = generated.interval[1] < real.interval[0];
    let is_plain = samples.reference.trusted && real.value - generated.value >= LEAST_ASTRAY;
    (apart && is_plain).then(|| [generated, real].map(|near| 1.0 - near.value))
}

/// How a mode stands: not judged where the reference is not to be trusted.
pub fn standing(audit: &SamplesAudit, mode: &AuditedMode) -> Standing {
    if !audit.reference.trusted {
        return Standing::Unknown;
    }
    match mode.mode.verdict {
        Verdict::Strict => Standing::Good,
        Verdict::Missing | Verdict::UnderWeighted => Standing::Bad,
        Verdict::TooSmall => Standing::Unknown,
        _ => Standing::Fair,
    }
}
