//! Whether the modes describe the real rows.

use crate::audit::ledger::{Judged, Ledger, Mode, Verdict};
use crate::audit::reference::{Kind, Reference};
use crate::audit::words;

/// The least share of real rows near a component of the mixture they are said to come from: 0.9973
/// of its draws are.
const LEAST_NEAR: f64 = 0.9;

/// The least share of the real rows kept out of a fit that must lie near its modes. With less a perfect
/// generator would be said to have lost most of them.
const LEAST_KEPT_NEAR: f64 = 0.5;

/// Why the reference does not describe the real rows, given what the ledger says of its fresh rows; nothing
/// where it does.
pub fn doubt(reference: &Reference, ledger: &Ledger, ceiling: &Judged) -> Option<String> {
    let real = &reference.real;
    if reference.kind == Kind::Mixture {
        let judged = ledger.judge(real.view());
        let near = judged.high_quality.value;
        if near < LEAST_NEAR {
            return Some(format!(
                "only {:.0}% of the real rows lie near a component of the given mixture, so they \
                 were not drawn from it",
                100.0 * near
            ));
        }
        let missing = |mode: &&Mode| mode.verdict == Verdict::Missing && !mode.borderline;
        return judged.modes.iter().find(missing).map(|mode| {
            format!(
                "the real rows themselves lack mode {} of the given mixture, so they were not \
                 drawn from it",
                mode.id
            )
        });
    }
    if real.rows().into_iter().all(|row| row == real.row(0)) {
        return Some("all real rows are equal, so there are no modes to tell apart".into());
    }
    let mut judged =
        ceiling.modes.iter().filter(|mode| mode.verdict != Verdict::TooSmall).peekable();
    // That the labels are there needs no check; that the components of a fit are does.
    if judged.peek().is_none() && reference.kind == Kind::Fitted {
        return Some(format!(
            "{} real rows kept out of the fit are too few to check that its modes are there, which \
             takes 50 rows of a mode; give more real rows, labels, or the mixture itself",
            ceiling.rows
        ));
    }
    if ceiling.high_quality.interval[1] < LEAST_KEPT_NEAR {
        let few = match reference.kind {
            Kind::Labels => "labels with more rows each, or fewer columns",
            Kind::Fitted | Kind::Mixture => "or choose fewer columns",
        };
        return Some(format!(
            "only {:.0}% of the real rows kept out of the fit lie near a mode, so the {} that were fitted \
             are too few for {} of {}; give more real rows, {few}",
            100.0 * ceiling.high_quality.value,
            reference.fitted_rows(),
            words::counted(reference.mixture.components(), "mode"),
            words::counted(real.ncols(), "column")
        ));
    }
    let failed = judged.find(|mode| !mode.may_be_strict)?;
    let name = words::called(failed);
    Some(format!(
        "real rows kept out of the fit do not pass: mode {name} is {} in them, so the data are not made \
         of such modes",
        failed.verdict
    ))
}
