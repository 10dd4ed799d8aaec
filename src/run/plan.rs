//! The plan: everything a run decides, decided once, before anything is written.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::{Dataset, RunDir};
use crate::config::{Backend, Engine, Settings};
use crate::device::Adapter;
use crate::error::{Error, Result};
use crate::files;
use crate::input;
use crate::model::{Architecture, Objective};
use crate::tsne;

/// Fewest and most rows a step where the settings name none.
const DEFAULT_BATCH: usize = 32;
const LARGEST_DEFAULT_BATCH: usize = 8192;
/// Steps that training takes at least where the settings name no epochs. Whatever the number of
/// rows, fewer leave modes in the wrong place; docs/recipes.md has what more of them bring.
const DEFAULT_STEPS: usize = 10_000;
/// Passes over few rows at most, but so many steps in any case: with more of them a model learns its rows
/// by heart. docs/recipes.md has the figures.
const MOST_EPOCHS: usize = 400;
const FEWEST_STEPS: usize = 2000;
/// The value of a key that a plan has not.
const NOT_SET: &str = "not set";
/// Most passes, which training.epochs is held to as well.
const MOST_PASSES: usize = 1_000_000_000;
/// Most blocks that the passes over data in files may have.
pub(super) const MOST_BLOCKS: usize = 1_000_000;

/// Where the data come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Source {
    /// Drawn from the mixture that the settings describe.
    Mixture,
    /// Read from a file.
    File {
        /// Absolute.
        path: PathBuf,
        /// BLAKE3 of its bytes, in hexadecimal.
        hash: String,
        /// Rows with missing values that were left out of it.
        dropped: usize,
        /// Columns that were left out, with one value in all rows.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        constant: Vec<String>,
    },
}

impl Source {
    /// What tells it from others, wherever it lies.
    pub fn identity(&self) -> serde_json::Value {
        match self {
            Self::Mixture => serde_json::Value::Null,
            // As runs have it that were recorded before columns were left out.
            Self::File { hash, dropped, constant, .. } if constant.is_empty() => {
                serde_json::json!([hash, dropped])
            }
            Self::File { hash, dropped, constant, .. } => {
                serde_json::json!([hash, dropped, constant])
            }
        }
    }

    fn hash(&self) -> Option<&str> {
        match self {
            Self::Mixture => None,
            Self::File { hash, .. } => Some(hash),
        }
    }

    /// How it differs from what was there before, in words.
    fn difference(&self, before: &Self) -> String {
        let name = |source: &Self| match source {
            Self::Mixture => "a generated mixture".into(),
            Self::File { path, .. } => path.display().to_string(),
        };
        match (self, before) {
            (Self::File { path, .. }, Self::File { path: known, .. }) if path == known => {
                format!("{} has changed since", path.display())
            }
            _ => format!("the data of {} are not those of {}", name(self), name(before)),
        }
    }
}

/// What a plan needs to know of data and machine.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Where the data come from.
    pub source: Source,
    /// Columns of the data.
    pub columns: usize,
    /// Rows to train on.
    pub training_rows: usize,
    /// Rows that a trainer has at a time: all, or those of a block.
    pub rows_at_once: usize,
    /// Rows kept out of training.
    pub held_out_rows: usize,
    /// Rows that are analysed: those trained on or a sample of them.
    pub rows_to_analyse: usize,
    /// The backend that was opened; never `auto`.
    pub backend: Backend,
    /// Its adapter, on wgpu.
    pub adapter: Option<Adapter>,
}

impl Facts {
    /// What there is to know of these data and the device that was opened.
    pub fn new(dataset: &Dataset, backend: Backend, adapter: Option<Adapter>) -> Self {
        Self {
            source: dataset.source.clone(),
            columns: dataset.table.width(),
            training_rows: dataset.rows_to_train_on(),
            rows_at_once: dataset.rows_at_once(),
            rows_to_analyse: dataset.training.len(),
            held_out_rows: dataset.held_out.len(),
            backend,
            adapter,
        }
    }
}

/// A run, decided. `config.toml` holds it: the settings, and under `[run]` what became of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The settings as resolved from every layer.
    pub settings: Settings,
    /// What was decided.
    pub decided: Decided,
    /// Who takes the training steps and why, in words; empty where the plan was read from a file.
    pub engine_reason: String,
    /// Decisions that a user should hear of.
    pub notes: Vec<String>,
}

/// What a plan decided beyond the settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decided {
    /// Version of modescope.
    pub modescope: String,
    /// The backend.
    pub backend: Backend,
    /// The trainer; never `auto`.
    pub engine: Engine,
    /// Rows a step.
    pub batch: usize,
    /// Passes over the rows; the last may be cut short by `training.rows`.
    pub epochs: usize,
    /// Latent units.
    pub latent: usize,
    /// Rows trained on.
    pub training_rows: usize,
    /// Rows kept out of training.
    pub held_out_rows: usize,
    /// Perplexities that the number of rows allows.
    pub perplexities: Vec<f64>,
    /// Where the data came from.
    pub source: Source,
    /// The adapter, on wgpu.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adapter: Option<Adapter>,
}

impl Plan {
    /// Decides everything; a pure function of its arguments.
    ///
    /// # Errors
    /// Settings that the data do not allow.
    pub fn resolve(settings: Settings, facts: Facts) -> Result<Self> {
        let architecture = Architecture::new(&settings.model, facts.columns);
        architecture.parameter_count()?;
        let mut notes = Vec::new();
        let rows = facts.training_rows;
        let batch = match settings.training.batch {
            Some(batch) if batch > facts.rows_at_once => {
                let (when, or) = match facts.rows_at_once < rows {
                    true => (" in a block", ", raise data.stream_above"),
                    false => ("", ""),
                };
                let rows = facts.rows_at_once;
                return Err(Error::input(format!(
                    "setting training.batch is {batch}, but there are {rows} rows to train on{when}"
                ))
                .help(format!("set it to at most {rows}{or}, or leave it out")));
            }
            Some(batch) => batch,
            None if facts.rows_at_once < DEFAULT_BATCH => {
                let (batch, block) = (facts.rows_at_once, facts.rows_at_once < rows);
                let what = if block { "rows in a block" } else { "rows to train on" };
                notes.push(format!("batch size {batch}: there are only so many {what}"));
                batch
            }
            None => {
                let visits = settings.training.rows.unwrap_or(rows);
                default_batch(rows.min(visits)).min(facts.rows_at_once)
            }
        };
        if settings.training.patience.is_some() && facts.held_out_rows == 0 {
            return Err(Error::input("early stopping (training.patience) needs held-out rows")
                .help("set data.held_out above 0, or leave training.patience out"));
        }
        if settings.training.restarts > 1 && facts.held_out_rows == 0 {
            return Err(Error::input("restarts (training.restarts) are compared on held-out rows")
                .help("set data.held_out above 0, or leave training.restarts out"));
        }
        let embedded = facts.rows_to_analyse.min(settings.analysis.rows);
        let fits = |perplexity: &f64| tsne::allows(embedded, *perplexity);
        let perplexities = settings.analysis.perplexities.iter().copied().filter(fits).collect();
        let objective = Objective::new(&settings.training, batch);
        let (engine, why) =
            super::engine::choose(settings.engine, &facts, &architecture, &objective)?;
        let engine_reason = match engine {
            Engine::Fused => format!("fused engine: {why}"),
            Engine::Autodiff | Engine::Auto => format!("engine of burn's autodiff: {why}"),
        };
        let on_gpu = facts.adapter.as_ref().is_some_and(Adapter::is_gpu);
        let suits_cpu = super::engine::suits_cpu(&architecture, batch)?;
        // Restarts are trained side by side, as a GPU likes it.
        let alone = engine == Engine::Fused && settings.training.restarts == 1;
        if settings.backend == Backend::Auto && on_gpu && suits_cpu && alone {
            notes.push(
                "a model this small would train faster on the processor (--backend cpu)".into(),
            );
        }
        let of_default = || default_epochs(rows.div_ceil(batch).max(1));
        let epochs = match settings.training.rows {
            Some(visits) => visits.div_ceil(rows.max(1)),
            None => settings.training.epochs.unwrap_or_else(of_default),
        };
        if epochs > MOST_PASSES {
            return Err(Error::input(format!("{epochs} passes over {rows} rows are too many"))
                .help("lower training.rows"));
        }
        let blocks = rows.div_ceil(facts.rows_at_once.max(1));
        if blocks > 1 && blocks.saturating_mul(epochs) > MOST_BLOCKS {
            return Err(Error::input(format!(
                "{epochs} passes of {blocks} blocks are {} in all, more than {MOST_BLOCKS}",
                blocks.saturating_mul(epochs)
            ))
            .help("train for fewer, or raise data.stream_above"));
        }
        let decided = Decided {
            modescope: env!("CARGO_PKG_VERSION").into(),
            backend: facts.backend,
            engine,
            batch,
            epochs,
            latent: architecture.latent,
            training_rows: rows,
            held_out_rows: facts.held_out_rows,
            perplexities,
            source: facts.source,
            adapter: facts.adapter,
        };
        Ok(Self { settings, decided, engine_reason, notes })
    }

    /// Rows that training visits, each once in every pass.
    pub fn rows_to_visit(&self) -> usize {
        let Decided { epochs, training_rows, .. } = self.decided;
        self.settings.training.rows.unwrap_or(epochs.saturating_mul(training_rows))
    }

    /// What a user should hear of perplexities that the rows do not allow.
    pub fn perplexity_notes(&self) -> impl Iterator<Item = String> {
        let wanted = self.settings.analysis.perplexities.iter();
        wanted.filter(|perplexity| !self.decided.perplexities.contains(perplexity)).map(
            |perplexity| {
                format!(
                    "t-SNE at perplexity {perplexity} left out: it needs more than {} rows",
                    3.0 * perplexity + 1.0
                )
            },
        )
    }

    fn to_table(&self) -> Result<Table> {
        let encode = |error| Error::failed(format!("encoding the settings: {error}"));
        let mut table = Table::try_from(&self.settings).map_err(encode)?;
        table.insert("run".into(), Value::try_from(&self.decided).map_err(encode)?);
        Ok(table)
    }

    /// Writes `config.toml` where it does not say the same already.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let text = toml::to_string(&self.to_table()?)
            .map_err(|error| Error::failed(format!("encoding the settings: {error}")))?;
        let path = folder.join(RunDir::CONFIG);
        match std::fs::read(&path) {
            Ok(there) if there == text.as_bytes() => Ok(()),
            _ => files::write_bytes(&path, text.as_bytes()),
        }
    }

    /// Reads the `config.toml` of a run folder.
    ///
    /// # Errors
    /// As [`read_file`](Self::read_file).
    pub fn read(folder: &Path) -> Result<Self> {
        Self::read_file(&folder.join(RunDir::CONFIG))
    }

    /// Reads a plan.
    ///
    /// # Errors
    /// Where the file is missing or is no plan.
    pub fn read_file(path: &Path) -> Result<Self> {
        let wrong = |what: String| Error::damaged(path, what.trim_end());
        let text = input::toml(path)?;
        let mut table: Table =
            text.parse().map_err(|error: toml::de::Error| wrong(error.to_string()))?;
        let decided = table.remove("run").ok_or_else(|| wrong("no [run] table".into()))?;
        let settings: Settings = table.try_into().map_err(|error| wrong(error.to_string()))?;
        settings.validate().map_err(|error| wrong(error.message().into()))?;
        let decided: Decided = decided.try_into().map_err(|error| wrong(error.to_string()))?;
        if !(1..=decided.training_rows).contains(&decided.batch) {
            let (batch, rows) = (decided.batch, decided.training_rows);
            return Err(wrong(format!("[run] has batches of {batch} of {rows} rows")));
        }
        let fit = match settings.training.rows {
            Some(visits) => decided.epochs == visits.div_ceil(decided.training_rows),
            None => decided.epochs > 0,
        };
        if !fit {
            return Err(wrong(format!("[run] has {} epochs", decided.epochs)));
        }
        Ok(Self { settings, decided, engine_reason: String::new(), notes: Vec::new() })
    }

    /// Every difference from another plan that changes what is done, as `key is this, not that`; the
    /// machine that does it may be another, and the same data may lie elsewhere.
    ///
    /// # Errors
    /// Where a plan cannot be encoded.
    pub fn difference(&self, other: &Self) -> Result<Option<String>> {
        let matters = |key: &str| {
            let machine = ["backend", "engine", "run.backend", "run.engine"].contains(&key);
            !machine
                && !["safety.", "run.source", "run.adapter"].iter().any(|of| key.starts_with(of))
        };
        let words = |(key, values): (String, Vec<String>)| match values[1].as_str() {
            NOT_SET => format!("{key} is {}, and was not set", values[0]),
            was => format!("{key} is {}, not {was}", values[0]),
        };
        let (now, before) = (&self.decided.source, &other.decided.source);
        let data = (now.hash() != before.hash()).then(|| now.difference(before));
        let mut differing = Self::differences(&[self, other])?;
        differing.retain(|(key, _)| matters(key));
        // What is decided follows from settings and data.
        let is_set = |key: &str| !key.starts_with("run.") || key == "run.modescope";
        if data.is_some() || differing.iter().any(|(key, _)| is_set(key)) {
            differing.retain(|(key, _)| is_set(key));
        }
        let all: Vec<String> = data.into_iter().chain(differing.into_iter().map(words)).collect();
        Ok((!all.is_empty()).then(|| all.join(", ")))
    }

    /// The dotted keys in which plans differ, each with its value in every plan, in their order: of
    /// settings before what was decided from them.
    ///
    /// # Errors
    /// Where a plan cannot be encoded.
    pub fn differences(plans: &[&Self]) -> Result<Vec<(String, Vec<String>)>> {
        let tables: Vec<BTreeMap<String, String>> =
            plans.iter().map(|plan| Ok(flatten(&plan.to_table()?))).collect::<Result<_>>()?;
        let keys: BTreeSet<&String> = tables.iter().flat_map(BTreeMap::keys).collect();
        let (decided, set): (Vec<_>, Vec<_>) =
            keys.into_iter().partition(|key| key.starts_with("run."));
        let values = |key: &String| {
            let of = |table: &BTreeMap<String, String>| match table.get(key) {
                Some(value) => value.clone(),
                None => NOT_SET.into(),
            };
            (key.clone(), tables.iter().map(of).collect())
        };
        let differ = |(_, values): &(String, Vec<String>)| values.iter().any(|v| *v != values[0]);
        Ok(set.into_iter().chain(decided).map(values).filter(differ).collect())
    }
}

/// Rows a step where nobody asks for a number: of many rows the power of two with which a pass still has
/// the default steps. docs/handbook/large-data.md has what it brings.
fn default_batch(rows: usize) -> usize {
    let most = (rows / DEFAULT_STEPS).max(1);
    (1 << most.ilog2()).clamp(DEFAULT_BATCH, LARGEST_DEFAULT_BATCH)
}

/// Passes over the rows where nobody asks for a number, given the steps of one.
fn default_epochs(steps: usize) -> usize {
    let most = MOST_EPOCHS.max(FEWEST_STEPS.div_ceil(steps));
    DEFAULT_STEPS.div_ceil(steps).min(most)
}

/// Dotted keys and the text of their values.
fn flatten(table: &Table) -> BTreeMap<String, String> {
    let mut flat = BTreeMap::new();
    for (key, value) in table {
        match value {
            Value::Table(inner) => {
                flat.extend(flatten(inner).into_iter().map(|(k, v)| (format!("{key}.{k}"), v)));
            }
            value => {
                flat.insert(key.clone(), value.to_string());
            }
        }
    }
    flat
}

#[cfg(test)]
pub(super) mod tests;
