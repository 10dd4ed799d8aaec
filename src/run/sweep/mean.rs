//! A mean over seeds, and what chance may have done to it.

use std::fmt;

use serde::Serialize;

use crate::audit::estimate::Estimate;

/// A mean over the seeds of a combination.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Mean {
    /// The mean.
    pub value: f64,
    /// Its 95 % interval by Student's t; nothing for a single seed.
    pub interval: Option<[f64; 2]>,
}

impl Mean {
    /// The mean of `values`; nothing where there are none.
    pub(super) fn of(values: &[f64]) -> Option<Self> {
        let mean = (!values.is_empty()).then(|| Estimate::mean(values))?;
        let interval = (values.len() > 1).then_some(mean.interval);
        Some(Self { value: mean.value, interval })
    }

    /// Whether a greater mean may be greater by chance: the intervals overlap, or one is not known.
    pub(super) fn may_reach(self, greater: Self) -> bool {
        self.interval.zip(greater.interval).is_none_or(|([_, high], [low, _])| high >= low)
    }

    /// The mean of numbers of modes, its interval held within what there can be.
    pub(super) fn of_counts(counts: impl Iterator<Item = (usize, usize)>) -> Option<Self> {
        let (values, modes): (Vec<f64>, Vec<usize>) = counts.map(|(n, of)| (n as f64, of)).unzip();
        let most = modes.into_iter().max()? as f64;
        let mean = Self::of(&values)?;
        let interval = mean.interval.map(|ends| ends.map(|end| end.clamp(0.0, most)));
        Some(Self { interval, ..mean })
    }
}

/// With as many decimals as asked for.
impl fmt::Display for Mean {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (value, decimals) = (self.value, f.precision().unwrap_or(2));
        write!(f, "{value:.decimals$}")?;
        match self.interval {
            Some([low, high]) => write!(f, " [{low:.decimals$}, {high:.decimals$}]"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The interval of 1, 2, 3, 4: t₃(0.975) = 3.182446, the standard error √(5/3)/2.
    #[test]
    fn a_mean_of_a_few_values_has_students_interval() {
        let mean = Mean::of(&[1.0, 2.0, 3.0, 4.0]).unwrap();
        let [low, high] = mean.interval.unwrap();
        let reach = 3.182_446_305 * (5.0f64 / 3.0).sqrt() / 2.0;
        assert!((low - (2.5 - reach)).abs() < 1e-6 && (high - (2.5 + reach)).abs() < 1e-6);
        assert_eq!(Mean::of(&[7.0]), Some(Mean { value: 7.0, interval: None }));
        assert_eq!(Mean::of(&[]), None);
    }

    #[test]
    fn a_mean_may_reach_a_greater_one_where_their_intervals_overlap() {
        let of = |values: &[f64]| Mean::of(values).unwrap();
        let best = of(&[9.0, 10.0, 11.0]); // 10 ± 2.48
        assert!(best.may_reach(best) && of(&[7.0, 8.0, 9.0]).may_reach(best));
        assert!(!of(&[4.0, 5.0, 6.0]).may_reach(best));
        // Nothing is known of the spread of a single seed.
        assert!(of(&[1.0]).may_reach(best) && best.may_reach(of(&[20.0])));
    }
}
