//! Stage `sample`: generated rows, and the posterior of each row of the data.

use super::{Context, RunDir};
use crate::data::{Table, write_csv};
use crate::error::Result;
use crate::model::SavedModel;
use crate::vae::Model;

/// Above so many values latents are written by `modescope encode` only.
const LARGEST_LATENTS: usize = 1_000_000;

pub(super) fn stage(context: &Context) -> Result<()> {
    let settings = &context.plan.settings;
    let model = Model::new(SavedModel::load(context.dir.path())?, context.device);
    let samples = model.sample(settings.samples, settings.seed)?;
    let columns = context.dataset.table.columns().to_vec();
    write_csv(&context.dir.file(RunDir::SAMPLES), &Table::new(columns, samples, None)?)?;

    let training = &context.dataset.training;
    let encoded = match training.len() * training.width() > LARGEST_LATENTS {
        true => context.dataset.first(settings.analysis.rows),
        false => training.clone(),
    };
    let latents = model.encode(encoded.rows())?.to_table(encoded.labels().cloned())?;
    write_csv(&context.dir.file(RunDir::LATENTS), &latents)
}
