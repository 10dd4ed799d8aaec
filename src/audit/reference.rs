//! What the modes are, and the fresh rows that everything is held against.

use ndarray::{Array1, Array2, ArrayView2, Axis, concatenate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::bic::{BicChoice, MOST, choose_components};
use super::em::added_variances;
use super::ledger::{Hidden, Ledger, check_labels, gaussian_per_label, least_variances};
use super::repeated::Repeated;
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
    /// Rows that repeat, which are no mode of a fitted mixture.
    pub repeated: Repeated,
    /// How many of the real rows given lie with none of them.
    elsewhere: usize,
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
                repeated: Repeated::none(columns),
                elsewhere: real.len(),
            });
        }
        let repeated = match real.labels() {
            Some(_) => Repeated::none(real.width()),
            None => Repeated::find(real.rows()),
        };
        let elsewhere = (!repeated.is_empty()).then(|| real.select(&repeated.others(real.rows())));
        let real = elsewhere.as_ref().unwrap_or(real);
        let (seen, kept) = halves(real, seed);
        let rows = seen.rows().to_owned();
        let held_out = repeated.elsewhere(held_out);
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
        let elsewhere = real.len();
        Ok(Self {
            kind,
            mixture,
            names,
            real: rows,
            fresh,
            fitted,
            choice,
            hidden,
            repeated,
            elsewhere,
        })
    }

    /// The rule that rows are judged by, for a generator that was given the real rows that the reference was
    /// found with.
    pub fn ledger(&self, seed: u64) -> Ledger {
        let training_rows = self.elsewhere;
        let (mixture, names) = (self.mixture.clone(), self.names.clone());
        let fitted = self.fitted_rows();
        let weighed = match self.kind {
            Kind::Mixture => return Ledger::new(mixture, names, training_rows, seed),
            Kind::Labels => training_rows,
            Kind::Fitted => fitted,
        };
        let (rows, hidden) = (self.real.view(), &self.hidden);
        Ledger::of_fit(mixture, names, training_rows, rows, hidden, seed)
            .fitted_to(fitted, weighed)
            .apart_from(self.repeated.clone())
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
mod tests;
