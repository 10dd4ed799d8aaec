//! Tables for a terminal.

use console::{Alignment, measure_text_width, pad_str};

/// Rows of cells as lines of one table: each column as wide as its widest cell, those of `words` flush
/// left, figures flush right.
pub fn aligned(rows: &[impl AsRef<[String]>], words: &[usize]) -> Vec<String> {
    let columns = rows.iter().map(|cells| cells.as_ref().len()).max().unwrap_or(0);
    let width = |column: usize| {
        let widths = rows.iter().map(|cells| measure_text_width(&cells.as_ref()[column]));
        widths.max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |cells: &[String]| {
        let padded = cells.iter().enumerate().map(|(column, cell)| {
            let side = if words.contains(&column) { Alignment::Left } else { Alignment::Right };
            pad_str(cell, widths[column], side, None).into_owned()
        });
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(|cells| line(cells.as_ref())).collect()
}
