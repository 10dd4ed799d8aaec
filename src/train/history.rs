//! `history.csv`: what happened in each epoch.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::files;

/// One epoch of training. Losses are means over the epoch's rows, in scaled units.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// From 0.
    pub epoch: usize,
    /// What was minimised: see [`Losses`](crate::vae::Losses). β is each batch's own, which is less
    /// for a short last batch where the KL is summed.
    pub loss: f64,
    /// Mean squared error, or −log p(x|z) in nats a row.
    pub reconstruction: f64,
    /// KL(q(z|x) ‖ p(z)) in nats a row, from the prior of training.
    pub kl: f64,
    /// The weight of `kl` in the loss of a full batch, in the epoch's last step.
    pub beta: f64,
    /// Adam's rate in the epoch's last step.
    pub learning_rate: f64,
    /// Standard deviation of the likelihood in scaled units, after the epoch: learned (the root mean
    /// square of several), given, or √(D/2) of a mean squared error in D columns.
    pub sigma: f64,
    /// Latent units whose posterior mean varies by more than 0.01 over the rows.
    pub active_units: usize,
    /// Evidence lower bound of the held-out rows in nats a row, in the data's own units; empty
    /// where no rows are held out.
    pub held_out_elbo: Option<f64>,
    /// Seconds of training since the start, evaluation left out.
    pub seconds: f64,
}

/// A training that went on after it had begun to learn its rows by heart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Overfitting {
    /// Around which epoch the held-out ELBO was best.
    pub epoch: usize,
    /// What it was there.
    pub best: f64,
    /// What it was at the end.
    pub last: f64,
}

impl Overfitting {
    /// Smallest loss in nats a row that is worth a word.
    const LOSS: f64 = 0.5;

    /// Compares means over a tenth of the epochs, because the bound of one epoch is by one draw a row.
    pub fn find(history: &[EpochRecord]) -> Option<Self> {
        let bounds: Vec<f64> = history.iter().filter_map(|record| record.held_out_elbo).collect();
        let width = (bounds.len() / 10).max(1);
        let means: Vec<f64> =
            bounds.windows(width).map(|some| some.iter().sum::<f64>() / width as f64).collect();
        let (first, &best) = means.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1))?;
        let last = *means.last()?;
        (best - last > Self::LOSS).then_some(Self { epoch: first + width / 2, best, last })
    }
}

impl fmt::Display for Overfitting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { epoch, best, last } = self;
        write!(
            f,
            "The held-out ELBO was best around epoch {epoch} ({best:.2} nats a row) and fell to \
             {last:.2} by the end: from there on the model learned its rows by heart. Train for \
             {epoch} epochs, or stop early with training.patience."
        )
    }
}

/// Writes the history.
///
/// # Errors
/// Where the file cannot be written.
pub fn write_history(path: &Path, history: &[EpochRecord]) -> Result<()> {
    let to_the_microsecond = |record: &EpochRecord| {
        let seconds = (record.seconds * 1e6).round() / 1e6;
        EpochRecord { seconds, ..record.clone() }
    };
    files::write_records(path, history.iter().map(to_the_microsecond))
}

/// Reads a history back.
///
/// # Errors
/// Where the file is missing or not a history.
pub fn read_history(path: &Path) -> Result<Vec<EpochRecord>> {
    files::read_records(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_that_falls_after_its_best_is_overfitting_and_one_that_rises_is_not() {
        let record = |epoch: usize, bound: f64| EpochRecord {
            epoch,
            loss: 0.0,
            reconstruction: 0.0,
            kl: 0.0,
            beta: 1.0,
            learning_rate: 1e-3,
            sigma: 1.0,
            active_units: 2,
            held_out_elbo: Some(bound),
            seconds: 0.0,
        };
        let history = |bound: fn(f64) -> f64| -> Vec<EpochRecord> {
            (0..200).map(|epoch| record(epoch, bound(epoch as f64 / 100.0))).collect()
        };
        let fell = Overfitting::find(&history(|t| -(t - 0.5).powi(2))).unwrap();
        assert!((45..=55).contains(&fell.epoch) && fell.last < -1.9, "{fell:?}");
        assert_eq!(Overfitting::find(&history(|t| t)), None);
        assert_eq!(Overfitting::find(&[]), None);
    }
}
