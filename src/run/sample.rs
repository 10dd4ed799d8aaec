//! Stage `sample`: generated rows, and the posterior of each row of the data.

use super::products::{encoded_rows, encodes_every_row};
use super::{Context, RunDir};
use crate::data::{Table, write};
use crate::error::Result;
use crate::model::SavedModel;
use crate::vae::Model;

pub(super) fn stage(context: &Context) -> Result<()> {
    let settings = &context.plan.settings;
    let model = Model::new(SavedModel::load(context.dir.path())?, context.device);
    let samples =
        model.sample(settings.samples, settings.noise, settings.seed, context.watch.interrupt)?;
    let columns = context.dataset.table.columns().to_vec();
    write(&context.dir.file(RunDir::SAMPLES), &Table::new(columns, samples, None)?)?;

    let dataset = context.dataset;
    let encoded = match encodes_every_row(dataset) {
        true => dataset.table.clone(),
        false => dataset.first(encoded_rows(context)),
    };
    let latents = model.encode(encoded.rows(), context.watch.interrupt)?;
    let latents = latents.to_table(encoded.labels().cloned())?;
    write(&context.dir.file(RunDir::LATENTS), &latents)
}
