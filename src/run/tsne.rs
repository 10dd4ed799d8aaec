//! Stage `tsne`: posterior means, and real and generated rows together, laid out in the plane.

use ndarray::{Array2, Axis, concatenate, s};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::classes::Classes;
use super::products::{first_rows, read_first_latents, read_samples};
use super::{Context, Counter, RunDir, interruptible};
use crate::data::Units;
use crate::error::{Error, Result};
use crate::files;
use crate::report::Set;
use crate::tsne::{EPOCHS, Embedding, allows, embed};

/// Rows of each kind that are embedded together: enough to see which keep apart.
const JOINT_ROWS: usize = 250;

/// A row of `tsne.csv`. The rows of a source at a perplexity are in the order of the data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EmbeddingRow {
    /// First coordinate.
    pub x: f32,
    /// Second coordinate.
    pub y: f32,
    /// What was embedded; real and generated rows together.
    pub source: Set,
    /// Label of the row, or its component of a given mixture; empty where there is neither.
    pub component: String,
    /// Perplexity of the embedding that the row belongs to.
    pub perplexity: f64,
}

/// Rows to embed, with the source and the component of each.
struct Job {
    rows: Array2<f32>,
    tags: Vec<(Set, String)>,
    perplexity: f64,
}

pub(super) fn stage(context: &Context) -> Result<()> {
    let jobs = jobs(context)?;
    let task = context.watch.progress.begin("t-SNE", (EPOCHS * jobs.len()) as u64);
    let counter = Counter::new(task);
    let embedded: Vec<(Job, Embedding)> = interruptible(context.watch.interrupt, move || {
        let tick = |_| counter.tick();
        let embed = |job: Job| Ok((embed(job.rows.view(), job.perplexity, EPOCHS, tick)?, job));
        let embedded = jobs.into_par_iter().map(embed);
        embedded.map(|done: Result<_>| done.map(|(embedding, job)| (job, embedding))).collect()
    })?;
    let rows = embedded.into_iter().flat_map(|(Job { tags, perplexity, .. }, embedding)| {
        let rows: Vec<EmbeddingRow> = tags
            .into_iter()
            .zip(embedding.points.rows())
            .map(|((source, component), point)| EmbeddingRow {
                x: point[0],
                y: point[1],
                source,
                component,
                perplexity,
            })
            .collect();
        rows
    });
    files::write_records(&context.dir.file(RunDir::TSNE), rows)
}

/// The rows of `tsne.csv`; those without a component get the mode that the audit found for them.
pub(super) fn coloured_rows(context: &Context) -> Result<Vec<EmbeddingRow>> {
    let mut rows: Vec<EmbeddingRow> = files::read_records(&context.dir.file(RunDir::TSNE))?;
    if rows.iter().all(|row| !row.component.is_empty()) {
        return Ok(rows);
    }
    let most = context.plan.settings.analysis.rows;
    let generated = first_rows(&read_samples(context)?, most);
    let classes = Classes::find(context, &context.dataset.first(most), generated.view())?;
    let is_same =
        |a: &EmbeddingRow, b: &EmbeddingRow| a.perplexity == b.perplexity && a.source == b.source;
    for rows in rows.chunk_by_mut(is_same) {
        let of_row = match rows[0].source {
            Set::Generated => &classes.generated,
            Set::Real | Set::Latent => &classes.real,
        };
        let of_row = of_row.iter().flatten();
        for (row, &class) in rows.iter_mut().zip(of_row).filter(|(row, _)| row.component.is_empty())
        {
            row.component.clone_from(&classes.names[class]);
        }
    }
    Ok(rows)
}

/// The posterior means, then real and generated rows together, at every perplexity that they allow.
fn jobs(context: &Context) -> Result<Vec<Job>> {
    let rows = context.plan.settings.analysis.rows;
    let real = context.dataset.first(rows);
    let generated = first_rows(&read_samples(context)?, rows);
    let means = read_first_latents(context)?.means;

    let classes = Classes::given(context, &real, generated.view());
    let tag = |source, of_row: Option<&[usize]>, row: usize| {
        let name = of_row.map(|of_row| classes.names[of_row[row]].clone());
        (source, name.unwrap_or_default())
    };
    let (of_real, of_generated) = (classes.real.as_deref(), classes.generated.as_deref());
    let count = JOINT_ROWS.min(real.len()).min(generated.nrows());
    let joint = concatenate(
        Axis(0),
        &[real.rows().slice(s![..count, ..]), generated.slice(s![..count, ..])],
    )
    .map_err(|error| Error::failed(format!("real and generated rows: {error}")))?;
    let joint = Units::of(real.rows()).apply(joint.view());
    let sets = [
        (means, (0..real.len()).map(|row| tag(Set::Latent, of_real, row)).collect::<Vec<_>>()),
        (
            joint,
            (0..count)
                .map(|row| tag(Set::Real, of_real, row))
                .chain((0..count).map(|row| tag(Set::Generated, of_generated, row)))
                .collect(),
        ),
    ];
    let perplexities = &context.plan.decided.perplexities;
    let jobs = sets.into_iter().flat_map(|(rows, tags)| {
        let fits = |perplexity: &&f64| allows(rows.nrows(), **perplexity);
        let job = |&perplexity| Job { rows: rows.clone(), tags: tags.clone(), perplexity };
        perplexities.iter().filter(fits).map(job).collect::<Vec<_>>()
    });
    Ok(jobs.collect())
}
