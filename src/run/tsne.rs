//! Stage `tsne`: the posterior means laid out in the plane.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ndarray::s;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::audit::read_latents;
use super::data::first_rows;
use super::{Context, RunDir, interruptible};
use crate::error::Result;
use crate::files;
use crate::tsne::{EPOCHS, Embedding, embed};

/// A row of `tsne.csv`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EmbeddingRow {
    /// First coordinate.
    pub x: f32,
    /// Second coordinate.
    pub y: f32,
    /// What was embedded: `latent` for posterior means.
    pub source: String,
    /// Component or label of the row; empty where there is none.
    pub component: String,
    /// Perplexity of the embedding that the row belongs to.
    pub perplexity: f64,
}

pub(super) fn stage(context: &Context) -> Result<()> {
    let latents = first_rows(&read_latents(context)?, context.plan.settings.analysis.rows);
    let means = latents.slice(s![.., ..latents.ncols() / 2]).to_owned();
    let perplexities = context.plan.decided.perplexities.clone();
    let task = context.progress.begin("t-SNE", (EPOCHS * perplexities.len()) as u64);
    let done = Arc::new(AtomicU64::new(0));
    let embeddings: Vec<Embedding> = interruptible(&context.interrupt, move || {
        let tick = |_| task.update(done.fetch_add(1, Ordering::Relaxed) + 1, "");
        perplexities.par_iter().map(|&p| embed(means.view(), p, EPOCHS, tick)).collect()
    })?;

    let labels = context.dataset.training.labels();
    let component = |row: usize| labels.map_or("", |l| l.names[l.of_row[row]].as_str()).to_owned();
    let rows = embeddings.iter().flat_map(|embedding| {
        embedding.points.rows().into_iter().enumerate().map(|(row, point)| EmbeddingRow {
            x: point[0],
            y: point[1],
            source: "latent".into(),
            component: component(row),
            perplexity: embedding.perplexity,
        })
    });
    files::write_records(&context.dir.file(RunDir::TSNE), rows)
}
