//! Stage `audit`: clusters, latent units, and the questions answered.

use ndarray::{Array2, Axis, s};

use super::more_rows::counted;
use super::{Context, RunDir, interruptible};
use crate::audit::answers::Evidence;
use crate::audit::bic::choose_components;
use crate::audit::clusters::choose_k;
use crate::audit::findings::Findings;
use crate::audit::latent::summarise;
use crate::data::{ReadOptions, read};
use crate::error::Result;

pub(super) fn stage(context: &Context) -> Result<()> {
    let analysis = &context.plan.settings.analysis;
    let real = context.dataset.first(analysis.rows);
    let generated = read_rows(context, RunDir::SAMPLES)?;
    let counts = counted(context, "clustering", real.rows(), generated, analysis.restarts)?;

    let latents = read_latents(context)?;
    let units = latents.ncols() / 2;
    let means = latents.slice(s![.., ..units]).to_owned();
    let latent = summarise(means.view(), latents.slice(s![.., units..]));
    let rows = means.nrows().min(analysis.rows);
    let means = means.slice(s![..rows, ..]).to_owned();
    let (max_clusters, restarts) = (analysis.max_clusters, analysis.restarts);
    let seed = context.plan.settings.seed;
    let (latent_clusters, latent_mixture) = interruptible(&context.interrupt, move || {
        let clusters = choose_k(means.view(), max_clusters, restarts, seed, &|| ())?;
        Ok((clusters, choose_components(means.view(), max_clusters + 5, 1, seed)?))
    })?;

    let more_rows = match context.dir.file(RunDir::MORE_ROWS).exists() {
        true => Some(context.dir.read_json(RunDir::MORE_ROWS)?),
        false => None,
    };
    let labels = context.dataset.table.labels().map(|labels| labels.names.len());
    let components = context.dataset.mixture.as_ref().map(|m| m.components()).or(labels);
    let evidence = Evidence {
        components,
        kind: if context.dataset.mixture.is_some() { "components" } else { "labels" },
        counts: &counts,
        latent: &latent,
        latent_clusters: &latent_clusters,
        latent_mixture: &latent_mixture,
        more_rows: more_rows.as_ref(),
    };
    let answers = evidence.answers();
    let findings = Findings {
        schema: Findings::SCHEMA,
        components,
        counts,
        latent,
        latent_clusters,
        latent_mixture,
        more_rows,
        answers,
    };
    context.dir.write_json(RunDir::AUDIT, &findings)
}

/// The rows of one of the run's own tables.
pub(super) fn read_rows(context: &Context, name: &str) -> Result<Array2<f32>> {
    let loaded = read(&context.dir.file(name), &ReadOptions::default())?;
    Ok(loaded.table.rows().to_owned())
}

/// The latents of the training rows, in their order: means, then log-variances.
pub(super) fn read_latents(context: &Context) -> Result<Array2<f32>> {
    let labels = context.dataset.table.labels().map(|labels| labels.column.clone());
    let options = ReadOptions { labels, ..ReadOptions::default() };
    let latents = read(&context.dir.file(RunDir::LATENTS), &options)?.table;
    match latents.len() == context.dataset.table.len() {
        true => Ok(latents.rows().select(Axis(0), &context.dataset.training_rows)),
        false => Ok(latents.rows().to_owned()),
    }
}
