//! Why modes were lost, from evidence, and what helps.

mod model;

pub use model::ModelEvidence;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ledger::{LEAST_EXPECTED, LEAST_ROWS, LEAST_TRAINING_ROWS, Mode, Verdict};
use crate::data::Gaussian;

/// What lost a mode, or several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum CauseKind {
    /// The posterior says nothing of the data, so the decoder has one answer for every row.
    Collapse,
    /// The samples are the decoder's mean; with the likelihood's noise the mode is as in the data.
    NoNoise,
    /// The decoder knows the mode, but draws from the prior do not reach the latents that lead
    /// there, or as many others near them.
    PriorHole,
    /// The decoder itself blurs the mode: its noise is as large as the mode, or its samples lie
    /// between modes.
    OverSmoothing,
    /// Too few rows, real or generated, belong to the mode to judge it.
    TooFewPoints,
    /// Training was thrown off: it had found a better model, and lost it again.
    ThrownOff,
    /// Training took too few steps for modes to settle, or the held-out bound was still rising when it
    /// ended.
    StillLearning,
    /// The evidence points nowhere. Other seeds may capture the mode, which would make it the
    /// optimisation's fault.
    CannotTell,
}

/// Why a mode was lost and what to do about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cause {
    /// The cause.
    pub kind: CauseKind,
    /// The figures that point to it.
    pub evidence: String,
    /// What to try, as a sentence; null where nothing is known to help.
    pub remedy: Option<String>,
}

impl CauseKind {
    /// In words.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Collapse => "the posterior collapsed",
            Self::NoNoise => "samples were drawn without the likelihood's noise",
            Self::PriorHole => "the prior has holes",
            Self::OverSmoothing => "the decoder smooths modes over",
            Self::TooFewPoints => "there are too few rows to judge",
            Self::ThrownOff => "training was thrown off",
            Self::StillLearning => "training ended too early",
            Self::CannotTell => "the evidence does not say why",
        }
    }
}

/// Why `mode` is not as it is in the data, or cannot be judged; nothing where it is, or may be. `gaussian`
/// is the mode in the reference, `real` and `generated` are the numbers of rows.
pub fn of_mode(
    mode: &Mode,
    gaussian: &Gaussian,
    [real, generated]: [usize; 2],
    model: Option<&ModelEvidence>,
) -> Option<Cause> {
    if mode.verdict == Verdict::TooSmall {
        let [real, generated] = [real, generated].map(|rows| mode.weight * rows as f64);
        return Some(too_few(real, generated, model.is_some()));
    }
    if mode.may_be_strict {
        // What is wrong with the model as a whole may be why a mode is not strict.
        let model = model.filter(|_| mode.verdict != Verdict::Strict)?;
        return model.thrown_off().or_else(|| model.too_short());
    }
    let Some(model) = model else {
        return Some(Cause {
            kind: CauseKind::CannotTell,
            evidence: "samples alone do not show it, only the model behind them does".into(),
            remedy: None,
        });
    };
    let causes = [
        model.thrown_off(),
        model.collapse(),
        model.no_noise(mode),
        model.given_noise(mode, gaussian),
        model.prior_hole(mode),
        model.still_learning(),
        model.over_smoothing(mode, gaussian),
    ];
    Some(causes.into_iter().flatten().next().unwrap_or_else(|| model.cannot_tell(mode)))
}

/// The cause of most lost modes, for the model as a whole; the first of equals. Modes that are too
/// small to judge do not count.
pub fn of_model<'a>(causes: impl IntoIterator<Item = &'a Cause>) -> Option<Cause> {
    let causes: Vec<&Cause> =
        causes.into_iter().filter(|cause| cause.kind != CauseKind::TooFewPoints).collect();
    let times = |kind| causes.iter().filter(|cause| cause.kind == kind).count();
    let most = causes.iter().rev().max_by_key(|cause| times(cause.kind))?;
    let evidence = match most.kind {
        CauseKind::Collapse | CauseKind::ThrownOff => most.evidence.clone(),
        kind => format!(
            "{} of {} modes that are not as in the data; for one of them: {}",
            times(kind),
            causes.len(),
            most.evidence
        ),
    };
    Some(Cause { evidence, ..(*most).clone() })
}

/// `of_run`: whether it is a run that draws the samples.
fn too_few(real: f64, generated: f64, of_run: bool) -> Cause {
    let option = if of_run { " (--samples)" } else { "" };
    let remedy = match (real < LEAST_TRAINING_ROWS, generated < LEAST_ROWS) {
        (true, true) => format!("Give more real rows, and draw more samples{option}."),
        (true, false) => "Give more real rows.".into(),
        (false, _) => format!("Draw more samples{option}."),
    };
    Cause {
        kind: CauseKind::TooFewPoints,
        evidence: format!(
            "about {real:.0} real rows and {generated:.0} generated ones belong to it, and it takes \
             {LEAST_TRAINING_ROWS} and {LEAST_ROWS}, and {LEAST_EXPECTED} of high quality that other modes do \
             not hide"
        ),
        remedy: Some(remedy),
    }
}

#[cfg(test)]
mod tests;
