//! Findings in words: the one line at the end of a run, and the cells of every table of modes.

use super::cause::{Cause, CauseKind};
use super::estimate::Estimate;
use super::latent::LatentDiagnosis;
use super::ledger::{
    Counts, EligibleCounts, LEAST_EXPECTED, LEAST_ROWS, LEAST_TRAINING_ROWS, Mode, SHIFTED, SHRUNK,
    SMEARED, Verdict,
};
use super::metrics::{FEWEST_ROWS, Metrics};
use super::reference::Kind;
use super::samples::{AuditedMode, SamplesAudit};

/// Headings of the cells that [`cells`] gives.
pub const HEADINGS: [&str; 8] =
    ["mode", "weight", "expected", "found", "ratio", "shift", "spread", "verdict"];

/// Missing modes that a line names at most, and columns of a place.
const MOST_NAMED: usize = 10;
/// Shifts and spreads beyond this are shown as beyond it.
const LARGEST_SHOWN: f64 = 1000.0;

/// So many of something: `1 mode`, `3 modes`.
pub fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// The findings in one line. Modes too small to judge are counted apart.
pub fn headline(audit: &SamplesAudit, cause: Option<&Cause>) -> String {
    if let Some(doubt) = &audit.reference.doubt {
        return format!("The audit cannot judge: {doubt}.");
    }
    let (modes, judged) = (audit.counts.modes, audit.counts.eligible_only);
    if judged.modes == 0 {
        let here =
            if modes == 1 { "the one here has".into() } else { format!("the {modes} here have") };
        return format!(
            "No mode can be judged: each takes {LEAST_TRAINING_ROWS} real rows and {LEAST_ROWS} generated \
             ones, {LEAST_EXPECTED} of them of high quality that no other mode hides, and {here} fewer."
        );
    }
    let collapsed = cause.is_some_and(|cause| cause.kind == CauseKind::Collapse);
    let mut line = tally(audit, collapsed);
    if judged.modes < modes {
        line.push_str(&format!(" ({} of {modes} too small to judge)", modes - judged.modes));
    }
    if judged.modes < modes && judged.strict == judged.modes || is_open(audit) {
        return format!("{line}.");
    }
    let cause = cause.filter(|cause| cause.kind != CauseKind::CannotTell);
    if let Some(cause) = cause {
        line.push_str(&format!(": {}", cause.kind.describe()));
    }
    let floor = audit.floor.counts.eligible_only;
    let [own, of_floor] = [judged, floor].map(|counts| [counts.strict, counts.captured]);
    if judged.strict < judged.modes && (0..2).all(|count| own[count] <= of_floor[count]) {
        let how = if own == of_floor { "as well" } else { "better" };
        line.push_str(&format!("; one Gaussian does {how}"));
    }
    let missing = audit.modes.iter().filter(|mode| mode.mode.verdict == Verdict::Missing);
    let missing: Vec<String> = missing.map(|mode| name(audit, mode.mode.id)).collect();
    if cause.is_none() && (1..=MOST_NAMED).contains(&missing.len()) {
        line.push_str(&format!("; missing: {}", missing.join(", ")));
    }
    match cause.and_then(|cause| cause.remedy.as_ref()) {
        Some(remedy) => format!("{line}. {remedy}"),
        None => format!("{line}."),
    }
}

/// How many of the modes that can be judged, at least one, are captured and as in the data.
fn tally(audit: &SamplesAudit, collapsed: bool) -> String {
    let EligibleCounts { modes, captured, strict, .. } = audit.counts.eligible_only;
    let doubts = doubts(audit);
    // Captured, and within the noise as in the data, though the figures say otherwise.
    let may_be = |mode: &&Mode| {
        mode.verdict != Verdict::Strict && mode.captured() && mode.borderline && mode.may_be_strict
    };
    let may = eligible(audit).filter(may_be).count();
    let (noun, they_are) = if modes == 1 { ("mode", "it is") } else { ("modes", "they are") };
    if modes < audit.counts.modes && strict == modes {
        let all = match modes {
            1 => "The one mode that the data show was captured".into(),
            _ => format!("All {modes} modes that the data show were captured"),
        };
        return format!("{all}, as {they_are} in the data{doubts}");
    }
    match (captured, strict) {
        (0, _) => format!("0 of {modes} {noun} captured{doubts}"),
        (_, 0) if collapsed => {
            format!("0 of {modes} {noun} captured as {they_are} in the data{doubts}")
        }
        (_, 0) if modes == 1 && may == 1 => {
            format!("1 of 1 mode captured, and it may be as it is in the data{doubts}")
        }
        (_, 0) if modes == 1 => {
            format!("1 of 1 mode captured, but not as it is in the data{doubts}")
        }
        _ if strict == captured => {
            format!("{captured} of {modes} {noun} captured, as {they_are} in the data{doubts}")
        }
        _ => {
            let others = match (may, strict) {
                (0, _) => String::new(),
                (_, 0) => format!("; {may} may be"),
                _ => format!("; {may} more may be"),
            };
            format!(
                "{captured} of {modes} modes captured, {strict} of them as they are in the \
                 data{doubts}{others}"
            )
        }
    }
}

/// What takes from the certainty that modes are as in the data; empty where nothing does.
fn doubts(audit: &SamplesAudit) -> String {
    let strict = || audit.modes.iter().filter(|mode| mode.mode.verdict == Verdict::Strict);
    let borderline = match (strict().filter(|mode| mode.mode.borderline).count(), strict().count())
    {
        (0, _) => String::new(),
        (1, 1) => "; borderline".into(),
        (some, _) => format!("; {some} of them borderline"),
    };
    // A given mixture needs no check, and a fit that could not be checked is not trusted.
    let unchecked = match (audit.reference.kind, audit.reference.checked) {
        (Kind::Labels, 0) => "; too few rows to check the modes",
        _ => "",
    };
    format!("{borderline}{unchecked}")
}

/// What the modes are and what they are held against, in a sentence or two.
pub fn reference(audit: &SamplesAudit) -> String {
    let reference = &audit.reference;
    let one = reference.k == 1;
    let components = if one { "component" } else { "components" };
    let what = match reference.kind {
        Kind::Mixture => format!("the {components} of the given mixture"),
        Kind::Labels if one => "the one label of the data, taken for a Gaussian".into(),
        Kind::Labels => "the labels of the data, one Gaussian each".into(),
        Kind::Fitted => format!(
            "the {components} of the Gaussian mixture with the best BIC{}, fitted to {} of the real rows",
            reference.covariance.map_or_else(String::new, |c| format!(" ({c} covariances)")),
            reference.real_rows
        ),
    };
    let checked = match reference.kind {
        Kind::Mixture => String::new(),
        Kind::Labels | Kind::Fitted => format!(
            " Those rows are enough to check {} of {}.",
            reference.checked,
            if one { "1 mode".into() } else { format!("the {} modes", reference.k) }
        ),
    };
    let (subject, they_are) = match one {
        true => ("The one mode is".into(), "it is"),
        false => (format!("The {} modes are", reference.k), "they are"),
    };
    format!(
        "{subject} {what}; {they_are} held against {} {}.{checked}",
        reference.fresh_rows, audit.ceiling.of
    )
}

/// How a verdict stands to what is wanted, for its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// As in the data.
    Good,
    /// There, but not as in the data.
    Fair,
    /// Lost.
    Bad,
    /// Not judged.
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

/// How the samples stand as a whole: good where every mode that can be judged is as in the data, bad
/// where none is or may be. Not judged where those modes are less than half of the data, or every
/// verdict is open.
pub fn overall(audit: &SamplesAudit) -> Standing {
    let judged = audit.counts.eligible_only;
    let known: f64 = eligible(audit).map(|mode| mode.weight).sum();
    if !audit.reference.trusted || judged.modes == 0 || known < 0.5 || is_open(audit) {
        return Standing::Unknown;
    }
    match judged.strict {
        strict if strict == judged.modes => Standing::Good,
        0 if !eligible(audit).any(|mode| mode.may_be_strict) => Standing::Bad,
        _ => Standing::Fair,
    }
}

/// The modes that can be judged.
fn eligible(audit: &SamplesAudit) -> impl Iterator<Item = &Mode> {
    let modes = audit.modes.iter().map(|audited| &audited.mode);
    modes.filter(|mode| mode.verdict != Verdict::TooSmall)
}

/// Whether no verdict is certain: each may be strict, and another.
fn is_open(audit: &SamplesAudit) -> bool {
    eligible(audit).all(|mode| mode.borderline && mode.may_be_strict)
}

/// Where the modes of a fitted reference lie, one line a mode; nothing where they are known by name.
pub fn places(audit: &SamplesAudit) -> Vec<String> {
    if audit.reference.kind != Kind::Fitted {
        return Vec::new();
    }
    let place = |mode: &AuditedMode| {
        let cells = audit.reference.columns.iter().zip(&mode.mean).take(MOST_NAMED);
        let cells = cells.map(|(name, mean)| format!("{name} {}", coordinate(*mean)));
        let cells: Vec<String> = cells.collect();
        format!("Mode {} lies at {}", mode.mode.id, cells.join(", "))
    };
    audit.modes.iter().map(place).collect()
}

/// A value with four decimals, or as many digits of what is far smaller or larger.
fn coordinate(value: f64) -> String {
    match value == 0.0 || (1e-3..1e6).contains(&value.abs()) {
        true => format!("{value:.4}"),
        false => format!("{value:.4e}"),
    }
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
        mode.words(|id| name(audit, id)),
    ]
}

/// What a mode is called: its label, in one line, or its number.
pub fn name(audit: &SamplesAudit, id: usize) -> String {
    called(&audit.modes[id].mode)
}

/// As [`name`], of a mode alone.
pub fn called(mode: &Mode) -> String {
    let plain = |character: char| if character.is_control() { ' ' } else { character };
    let label = mode.name.as_ref();
    label.map_or_else(|| mode.id.to_string(), |label| label.chars().map(plain).collect())
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

/// What the latent space holds, in a few sentences.
pub fn latent(latent: &LatentDiagnosis, samples: Option<&SamplesAudit>) -> String {
    let (summary, density) = (&latent.summary, &latent.density);
    let hole = match &latent.prior_hole {
        None => String::new(),
        Some(hole) => {
            let mode = |&id: &usize| samples.map_or(id.to_string(), |audit| name(audit, id));
            let lost: Vec<String> = hole.modes.iter().map(mode).collect();
            let lost = match lost.is_empty() {
                true => String::new(),
                false => format!(", which lose {}", lost.join(", ")),
            };
            format!(
                " Of the modes, decoded posterior draws capture {}, decoded prior draws {}{lost}.",
                hole.posterior.captured, hole.prior.captured
            )
        }
    };
    format!(
        "{} of {} units active, which tell at most {:.3} nats of a row. Variance of the likelihood {:.4}, times β {:.4}; \
         the largest eigenvalue of the data is {:.4}, all in scaled units.{hole} HDBSCAN finds {} dense \
         clusters of posterior means and leaves {:.1}% of {} rows outside them.",
        summary.active_units,
        summary.kl_per_unit.len(),
        summary.information(),
        latent.likelihood_variance,
        latent.implied_variance,
        latent.eigenvalues.first().copied().unwrap_or(0.0),
        density.clusters,
        100.0 * density.noise_share,
        density.rows,
    )
}

/// What K-means can and cannot count here.
pub fn counting(audit: &SamplesAudit) -> String {
    let (modes, close) = (audit.counts.modes, audit.reference.close);
    let most = audit.structure.clusters.real.fits.last().map_or(1, |fit| fit.k);
    let compare = "Compare the rows of this table with each other, not with the number of modes.";
    let reach = if modes == 1 {
        "K-means cannot count the modes here: there is one, and it looks for two clusters or more."
            .into()
    } else if modes > most {
        format!(
            "K-means was asked for {most} clusters at most, and there are {modes} modes. {compare}"
        )
    } else if close > 0 {
        format!(
            "K-means does not count the modes here: {close} of {modes} stand less than 6 standard \
             deviations from another, and to K-means such modes are one. {compare}"
        )
    } else {
        "K-means can count the modes here: each stands at least 6 standard deviations from the \
         others."
            .into()
    };
    format!(
        "{reach} Of the rules of K-means the gap statistic alone can say 1. BIC, which can too, \
         chooses among Gaussian mixtures with full, diagonal and spherical covariances; mini-batch \
         K-means is judged by the silhouette."
    )
}

/// Headings of what [`metrics`] gives.
pub const METRIC_HEADINGS: [&str; 3] = ["figure", "generated", "fresh real rows"];

/// Each metric for the generated and for fresh real rows, with 95 % intervals.
pub fn metrics(metrics: &Metrics) -> Vec<[String; 3]> {
    [
        ("high quality", &metrics.high_quality),
        ("JS divergence of the weights (nats)", &metrics.js_divergence),
        ("energy distance (squared)", &metrics.energy_distance),
        ("sliced Wasserstein distance", &metrics.sliced_wasserstein),
        ("two-sample accuracy (0.5 is perfect)", &metrics.c2st_accuracy),
        ("precision", &metrics.precision),
        ("recall", &metrics.recall),
        ("density", &metrics.density),
        ("coverage", &metrics.coverage),
        ("exact copies of real rows", &metrics.copies),
    ]
    .map(|(name, metric)| [name.to_owned(), estimate(&metric.generated), estimate(&metric.real)])
    .into()
}

/// A figure with its interval.
pub fn estimate(estimate: &Estimate) -> String {
    let [low, high] = estimate.interval;
    format!("{} [{}, {}]", figure(estimate.value), figure(low), figure(high))
}

/// Four decimals, or two digits of what is too small for them.
pub fn figure(value: f64) -> String {
    match value != 0.0 && value.abs() < 0.01 {
        true => format!("{value:.1e}"),
        false => format!("{value:.4}"),
    }
}

/// What the table of [`metrics`] says, and the held-out likelihood where it is known.
pub fn metric_notes(metrics: &Metrics) -> String {
    let rows = metrics.rows;
    let few =
        [(FEWEST_ROWS, "the energy distance"), (metrics.told_apart_rows, "the two-sample test")];
    let few: String = few
        .iter()
        .filter(|(few, _)| *few < rows)
        .map(|(few, what)| format!(", {few} of them for {what}"))
        .collect();
    let units = match metrics.standardised {
        true => " Columns spread so differently that distances are in standard deviations of each.",
        false => "",
    };
    let notes = format!(
        "With 95% intervals, whose methods docs/audit.md states; {rows} rows on each side{few}. \
         High quality and exact copies are shares of all rows.{units}"
    );
    let Some(gap) = &metrics.nll_gap else { return notes };
    let baseline = gap.baseline.map_or_else(String::new, |baseline| {
        format!(", where the fitted mixture's is {:.3}", baseline.value)
    });
    let [low, high] = gap.generated.interval;
    format!(
        "{notes} Held-out negative log-likelihood: {:.3} nats a row against {:.3} of the reference on \
         {} rows, a gap of {:.3} [{low:.3}, {high:.3}]{baseline}.",
        gap.model, gap.reference, gap.rows, gap.generated.value
    )
}

#[cfg(test)]
mod tests;
