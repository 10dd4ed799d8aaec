//! Findings in words: the one line at the end of a run, and the cells of every table of modes.

mod metrics;
mod modes;
mod standing;

pub use self::metrics::{METRIC_HEADINGS, estimate, figure, metric_notes, metrics};
pub use self::modes::{COMPARED, COMPARED_HEADINGS, HEADINGS, causes, cells, compared, places};
pub use self::standing::{Standing, astray, overall, standing};
use self::standing::{eligible, is_open};
use super::cause::{Cause, CauseKind};
use super::latent::LatentDiagnosis;
use super::ledger::{
    EligibleCounts, LEAST_EXPECTED, LEAST_ROWS, LEAST_TRAINING_ROWS, Mode, Verdict,
};
use super::reference::Kind;
use super::repeated::RepeatedRows;
use super::samples::{AuditedMode, SamplesAudit};
use crate::config::{LEAST_BETA, LEAST_SIGMA};
use crate::input::is_command;

/// Lost modes of a kind that a line names at most, and columns of a place.
const MOST_NAMED: usize = 10;
/// Share of values below 0 that is worth a word.
const LEAST_NEGATIVE: f64 = 0.001;

/// So many of something: `1 mode`, `3 modes`.
pub fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// A β below this, in words; nothing where none is allowed.
pub(super) fn smaller_beta(bound: f64) -> Option<String> {
    below("training.beta", bound, LEAST_BETA)
}

/// A σ below this, in words; nothing where none is allowed.
pub(super) fn smaller_sigma(bound: f64) -> Option<String> {
    below("model.sigma", bound, LEAST_SIGMA)
}

/// A setting with a bound, rounded down to two digits; nothing where no value from `least` on is below it.
fn below(setting: &str, bound: f64, least: f64) -> Option<String> {
    let unit = 10_f64.powf(bound.log10().floor() - 1.0);
    let rounded = (bound / unit).floor() * unit;
    (rounded > least && rounded.is_finite()).then(|| match rounded < 0.1 {
        true => format!("a {setting} below {rounded:.1e}"),
        false => format!("a {setting} below {rounded:.2}"),
    })
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
    if judged.modes < modes && judged.strict == judged.modes
        || is_open(audit) && astray(audit).is_none()
    {
        return format!("{line}.");
    }
    let cause = cause.filter(|cause| cause.kind != CauseKind::CannotTell);
    if let Some(cause) = cause {
        // After a colon it would be the cause of the doubts.
        let so = if doubts(audit).is_empty() { ":" } else { "; cause:" };
        line.push_str(&format!("{so} {}", cause.kind.describe()));
    }
    let floor = audit.floor.counts.eligible_only;
    let [own, of_floor] = [judged, floor].map(|counts| [counts.strict, counts.captured]);
    if judged.strict < judged.modes && (0..2).all(|count| own[count] <= of_floor[count]) {
        let how = if own == of_floor { "as well" } else { "better" };
        line.push_str(&format!("; one Gaussian does {how}"));
    }
    for lost in [Verdict::Missing, Verdict::UnderWeighted] {
        let modes = audit.modes.iter().filter(|mode| mode.mode.verdict == lost);
        // A label may be any word, `none` too.
        let name = |mode: &AuditedMode| match mode.mode.name {
            Some(_) => format!("\"{}\"", called(&mode.mode)),
            None => called(&mode.mode),
        };
        let modes: Vec<String> = modes.map(name).collect();
        if cause.is_none() && (1..=MOST_NAMED).contains(&modes.len()) {
            // A number alone would pass for how many they are.
            let noun = match (audit.modes[0].mode.name.is_some(), modes.len()) {
                (true, _) => "",
                (false, 1) => "mode ",
                (false, _) => "modes ",
            };
            line.push_str(&format!("; {lost}: {noun}{}", modes.join(", ")));
        }
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

/// What a mode is called: its label, in one line, or its number.
pub fn name(audit: &SamplesAudit, id: usize) -> String {
    called(&audit.modes[id].mode)
}

/// As [`name`], of a mode alone.
pub fn called(mode: &Mode) -> String {
    let plain = |character: char| if is_command(character) { ' ' } else { character };
    let label = mode.name.as_ref();
    label.map_or_else(|| mode.id.to_string(), |label| label.chars().map(plain).collect())
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

/// What no real value is, and generated ones are: below 0, or no whole number. A sentence each.
pub fn impossible(audit: &SamplesAudit) -> Vec<String> {
    let columns = || audit.reference.columns.iter().zip(&audit.structure.columns);
    let below =
        columns().filter(|(_, c)| c.real_negative == 0.0 && c.generated_negative >= LEAST_NEGATIVE);
    let below = below.map(|(name, c)| format!("{name} ({:.1}%)", 100.0 * c.generated_negative));
    let broken = columns().filter(|(_, c)| c.real_whole == 1.0 && c.generated_whole < 1.0);
    let list = |names: Vec<String>| match names.len().checked_sub(MOST_NAMED) {
        Some(more @ 1..) => format!("{} and {more} more", names[..MOST_NAMED].join(", ")),
        _ => names.join(", "),
    };
    let [below, broken] =
        [below.collect(), broken.map(|(name, _)| name.clone()).collect::<Vec<_>>()].map(list);
    let sentences = [
        (below, "Never below 0 in the real rows, but in generated ones"),
        (broken, "Whole numbers in every real row, but not in generated ones"),
    ];
    let said = sentences.into_iter().filter(|(names, _)| !names.is_empty());
    said.map(|(names, what)| format!("{what}: {names}.")).collect()
}

/// How many rows lie with those that repeat.
pub fn repeated(of: &RepeatedRows) -> String {
    format!(
        "{:.1}% of the real rows are {} over and over, and {:.1}% of the generated rows lie there, of the \
         real ones {:.1}%.",
        100.0 * of.copies,
        if of.rows.len() == 1 { "one row".into() } else { format!("{} rows", of.rows.len()) },
        100.0 * of.generated.value,
        100.0 * of.real.value
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

#[cfg(test)]
mod tests;
