//! Arguments that several commands share, and how they become settings.

use std::convert::Infallible;
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::RangedI64ValueParser;
use console::{Alignment, measure_text_width, pad_str};
use toml::Value;

use crate::config::{Backend, BackendChoice, EngineChoice, Layers, OnDivergence, Settings};
use crate::data::writable;
use crate::device::{adapters, automatic};
use crate::error::{Error, Result};
use crate::files::{check_writable, folder_of};
use crate::model::SavedModel;
use crate::run::RunDir;

/// Parses the whole numbers that a setting can hold: TOML's integers from 0.
pub fn count() -> RangedI64ValueParser<i64> {
    RangedI64ValueParser::new().range(0..)
}

/// The model in the folder of a run, or in one that has its two files alone.
///
/// # Errors
/// As [`SavedModel::load`], and where the folder is a file, or holds a run that is not trained yet.
pub fn trained_model(folder: &Path) -> Result<SavedModel> {
    if folder.is_file() {
        return Err(Error::input(format!("{} is a file, no run", folder.display()))
            .help("name the folder that holds model.json and model.safetensors"));
    }
    let is_unfinished =
        || folder.join(RunDir::CONFIG).is_file() && !folder.join(SavedModel::CARD).exists();
    SavedModel::load(folder).map_err(|error| match is_unfinished() {
        true => RunDir::unfinished(folder, SavedModel::CARD),
        false => error,
    })
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
    #[arg(long, value_name = "NAME")]
    pub labels: Option<String>,
    /// Drop rows with missing or non-finite values instead of refusing them
    #[arg(long)]
    pub drop_missing: bool,
}

/// The name of a column, as names are read: without blanks about it.
fn trimmed(name: &str) -> std::result::Result<String, Infallible> {
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

/// Refuses to write a table of these columns, and this of labels, over a file that is there, unless
/// told to, or under an ending that is none.
pub fn check_target(
    path: &Path,
    columns: &[String],
    label: Option<&str>,
    force: bool,
) -> Result<()> {
    check_free(path, force)?;
    writable(path, columns, label).map(drop)
}

/// Refuses to write over a file that is there, unless told to.
pub fn check_free(path: &Path, force: bool) -> Result<()> {
    if path.is_dir() {
        return Err(Error::input(format!("{} is a folder", path.display()))
            .help("give --out the name of a file"));
    }
    check_writable(folder_of(path))?;
    // A link counts although nothing is there that it points to.
    if path.symlink_metadata().is_ok() && !force {
        return Err(Error::input(format!("{} is already there", path.display()))
            .help("--force replaces it, --out names another"));
    }
    Ok(())
}

/// The folder of a run on `data` where none is named: `runs/NAME-RECIPE`.
pub fn default_out(data: Option<&Path>, recipe: &str) -> PathBuf {
    let stem = data.and_then(Path::file_stem).map(|stem| stem.to_string_lossy().into_owned());
    Path::new("runs").join(format!("{}-{recipe}", stem.as_deref().unwrap_or("mixture")))
}

/// Rows of cells as lines of one table: each column as wide as its widest cell, those of `words` flush
/// left, figures flush right.
pub fn aligned(rows: &[impl AsRef<[String]>], words: &[usize]) -> Vec<String> {
    let columns = rows.iter().map(|cells| cells.as_ref().len()).max().unwrap_or(0);
    let width = |column: usize| {
        let widths = rows.iter().map(|cells| measure_text_width(&cells.as_ref()[column]));
        widths.max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |cells: &[String]| {
        let padded = cells.iter().enumerate().map(|(column, cell)| {
            let side = if words.contains(&column) { Alignment::Left } else { Alignment::Right };
            pad_str(cell, widths[column], side, None).into_owned()
        });
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(|cells| line(cells.as_ref())).collect()
}
