//! Modes as the rows of tables, where they lie, and why they were lost.

use super::{MOST_NAMED, name};
use crate::audit::cause::Cause;
use crate::audit::estimate::Estimate;
use crate::audit::ledger::{CAPTURED, Counts, Mode, SHIFTED, SHRUNK, SMEARED, Verdict};
use crate::audit::reference::Kind;
use crate::audit::samples::{AuditedMode, SamplesAudit};

/// Headings of the cells that [`cells`] gives.
pub const HEADINGS: [&str; 8] =
    ["mode", "weight", "expected", "found", "ratio", "shift", "spread", "verdict"];

/// Shifts and spreads beyond this are shown as beyond it.
const LARGEST_SHOWN: f64 = 1000.0;

/// One mode as the cells of a table.
pub fn cells(audit: &SamplesAudit, audited: &AuditedMode) -> [String; 8] {
    let mode = &audited.mode;
    // Where a borderline verdict hangs on it, a figure is as wide as it is uncertain.
    let is_open = |[low, high]: [f64; 2], thresholds: &[f64]| {
        mode.borderline && thresholds.iter().any(|&at| low < at && at <= high)
    };
    let figure = |value: Option<f64>, interval: Option<[f64; 2]>, thresholds: &[f64], unit| match (
        value, interval,
    ) {
        (None, _) => "–".into(),
        (Some(value), _) if value > LARGEST_SHOWN => format!("> {LARGEST_SHOWN}{unit}"),
        (Some(_), Some(interval)) if is_open(interval, thresholds) => {
            let [low, high] = interval;
            format!("{low:.2}–{high:.2}{unit}")
        }
        (Some(value), _) => format!("{value:.2}{unit}"),
    };
    let shift = figure(mode.mean_shift, mode.mean_shift_ci, &[SHIFTED], "σ");
    let spread = figure(mode.spread_ratio, mode.spread_ratio_ci, &[SMEARED, SHRUNK], "");
    let ratio = match (mode.ratio, mode.ratio_ci) {
        (Some(ratio), Some([low, high])) => format!("{ratio:.2} [{low:.2}, {high:.2}]"),
        _ => "–".into(),
    };
    [
        name(audit, mode.id),
        format!("{:.3}", mode.weight),
        format!("{:.0}", mode.expected),
        mode.found.to_string(),
        ratio,
        shift,
        spread,
        verdict(audit, mode),
    ]
}

/// The verdict in words. A mode with rows about it, but too far out for it, is not as one without: their mean
/// is no further from its place than its own rows are, which is √D of its standard deviations.
fn verdict(audit: &SamplesAudit, mode: &Mode) -> String {
    let words = mode.words(|id| name(audit, id));
    let lost = [Verdict::Missing, Verdict::UnderWeighted].contains(&mode.verdict);
    let columns = audit.reference.columns.len() as f64;
    let about_it = mode.mean_shift.is_some_and(|shift| shift <= columns.sqrt());
    match lost && about_it && mode.stray() as f64 >= CAPTURED * mode.expected {
        true => format!("{words} ({} rows near by)", mode.stray()),
        false => words,
    }
}

/// Where the modes of a fitted reference lie, one line a mode; nothing where they are known by name.
pub fn places(audit: &SamplesAudit) -> Vec<String> {
    if audit.reference.kind != Kind::Fitted {
        return Vec::new();
    }
    let place = |mode: &AuditedMode| {
        let columns = audit.structure.columns.iter();
        let cells = audit.reference.columns.iter().zip(&mode.mean).zip(columns).take(MOST_NAMED);
        let cells = cells.map(|((name, mean), column)| {
            let size = column.real_mean.abs() + column.real_deviation;
            format!("{name} {}", coordinate(*mean, size))
        });
        let cells: Vec<String> = cells.collect();
        format!("Mode {} lies at {}", mode.mode.id, cells.join(", "))
    };
    audit.modes.iter().map(place).collect()
}

/// A value with four decimals, or as many digits where those of its column are far smaller or larger.
fn coordinate(value: f64, size: f64) -> String {
    match size == 0.0 || (1e-2..1e6).contains(&size) {
        // Of what rounds to nothing the sign says nothing.
        true => format!("{:.4}", (value * 1e4).round() / 1e4 + 0.0),
        false => format!("{value:.4e}"),
    }
}

/// Why modes are not as they are in the data: one sentence for all that share a cause and its
/// evidence.
pub fn causes(audit: &SamplesAudit) -> Vec<String> {
    let mut groups: Vec<(&Cause, Vec<String>)> = Vec::new();
    for audited in &audit.modes {
        let Some(cause) = &audited.cause else { continue };
        let mode = &audited.mode;
        let mode = format!("{} ({})", name(audit, mode.id), mode.words(|id| name(audit, id)));
        match groups.iter_mut().find(|(other, _)| *other == cause) {
            Some((_, modes)) => modes.push(mode),
            None => groups.push((cause, vec![mode])),
        }
    }
    let sentence = |(cause, modes): (&Cause, Vec<String>)| {
        let (modes, kind) = (modes.join(", "), cause.kind.describe());
        let remedy = cause.remedy.as_ref().map_or_else(String::new, |remedy| format!(" {remedy}"));
        format!("{modes}: {kind}; {}.{remedy}", cause.evidence)
    };
    groups.into_iter().map(sentence).collect()
}

/// Headings of what [`compared`] gives.
pub const COMPARED_HEADINGS: [&str; 6] =
    ["rows", "how many", "captured", "strict", "strict of judged", "high quality"];
/// What the table of [`compared`] says.
pub const COMPARED: &str = "Captured: at least half the rows expected. Strict: between half and twice \
     as many, in their place and of their width. High quality, the share of rows near a mode, is \
     never to be read alone: a model that collapsed onto one mode scores 100%.";

/// The modes of the generated rows beside those of others.
pub fn compared(audit: &SamplesAudit) -> Vec<[String; 6]> {
    let row = |(of, rows, counts, quality): (&str, usize, &Counts, &Estimate)| {
        let eligible = counts.eligible_only;
        [
            of.to_owned(),
            rows.to_string(),
            format!("{} of {}", counts.captured, counts.modes),
            format!("{} of {}", counts.strict, counts.modes),
            format!("{} of {}", eligible.strict, eligible.modes),
            format!("{:.1}%", 100.0 * quality.value),
        ]
    };
    audit.compared().map(row).collect()
}
