//! A plan as `config.toml` records it, and what tells it from others.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use toml::{Table, Value};

use super::{Decided, Plan};
use crate::config::Settings;
use crate::error::{Error, Result};
use crate::files;
use crate::input;
use crate::run::RunDir;

/// The value of a key that a plan has not.
const NOT_SET: &str = "not set";

impl Plan {
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
