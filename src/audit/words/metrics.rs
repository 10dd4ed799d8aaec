//! Distances in words.

use crate::audit::estimate::Estimate;
use crate::audit::metrics::{FEWEST_ROWS, Metrics};

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
        ("authenticity (low: near copies)", &metrics.authenticity),
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
