//! The grid of a sweep: which settings vary, and how often each combination is trained.

use std::collections::HashSet;
use std::path::Path;

use serde::Deserialize;
use toml::{Table, Value};

use crate::error::{Error, Result};
use crate::input;

/// Combinations × seeds of a sweep at most.
const MOST_MEMBERS: usize = 100_000;
/// Settings that vary at most.
const MOST_AXES: usize = 64;
/// Seeds of a sweep that names none.
const DEFAULT_SEEDS: usize = 8;
const HELP: &str =
    "for example:\n  seeds = 8\n  [grid]\n  training.beta = [0.5, 1.0]\n  model.sigma = [0.3, 1.0]";

/// Settings to vary, each over a list of values, and the seeds of every combination.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    /// Seeds that every combination is trained with.
    pub seeds: Seeds,
    /// Dotted names of settings, each with its values.
    pub axes: Vec<(String, Vec<Value>)>,
}

/// The seeds of a sweep.
#[derive(Clone, Debug, PartialEq)]
pub enum Seeds {
    /// So many, made from the run's own seed, which is the first.
    Count(usize),
    /// These.
    List(Vec<u64>),
}

impl Seeds {
    /// As a file names them; nothing where the value is neither a number nor a list of numbers.
    fn of(value: &Value) -> Option<Self> {
        let number = |value: &Value| u64::try_from(value.as_integer()?).ok();
        match value {
            Value::Array(list) => Some(Self::List(list.iter().map(number).collect::<Option<_>>()?)),
            value => Some(Self::Count(usize::try_from(number(value)?).ok()?)),
        }
    }
}

/// A grid as a file holds it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    seeds: Option<Value>,
    #[serde(default)]
    grid: Table,
}

impl Default for Grid {
    fn default() -> Self {
        Self { seeds: Seeds::Count(DEFAULT_SEEDS), axes: Vec::new() }
    }
}

impl Grid {
    /// Reads a grid: a TOML file with `seeds` (a number or a list) and a table `grid` in which every
    /// setting has a list of values.
    ///
    /// # Errors
    /// Where the file cannot be read or is no grid; the message names the line or the setting.
    pub fn read(path: &Path) -> Result<Self> {
        let wrong = |what: &str| {
            Error::input(format!("grid {}: {}", path.display(), what.trim_end())).help(HELP)
        };
        let text = input::toml(path)?;
        let file: File = toml::from_str(&text).map_err(|error| wrong(&error.to_string()))?;
        let mut axes = Vec::new();
        collect_axes("", file.grid, &mut axes).map_err(|what| wrong(&what))?;
        let seeds = match file.seeds {
            Some(value) => Seeds::of(&value).ok_or_else(|| {
                wrong(&format!(
                    "seeds must be a number, or a list of numbers from 0 to 2^63 - 1, and is {value}"
                ))
            })?,
            None => Seeds::Count(DEFAULT_SEEDS),
        };
        let grid = Self { seeds, axes };
        grid.check().map_err(|what| wrong(&what))?;
        Ok(grid)
    }

    fn check(&self) -> std::result::Result<(), String> {
        if self.axes.len() > MOST_AXES {
            return Err(format!("more than {MOST_AXES} settings vary"));
        }
        let mut known = HashSet::new();
        if let Some((key, _)) = self.axes.iter().find(|(key, _)| !known.insert(key)) {
            return Err(format!("{key} is there twice"));
        }
        let of_axes = self.axes.iter().map(|(_, values)| values.len());
        let members = of_axes.chain([self.seed_count()]).try_fold(1, usize::checked_mul);
        if members.is_none_or(|members| members > MOST_MEMBERS) {
            return Err(format!("more than {MOST_MEMBERS} combinations and seeds"));
        }
        match &self.seeds {
            Seeds::Count(0) => return Err("seeds must be at least 1".into()),
            Seeds::List(list) if list.is_empty() => return Err("the list of seeds is empty".into()),
            Seeds::List(list) => {
                let mut known = HashSet::new();
                if let Some(seed) = list.iter().find(|&&seed| !known.insert(seed)) {
                    return Err(format!("seed {seed} is listed twice"));
                }
            }
            Seeds::Count(_) => {}
        }
        self.axes.iter().try_for_each(|(key, values)| check_axis(key, values))
    }

    /// Number of seeds.
    pub fn seed_count(&self) -> usize {
        match &self.seeds {
            Seeds::Count(count) => *count,
            Seeds::List(list) => list.len(),
        }
    }

    /// Every combination of values, the last setting varying fastest; one without settings where the
    /// grid has none.
    pub fn combinations(&self) -> Vec<Vec<(&str, &Value)>> {
        self.axes.iter().fold(vec![Vec::new()], |shorter, (key, values)| {
            let longer = |combination: &Vec<(_, _)>| {
                let with = |value| {
                    let mut combination = combination.clone();
                    combination.push((key.as_str(), value));
                    combination
                };
                values.iter().map(with).collect::<Vec<_>>()
            };
            shorter.iter().flat_map(longer).collect()
        })
    }
}

/// Flattens nested tables into dotted settings, each with its list of values.
fn collect_axes(
    prefix: &str,
    table: Table,
    axes: &mut Vec<(String, Vec<Value>)>,
) -> std::result::Result<(), String> {
    for (name, value) in table {
        let key = format!("{prefix}{name}");
        match value {
            Value::Table(inner) => collect_axes(&format!("{key}."), inner, axes)?,
            Value::Array(values) if values.is_empty() => {
                return Err(format!("{key} has no values"));
            }
            Value::Array(values) => axes.push((key, values)),
            _ => return Err(format!("{key} must be a list of values")),
        }
    }
    Ok(())
}

/// Refuses a setting in which the members of a sweep cannot differ, and values that repeat.
fn check_axis(key: &str, values: &[Value]) -> std::result::Result<(), String> {
    if !key.starts_with("model.") && !key.starts_with("training.") {
        return Err(format!(
            "{key} cannot vary: the members of a sweep share data and audit, and differ in model.* \
             and training.* settings"
        ));
    }
    if key == "training.seed" {
        return Err("training.seed cannot vary: seeds are named by `seeds`".into());
    }
    let mut known = HashSet::new();
    match values.iter().find(|value| !known.insert(value.to_string())) {
        Some(value) => Err(format!("{key} lists {value} twice")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Grid> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("grid.toml");
        std::fs::write(&path, text).unwrap();
        Grid::read(&path)
    }

    #[test]
    fn combinations_are_the_product_of_the_lists() {
        let grid = read(
            "seeds = [3, 4]\n[grid]\ntraining.beta = [0.5, 1]\nmodel.hidden = [[8], [8, 8]]\n",
        )
        .unwrap();
        assert_eq!(grid.seeds, Seeds::List(vec![3, 4]));
        let text: Vec<String> = grid
            .combinations()
            .iter()
            .map(|c| {
                c.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
            })
            .collect();
        assert_eq!(text.len(), 4);
        assert!(text.contains(&"model.hidden=[8, 8] training.beta=0.5".to_owned()), "{text:?}");
        assert_eq!(Grid::default().combinations(), vec![Vec::new()]);
    }

    #[test]
    fn what_is_no_grid_is_refused_with_the_reason() {
        let lines: Vec<String> = (0..65).map(|i| format!("model.a{i} = [1]\n")).collect();
        let many = format!("[grid]\n{}", lines.concat());
        for (text, words) in [
            ("seeds = 0\n", "at least 1"),
            ("seeds = [1, 1]\n", "listed twice"),
            ("seeds = []\n", "is empty"),
            ("sedes = 3\n", "line 1"),
            ("[grid]\ntraining.beta = 1\n", "must be a list"),
            ("[grid]\ntraining.beta = []\n", "has no values"),
            ("[grid]\ntraining.beta = [1, 1]\n", "twice"),
            ("[grid]\ntraining.seed = [1]\n", "named by `seeds`"),
            ("[grid]\nmixture.rows = [10, 20]\n", "share data"),
            ("seeds = 200000\n", "more than"),
            (
                "[grid]\n'model.sigma' = [1, 2]\nmodel.sigma = [3, 4]\n",
                "model.sigma is there twice",
            ),
            (&many, "more than 64 settings"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.message().contains(words), "{text}: {}", error.message());
            assert!(error.message().contains("grid.toml") && error.remedy().is_some());
        }
    }
}
