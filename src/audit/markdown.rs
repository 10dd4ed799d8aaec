//! `audit.md`: the findings as a text to read.

use std::fmt::Write;

use super::findings::Findings;
use super::metrics::Metrics;
use super::samples::SamplesAudit;
use super::words;

/// The findings as Markdown.
pub fn render(findings: &Findings) -> String {
    let verdict = without_tags(&findings.answer());
    let mut text = format!("# What the audit found\n\n**{verdict}**\n");
    for note in &findings.notes {
        paragraph(&mut text, note);
    }
    if let Some(overfitting) = &findings.overfitting {
        paragraph(&mut text, &overfitting.to_string());
    }
    if let Some(audit) = &findings.samples {
        paragraph(&mut text, &words::reference(audit));
        modes(&mut text, audit);
        comparison(&mut text, audit);
        metrics(&mut text, &audit.metrics);
        clusters(&mut text, findings, audit);
    }
    latent(&mut text, findings);
    heading(&mut text, "The questions, answered");
    for answer in &findings.answers {
        paragraph(&mut text, &format!("**{}** {}", answer.question, answer.answer));
        paragraph(&mut text, &format!("*{}*", answer.evidence));
    }
    text
}

fn heading(text: &mut String, title: &str) {
    let _ = write!(text, "\n## {title}\n");
}

fn paragraph(text: &mut String, sentence: &str) {
    let _ = write!(text, "\n{}\n", without_tags(sentence));
}

/// Text in which names from the data begin no HTML.
fn without_tags(text: &str) -> String {
    text.replace('<', "&lt;")
}

/// A table; bars in cells are escaped, so that names from the data cannot break it.
fn table<const N: usize>(
    text: &mut String,
    headings: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) {
    let mut line = |cells: [String; N]| {
        let escaped = |cell: String| without_tags(&cell.replace('\\', "\\\\").replace('|', "\\|"));
        let cells = cells.map(escaped);
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    };
    line(headings.map(String::from));
    line(headings.map(|_| "---".into()));
    rows.into_iter().for_each(&mut line);
}

fn modes(text: &mut String, audit: &SamplesAudit) {
    heading(text, "Modes");
    text.push('\n');
    table(text, words::HEADINGS, audit.modes.iter().map(|mode| words::cells(audit, mode)));
    paragraph(
        text,
        "Each row belongs to its most probable mode. *Expected* and *found* count rows within the \
         0.9973 quantile of the squared Mahalanobis distance; *ratio* is found by expected, with its \
         95% interval (Wilson's, with the noise of the weight where the modes were fitted); *shift* is \
         how far the mean of the mode's rows lies from where the truth has it, in the mode's standard deviations; *spread* the ratio of their variances.",
    );
    for sentence in words::causes(audit).into_iter().chain(words::places(audit)) {
        paragraph(text, &format!("- {sentence}"));
    }
}

fn comparison(text: &mut String, audit: &SamplesAudit) {
    heading(text, "Beside others");
    text.push('\n');
    table(text, words::COMPARED_HEADINGS, words::compared(audit));
    paragraph(text, words::COMPARED);
}

fn metrics(text: &mut String, metrics: &Metrics) {
    heading(text, "Distances");
    text.push('\n');
    table(text, words::METRIC_HEADINGS, words::metrics(metrics));
    paragraph(text, &words::metric_notes(metrics));
}

fn clusters(text: &mut String, findings: &Findings, audit: &SamplesAudit) {
    heading(text, "Choice of k");
    text.push('\n');
    let rows = audit.structure.choices(findings.latent.as_ref());
    table(text, super::structure::CHOICE_HEADINGS, rows);
    paragraph(text, &words::counting(audit));
}

fn latent(text: &mut String, findings: &Findings) {
    if let Some(latent) = &findings.latent {
        heading(text, "The latent space");
        paragraph(text, &words::latent(latent, findings.samples.as_ref()));
    }
    if let Some(preflight) = &findings.preflight {
        heading(text, "Before training");
        paragraph(text, &preflight.to_string());
    }
}
