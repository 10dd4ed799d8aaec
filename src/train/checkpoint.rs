//! Checkpoints: a training on disk, from which it goes on as if nothing had happened.

use std::array::from_fn;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use ndarray::{ArrayView1, aview2};
use serde::{Deserialize, Serialize};

use super::trainer::StepLosses;
use crate::config::{OnDivergence, SafetySettings};
use crate::error::{Error, Result};
use crate::files;
use crate::history::EpochRecord;
use crate::input;
use crate::model::{Architecture, Parameters, TensorFile, TrainingState};

/// A training between two steps.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// Weights and optimiser.
    pub(super) state: TrainingState,
    /// Where in the job it stands.
    pub(super) position: Position,
    /// A record of each finished epoch.
    pub(super) history: Vec<EpochRecord>,
    /// The best weights so far, where training stops early.
    pub(super) best: Option<Best>,
}

/// Where a training stands beside its weights.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Position {
    /// Seed of weights, order and noise.
    pub(super) seed: u64,
    /// The epoch of the next step, from 0.
    pub(super) epoch: usize,
    /// Steps of it that were taken.
    pub(super) step: usize,
    /// Over these steps, the sum of each loss times the rows of its batch.
    pub(super) sums: StepLosses,
    /// Seconds of training so far.
    pub(super) seconds: f64,
    /// How often training diverged and was begun again with a lower rate.
    pub(super) retries: u32,
}

/// The best weights of a training that stops early.
#[derive(Clone, Debug)]
pub(super) struct Best {
    pub(super) held_out_elbo: f64,
    /// Epochs since then.
    pub(super) epochs_since: usize,
    pub(super) parameters: Parameters,
}

impl Checkpoint {
    /// A training before its first step.
    pub(super) fn start(parameters: Parameters, seed: u64) -> Self {
        Self {
            state: parameters.into(),
            position: Position { seed, ..Position::default() },
            history: Vec::new(),
            best: None,
        }
    }

    /// Seed of the training's weights, order and noise.
    pub fn seed(&self) -> u64 {
        self.position.seed
    }
}

/// The checkpoints of one training in a folder of their own.
#[derive(Clone, Debug)]
pub struct Checkpoints {
    folder: PathBuf,
    /// Hash of what the training depends on: only checkpoints with the same one are read.
    key: String,
    settings: SafetySettings,
}

/// What a checkpoint file says beside its tensors.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    position: Position,
    steps: u64,
    /// ELBO and epochs since.
    best: Option<(f64, usize)>,
}

const FORMAT: &str = "3";
const WEIGHTS: &str = "weights/";
const FIRST_MOMENTS: &str = "adam-first/";
const SECOND_MOMENTS: &str = "adam-second/";
const AVERAGE: &str = "average/";
const BEST: &str = "best/";
/// A matrix of a row an epoch: a header of text would not hold those of a long training.
const HISTORY: &str = "history";

impl Checkpoints {
    /// Checkpoints in `folder`, which must be there when the first is written, of a training of so many
    /// epochs that depends on what `key` is a hash of.
    pub fn new(folder: PathBuf, key: String, settings: &SafetySettings, epochs: usize) -> Self {
        let retries = settings.on_divergence == OnDivergence::Retry;
        let every = settings.checkpoint_epochs.or(retries.then(|| epochs.div_ceil(20).max(1)));
        Self {
            folder,
            key,
            settings: SafetySettings { checkpoint_epochs: every, ..settings.clone() },
        }
    }

    pub(super) fn settings(&self) -> &SafetySettings {
        &self.settings
    }

    /// The newest checkpoint, with its file; nothing where there is none of this training.
    ///
    /// # Errors
    /// Where a file cannot be read or is damaged.
    pub fn newest(&self, architecture: &Architecture) -> Result<Option<(PathBuf, Checkpoint)>> {
        self.last(architecture, |_| true)
    }

    /// The newest of those that are written after every so many epochs.
    pub(super) fn newest_regular(
        &self,
        architecture: &Architecture,
    ) -> Result<Option<(PathBuf, Checkpoint)>> {
        self.last(architecture, |place| self.is_regular_place(place))
    }

    fn last(
        &self,
        architecture: &Architecture,
        wanted: impl Fn(Place) -> bool,
    ) -> Result<Option<(PathBuf, Checkpoint)>> {
        let Some((_, path)) = list(&self.folder)?.into_iter().rfind(|(place, _)| wanted(*place))
        else {
            return Ok(None);
        };
        let checkpoint = self.read(&path, architecture)?;
        Ok(checkpoint.map(|checkpoint| (path, checkpoint)))
    }

    /// Writes a checkpoint and removes the oldest beyond those that are kept.
    ///
    /// # Errors
    /// Where the folder cannot be written.
    pub(super) fn write(&self, checkpoint: &Checkpoint) -> Result<()> {
        let Checkpoint { state, position, history, best } = checkpoint;
        let metadata = Metadata {
            position: *position,
            steps: state.steps,
            best: best.as_ref().map(|best| (best.held_out_elbo, best.epochs_since)),
        };
        let text = serde_json::to_string(&metadata)
            .map_err(|error| Error::failed(format!("encoding a checkpoint: {error}")))?;
        let pairs = [("format", FORMAT), ("key", &self.key), ("training", &text)];
        let metadata = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let parameters = &state.parameters;
        let mut parts: Vec<(&str, &[f32])> = vec![
            (WEIGHTS, &parameters.values),
            (FIRST_MOMENTS, &state.first_moments),
            (SECOND_MOMENTS, &state.second_moments),
        ];
        parts.extend(state.average.as_deref().map(|average| (AVERAGE, average)));
        parts.extend(best.as_ref().map(|best| (BEST, &*best.parameters.values)));
        let records: Vec<_> = history.iter().map(EpochRecord::to_values).collect();
        let matrices = [(HISTORY, aview2(&records))];
        let metadata = HashMap::from(metadata);
        let bytes = TensorFile::encode(&parameters.architecture, &parts, &matrices, metadata)?;
        let path = self.folder.join(Place::of(position).file_name());
        files::write_bytes(&path, &bytes)?;
        self.prune()
    }

    /// Removes what is older than the newest that are kept; of those that a retry would go back to,
    /// the newest stays.
    fn prune(&self) -> Result<()> {
        let files = list(&self.folder)?;
        let old = files.len().saturating_sub(self.settings.checkpoints_kept);
        let kept = files.iter().rposition(|(place, _)| self.is_regular_place(*place));
        let unwanted = files.iter().take(old).enumerate().filter(|(i, _)| Some(*i) != kept);
        unwanted.map(|(_, file)| file).try_for_each(|(_, path)| remove(path))
    }

    /// Whether a checkpoint here is one of those after every so many epochs.
    pub(super) fn is_regular(&self, position: &Position) -> bool {
        self.is_regular_place(Place::of(position))
    }

    fn is_regular_place(&self, Place { epoch, step }: Place) -> bool {
        let every = self.settings.checkpoint_epochs;
        step == 0 && epoch > 0 && every.is_some_and(|every| epoch.is_multiple_of(every))
    }

    /// Removes the checkpoints that come after this one: their training diverged, or was another.
    pub(super) fn remove_after(&self, position: &Position) -> Result<()> {
        let place = Place::of(position);
        let files = list(&self.folder)?;
        files.iter().filter(|(other, _)| *other > place).try_for_each(|(_, path)| remove(path))
    }

    /// Removes every checkpoint in `folder`, and the folder where it is empty then.
    ///
    /// # Errors
    /// Where the operating system refuses.
    pub fn clear(folder: &Path) -> Result<()> {
        list(folder)?.iter().try_for_each(|(_, path)| remove(path))?;
        // Where it holds what is not ours it stays.
        let _ = fs::remove_dir(folder);
        Ok(())
    }

    /// The checkpoint in a file; nothing where it is of another training.
    fn read(&self, path: &Path, architecture: &Architecture) -> Result<Option<Checkpoint>> {
        let wrong = |what: String| {
            Error::input(format!("{}: {what}", path.display())).help(
                "remove the file: training then goes on from the checkpoint before it, if there is one",
            )
        };
        let bytes = input::bytes(path)?;
        let mut file = TensorFile::parse(&bytes).map_err(wrong)?;
        let entry = |name: &str| {
            file.metadata(name).ok_or_else(|| wrong(format!("it does not say its {name}")))
        };
        if entry("format")? != FORMAT {
            return Err(wrong("it is of another version".into()));
        }
        if !file.is_as_written() {
            return Err(wrong("some of it has changed since it was written".into()));
        }
        if entry("key")? != self.key {
            return Ok(None);
        }
        let metadata: Metadata =
            serde_json::from_str(entry("training")?).map_err(|error| wrong(error.to_string()))?;
        let mut part = |prefix| file.take(architecture, prefix).map_err(wrong);
        let parameters = |values| Parameters { architecture: architecture.clone(), values };
        let weights = parameters(part(WEIGHTS)?);
        if let Some(name) = weights.first_broken_tensor() {
            return Err(wrong(format!("{name} holds values that are not finite")));
        }
        let state = TrainingState {
            parameters: weights,
            steps: metadata.steps,
            first_moments: part(FIRST_MOMENTS)?,
            second_moments: part(SECOND_MOMENTS)?,
            average: None,
        };
        let best = match metadata.best {
            None => None,
            Some((held_out_elbo, epochs_since)) => {
                let parameters = parameters(part(BEST)?);
                Some(Best { held_out_elbo, epochs_since, parameters })
            }
        };
        let average = match file.holds(AVERAGE) {
            true => Some(file.take(architecture, AVERAGE).map_err(wrong)?),
            false => None,
        };
        let history = file.take_matrix(HISTORY, EpochRecord::VALUES).map_err(wrong)?;
        let record = |row: ArrayView1<f64>| EpochRecord::from_values(from_fn(|i| row[i]));
        let history: Vec<EpochRecord> = history.rows().into_iter().map(record).collect();
        file.check_empty().map_err(wrong)?;
        let position = metadata.position;
        if history.len() != position.epoch {
            return Err(wrong("its history does not end where it stands".into()));
        }
        Ok(Some(Checkpoint { state: TrainingState { average, ..state }, position, history, best }))
    }
}

/// The step before which a checkpoint was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    epoch: usize,
    step: usize,
}

impl Place {
    fn of(position: &Position) -> Self {
        Self { epoch: position.epoch, step: position.step }
    }

    fn file_name(self) -> String {
        format!("epoch-{:07}-step-{:07}.safetensors", self.epoch, self.step)
    }

    fn of_file(name: &str) -> Option<Self> {
        let rest = name.strip_prefix("epoch-")?.strip_suffix(".safetensors")?;
        let (epoch, step) = rest.split_once("-step-")?;
        Some(Self { epoch: epoch.parse().ok()?, step: step.parse().ok()? })
    }
}

/// The checkpoints in a folder, the oldest first.
fn list(folder: &Path) -> Result<Vec<(Place, PathBuf)>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|error| Error::io("reading", folder, error))?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| Error::io("reading", folder, error))?;
        let place = entry.file_name().to_str().and_then(Place::of_file);
        found.extend(place.map(|place| (place, entry.path())));
    }
    found.sort();
    Ok(found)
}

fn remove(path: &Path) -> Result<()> {
    fs::remove_file(path).map_err(|error| Error::io("removing", path, error))
}
