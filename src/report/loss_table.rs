//! The loss at the epochs that the reference experiment reported.

use crate::train::EpochRecord;

/// Epoch and loss as the reference experiment reported them.
pub const REFERENCE_LOSSES: [(usize, f64); 6] =
    [(0, 0.654027), (1, 0.072070), (24, 0.052035), (49, 0.051890), (74, 0.051855), (99, 0.051320)];

/// The records of the reference's epochs that this run reached, each with the reference's loss.
pub fn rows_of_interest(history: &[EpochRecord]) -> Vec<(&EpochRecord, f64)> {
    let find = |epoch| history.iter().find(|record| record.epoch == epoch);
    REFERENCE_LOSSES.iter().filter_map(|&(epoch, loss)| Some((find(epoch)?, loss))).collect()
}
