//! Losses and held-out bounds of several runs.

use plotters::prelude::*;

use super::axis::{self, Axis, drawable};
use super::canvas::{self, Area, Drawn, Figure, Picture};
use super::legend::{self, Entry};
use super::panels::{self, Curve, Panel};
use super::theme::{Style, run_style};
use crate::error::{Error, Result};

/// Low bounds flatten the rest where the axis would be so many times as long with them.
const FLAT: f64 = 2.0;

/// The held-out ELBO and the training loss of several runs by epoch, in two panels over one axis of
/// epochs.
///
/// A value that is not finite is a gap, and so is a bound so far below the others that it would flatten
/// them. Each run's loss is shown within its own range, since objectives may differ.
#[derive(Clone, Copy, Debug)]
pub struct Histories<'a> {
    /// Heading of the figure.
    pub title: &'a str,
    /// The runs.
    pub runs: &'a [History],
}

/// One run of [`Histories`].
#[derive(Clone, Debug)]
pub struct History {
    /// Its name.
    pub name: String,
    /// The epoch of each value.
    pub epochs: Vec<usize>,
    /// Training loss, one value an epoch, in units of the run's own objective.
    pub loss: Vec<f64>,
    /// Evidence lower bound of the held-out rows in nats a row, one value an epoch; not finite where
    /// it was not measured.
    pub held_out_elbo: Vec<f64>,
}

impl Histories<'_> {
    /// Draws the figure for a page.
    ///
    /// # Errors
    /// Where a curve has not one value an epoch.
    pub fn picture(&self, name: &str) -> Result<Picture> {
        canvas::picture(self, name)
    }

    fn styled(&self) -> impl Iterator<Item = (&History, Style)> {
        self.runs.iter().enumerate().map(|(index, run)| (run, run_style(index)))
    }
}

impl Figure for Histories<'_> {
    fn title(&self) -> &str {
        self.title
    }

    fn alt(&self) -> String {
        let end = |run: &History| match run.held_out_elbo.last() {
            Some(elbo) if elbo.is_finite() => format!("{} ends at {elbo:.3}", run.name),
            _ => format!("{} has none", run.name),
        };
        let ends: Vec<String> = self.runs.iter().map(end).collect();
        format!(
            "{}: the ELBO of the held-out rows in nats a row, and the training loss within each run's own \
             range. Of the former {}.",
            self.title,
            ends.join(", ")
        )
    }

    fn size(&self) -> (u32, u32) {
        (900, 700)
    }

    fn check(&self) -> Result<()> {
        let wrong = |run: &&History| {
            [&run.loss, &run.held_out_elbo].iter().any(|curve| curve.len() != run.epochs.len())
        };
        match self.runs.iter().find(wrong) {
            Some(run) => Err(Error::input(format!(
                "figure \"{}\": {} has not one value for each of its {} epochs",
                self.title,
                run.name,
                run.epochs.len()
            ))),
            None => Ok(()),
        }
    }

    fn paint<DB: DrawingBackend>(&self, area: &Area<DB>) -> Drawn<DB> {
        let entries: Vec<Entry> =
            self.styled().map(|(run, style)| Entry::line(&run.name, style)).collect();
        let body = legend::draw(area, &entries)?;
        let curves = |values: fn(&History) -> Vec<f64>| -> Vec<Curve> {
            self.styled()
                .map(|(run, style)| Curve::new("", &run.epochs, &values(run), style))
                .collect()
        };
        let (what, unit) = ("Held-out ELBO", "nats a row, higher is better");
        let curves_of_bounds = curves(|run| run.held_out_elbo.clone());
        let bounds = match shown(self.runs) {
            None => Panel::new(what, unit, curves_of_bounds),
            Some([low, high]) => Panel {
                heading: format!("{what} ({unit}); below {} not shown", axis::rounded(low)),
                y: Axis::over("", [low, high]),
                curves: curves_of_bounds,
            },
        };
        let losses = Panel::new(
            "Training loss",
            "% of each run's own range, sizes do not compare",
            curves(|run| percent_of_range(&run.loss)),
        );
        panels::stack(&body, &[bounds, losses])
    }
}

/// From where to where bounds are shown, where the lowest would flatten the rest: every run's best, and below
/// the worst of these as much as they span or as most runs climb.
fn shown(runs: &[History]) -> Option<[f64; 2]> {
    let ends = |run: &History| {
        let finite = run.held_out_elbo.iter().copied().filter(|value| drawable(*value));
        finite.fold(None, |ends: Option<[f64; 2]>, value| {
            let [low, high] = ends.unwrap_or([value; 2]);
            Some([low.min(value), high.max(value)])
        })
    };
    let ends: Vec<[f64; 2]> = runs.iter().filter_map(ends).collect();
    let mut climbs: Vec<f64> = ends.iter().map(|[low, high]| high - low).collect();
    climbs.sort_by(f64::total_cmp);
    let usual = *climbs.get(climbs.len().checked_sub(1)? / 2)?;
    let least = |end: usize| ends.iter().map(|ends| ends[end]).fold(f64::MAX, f64::min);
    let best = ends.iter().map(|[_, high]| *high).fold(f64::MIN, f64::max);
    let low = least(1) - usual.max(best - least(1));
    (best - least(0) > FLAT * (best - low)).then_some([low, best])
}

/// Values in percent of the way from the least to the largest.
fn percent_of_range(values: &[f64]) -> Vec<f64> {
    let finite = || values.iter().copied().filter(|value| drawable(*value));
    let (low, high) = (finite().fold(f64::MAX, f64::min), finite().fold(f64::MIN, f64::max));
    let span = (high - low).max(f64::MIN_POSITIVE);
    values.iter().map(|value| 100.0 * (value - low) / span).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_falls_far_does_not_flatten_the_rest() {
        let run = |held_out_elbo: &[f64]| History {
            name: String::new(),
            epochs: Vec::new(),
            loss: Vec::new(),
            held_out_elbo: held_out_elbo.into(),
        };
        let others = [run(&[-15.0, -6.0]), run(&[f64::NAN, -11.0, -10.0])];
        assert_eq!(shown(&others), None);
        let falls = run(&[-26.0, -24.0, -161.0]);
        let all = [&others[..], std::slice::from_ref(&falls)].concat();
        assert_eq!(shown(&all), Some([-42.0, -6.0]));
        assert_eq!(shown(&[falls]), None);
        assert_eq!(shown(&[]), None);
    }

    #[test]
    fn a_loss_is_shown_within_its_own_range() {
        assert_eq!(percent_of_range(&[8.0, 4.0, 6.0])[..], [100.0, 0.0, 50.0]);
        assert_eq!(percent_of_range(&[3.0, 3.0])[..], [0.0, 0.0]);
    }
}
