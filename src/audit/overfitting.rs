//! Whether a model learned its rows by heart.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Smallest loss in nats a row that is worth a word.
const LOSS: f64 = 0.5;

/// A training that went on after it had begun to learn its rows by heart.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Overfitting {
    /// Around which epoch the held-out ELBO was best.
    pub epoch: usize,
    /// What it was there, in nats a row.
    pub best: f64,
    /// What it was at the end.
    pub last: f64,
}

impl Overfitting {
    /// Looks at the held-out ELBO of each epoch, in nats a row, where it was measured. Compares means
    /// over a tenth of the epochs, because the bound of one epoch is by one draw a row.
    pub fn find(bounds: &[Option<f64>]) -> Option<Self> {
        let bounds: Vec<f64> = bounds.iter().copied().flatten().collect();
        let width = (bounds.len() / 10).max(1);
        let means: Vec<f64> =
            bounds.windows(width).map(|some| some.iter().sum::<f64>() / width as f64).collect();
        let (first, &best) = means.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1))?;
        let last = *means.last()?;
        (best - last > LOSS).then_some(Self { epoch: first + width / 2, best, last })
    }
}

impl fmt::Display for Overfitting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { epoch, best, last } = self;
        write!(
            f,
            "The held-out ELBO was best around epoch {epoch} ({best:.2} nats a row) and fell to \
             {last:.2}: from there on the model learned its rows by heart. More rows or a smaller \
             network (model.hidden) help, and training.patience stops there, if the modes are learned \
             by then."
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_that_falls_after_its_best_is_overfitting_and_one_that_rises_is_not() {
        let bounds = |bound: fn(f64) -> f64| -> Vec<Option<f64>> {
            (0..200).map(|epoch| Some(bound(f64::from(epoch) / 100.0))).collect()
        };
        let fell = Overfitting::find(&bounds(|t| -(t - 0.5).powi(2))).unwrap();
        assert!((45..=55).contains(&fell.epoch) && fell.last < -1.9, "{fell:?}");
        assert_eq!(Overfitting::find(&bounds(|t| t)), None);
        assert_eq!(Overfitting::find(&[None; 3]), None);
        assert_eq!(Overfitting::find(&[]), None);
    }
}
