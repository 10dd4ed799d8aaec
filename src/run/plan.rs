//! The plan: everything a run decides, decided once, before anything is written.

mod record;

use serde::{Deserialize, Serialize};

use super::{Dataset, Source};
use crate::config::{Backend, BackendChoice, Engine, FEWEST_STEPS, Settings};
use crate::device::Adapter;
use crate::error::{Error, Result};
use crate::model::{Architecture, Objective};
use crate::tsne;

/// Fewest and most rows a step where the settings name none.
const DEFAULT_BATCH: usize = 32;
const LARGEST_DEFAULT_BATCH: usize = 8192;
/// Steps that training takes at least where the settings name no epochs. Whatever the number of
/// rows, fewer leave modes in the wrong place; docs/recipes.md has what more of them bring.
const DEFAULT_STEPS: usize = 10_000;
/// Passes over few rows at most, but [`FEWEST_STEPS`] in any case: with more of them a model overfits.
/// docs/recipes.md has the figures.
const MOST_EPOCHS: usize = 400;
/// Most passes, which training.epochs is held to as well.
const MOST_PASSES: usize = 1_000_000_000;
/// Most blocks that the passes over data in files may have.
pub(super) const MOST_BLOCKS: usize = 1_000_000;

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
        settings.validate()?;
        let architecture = Architecture::new(&settings.model, facts.columns);
        architecture.parameter_count()?;
        let mut notes = Vec::new();
        let rows = facts.training_rows;
        let batch = batch(&settings, &facts, &mut notes)?;
        check_held_out(&settings, &facts)?;
        let embedded = facts.rows_to_analyse.min(settings.analysis.rows);
        let fits = |perplexity: &f64| tsne::allows(embedded, *perplexity);
        let perplexities = settings.analysis.perplexities.iter().copied().filter(fits).collect();
        let objective = Objective::new(&settings.training, batch);
        let (engine, why) =
            super::engine::choose(settings.engine, &facts, &architecture, &objective)?;
        let engine_reason = match engine {
            Engine::Fused => format!("fused engine: {why}"),
            Engine::Autodiff => format!("engine of burn's autodiff: {why}"),
        };
        let on_gpu = facts.adapter.as_ref().is_some_and(Adapter::is_gpu);
        let suits_cpu = super::engine::suits_cpu(&architecture, batch)?;
        // Restarts are trained side by side, as a GPU likes it.
        let alone = engine == Engine::Fused && settings.training.restarts == 1;
        if settings.backend == BackendChoice::Auto && on_gpu && suits_cpu && alone {
            notes.push(
                "a model this small would train faster on the processor (--backend cpu)".into(),
            );
        }
        let epochs = epochs(&settings, &facts, batch)?;
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

    /// The option to try where training ended too early: of twice as many passes, or as many as are taken
    /// where nobody names a number, if these are more; of rows to visit twice as many, or the fewest steps.
    pub fn longer(&self) -> String {
        let Decided { epochs, training_rows, batch, .. } = self.decided;
        match self.settings.training.rows {
            Some(visits) => {
                format!("--rows {}", visits.saturating_mul(2).max(FEWEST_STEPS * batch))
            }
            None => {
                let of_default = default_epochs(training_rows.div_ceil(batch));
                format!("--epochs {}", epochs.saturating_mul(2).max(of_default).min(MOST_PASSES))
            }
        }
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
}

/// Rows a step.
fn batch(settings: &Settings, facts: &Facts, notes: &mut Vec<String>) -> Result<usize> {
    let Facts { training_rows: rows, rows_at_once, .. } = *facts;
    let in_blocks = rows_at_once < rows;
    match settings.training.batch {
        Some(batch) if batch > rows_at_once => {
            let (when, or) = match in_blocks {
                true => (" in a block", ", raise data.stream_above"),
                false => ("", ""),
            };
            Err(Error::input(format!(
                "setting training.batch is {batch}, but there are {rows_at_once} rows to train on{when}"
            ))
            .help(format!("set it to at most {rows_at_once}{or}, or leave it out")))
        }
        Some(batch) => Ok(batch),
        None if rows_at_once < DEFAULT_BATCH => {
            let what = if in_blocks { "rows in a block" } else { "rows to train on" };
            notes.push(format!("batch size {rows_at_once}: there are only so many {what}"));
            Ok(rows_at_once)
        }
        None => {
            let visits = settings.training.rows.unwrap_or(rows);
            Ok(default_batch(rows.min(visits)).min(rows_at_once))
        }
    }
}

/// Refuses what compares models on held-out rows where there are none.
fn check_held_out(settings: &Settings, facts: &Facts) -> Result<()> {
    let training = &settings.training;
    let refused = |what: &str, setting: &str| {
        Err(Error::input(format!("{what} held-out rows"))
            .help(format!("set data.held_out above 0, or leave {setting} out")))
    };
    match facts.held_out_rows {
        0 if training.patience.is_some() => {
            refused("early stopping (training.patience) needs", "training.patience")
        }
        0 if training.restarts > 1 => {
            refused("restarts (training.restarts) are compared on", "training.restarts")
        }
        _ => Ok(()),
    }
}

/// Passes over the rows.
fn epochs(settings: &Settings, facts: &Facts, batch: usize) -> Result<usize> {
    let rows = facts.training_rows;
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
    let in_all = blocks.saturating_mul(epochs);
    if blocks > 1 && in_all > MOST_BLOCKS {
        return Err(Error::input(format!(
            "{epochs} passes of {blocks} blocks are {in_all} in all, more than {MOST_BLOCKS}"
        ))
        .help("train for fewer, or raise data.stream_above"));
    }
    Ok(epochs)
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

#[cfg(test)]
pub(super) mod tests;
