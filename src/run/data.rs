//! Stage `data`: what is trained on, what is held out, and the truth where it is known.

use std::path::PathBuf;

use serde::Serialize;

use super::{Context, RunDir, Source};
use crate::data::write;
use crate::error::Result;

/// Above so many values the run refers to the data in place of copying them.
const LARGEST_COPY: usize = 1_000_000;

/// `data.json`: where a large data set is.
#[derive(Debug, Serialize)]
struct Reference {
    path: PathBuf,
    hash: String,
    /// Rows that are trained on or held out, and columns.
    shape: (usize, usize),
    /// Rows that are looked at, where training reads the others block by block.
    #[serde(skip_serializing_if = "Option::is_none")]
    sample: Option<usize>,
}

pub(super) fn stage(context: &Context) -> Result<()> {
    let table = &context.dataset.table;
    if let Some(mixture) = &context.dataset.mixture {
        mixture.write(&context.dir.file(RunDir::MIXTURE))?;
    }
    let streamed = context.dataset.streamed.is_some();
    match &context.dataset.source {
        Source::File { path, hash, .. }
            if streamed || table.len() * table.width() > LARGEST_COPY =>
        {
            let (path, hash) = (path.clone(), hash.clone());
            let rows = context.dataset.rows();
            let (shape, sample) = ((rows, table.width()), streamed.then_some(table.len()));
            let reference = Reference { path, hash, shape, sample };
            context.dir.write_json(RunDir::DATA_REFERENCE, &reference)
        }
        _ => write(&context.dir.file(RunDir::DATA), table),
    }
}
