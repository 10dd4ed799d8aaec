//! The verdict at the end of a run or an audit: one line and a table of the modes; and how training
//! went.

use console::Style;

use super::columns::aligned;
use super::sparkline::sparkline;
use crate::audit::findings::Findings;
use crate::audit::words::{HEADINGS, Standing, cells, standing};
use crate::history::EpochRecord;

/// Columns whose cells are words; the others are figures.
const WORDS: [usize; 2] = [0, HEADINGS.len() - 1];

/// Modes shown; audit.json has them all.
const MOST: usize = 40;

/// Characters of a curve at most.
const CURVE: usize = 32;

/// The loss of each epoch and the held-out ELBO, where there is one, as a line of text each.
pub fn curves(history: &[EpochRecord]) -> String {
    let line = |name: &str, values: Vec<f64>| {
        let (first, last) = (values.first()?, values.last()?);
        let curve = sparkline(&values, CURVE);
        Some(format!("{name:<13} {curve}  {first:.3} → {last:.3}"))
    };
    let loss = history.iter().map(|record| record.loss).collect();
    let elbo = history.iter().filter_map(|record| record.held_out_elbo).collect();
    let lines = [line("loss", loss), line("held-out ELBO", elbo)];
    lines.into_iter().flatten().collect::<Vec<_>>().join("\n")
}

/// The verdict, with the table where samples were judged. Coloured where stdout is a terminal and
/// the environment has nothing against it.
pub fn show(findings: &Findings) -> String {
    let Some(audit) = &findings.samples else { return findings.answer() };
    let mut lines = vec![HEADINGS.map(String::from)];
    lines.extend(audit.modes.iter().take(MOST).map(|mode| cells(audit, mode)));
    let lines = aligned(&lines, &WORDS);
    let heading = Style::new().bold().apply_to(&lines[0]).to_string();
    let modes = audit
        .modes
        .iter()
        .zip(&lines[1..])
        .map(|(mode, line)| colour(standing(audit, mode)).apply_to(line).to_string());
    let more = audit.modes.len().checked_sub(MOST + 1).map(|more| format!("and {} more", more + 1));
    let table: Vec<String> = std::iter::once(heading).chain(modes).chain(more).collect();
    let notes = findings.notes.iter().map(|note| format!("\nnote: {note}")).collect::<String>();
    format!("{}\n\n{}{notes}", table.join("\n"), findings.answer())
}

fn colour(standing: Standing) -> Style {
    match standing {
        Standing::Good => Style::new().green(),
        Standing::Fair => Style::new().yellow(),
        Standing::Bad => Style::new().red(),
        Standing::Unknown => Style::new().dim(),
    }
}
