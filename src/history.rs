//! What happened in each epoch of a training, as `history.csv` and `history.tfevents` hold it.

mod tensorboard;

use std::path::Path;

use serde::{Deserialize, Serialize};

pub use self::tensorboard::write_events;
use crate::error::{Error, Result};
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

impl EpochRecord {
    /// Numbers of [`to_values`](Self::to_values).
    pub(crate) const VALUES: usize = 10;

    /// As numbers, an ELBO that is missing as NaN.
    pub(crate) fn to_values(&self) -> [f64; Self::VALUES] {
        [
            self.epoch as f64,
            self.loss,
            self.reconstruction,
            self.kl,
            self.beta,
            self.learning_rate,
            self.sigma,
            self.active_units as f64,
            self.held_out_elbo.unwrap_or(f64::NAN),
            self.seconds,
        ]
    }

    /// The inverse of [`to_values`](Self::to_values).
    pub(crate) fn from_values(values: [f64; Self::VALUES]) -> Self {
        let [epoch, loss, reconstruction, kl, beta, learning_rate, sigma, units, elbo, seconds] =
            values;
        Self {
            epoch: epoch as usize,
            loss,
            reconstruction,
            kl,
            beta,
            learning_rate,
            sigma,
            active_units: units as usize,
            held_out_elbo: (!elbo.is_nan()).then_some(elbo),
            seconds,
        }
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
    let history: Vec<EpochRecord> = files::read_records(path)?;
    match history.iter().zip(0..).find(|(record, place)| record.epoch != *place) {
        Some((record, place)) => {
            let what = format!("epoch {} in place of {place}", record.epoch);
            Err(Error::damaged(path, what))
        }
        None => Ok(history),
    }
}
