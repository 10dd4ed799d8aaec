//! Whether a model overfitted.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Smallest fall of a bound, in nats a row, that is worth a word.
const LOSS: f64 = 0.5;
/// Most epochs that a mean is taken over: what is learned in so many of a long training is no noise.
const WIDEST: usize = 50;

/// A training that went on after the model had begun to overfit: rows that it was not trained on fared ever
/// worse, those that it was trained on better.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Overfitting {
    /// Around which epoch the held-out ELBO was best.
    pub epoch: usize,
    /// What it was there, in nats a row.
    pub best: f64,
    /// What it was at the end.
    pub last: f64,
}

/// How an epoch left the model, in nats a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// Its number.
    pub epoch: usize,
    /// The ELBO of held-out rows.
    pub held_out: f64,
    /// The negative ELBO of the rows trained on.
    pub training: f64,
}

impl Overfitting {
    /// Looks for epochs from which on the held-out rows fared worse and the rows trained on better.
    /// Compares means over a tenth of the epochs, 50 at most, because the bound of one epoch is by one draw a row.
    pub fn find(epochs: &[Bounds]) -> Option<Self> {
        decline(epochs).filter(|(_, rise)| *rise < 0.0).map(|(found, _)| found)
    }
}

/// How a training on the evidence lower bound was thrown off, in words, where it was: from some epoch on the
/// rows trained on fared worse too, by more than half a nat.
pub fn thrown_off(epochs: &[Bounds]) -> Option<String> {
    let (Overfitting { epoch, best, last }, rise) = decline(epochs)?;
    (rise > LOSS).then(|| {
        format!(
            "the held-out bound was best around epoch {epoch} ({best:.2} nats a row) and ended at {last:.2}, \
             and the bound of the rows trained on fell by {rise:.2}"
        )
    })
}

/// Where the held-out rows fared best, if they ended clearly worse, and by how much the loss of the rows
/// trained on had risen from there to the end.
fn decline(epochs: &[Bounds]) -> Option<(Overfitting, f64)> {
    let width = (epochs.len() / 10).clamp(1, WIDEST);
    let held_out = means(epochs.iter().map(|epoch| epoch.held_out), width);
    let training = means(epochs.iter().map(|epoch| epoch.training), width);
    let (first, &best) = held_out.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1))?;
    let last = *held_out.last()?;
    let epoch = epochs[first + width / 2].epoch;
    let rise = training.last()? - training[first];
    (best - last > LOSS).then_some((Overfitting { epoch, best, last }, rise))
}

/// The means of every `width` values that follow each other.
fn means(values: impl Iterator<Item = f64>, width: usize) -> Vec<f64> {
    let running = values.scan(0.0, |sum, value| {
        *sum += value;
        Some(*sum)
    });
    let sums: Vec<f64> = std::iter::once(0.0).chain(running).collect();
    let differences = sums.iter().skip(width).zip(&sums);
    differences.map(|(end, start)| (end - start) / width as f64).collect()
}

impl fmt::Display for Overfitting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { epoch, best, last } = self;
        write!(
            f,
            "The held-out ELBO was best around epoch {epoch} ({best:.2} nats a row) and fell to \
             {last:.2} (both smoothed): from there on the model overfitted, and described its own rows \
             better at the cost of all others. More rows, a smaller \
             network (model.hidden) or fewer epochs (--epochs) help, and so does training.patience, \
             which counts from where β has risen (training.beta_warm_up)."
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn held_out_rows_that_fare_worse_while_the_others_fare_better_tell_it() {
        type Curve = fn(f64) -> f64;
        // From epoch 100 on, every second one.
        let found = |held_out: Curve, training: Curve| {
            let time = |index: usize| index as f64 / 100.0;
            let bounds = |index: usize| Bounds {
                epoch: 100 + 2 * index,
                held_out: held_out(time(index)),
                training: training(time(index)),
            };
            Overfitting::find(&(0..200).map(bounds).collect::<Vec<_>>())
        };
        let fell = found(|t| -(t - 0.5).powi(2), |t| -t).unwrap();
        assert!((190..=210).contains(&fell.epoch) && fell.last < -1.9, "{fell:?}");
        assert_eq!(found(|t| t, |t| -t), None);
        // A weight of the KL that still rises makes both worse.
        assert_eq!(found(|t| -t, |t| t), None);
        assert_eq!(Overfitting::find(&[]), None);
        // Of a long training that overfits early the best is in its first hundred epochs.
        let long = |epoch: usize| {
            let time = epoch as f64 / 100.0;
            let held_out = if time < 1.0 { time } else { 1.0 - 0.2 * (time - 1.0) };
            Bounds { epoch, held_out, training: -time }
        };
        let found = Overfitting::find(&(0..2000).map(long).collect::<Vec<_>>()).unwrap();
        assert!((80..=120).contains(&found.epoch), "{found:?}");
        let thrown_off = |held_out: Curve, training: Curve| {
            let bounds = |index: usize| {
                let time = index as f64 / 100.0;
                Bounds { epoch: index, held_out: held_out(time), training: training(time) }
            };
            thrown_off(&(0..200).map(bounds).collect::<Vec<_>>())
        };
        let how = thrown_off(|t| -(t - 0.5).powi(2), |t| (t - 0.5).powi(2)).unwrap();
        let words = "the held-out bound was best around epoch 51 (-0.00 nats a row) and ended at -1.95, and";
        assert!(how.starts_with(words), "{how}");
        assert_eq!(thrown_off(|t| -(t - 0.5).powi(2), |t| 0.1 * t), None);
        assert_eq!(thrown_off(|t| t, |t| t), None);
    }
}
