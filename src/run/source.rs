//! Where the data of a run come from, as it is recorded.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

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

    pub(super) fn hash(&self) -> Option<&str> {
        match self {
            Self::Mixture => None,
            Self::File { hash, .. } => Some(hash),
        }
    }

    /// How it differs from what was there before, in words.
    pub(super) fn difference(&self, before: &Self) -> String {
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
