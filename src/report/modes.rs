//! The verdict, and every mode with its bar.

use maud::{Markup, html};

use super::parts::{scrolling, table, terms};
use super::{Class, Page};
use crate::audit::ledger::{
    CAPTURED, EligibleCounts, LEAST_EXPECTED, LEAST_ROWS, LEAST_TRAINING_ROWS, MISSING,
    OVER_WEIGHTED,
};
use crate::audit::samples::{AuditedMode, SamplesAudit};
use crate::audit::words::{self, Standing};

/// The largest ratio that a bar shows; the bar of a larger one ends in an arrow.
const LONGEST: f64 = 2.5;
/// The word for a mode that was learned, and what it means.
pub(super) const STRICT: (&str, &str) = (
    "Strict",
    "the mode is in the samples as it is in the data: between half and twice as many rows, in their \
     place and of their width.",
);
/// Width and height of the drawing of a bar.
const BAR: (f64, f64) = (150.0, 22.0);

impl Page {
    /// The verdict in one sentence, with the figures behind it.
    pub(super) fn verdict(&self) -> Markup {
        let audit = self.findings.samples.as_ref();
        let standing = self.findings.learned;
        html! {
            div class={ "verdict " (class(standing)) } {
                (short(standing))
                p { (self.findings.verdict) }
            }
            @if let Some(audit) = audit { (tiles(audit)) }
        }
    }

    /// Every mode with its verdict, what it is held against, and why modes were lost.
    pub(super) fn modes(&self) -> Markup {
        let Some(audit) = &self.findings.samples else { return html! {} };
        let causes = words::causes(audit);
        let places = words::places(audit);
        let too_small = format!(
            "fewer than {LEAST_TRAINING_ROWS} real rows or {LEAST_ROWS} generated ones are expected, or \
             fewer than {LEAST_EXPECTED} of high quality that no other mode hides, so a gap could be chance."
        );
        html! {
            p { (words::reference(audit)) }
            (mode_table(audit))
            p.evidence {
                "A bar is the number of generated rows near the mode over the number expected of a \
                 perfect generator, its line the 95% interval. The mark at 1 is as in the data; below "
                (MISSING) " a mode is missing, below " (CAPTURED) " under-weighted, above "
                (OVER_WEIGHTED) " over-weighted."
            }
            @if !causes.is_empty() {
                h3 { "Why, and what to try" }
                ul.causes { @for sentence in causes { li { (sentence) } } }
            }
            @if !places.is_empty() {
                details { summary { "Where each mode lies" }
                    ul { @for sentence in places { li { (sentence) } } } }
            }
            h3 { "Beside others" }
            (table("The modes of other rows", &words::COMPARED_HEADINGS, words::compared(audit)))
            p.evidence { (words::COMPARED) }
            (terms(&[
                ("Mode", "a place where the data are dense: a component of their mixture, or a label."),
                STRICT,
                ("Rows near by", "rows about the mode, but too far out to be of it: it is there, blurred."),
                ("Shift", "how far the generated rows of the mode lie from its place, in its own standard \
                  deviations."),
                ("Spread", "their variance over that of the mode: below 1 they are too narrow, above 1 too \
                  wide."),
                ("Borderline", "the interval crosses a threshold, so more samples could change the verdict."),
                ("Too small to judge", &too_small),
            ]))
        }
    }
}

/// Whether the model learned the data, in a word.
pub(super) fn short(standing: Standing) -> Markup {
    let sign = match standing {
        Standing::Good => "✓",
        Standing::Fair => "≈",
        Standing::Bad => "✗",
        Standing::Unknown => "?",
    };
    html! { p.short { span aria-hidden="true" { (sign) } " " (standing.answer()) } }
}

/// The counts behind the verdict, which is of the modes large enough to judge.
fn tiles(audit: &SamplesAudit) -> Markup {
    let (counts, judged) = (audit.counts, audit.counts.eligible_only);
    let tile = |value: String, name: &str| {
        html! { div { dt { (name) } dd { (value) } } }
    };
    let strict = |counts: EligibleCounts| match counts.modes {
        0 => "too few to judge".into(),
        modes => format!("{} of {modes}", counts.strict),
    };
    html! {
        dl.tiles {
            (tile(format!("{} of {}", judged.captured, judged.modes), "modes captured"))
            (tile(strict(judged), "as in the data"))
            (tile(judged.missing.to_string(), "missing"))
            (tile((counts.modes - judged.modes).to_string(), "too small to judge"))
            (tile(strict(audit.ceiling.counts.eligible_only), "for comparison: fresh real rows"))
            (tile(strict(audit.floor.counts.eligible_only), "for comparison: one Gaussian"))
        }
    }
}

fn mode_table(audit: &SamplesAudit) -> Markup {
    let names: Vec<String> = (0..audit.modes.len()).map(|mode| words::name(audit, mode)).collect();
    let [mode, weight, expected, found, ratio, shift, spread, verdict] = words::HEADINGS;
    scrolling(
        "Table of modes",
        html! {
            thead { tr {
                th scope="col" { (mode) }
                th.text scope="col" { (verdict) }
                th.text scope="col" { "found / expected" }
                @for heading in [ratio, found, expected, weight, shift, spread] {
                    th scope="col" { (heading) }
                }
            } }
            tbody { @for (audited, class_) in audit.modes.iter().zip(Class::all(&names)) {
                @let [name, weight, expected, found, ratio, shift, spread, verdict] =
                    words::cells(audit, audited);
                @let standing = class(words::standing(audit, audited));
                tr {
                    th scope="row" { (swatch(&class_)) span.name { (name) } }
                    td.text.verdict-cell { span class={ "pill " (standing) } { (verdict) } }
                    td.text { (bar(audited, standing)) }
                    @for cell in [ratio, found, expected, weight, shift, spread] { td { (cell) } }
                }
            } }
        },
    )
}

/// The look of a class, as its points have it.
pub(super) fn swatch(class: &Class) -> Markup {
    let style = format!("--light:{};--dark:{}", class.color, class.dark);
    html! { span class={ "swatch " (class.marker) } style=(style) aria-hidden="true" {} }
}

/// The ratio of a mode as a bar with its interval, against the thresholds. The table's cells say the
/// same in numbers.
pub(super) fn bar(audited: &AuditedMode, standing: &str) -> Markup {
    let (width, height) = BAR;
    let x = |ratio: f64| width * ratio.clamp(0.0, LONGEST) / LONGEST;
    let Some(ratio) = audited.mode.ratio else { return html! { "–" } };
    let [low, high] = audited.mode.ratio_ci.unwrap_or([ratio; 2]);
    let middle = height / 2.0;
    let line = |x: f64, class| html! { line class=(class) x1=(x) x2=(x) y1="0" y2=(height) {} };
    html! {
        svg.bar viewBox={ "0 0 " (width) " " (height) } width=(width) height=(height) aria-hidden="true" {
            @for threshold in [MISSING, CAPTURED, OVER_WEIGHTED] { (line(x(threshold), "threshold")) }
            rect class=(standing) x="0" y="5" width=(x(ratio)) height=(height - 10.0) {}
            (line(x(1.0), "one"))
            line.interval x1=(x(low)) x2=(x(high)) y1=(middle) y2=(middle) {}
            @if ratio > LONGEST {
                path.interval d={ "M" (width - 6.0) " 6l5 5l-5 5" } {}
            }
        }
    }
}

/// The class of an element that shows a standing.
pub(super) fn class(standing: Standing) -> &'static str {
    match standing {
        Standing::Good => "good",
        Standing::Fair => "fair",
        Standing::Bad => "bad",
        Standing::Unknown => "unknown",
    }
}
