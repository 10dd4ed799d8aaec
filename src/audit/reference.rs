//! What the modes are, and the fresh rows that everything is held against.

use ndarray::{Array1, Array2, ArrayView2, Axis, concatenate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::bic::{BicChoice, MOST, choose_components};
use super::em::added_variances;
use super::ledger::{Hidden, Ledger, check_labels, gaussian_per_label, least_variances};
use super::subset::subset;
use crate::data::{Labels, Mixture, Table, Units};
use crate::error::{Error, Result};
use crate::random::{Generator, Stream};

/// The step of the mixture's random stream that fresh rows are drawn with; no run uses it.
const FRESH_STEP: u64 = 1 << 32;
/// The step of the splitting stream that halves the real rows; a run's own split uses 0.
const HALVES_STEP: u64 = 1;

/// Rows that a mixture is fitted to at most: 60 components have 300 each.
const MOST_FITTED: usize = 20_000;

/// How the modes are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The mixture that the data were drawn from is given.
    Mixture,
    /// The data have labels, and each label is taken for one Gaussian.
    Labels,
    /// Nothing is given: the modes are the components of the mixture with the best BIC.
    Fitted,
}

/// The modes to look for, the rows that show them, and fresh rows of the same kind.
pub struct Reference {
    /// How the modes are known.
    pub kind: Kind,
    /// The modes.
    pub mixture: Mixture,
    /// Names of the modes, where labels name them; else empty.
    pub names: Vec<String>,
    /// Real rows: those the reference was fitted to, or all where the mixture is given.
    pub real: Array2<f32>,
    /// Rows of the same distribution that the reference has not seen: fresh draws of a given
    /// mixture, else real rows kept out of the fit.
    pub fresh: Array2<f32>,
    /// The fit of a mixture to the rows of [`real`](Self::real): the baseline, and the reference
    /// itself where nothing else is known.
    pub fitted: Mixture,
    /// How its number of components was chosen.
    pub choice: BicChoice,
    /// What the variances of the modes have beyond those of the rows that they were fitted to.
    hidden: Hidden,
}

impl Reference {
    /// Takes the modes from `truth` where it is given, else from the labels of `real` where it has
    /// them, else from a mixture fitted to its rows.
    ///
    /// Without a truth the reference needs rows that it was not fitted to: the real rows are halved at
    /// random, one half for the fit, the other and `held_out` to hold it against. The weights of labels
    /// need no fit: they are shares of all rows of `real`. `fresh` is how many rows to draw of a given
    /// mixture.
    ///
    /// # Errors
    /// Too few rows, a truth of another dimension, or rows that no mixture can be fitted to.
    pub fn find(
        truth: Option<&Mixture>,
        real: &Table,
        held_out: ArrayView2<f32>,
        fresh: usize,
        seed: u64,
    ) -> Result<Self> {
        if let Some(truth) = truth {
            let (modes, columns) = (truth.dimensions(), real.width());
            if modes != columns {
                return Err(Error::input(format!(
                    "the mixture has {modes} dimensions, the data {columns} columns"
                ))
                .help("give the mixture that the data were drawn from, or leave it out"));
            }
            let fresh = truth.draw(fresh, seed, FRESH_STEP).rows().to_owned();
            let rows = real.rows().to_owned();
            let Fit { choice, mixture: fitted, .. } = fit_mixture(rows.view(), seed)?;
            return Ok(Self {
                kind: Kind::Mixture,
                mixture: truth.clone(),
                names: Vec::new(),
                real: rows,
                fresh,
                fitted,
                choice,
                hidden: Hidden::Nothing,
            });
        }
        let (seen, kept) = halves(real, seed);
        let rows = seen.rows().to_owned();
        let fresh = concatenate(Axis(0), &[kept.rows(), held_out.view()])
            .map_err(|error| Error::input(format!("held-out rows: {error}")))?;
        let of_labels = match (seen.labels(), real.labels()) {
            (Some(labels), Some(all)) => {
                // A fit may take minutes.
                check_labels(all)?;
                // A column may have its one other value in the half that was kept.
                let least = least_variances(real.rows());
                let mixture = weighed(&gaussian_per_label(rows.view(), labels, &least)?, all)?;
                Some((Kind::Labels, mixture, labels.names.clone(), Hidden::Least(least)))
            }
            _ => None,
        };
        let Fit { choice, mixture: fitted, added } = fit_mixture(rows.view(), seed)?;
        let (kind, mixture, names, hidden) = of_labels
            .unwrap_or_else(|| (Kind::Fitted, fitted.clone(), Vec::new(), Hidden::Added(added)));
        Ok(Self { kind, mixture, names, real: rows, fresh, fitted, choice, hidden })
    }

    /// The rule that rows are judged by, for a generator that was given `training_rows` real rows: those
    /// that the reference was found with.
    pub fn ledger(&self, training_rows: usize, seed: u64) -> Ledger {
        let (mixture, names) = (self.mixture.clone(), self.names.clone());
        let fitted = self.fitted_rows();
        let weighed = match self.kind {
            Kind::Mixture => return Ledger::new(mixture, names, training_rows, seed),
            Kind::Labels => training_rows,
            Kind::Fitted => fitted,
        };
        let (rows, hidden) = (self.real.view(), &self.hidden);
        Ledger::of_fit(mixture, names, training_rows, rows, hidden, seed).fitted_to(fitted, weighed)
    }

    /// Rows that the modes were fitted to: of a fitted mixture fewer than those of `real` where these are
    /// many, or hold copies.
    pub fn fitted_rows(&self) -> usize {
        match self.kind {
            Kind::Fitted => self.choice.rows,
            Kind::Mixture | Kind::Labels => self.real.nrows(),
        }
    }
}

/// A mixture fitted to rows.
struct Fit {
    choice: BicChoice,
    mixture: Mixture,
    /// What was added to the variances of each column, in its units squared.
    added: Array1<f64>,
}

/// The mixture with the best BIC on the rows, or on a random choice of many.
fn fit_mixture(rows: ArrayView2<f32>, seed: u64) -> Result<Fit> {
    let rows = rows.select(Axis(0), &subset(rows.nrows(), MOST_FITTED));
    let units = Units::of(rows.view());
    let rows = units.apply(rows.view());
    let (choice, fitted) = choose_components(rows.view(), MOST, seed)?;
    let mut added = added_variances(rows.view())?;
    added.iter_mut().enumerate().for_each(|(j, variance)| *variance *= units.scale(j).powi(2));
    Ok(Fit { choice, mixture: units.restore(fitted)?, added })
}

/// The same Gaussians, weighted by the shares of their labels among `all` rows. A label that the fit
/// had no row of has no place, and so no weight.
fn weighed(fitted: &Mixture, all: &Labels) -> Result<Mixture> {
    let mut weights = vec![0.0; fitted.components()];
    all.of_row.iter().for_each(|&label| weights[label] += 1.0);
    for (weight, fitted) in weights.iter_mut().zip(fitted.weights()) {
        *weight *= f64::from(*fitted > 0.0);
    }
    let placed: f64 = weights.iter().sum();
    let weights = weights.into_iter().map(|weight| weight / placed).collect();
    Mixture::new(weights, fitted.means().to_vec(), fitted.covariances().to_vec())
}

/// A random half of the rows, and the other half.
fn halves(real: &Table, seed: u64) -> (Table, Table) {
    let n = real.len();
    let order = Generator::new(seed, Stream::Split, HALVES_STEP).permutation(n);
    let (seen, kept) = order.split_at(n / 2);
    (real.select(seen), real.select(kept))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::ledger::Verdict;

    /// Two modes of four stand 20 standard deviations apart in the narrow column, two in the wide one.
    #[test]
    fn columns_of_other_units_hide_no_mode() {
        let mut noise = vec![0.0; 2000];
        Generator::new(3, Stream::MixtureRows, 0).normal(&mut noise);
        let place = |row: usize, column: usize| 10.0 - 20.0 * ((row >> column) % 2) as f32;
        let unit = [30_000.0, 0.01];
        let rows =
            Array2::from_shape_fn((1000, 2), |(i, j)| unit[j] * (noise[2 * i + j] + place(i, j)));
        let Fit { choice, mixture: fitted, .. } = fit_mixture(rows.view(), 1).unwrap();
        assert_eq!((choice.best, fitted.components()), (4, 4));
        // Four standard errors of the mean of 250 rows.
        let narrow: Vec<f64> = fitted.means().iter().map(|mean| mean[1].abs()).collect();
        assert!(narrow.iter().all(|place| (place - 0.1).abs() < 0.0025), "{narrow:?}");
        // 20 of its own deviations from the next in one column is far, whatever its unit.
        let ledger = Ledger::new(fitted.clone(), Vec::new(), 1000, 1);
        assert_eq!(
            [6.0, 21.0].map(|reach| fitted.closer_than(reach, ledger.scales().view())),
            [0, 4]
        );
    }

    /// Modes 50 standard deviations apart are far, whatever other column is constant; two that differ in a flag
    /// alone are not, where the other column is as wide as that.
    #[test]
    fn columns_without_width_are_no_distance() {
        let mut noise = vec![0.0; 1200];
        Generator::new(5, Stream::MixtureRows, 0).normal(&mut noise);
        let labels = Labels {
            column: "kind".into(),
            names: ["left", "right"].map(String::from).to_vec(),
            of_row: (0..1200).map(|row| row % 2).collect(),
        };
        for (place, flag, close) in [(0.5, 0.0, 0), (0.0, 1.0, 2)] {
            let rows = Array2::from_shape_fn((1200, 2), |(i, j)| match j {
                0 => place * (i % 2) as f32 + noise[i] * if flag > 0.0 { 0.3 } else { 0.01 },
                _ => flag * (i % 2) as f32,
            });
            let columns = ["x", "y"].map(String::from).to_vec();
            let real = Table::new(columns, rows, Some(labels.clone())).unwrap();
            let none = Array2::zeros((0, 2));
            let reference = Reference::find(None, &real, none.view(), 1200, 1).unwrap();
            let scales = reference.ledger(real.len(), 1).scales();
            assert_eq!(reference.mixture.closer_than(6.0, scales.view()), close, "{scales}");
        }
    }

    /// A generator that draws from the truth is right in every mode, whatever columns are constant or hold one
    /// of a few values.
    #[test]
    fn columns_without_width_do_no_harm() {
        let rows = |step| {
            let mut noise = vec![0.0; 2400];
            Generator::new(5, Stream::MixtureRows, step).normal(&mut noise);
            Array2::from_shape_fn((2400, 4), |(i, j)| match j {
                0 => 4.0 * noise[i] + 60.0 * (i % 2) as f32,
                1 => 7.0,
                _ => (i % 2) as f32,
            })
        };
        let columns = ["a", "b", "c", "d"].map(String::from).to_vec();
        let labels = Labels {
            column: "kind".into(),
            names: vec!["left".into(), "right".into()],
            of_row: (0..2400).map(|row| row % 2).collect(),
        };
        for labels in [None, Some(labels)] {
            let real = Table::new(columns.clone(), rows(0), labels).unwrap();
            let none = Array2::zeros((0, 4));
            let reference = Reference::find(None, &real, none.view(), 2400, 1).unwrap();
            let judged = reference.ledger(real.len(), 1).judge(rows(1).view());
            assert_eq!((judged.counts.modes, judged.counts.strict), (2, 2), "{judged:?}");
        }
    }

    /// Rows of steps alone lack the variance that a fit gives them for what steps hide, and are right all
    /// the same: yes or no in three columns, and whole numbers that hardly leave the middle of their mode.
    #[test]
    fn rows_of_steps_alone_are_right() {
        let normal = |step| {
            let mut noise = vec![0.0; 8000];
            Generator::new(7, Stream::MixtureRows, step).normal(&mut noise);
            noise
        };
        let binary = |step| {
            let noise = normal(step);
            Array2::from_shape_fn((2400, 3), |(i, j)| f32::from(noise[3 * i + j] > 0.3))
        };
        let counts = |step| {
            let noise = normal(step);
            Array2::from_shape_fn((2400, 2), |(i, j)| {
                let mode = if i % 3 == 0 { 20.0 } else { 0.0 };
                (0.6 * noise[2 * i + j]).round() + mode * (1.0 - 2.0 * j as f32)
            })
        };
        for rows in [&binary as &dyn Fn(u64) -> Array2<f32>, &counts] {
            let real = rows(0);
            let names = (0..real.ncols()).map(|j| j.to_string()).collect();
            let of_row = (0..2400).map(|i| usize::from(i % 3 == 0)).collect();
            let labels = ["most", "third"].map(String::from).to_vec();
            let labels = Labels { column: "kind".into(), names: labels, of_row };
            for labels in [None, Some(labels)] {
                let real = Table::new(Vec::clone(&names), real.clone(), labels).unwrap();
                let none = Array2::zeros((0, real.width()));
                let reference = Reference::find(None, &real, none.view(), 2400, 1).unwrap();
                for judged in [rows(1), reference.fresh.clone()] {
                    let judged = reference.ledger(real.len(), 1).judge(judged.view());
                    let narrow = judged.modes.iter().find(|mode| !mode.may_be_strict);
                    assert!(narrow.is_none(), "{narrow:?}");
                }
            }
        }
    }

    /// Flags that hardly any row has are far apart in their own deviations, and what stands for their steps is
    /// wide: it makes no continuous column wide.
    #[test]
    fn rare_flags_leave_other_columns_as_they_are() {
        let rows = |step| {
            let mut noise = vec![0.0; 7 * 8000];
            Generator::new(9, Stream::MixtureRows, step).normal(&mut noise);
            Array2::from_shape_fn((8000, 7), |(i, j)| match (j, noise[7 * i + j]) {
                (..2, value) => value,
                // One in two hundred.
                (_, value) => f32::from(value > 2.576),
            })
        };
        let columns = (0..7).map(|j| j.to_string()).collect();
        let real = Table::new(columns, rows(0), None).unwrap();
        let none = Array2::zeros((0, 7));
        let reference = Reference::find(None, &real, none.view(), 8000, 1).unwrap();
        let judged = reference.ledger(real.len(), 1).judge(rows(1).view());
        let main = &judged.modes[0];
        assert!(main.weight > 0.9 && main.verdict == Verdict::Strict, "{main:?}");
        assert!((main.spread_ratio.unwrap() - 1.0).abs() < 0.1, "{main:?}");
    }

    /// Only one row in 1200 has the flag, and one of the halves: whichever is fitted, a generator that adds a
    /// little noise to it is near.
    #[test]
    fn a_value_that_only_one_row_has_is_known_in_both_halves() {
        let mut noise = vec![0.0; 1200];
        Generator::new(5, Stream::MixtureRows, 0).normal(&mut noise);
        let labels = Labels {
            column: "kind".into(),
            names: vec!["one".into(), "other".into()],
            of_row: (0..1200).map(|row| row % 2).collect(),
        };
        let rows = |blur: f32| {
            Array2::from_shape_fn((1200, 2), |(i, j)| match j {
                0 => 60.0 * (i % 2) as f32 + noise[i],
                _ => f32::from(i == 700) + blur * noise[1199 - i],
            })
        };
        let columns = ["x", "flag"].map(String::from).to_vec();
        let real = Table::new(columns, rows(0.0), Some(labels)).unwrap();
        let none = Array2::zeros((0, 2));
        for seed in 1..=4 {
            let reference = Reference::find(None, &real, none.view(), 1200, seed).unwrap();
            let judged = reference.ledger(real.len(), seed).judge(rows(0.05).view());
            assert_eq!((judged.counts.modes, judged.counts.captured), (2, 2), "{judged:?}");
        }
    }

    /// A flag that is the label but in one row of 1200, whose width within modes is far less than what stands
    /// for its step, hides nothing of the other column.
    #[test]
    fn a_column_narrower_than_its_step_hides_no_other() {
        let rows = |step, offset: f32, spread: f32| {
            let mut noise = vec![0.0; 1200];
            Generator::new(5, Stream::MixtureRows, step).normal(&mut noise);
            Array2::from_shape_fn((1200, 2), |(i, j)| match j {
                0 => 60.0 * (i % 2) as f32 + 4.0 * (offset + spread * noise[i]),
                _ => {
                    if i == 0 {
                        1.0
                    } else {
                        (i % 2) as f32
                    }
                }
            })
        };
        let names = ["left", "right"].map(String::from).to_vec();
        let labels =
            Labels { column: "kind".into(), names, of_row: (0..1200).map(|i| i % 2).collect() };
        let columns = ["x", "flag"].map(String::from).to_vec();
        let real = Table::new(columns, rows(0, 0.0, 1.0), Some(labels)).unwrap();
        let none = Array2::zeros((0, 2));
        for seed in [1, 2] {
            let reference = Reference::find(None, &real, none.view(), 1200, seed).unwrap();
            let ledger = reference.ledger(real.len(), seed);
            for (offset, spread, verdict) in [
                (0.0, 1.0, Verdict::Strict),
                (1.5, 1.0, Verdict::Shifted),
                (0.0, 1.7, Verdict::Smeared),
                (0.0, 0.1, Verdict::Shrunk),
            ] {
                let judged = ledger.judge(rows(1, offset, spread).view());
                let found: Vec<Verdict> = judged.modes.iter().map(|mode| mode.verdict).collect();
                assert_eq!(found, [verdict; 2], "{offset} {spread}: {judged:?}");
            }
        }
    }

    /// A millionth of the variance of all rows is the least that a mode is given, and here a hundred times
    /// that of its rows.
    #[test]
    fn modes_narrower_than_the_floor_are_right() {
        let rows = |step| {
            let mut noise = vec![0.0; 1200];
            Generator::new(5, Stream::MixtureRows, step).normal(&mut noise);
            Array2::from_shape_fn((1200, 1), |(i, _)| noise[i] + 20_000.0 * (i % 2) as f32)
        };
        let names = ["low", "high"].map(String::from).to_vec();
        let labels =
            Labels { column: "kind".into(), names, of_row: (0..1200).map(|i| i % 2).collect() };
        for labels in [None, Some(labels)] {
            let real = Table::new(vec!["x".into()], rows(0), labels).unwrap();
            let none = Array2::zeros((0, 1));
            let reference = Reference::find(None, &real, none.view(), 1200, 1).unwrap();
            let judged = reference.ledger(real.len(), 1).judge(rows(1).view());
            assert_eq!((judged.counts.modes, judged.counts.strict), (2, 2), "{judged:?}");
        }
    }

    /// The shares are those of all rows, whatever half was fitted.
    #[test]
    fn labels_weigh_what_they_do_among_all_rows() {
        let names: Vec<String> = ["many", "few", "one"].map(String::from).into();
        let of_row: Vec<usize> = (0..61).map(|row| [0, 0, 1][row % 3]).chain([2]).collect();
        let rows = Array2::from_shape_fn((62, 1), |(row, _)| (row % 7) as f32);
        let labels = Labels { column: "kind".into(), names, of_row };
        let real = Table::new(vec!["a".into()], rows, Some(labels)).unwrap();
        let none = Array2::zeros((0, 1));
        let mut places = [false; 2];
        for seed in 1..=16 {
            let reference = Reference::find(None, &real, none.view(), 0, seed).unwrap();
            let weights = reference.mixture.weights();
            // The half that was fitted has the only row of the last label, or has not.
            let rows = if weights[2] > 0.0 { 62.0 } else { 61.0 };
            places[usize::from(weights[2] > 0.0)] = true;
            for (weight, count) in weights.iter().zip([41.0, 20.0, rows - 61.0]) {
                assert!((weight - count / rows).abs() < 1e-12, "seed {seed}: {weights:?}");
            }
        }
        assert_eq!(places, [true; 2]);
    }
}
