//! The loss at the epochs that the reference experiment reported.

use crate::history::EpochRecord;

/// Epoch and loss as the reference experiment reported them.
pub const REFERENCE_LOSSES: [(usize, f64); 6] =
    [(0, 0.654027), (1, 0.072070), (24, 0.052035), (49, 0.051890), (74, 0.051855), (99, 0.051320)];

/// The records of the reference's epochs that this run reached, each with the reference's loss, and
/// the last record, whichever epoch it is.
pub fn rows_of_interest(history: &[EpochRecord]) -> Vec<(&EpochRecord, Option<f64>)> {
    let reference = |epoch| REFERENCE_LOSSES.iter().find(|row| row.0 == epoch).map(|row| row.1);
    let last = history.len().saturating_sub(1);
    let rows = history.iter().map(|record| (record, reference(record.epoch))).enumerate();
    rows.filter(|(i, (_, loss))| *i == last || loss.is_some()).map(|(_, row)| row).collect()
}
