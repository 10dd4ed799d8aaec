//! Stage `data`: what is trained on, what is held out, and the truth where it is known.

mod notes;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use ndarray::Array2;
use serde::Serialize;

use super::plan::MOST_BLOCKS;
use super::{Context, Plan, Progress, RunDir, Source, interruptible};
use crate::audit::ledger::check_labels;
use crate::audit::samples::{check_rows, check_values};
use crate::config::{DataSettings, MOST_VALUES, Settings};
use crate::data::{
    Blocks, Loaded, Mixture, ReadOptions, Scaling, Scanned, Streamed, Table, blocks_of_pass, read,
    split, write,
};
use crate::error::{Error, Kind, Result};
use crate::train::Epochs;
use crate::vae::Latents;

/// What an interrupt says that comes early.
const STOPPED: &str = "stopped while reading the data";
/// Fresh rows drawn as held-out rows of a generated mixture.
const FRESH_ROWS: usize = 1000;
/// Above so many values the run refers to the data in place of copying them.
const LARGEST_COPY: usize = 1_000_000;

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

/// `data.json`: where a large data set is.
#[derive(Debug, Serialize)]
struct Reference {
    path: PathBuf,
    hash: String,
    /// Rows that are trained on or held out, and columns.
    shape: (usize, usize),
    /// Rows that are looked at, where training reads the others block by block.
    #[serde(skip_serializing_if = "Option::is_none")]
    sample: Option<usize>,
}

/// Who hears of the reading of data, and what stops it.
pub type Watch<'a> = (&'a dyn Progress, &'a AtomicBool);

impl Dataset {
    /// Reads `path`, or generates the mixture that the settings describe.
    ///
    /// # Errors
    /// Where the file cannot be used, the mixture cannot be generated, or an interrupt.
    pub fn prepare(path: Option<&Path>, settings: &Settings, watch: Watch) -> Result<Self> {
        match path {
            Some(path) => Self::from_file(path, settings, (None, true), watch),
            None => {
                let mixture = Mixture::generate(&settings.mixture, settings.seed)?;
                Ok(Self::from_mixture(mixture, settings))
            }
        }
    }

    /// Reads `path`, which is named for a run that goes on, with the columns that the run recorded.
    ///
    /// # Errors
    /// As [`prepare`](Self::prepare).
    pub fn again(path: &Path, plan: &Plan, settings: &Settings, watch: Watch) -> Result<Self> {
        Self::from_file(path, settings, (Some(&plan.decided.source), true), watch)
    }

    fn from_mixture(mixture: Mixture, settings: &Settings) -> Self {
        let draw = |rows, step| mixture.draw(rows, settings.seed, step);
        let table = draw(settings.mixture.rows, draw::TRAINING);
        Self {
            training: table.clone(),
            training_rows: (0..table.len()).collect(),
            held_out: draw(FRESH_ROWS, draw::HELD_OUT),
            table,
            mixture: Some(mixture),
            source: Source::Mixture,
            streamed: None,
        }
    }

    /// Of the file that the data come in by, or of the run's copy, and what is recorded of it.
    fn from_file(
        path: &Path,
        settings: &Settings,
        (recorded, is_original): (Option<&Source>, bool),
        watch: Watch,
    ) -> Result<Self> {
        let options = ReadOptions {
            columns: settings.data.columns.clone(),
            labels: settings.data.labels.clone(),
            labels_optional: false,
            drop_missing: settings.data.drop_missing,
            check_precision: is_original,
        };
        // Absolute, so that the run can be resumed from another folder.
        let absolute = std::path::absolute(path).map_err(|e| Error::io("finding", path, e))?;
        let source =
            |hash, dropped, constant| Source::File { path: absolute, hash, dropped, constant };
        let (held_out, seed) = (settings.data.held_out, settings.seed);
        if let Some(scanned) = scan(path, &options, settings, watch)? {
            let Scanned { streamed, sample: table, sample_rows, held_out, dropped, hash } = scanned;
            // The order of the files is none to take the first rows of.
            let (training_rows, _) = split(table.len(), 0.0, seed);
            let held_out = held_out.select(&split(held_out.len(), 0.0, seed).0);
            let training = table.select(&training_rows);
            check_trainable(path, &training, dropped)?;
            // They are read from the files as they are, pass by pass.
            let (mixture, source) = (None, source(hash, dropped, Vec::new()));
            let streamed = InFiles { streamed: Arc::new(streamed), rows: sample_rows };
            let streamed = Some(streamed);
            return Ok(Self {
                table,
                training,
                training_rows,
                held_out,
                mixture,
                source,
                streamed,
            });
        }
        let Loaded { mut table, dropped, hash, .. } = read_table(path, &options, watch.1)?;
        let constant = match recorded {
            Some(Source::File { constant, .. }) => constant.clone(),
            Some(Source::Mixture) | None => left_out(&table, &settings.data),
        };
        if !constant.is_empty() {
            let varying = table.columns().iter().filter(|name| !constant.contains(name));
            table = table.with_columns(&varying.cloned().collect::<Vec<_>>());
        }
        let (training_rows, held_out) = split(table.len(), held_out, seed);
        let training = table.select(&training_rows);
        check_trainable(path, &training, dropped)?;
        let (held_out, source) = (table.select(&held_out), source(hash, dropped, constant));
        let (mixture, streamed) = (None, None);
        Ok(Self { table, training, training_rows, held_out, mixture, source, streamed })
    }

    /// The data of an earlier run: from its folder, or, where that has no copy yet or they are too
    /// large for one, from where they came.
    ///
    /// # Errors
    /// Where the files are missing, or the original has changed since.
    pub fn load(folder: &Path, plan: &Plan, watch: Watch) -> Result<Self> {
        let dataset = Self::find(folder, plan, watch)?;
        let (found, decided) = (dataset.rows_to_train_on(), plan.decided.training_rows);
        let blocks = dataset.streamed.as_ref().map_or(1, |files| blocks_of_pass(&files.streamed));
        if blocks > 1 && blocks.saturating_mul(plan.decided.epochs) > MOST_BLOCKS {
            let epochs = plan.decided.epochs;
            let what = format!("{epochs} passes of {blocks} blocks are too many");
            return Err(Error::damaged(&folder.join(RunDir::CONFIG), what));
        }
        if found != decided {
            return Err(Error::damaged(
                &folder.join(RunDir::CONFIG),
                format!("the run trains on {decided} rows, its data have {found} for that"),
            ));
        }
        Ok(dataset)
    }

    fn find(folder: &Path, plan: &Plan, watch: Watch) -> Result<Self> {
        let stamp = RunDir::read_stamp(folder, "data");
        let is_as_left = |file| stamp.as_ref().is_some_and(|stamp| stamp.vouches_for(folder, file));
        let Source::File { path, .. } = &plan.decided.source else {
            // One that is gone or was changed is made again.
            return match is_as_left(RunDir::MIXTURE) {
                true => {
                    let mixture = Mixture::read(&folder.join(RunDir::MIXTURE))?;
                    Ok(Self::from_mixture(mixture, &plan.settings))
                }
                false => Self::prepare(None, &plan.settings, watch),
            };
        };
        let source = plan.decided.source.clone();
        if is_as_left(RunDir::DATA) {
            let copy = folder.join(RunDir::DATA);
            let dataset = Self::from_file(&copy, &plan.settings, (Some(&source), false), watch)?;
            return Ok(Self { source, ..dataset });
        }
        if !path.exists() {
            let (copy, file, folder) =
                (folder.join(RunDir::DATA), path.display(), folder.display());
            let changed = match copy.exists() {
                true => format!("{} is not as the run left it, and ", copy.display()),
                false => String::new(),
            };
            let what = format!("{changed}{file}, the data of {folder}, is not there");
            return Err(Error::input(what).help(
                format!(
                    "put it back, or where it lies elsewhere by now say so: `modescope run PATH --resume \
                     --out {folder}`"
                ),
            ));
        }
        let dataset = Self::from_file(path, &plan.settings, (Some(&source), true), watch)?;
        match dataset.source.identity() == source.identity() {
            true => Ok(Self { source, ..dataset }),
            false => Err(Error::input(format!("{} has changed since the run", path.display()))
                .help("put the file back as it was, or run again with --force")),
        }
    }

    /// Refuses what would be refused when training is done: more samples than memory should hold, values
    /// beyond what an audit takes, labels that are no modes.
    ///
    /// # Errors
    /// The first of these.
    pub fn check_auditable(&self, samples: usize) -> Result<()> {
        let columns = self.table.width();
        if samples.checked_mul(columns).is_none_or(|values| values > MOST_VALUES) {
            return Err(Error::input(format!(
                "{samples} samples of {columns} columns are more than 10^9 values"
            ))
            .help("lower --samples; `modescope sample` draws more when the run is done"));
        }
        let Source::File { path, .. } = &self.source else { return Ok(()) };
        let file = path.display().to_string();
        check_values(self.table.rows(), &file, self.table.columns())?;
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
    pub fn check_latents(&self, latent: usize) -> Result<()> {
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
    fn rows(&self) -> usize {
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
    pub fn epoch(&self) -> &'static str {
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

/// [`read`], which an interrupt does not wait for.
///
/// # Errors
/// As [`read`], and an interrupt.
pub fn read_table(path: &Path, options: &ReadOptions, interrupt: &AtomicBool) -> Result<Loaded> {
    let (path, options) = (path.to_owned(), options.clone());
    interruptible(interrupt, move || read(&path, &options)).map_err(|error| match error.kind() {
        Kind::Interrupted => Error::interrupted(STOPPED),
        _ => error,
    })
}

/// Reads data once that memory is not to hold.
fn scan(
    path: &Path,
    options: &ReadOptions,
    settings: &Settings,
    (progress, interrupt): Watch,
) -> Result<Option<Scanned>> {
    let task = OnceLock::new();
    let on_rows = |done, total| {
        task.get_or_init(|| progress.begin("reading", total)).update(done, "");
        match interrupt.load(Ordering::Relaxed) {
            true => Err(Error::interrupted(STOPPED)),
            false => Ok(()),
        }
    };
    let draw = (settings.data.held_out, settings.seed);
    Streamed::scan(path, options, settings.data.stream_above, draw, &on_rows)
}

/// The columns that are left out of the features, where these are not named: those with one value. As
/// features they would be no error that a likelihood could have, and take a shared σ towards 0.
fn left_out(table: &Table, settings: &DataSettings) -> Vec<String> {
    let constant = table.constant_columns();
    match settings.columns.is_none() && constant.len() < table.width() {
        true => constant.into_iter().map(String::from).collect(),
        false => Vec::new(),
    }
}

/// Refuses rows that hold nothing to learn.
fn check_trainable(path: &Path, training: &Table, dropped: usize) -> Result<()> {
    let (rows, file) = (training.len(), path.display());
    if rows < 2 {
        let left = match dropped {
            0 => String::new(),
            dropped => format!(" after dropping {dropped} with missing values"),
        };
        return Err(Error::input(format!("{file}: there is only {rows} row to train on{left}"))
            .help("training needs at least 2 rows"));
    }
    if training.constant_columns().len() == training.width() {
        return Err(Error::input(format!("{file}: every row to train on has the same values"))
            .help("choose at least one column that varies with --columns"));
    }
    Ok(())
}

/// The first rows of a matrix, at most `rows`.
pub(super) fn first_rows(matrix: &Array2<f32>, rows: usize) -> Array2<f32> {
    matrix.slice(ndarray::s![..rows.min(matrix.nrows()), ..]).to_owned()
}

pub(super) fn stage(context: &Context) -> Result<()> {
    let table = &context.dataset.table;
    if let Some(mixture) = &context.dataset.mixture {
        mixture.write(&context.dir.file(RunDir::MIXTURE))?;
    }
    let streamed = context.dataset.streamed.is_some();
    match &context.dataset.source {
        Source::File { path, hash, .. }
            if streamed || table.len() * table.width() > LARGEST_COPY =>
        {
            let (path, hash) = (path.clone(), hash.clone());
            let rows = context.dataset.rows();
            let (shape, sample) = ((rows, table.width()), streamed.then_some(table.len()));
            let reference = Reference { path, hash, shape, sample };
            context.dir.write_json(RunDir::DATA_REFERENCE, &reference)
        }
        _ => write(&context.dir.file(RunDir::DATA), table),
    }
}
