//! The data of a run: what is trained on, what is held out, and where they came from.

mod notes;
mod read;

use std::sync::Arc;

pub use self::read::read_table;
use super::{Plan, Source};
use crate::audit::ledger::check_labels;
use crate::audit::samples::{check_rows, check_values};
use crate::config::MOST_VALUES;
use crate::data::{Blocks, Mixture, Scaling, Streamed, Table, blocks_of_pass};
use crate::error::{Error, Result};
use crate::train::Epochs;
use crate::vae::Latents;

/// The steps of the mixture's random stream, one for each set of rows drawn from it.
pub(super) mod draw {
    pub const TRAINING: u64 = 0;
    pub const HELD_OUT: u64 = 1;
    pub const MORE_ROWS: u64 = 2;
}

/// The data of a run.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// Every row given or generated, fresh held-out rows left out. Of data that memory does not hold, a
    /// random sample of the rows to train on.
    pub table: Table,
    /// The rows trained on, or that sample of them, in a random order where they come from a file, so
    /// that the first so many of them are a fair sample.
    pub training: Table,
    /// For each row of `training`, its index in `table`.
    pub training_rows: Vec<usize>,
    /// The rows held out; may be none.
    pub held_out: Table,
    /// The truth, where the data were generated.
    pub mixture: Option<Mixture>,
    /// Where they came from.
    pub source: Source,
    /// All data, where memory does not hold them.
    pub streamed: Option<InFiles>,
}

/// Data that stay in their files.
#[derive(Clone, Debug)]
pub struct InFiles {
    streamed: Arc<Streamed>,
    /// For each row of the sample, its number in the table, from 0.
    rows: Vec<usize>,
}

impl Dataset {
    /// Refuses what would be refused when training is done: more samples than memory should hold, values
    /// beyond what an audit takes, labels that are no modes or are called as a latent unit is.
    ///
    /// # Errors
    /// The first of these.
    pub fn check_for(&self, plan: &Plan) -> Result<()> {
        let (columns, samples) = (self.table.width(), plan.settings.samples);
        if samples.checked_mul(columns).is_none_or(|values| values > MOST_VALUES) {
            return Err(Error::input(format!(
                "{samples} samples of {columns} columns are more than 10^9 values"
            ))
            .help("lower --samples; `modescope sample` draws more when the run is done"));
        }
        let what = match &self.source {
            Source::Mixture => "the mixture".into(),
            Source::File { path, .. } => path.display().to_string(),
        };
        check_values(self.table.rows(), &what, self.table.columns())?;
        if matches!(self.source, Source::Mixture) {
            return Ok(());
        }
        self.check_latents(plan.decided.latent)?;
        // Too few rows are left unaudited, and said so.
        match (self.table.labels(), check_rows(self.training.len(), samples)) {
            (Some(labels), Ok(())) => check_labels(labels),
            _ => Ok(()),
        }
    }

    /// Refuses labels whose column would have the name of a latent unit's in `latents.csv`.
    ///
    /// # Errors
    /// Such a name.
    fn check_latents(&self, latent: usize) -> Result<()> {
        let label = self.table.labels().map(|labels| &labels.column);
        match label.filter(|label| Latents::columns(latent).contains(label)) {
            Some(label) => Err(Error::input(format!(
                "the column of labels is called \"{label}\", as one of the latents that a run writes"
            ))
            .help("rename it in the data")),
            None => Ok(()),
        }
    }

    /// Number of rows that are trained on or held out, in memory or not; fresh ones left out.
    pub(super) fn rows(&self) -> usize {
        match self.streamed {
            Some(_) => self.rows_to_train_on() + self.held_out.len(),
            None => self.table.len(),
        }
    }

    /// Number of rows to train on, in memory or not.
    pub fn rows_to_train_on(&self) -> usize {
        self.streamed.as_ref().map_or(self.training.len(), |files| files.streamed.training_rows())
    }

    /// Number of rows that a trainer has at a time, about.
    pub fn rows_at_once(&self) -> usize {
        let rows = self.rows_to_train_on();
        self.streamed.as_ref().map_or(rows, |files| rows.div_ceil(blocks_of_pass(&files.streamed)))
    }

    /// What an epoch of the history is: an epoch, or one of the blocks of it.
    pub fn epoch_word(&self) -> &'static str {
        if self.streamed.is_some() { "block" } else { "epoch" }
    }

    /// The epochs of a training that visits so many rows.
    pub fn epochs(&self, scaling: &Scaling, visits: usize, seed: u64) -> Epochs {
        let Some(InFiles { streamed, .. }) = &self.streamed else {
            return Epochs::passes(self.training.len(), visits);
        };
        let blocks = Blocks::new(Arc::clone(streamed), scaling.clone(), visits, seed);
        Epochs::blocks(Arc::new(blocks), visits)
    }

    /// The number in the table of each row of `training`, from 1.
    pub fn row_numbers(&self) -> impl Iterator<Item = usize> {
        let number = |&row: &usize| self.streamed.as_ref().map_or(row, |files| files.rows[row]) + 1;
        self.training_rows.iter().map(number)
    }

    /// The first `rows` training rows: what clustering, t-SNE and pictures use.
    pub fn first(&self, rows: usize) -> Table {
        let rows: Vec<usize> = (0..self.training.len().min(rows)).collect();
        self.training.select(&rows)
    }
}
