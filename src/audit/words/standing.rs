//! How samples and their modes stand to what is wanted.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::audit::ledger::{Mode, Verdict};
use crate::audit::samples::{AuditedMode, SamplesAudit};

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
/// of the data, or every verdict is open.
pub fn overall(audit: &SamplesAudit) -> Standing {
    let judged = audit.counts.eligible_only;
    let known: f64 = eligible(audit).map(|mode| mode.weight).sum();
    if !audit.reference.trusted || judged.modes == 0 || known < 0.5 || is_open(audit) {
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
