//! What is said of generated rows beside their modes: copies, rows near no mode, and what a classifier or one
//! Gaussian makes of the verdict.

use super::metrics::Metric;
use super::samples::SamplesAudit;
use super::words::{self, Standing, astray};

/// Share of copies that is worth a word.
const LEAST_COPIES: f64 = 0.01;
/// Share of rows nearer to a real row than that one's neighbour, beyond that of fresh real rows, that is worth
/// a word.
const LEAST_NEAR_COPIES: f64 = 0.15;
/// Accuracy of a classifier, beyond what may be of fresh real rows, that is worth a word.
const LEAST_TOLD: f64 = 0.02;

/// What the generated rows are beside what their modes say, a sentence each.
pub(super) fn beside_the_modes(samples: &SamplesAudit) -> Vec<String> {
    let copies = copied(samples)
        .map(|share| format!("{share} of the generated rows are copies of real ones."));
    let near_copies = nearly_copied(samples).filter(|_| copies.is_none()).map(|[share, of_fresh]| {
        format!(
            "{:.0}% of the generated rows lie nearer to a real row than any other real row does, of \
             fresh real ones {:.0}%: near copies.",
            100.0 * share,
            100.0 * of_fresh
        )
    });
    let astray = astray(samples).map(|[share, of_fresh]| {
        format!(
            "{:.0}% of the generated rows lie near no mode, of fresh real ones {:.0}%.",
            100.0 * share,
            100.0 * of_fresh
        )
    });
    let repeated = samples.repeated.as_ref().filter(|repeated| repeated.are_lost());
    let repeated = repeated.map(words::repeated);
    // Of samples that are wrong in their modes it goes without saying.
    let told = told_apart(samples).filter(|_| words::overall(samples) == Standing::Good);
    let told = told.map(|accuracy| {
        format!("A classifier tells the generated rows from real ones all the same (accuracy {accuracy:.2}).")
    });
    let floor = passes_as_one(samples).then(|| {
        "One Gaussian passes for these modes too, so they tell little of the data.".to_owned()
    });
    let real = looks_real(samples).map(|accuracy| {
        format!(
            "Yet a classifier does not tell the generated rows from real ones (accuracy {accuracy:.2}): \
             Gaussians of {} from {} rows may be too thin to judge by, as where rows are few or columns \
             follow from each other.",
            words::counted(samples.reference.columns.len(), "column"),
            samples.reference.real_rows
        )
    });
    [copies, near_copies, repeated, astray, told, floor, real].into_iter().flatten().collect()
}

/// Whether draws of one Gaussian have all of several modes that can be judged as they are in the data.
fn passes_as_one(samples: &SamplesAudit) -> bool {
    let [own, floor] = [samples.counts, samples.floor.counts].map(|counts| counts.eligible_only);
    words::overall(samples) == Standing::Good && own.modes > 1 && floor.strict == own.modes
}

/// The accuracy by which generated rows are told from real ones, where that is no better than by which fresh
/// real rows are, though no mode is as in the data.
pub(super) fn looks_real(samples: &SamplesAudit) -> Option<f64> {
    let Metric { generated, real } = samples.metrics.c2st_accuracy;
    let alike = generated.value <= real.interval[1];
    (words::overall(samples) == Standing::Bad && alike).then_some(generated.value)
}

/// The shares of generated and of fresh real rows that are no authentic ones, where the first is clearly
/// more.
fn nearly_copied(samples: &SamplesAudit) -> Option<[f64; 2]> {
    let Metric { generated, real } = samples.metrics.authenticity;
    let apart = generated.interval[1] < real.interval[0];
    (apart && real.value - generated.value >= LEAST_NEAR_COPIES)
        .then(|| [generated, real].map(|authentic| 1.0 - authentic.value))
}

/// The accuracy by which generated rows are told from real ones, where that is clearly more than by which
/// fresh real rows are.
fn told_apart(samples: &SamplesAudit) -> Option<f64> {
    let Metric { generated, real } = samples.metrics.c2st_accuracy;
    (generated.interval[0] > real.interval[1] + LEAST_TOLD).then_some(generated.value)
}

/// The share of generated rows that are copies of real ones, where that is clearly more than twice what
/// fresh real rows have: these may have been looked up among half of the rows.
fn copied(samples: &SamplesAudit) -> Option<String> {
    let copies = samples.metrics.copies;
    let [lowest, _] = copies.generated.interval;
    let [_, of_fresh] = copies.real.interval;
    (lowest > LEAST_COPIES.max(2.0 * of_fresh)).then(|| match copies.generated.value {
        1.0 => "All".into(),
        share => format!("{:.1}%", 100.0 * share),
    })
}
