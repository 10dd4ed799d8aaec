//! Arguments that several commands have, and how they become settings.

use std::convert::Infallible;
use std::path::PathBuf;

use clap::Args;
use clap::builder::RangedI64ValueParser;
use toml::Value;

use crate::config::{Backend, BackendChoice, EngineChoice, Layers, OnDivergence, Settings};
use crate::device::{adapters, automatic};
use crate::error::{Error, Result};

/// Parses the whole numbers that a setting can hold: TOML's integers from 0.
pub fn count() -> RangedI64ValueParser<i64> {
    RangedI64ValueParser::new().range(0..)
}

/// Where to compute.
#[derive(Args)]
pub struct BackendArgument {
    /// Where to compute [default: auto; of bench and doctor every one of this machine]
    #[arg(long, value_enum)]
    pub backend: Option<BackendChoice>,
}

impl BackendArgument {
    /// The backends that a command should look at: what was asked for, or every one of this machine.
    pub fn backends(&self) -> Vec<Backend> {
        match self.backend {
            Some(asked) => vec![asked.named().unwrap_or_else(|| automatic(adapters()).0)],
            None if adapters().is_empty() => vec![Backend::Cpu, Backend::Ndarray],
            None => vec![Backend::Cpu, Backend::Ndarray, Backend::Wgpu],
        }
    }
}

/// Options of every command that trains.
#[derive(Args)]
pub struct SettingsArguments {
    /// A named recipe; `modescope recipes` lists them [default: calibrated]
    #[arg(long, value_name = "NAME")]
    pub recipe: Option<String>,
    /// A TOML file of settings, laid over the recipe
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// One setting, laid over the file, such as training.epochs=50; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub assignments: Vec<String>,
    /// Seed of every random draw [default: 1]
    #[arg(long, value_name = "N", value_parser = count())]
    pub seed: Option<i64>,
    /// Passes over the data [default: the recipe's]
    #[arg(long, value_name = "N", value_parser = count())]
    pub epochs: Option<i64>,
    /// Rows to visit in all passes together, in place of --epochs: may be less than one pass
    #[arg(long, value_name = "N", value_parser = count(), conflicts_with = "epochs")]
    pub rows: Option<i64>,
    /// Who takes the training steps [default: auto]
    #[arg(long, value_enum)]
    pub engine: Option<EngineChoice>,
    /// What to do where training diverges [default: stop]
    #[arg(long, value_enum)]
    pub on_divergence: Option<OnDivergence>,
    #[command(flatten)]
    pub backend: BackendArgument,
}

/// Options of every command that reads a table.
#[derive(Args)]
pub struct TableArguments {
    /// Feature columns by name, in this order [default: all but the label, to train on those that vary;
    /// of encode the model's]
    #[arg(long, value_name = "A,B,C", value_delimiter = ',', value_parser = trimmed)]
    pub columns: Option<Vec<String>>,
    /// A column that is a label and no feature
    #[arg(long, value_name = "NAME", value_parser = trimmed)]
    pub labels: Option<String>,
    /// Drop rows with missing or non-finite values instead of refusing them
    #[arg(long)]
    pub drop_missing: bool,
}

/// The name of a column, as names are read: without blanks about it.
pub fn trimmed(name: &str) -> std::result::Result<String, Infallible> {
    Ok(name.trim().into())
}

impl TableArguments {
    /// As options of the readers.
    pub fn read_options(&self) -> crate::data::ReadOptions {
        crate::data::ReadOptions {
            columns: self.columns.clone(),
            labels: self.labels.clone(),
            labels_optional: false,
            drop_missing: self.drop_missing,
            check_precision: false,
        }
    }

    fn flags(&self) -> Vec<(&'static str, Value)> {
        let mut flags = Vec::new();
        if let Some(columns) = &self.columns {
            let names = columns.iter().map(|name| Value::String(name.clone()));
            flags.push(("data.columns", Value::Array(names.collect())));
        }
        if let Some(labels) = &self.labels {
            flags.push(("data.labels", Value::String(labels.clone())));
        }
        if self.drop_missing {
            flags.push(("data.drop_missing", Value::Boolean(true)));
        }
        flags
    }
}

impl SettingsArguments {
    /// Puts defaults, recipe, file and flags together, and `more` flags over them. `file` stands in
    /// for `--config` where that is not given.
    pub fn resolve(
        &self,
        table: Option<&TableArguments>,
        more: Vec<(&str, Value)>,
        file: Option<PathBuf>,
    ) -> Result<Settings> {
        let mut flags: Vec<(&str, Value)> = table.map(TableArguments::flags).unwrap_or_default();
        if let Some(seed) = self.seed {
            flags.push(("seed", Value::Integer(seed)));
        }
        if let Some(epochs) = self.epochs {
            flags.push(("training.epochs", Value::Integer(epochs)));
        }
        if let Some(rows) = self.rows {
            flags.push(("training.rows", Value::Integer(rows)));
        }
        let encode = |error| Error::failed(format!("encoding the flags: {error}"));
        if let Some(backend) = self.backend.backend {
            flags.push(("backend", Value::try_from(backend).map_err(encode)?));
        }
        if let Some(engine) = self.engine {
            flags.push(("engine", Value::try_from(engine).map_err(encode)?));
        }
        if let Some(on_divergence) = self.on_divergence {
            let value = Value::try_from(on_divergence).map_err(encode)?;
            flags.push(("safety.on_divergence", value));
        }
        flags.extend(more);
        Settings::resolve(&Layers {
            recipe: self.recipe.as_deref(),
            file: self.config.as_deref().or(file.as_deref()),
            assignments: &self.assignments,
            flags,
        })
    }
}
