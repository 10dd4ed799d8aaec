//! Which columns of a file are read.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::ReadOptions;
use crate::error::{Error, Result, nearest};
use crate::input::is_command;

/// Most columns of a file. The covariances of an audit have the square of their number.
const MOST_COLUMNS: usize = 10_000;

/// The chosen columns, as indices into the columns of the file.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    pub(super) features: Vec<usize>,
    pub(super) label: Option<usize>,
}

impl Choice {
    /// Finds the columns that the options name among `names`; `named` says whether these are the file's
    /// own.
    pub(super) fn new(
        path: &Path,
        names: &[String],
        named: bool,
        options: &ReadOptions,
    ) -> Result<Self> {
        let file = path.display();
        let mut known = HashMap::new();
        for (i, name) in names.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
            if let Some(first) = known.insert(name, i) {
                return Err(Error::input(format!(
                    "{file}: columns {} and {} are both called \"{name}\"",
                    first + 1,
                    i + 1
                ))
                .help("rename one of them"));
            }
        }
        let find = |name: &String| {
            known.get(name).copied().ok_or_else(|| {
                let known = || names.iter().map(String::as_str).filter(|name| !name.is_empty());
                let list = format!("the columns are: {}", known().collect::<Vec<_>>().join(", "));
                let by_place = || {
                    let wanted = options.columns.as_ref().map_or(names.len(), Vec::len);
                    format!(
                        "the file does not name its columns: they are x0, x1 and so on by their places, as \
                         in --columns {}",
                        positional(wanted).join(",")
                    )
                };
                Error::input(format!("{file}: there is no column \"{name}\"")).help(
                    match nearest(name, known()) {
                        _ if !named => by_place(),
                        Some(guess) => format!("did you mean \"{guess}\"? {list}"),
                        None => list,
                    },
                )
            })
        };
        let wanted = options.labels.as_ref();
        let label = wanted
            .filter(|name| !options.labels_optional || known.contains_key(name))
            .map(find)
            .transpose()?;
        let features = match &options.columns {
            Some(chosen) => chosen.iter().map(find).collect::<Result<Vec<_>>>()?,
            None => {
                let is_feature = |&i: &usize| Some(i) != label && !is_index(&names[i]);
                (0..names.len()).filter(is_feature).collect()
            }
        };
        let mut chosen = HashSet::new();
        for &feature in &features {
            let name = &names[feature];
            if name.is_empty() {
                return Err(Error::input(format!("{file}: column {} has no name", feature + 1))
                    .help(
                        "name it in the header, or choose the other columns with --columns; if pandas wrote \
                         its index there, to_csv(index=False) leaves it out",
                    ));
            }
            if !chosen.insert(feature) {
                return Err(Error::input(format!("column \"{name}\" is chosen twice"))
                    .help("name each column once in --columns"));
            }
            if label == Some(feature) {
                return Err(Error::input(format!(
                    "column \"{name}\" is chosen both as a feature and as the label"
                ))
                .help("leave it out of --columns or of --labels"));
            }
        }
        if features.is_empty() {
            return Err(Error::input(format!("{file}: there is no feature column"))
                .help("choose at least one numeric column with --columns"));
        }
        Ok(Self { features, label })
    }
}

/// Whether pandas named a column so in which it keeps the index of rows: `__index_level_0__`.
fn is_index(name: &str) -> bool {
    let level = name.strip_prefix("__index_level_").and_then(|rest| rest.strip_suffix("__"));
    level.is_some_and(|level| level.parse::<u32>().is_ok())
}

/// Refuses a file with so many columns before anything is set aside for each.
pub(super) fn check_width(path: &Path, columns: usize) -> Result<()> {
    if columns <= MOST_COLUMNS {
        return Ok(());
    }
    Err(Error::input(format!("{}: {columns} columns are more than {MOST_COLUMNS}", path.display()))
        .help("write the columns to model to a file of their own; rows are observations"))
}

/// A name or label as it is kept. It comes to stand in messages, tables and pictures, so a character that
/// would break a line, turn its direction or command a terminal is a blank.
pub(super) fn in_one_line(text: &str) -> Cow<'_, str> {
    let text = text.trim();
    if !text.contains(is_command) {
        return text.into();
    }
    let parts = text.split(is_command).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join(" ").into()
}

/// The names of columns that have none: `x0`, `x1`, …
pub(super) fn positional(columns: usize) -> Vec<String> {
    (0..columns).map(|i| format!("x{i}")).collect()
}
