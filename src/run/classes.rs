//! What the rows of a run are coloured by.

use ndarray::{Array2, ArrayView2};

use super::{Context, RunDir};
use crate::data::{Mixture, Table};
use crate::error::Result;

/// The class of each row: its label, or the mode of the audit that it most probably belongs to.
pub(super) struct Classes {
    /// What the classes are called; none where neither labels nor modes are known.
    pub names: Vec<String>,
    /// The class of each real row; nothing where neither labels nor modes are known.
    pub real: Option<Vec<usize>>,
    /// The class of each generated row; nothing where no modes are known.
    pub generated: Option<Vec<usize>>,
}

impl Classes {
    /// The classes of rows of the run's data and of its samples.
    pub fn find(context: &Context, real: &Table, generated: ArrayView2<f32>) -> Result<Self> {
        Ok(Self::by(modes(context)?.as_ref(), real, generated))
    }

    /// As [`find`](Self::find), by what was known before the audit: the labels, or the truth.
    pub fn given(context: &Context, real: &Table, generated: ArrayView2<f32>) -> Self {
        Self::by(context.dataset.mixture.as_ref(), real, generated)
    }

    /// As [`find`](Self::find), by these modes.
    pub fn by(modes: Option<&Mixture>, real: &Table, generated: ArrayView2<f32>) -> Self {
        let assign = |modes: &Mixture, rows: ArrayView2<f32>| -> Vec<usize> {
            modes.assign(rows).into_iter().map(|assigned| assigned.component).collect()
        };
        let (names, of_real) = match (real.labels(), modes) {
            (Some(labels), _) => (labels.names.clone(), Some(labels.of_row.clone())),
            (None, Some(modes)) => {
                let names = (0..modes.components()).map(|mode| mode.to_string()).collect();
                (names, Some(assign(modes, real.rows())))
            }
            (None, None) => (Vec::new(), None),
        };
        Self { names, real: of_real, generated: modes.map(|modes| assign(modes, generated)) }
    }

    /// The classes of the first rows trained on, alone.
    pub fn of_first(context: &Context, rows: usize) -> Result<Self> {
        let real = context.dataset.first(rows);
        Self::find(context, &real, Array2::zeros((0, real.width())).view())
    }
}

/// The modes that the audit judged by; nothing where the rows were too few for one.
fn modes(context: &Context) -> Result<Option<Mixture>> {
    let path = context.dir.file(RunDir::REFERENCE);
    match &context.dataset.mixture {
        Some(truth) => Ok(Some(truth.clone())),
        None if path.exists() => Mixture::read(&path).map(Some),
        None => Ok(None),
    }
}
