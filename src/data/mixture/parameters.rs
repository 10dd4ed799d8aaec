//! The parameters of a mixture as `mixture.json` holds them, and what must be true of them.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Numbers beyond this leave no room for draws within f32's range.
const LARGEST: f64 = 1e30;

/// What the file holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Parameters {
    pub(super) weights: Vec<f64>,
    pub(super) means: Vec<Vec<f64>>,
    pub(super) covariances: Vec<Vec<Vec<f64>>>,
}

impl Parameters {
    /// Refuses what is no mixture; whether the covariances are positive definite is left to
    /// [`Gaussian::new`](super::Gaussian::new).
    pub(super) fn check(&self) -> Result<()> {
        self.check_shapes()?;
        self.check_weights()?;
        self.check_values()
    }

    fn check_shapes(&self) -> Result<()> {
        let k = self.weights.len();
        let wrong = |what: String, found: usize, expected: usize| {
            Err(Error::input(format!("{what} has {found} entries where {expected} are expected")))
        };
        if k == 0 {
            return Err(Error::input("weights is empty"));
        }
        if self.means.len() != k {
            return wrong("means".into(), self.means.len(), k);
        }
        if self.covariances.len() != k {
            return wrong("covariances".into(), self.covariances.len(), k);
        }
        let d = self.means[0].len();
        if d == 0 {
            return Err(Error::input("means[0] is empty"));
        }
        for (i, (mean, covariance)) in self.means.iter().zip(&self.covariances).enumerate() {
            if mean.len() != d {
                return wrong(format!("means[{i}]"), mean.len(), d);
            }
            if covariance.len() != d {
                return wrong(format!("covariances[{i}]"), covariance.len(), d);
            }
            if let Some((row, cells)) = covariance.iter().enumerate().find(|(_, c)| c.len() != d) {
                return wrong(format!("covariances[{i}][{row}]"), cells.len(), d);
            }
        }
        Ok(())
    }

    fn check_weights(&self) -> Result<()> {
        if let Some((k, weight)) =
            self.weights.iter().enumerate().find(|(_, w)| !(w.is_finite() && **w >= 0.0))
        {
            return Err(Error::input(format!("weights[{k}] is {weight:?}; it must be at least 0")));
        }
        let sum: f64 = self.weights.iter().sum();
        if (sum - 1.0).abs() > 1e-6 {
            return Err(Error::input(format!("the weights sum to {sum:?}; they must sum to 1")));
        }
        Ok(())
    }

    fn check_values(&self) -> Result<()> {
        let within = |value: f64| value.abs() <= LARGEST;
        for (k, (mean, covariance)) in self.means.iter().zip(&self.covariances).enumerate() {
            if let Some((i, value)) = mean.iter().enumerate().find(|(_, v)| !within(**v)) {
                let rule = format!("it must lie within ±{LARGEST:e}");
                return Err(Error::input(format!("means[{k}][{i}] is {value:?}; {rule}")));
            }
            for (i, row) in covariance.iter().enumerate() {
                for (j, &value) in row.iter().enumerate() {
                    if !value.is_finite() || !within(value.abs().sqrt()) {
                        let rule = format!("its square root must be at most {LARGEST:e}");
                        let place = format!("covariances[{k}][{i}][{j}]");
                        return Err(Error::input(format!("{place} is {value:?}; {rule}")));
                    }
                    let size = (row[i] * covariance[j][j]).abs().sqrt();
                    if (value - covariance[j][i]).abs() > 1e-9 * size {
                        return Err(Error::input(format!(
                            "covariances[{k}] is not symmetric: [{i}][{j}] is {value:?}, \
                             [{j}][{i}] is {:?}",
                            covariance[j][i]
                        )));
                    }
                }
            }
        }
        Ok(())
    }
}
