//! Stage `sample`: generated rows, and the posterior of each row of the data.

use super::{Context, Dataset, RunDir};
use crate::data::{Table, write};
use crate::error::Result;
use crate::model::SavedModel;
use crate::vae::Model;

/// Above so many values the latents of all rows are left to `modescope encode`.
const LARGEST_LATENTS: usize = 1_000_000;

pub(super) fn stage(context: &Context) -> Result<()> {
    let settings = &context.plan.settings;
    let model = Model::new(SavedModel::load(context.dir.path())?, context.device);
    let samples =
        model.sample(settings.samples, settings.noise, settings.seed, &context.interrupt)?;
    let columns = context.dataset.table.columns().to_vec();
    write(&context.dir.file(RunDir::SAMPLES), &Table::new(columns, samples, None)?)?;

    let dataset = context.dataset;
    let encoded = match encodes_every_row(dataset) {
        true => dataset.table.clone(),
        false => dataset.first(encoded_rows(context)),
    };
    let latents = model.encode(encoded.rows(), &context.interrupt)?;
    let latents = latents.to_table(encoded.labels().cloned())?;
    write(&context.dir.file(RunDir::LATENTS), &latents)
}

/// Whether the latents are of every row in the order of `data.csv`, or, of large data, of the rows that
/// are analysed.
pub(super) fn encodes_every_row(dataset: &Dataset) -> bool {
    dataset.table.len() * dataset.table.width() <= LARGEST_LATENTS
}

/// How many rows the latents are of.
pub(super) fn encoded_rows(context: &Context) -> usize {
    let dataset = context.dataset;
    match encodes_every_row(dataset) {
        true => dataset.table.len(),
        false => dataset.training.len().min(context.plan.settings.analysis.rows),
    }
}
