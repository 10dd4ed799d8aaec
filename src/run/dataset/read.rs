//! Where the data of a run come from: a file, a mixture, or an earlier run's folder.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use super::{Dataset, InFiles, draw};
use crate::config::{DataSettings, Settings};
use crate::data::{
    Loaded, Mixture, ReadOptions, Scanned, Streamed, Table, blocks_of_pass, read, split,
};
use crate::error::{Error, Kind, Result, heed};
use crate::run::plan::MOST_BLOCKS;
use crate::run::{Plan, RunDir, Source, Stage, Watch, interruptible};

/// What an interrupt says that comes early.
const STOPPED: &str = "stopped while reading the data";
/// Fresh rows drawn as held-out rows of a generated mixture.
const FRESH_ROWS: usize = 1000;

/// Whose a file of data is.
#[derive(Clone, Copy)]
enum Origin<'a> {
    /// A new run's.
    New,
    /// A run's that recorded this of it, named anew or as it was.
    Again(&'a Source),
    /// The copy of it in that run's folder.
    Copy(&'a Source),
}

impl Dataset {
    /// Reads `path`, or generates the mixture that the settings describe.
    ///
    /// # Errors
    /// Where the file cannot be used, the mixture cannot be generated, or an interrupt.
    pub fn prepare(path: Option<&Path>, settings: &Settings, watch: Watch) -> Result<Self> {
        match path {
            Some(path) => Self::from_file(path, settings, Origin::New, watch),
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
        Self::from_file(path, settings, Origin::Again(&plan.decided.source), watch)
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

    fn from_file(path: &Path, settings: &Settings, origin: Origin, watch: Watch) -> Result<Self> {
        let options = ReadOptions {
            columns: settings.data.columns.clone(),
            labels: settings.data.labels.clone(),
            labels_optional: false,
            drop_missing: settings.data.drop_missing,
            check_precision: !matches!(origin, Origin::Copy(_)),
        };
        // Absolute, so that the run can be resumed from another folder.
        let absolute = std::path::absolute(path).map_err(|e| Error::io("finding", path, e))?;
        let dataset = match scan(path, &options, settings, watch)? {
            Some(scanned) => Self::in_files(absolute, scanned, settings),
            None => {
                let loaded = read_table(path, &options, watch.interrupt)?;
                Self::in_memory(absolute, loaded, origin, settings)
            }
        };
        check_trainable(path, &dataset)?;
        Ok(dataset)
    }

    /// The data that memory does not hold. They are read from the files as they are, pass by pass.
    fn in_files(path: PathBuf, scanned: Scanned, settings: &Settings) -> Self {
        let Scanned { streamed, sample: table, sample_rows, held_out, dropped, hash } = scanned;
        // The order of the files is none to take the first rows of.
        let (training_rows, _) = split(table.len(), 0.0, settings.seed);
        let held_out = held_out.select(&split(held_out.len(), 0.0, settings.seed).0);
        Self {
            training: table.select(&training_rows),
            table,
            training_rows,
            held_out,
            mixture: None,
            source: Source::File { path, hash, dropped, constant: Vec::new() },
            streamed: Some(InFiles { streamed: Arc::new(streamed), rows: sample_rows }),
        }
    }

    fn in_memory(
        path: PathBuf,
        Loaded { mut table, dropped, hash, .. }: Loaded,
        origin: Origin,
        settings: &Settings,
    ) -> Self {
        let constant = match origin {
            Origin::Again(Source::File { constant, .. })
            | Origin::Copy(Source::File { constant, .. }) => constant.clone(),
            _ => left_out(&table, &settings.data),
        };
        if !constant.is_empty() {
            let varying = table.columns().iter().filter(|name| !constant.contains(name));
            table = table.with_columns(&varying.cloned().collect::<Vec<_>>());
        }
        let (training_rows, held_out) = split(table.len(), settings.data.held_out, settings.seed);
        Self {
            training: table.select(&training_rows),
            held_out: table.select(&held_out),
            table,
            training_rows,
            mixture: None,
            source: Source::File { path, hash, dropped, constant },
            streamed: None,
        }
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
        let stamp = RunDir::read_stamp(folder, Stage::Data);
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
            let dataset = Self::from_file(&copy, &plan.settings, Origin::Copy(&source), watch)?;
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
        let dataset = Self::from_file(path, &plan.settings, Origin::Again(&source), watch)?;
        match dataset.source.identity() == source.identity() {
            true => Ok(Self { source, ..dataset }),
            false => Err(Error::input(format!("{} has changed since the run", path.display()))
                .help("put the file back as it was, or run again with --force")),
        }
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
    watch: Watch,
) -> Result<Option<Scanned>> {
    let task = OnceLock::new();
    let on_rows = |done, total| {
        task.get_or_init(|| watch.progress.begin("reading", total)).update(done, "");
        heed(watch.interrupt).map_err(|_| Error::interrupted(STOPPED))
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
fn check_trainable(path: &Path, dataset: &Dataset) -> Result<()> {
    let training = &dataset.training;
    let (rows, file) = (training.len(), path.display());
    if rows < 2 {
        let left = match dataset.source {
            Source::File { dropped, .. } if dropped > 0 => {
                format!(" after dropping {dropped} with missing values")
            }
            _ => String::new(),
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
