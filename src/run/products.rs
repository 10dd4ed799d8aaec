//! What a run made of its data, read back for the stages that look at it.

use std::path::Path;

use ndarray::{Array2, Axis, s};

use super::{Context, Dataset, RunDir, read_table};
use crate::data::{ReadOptions, Table};
use crate::error::{Error, Kind, Result};
use crate::vae::Latents;

/// Above so many values the latents of all rows are left to `modescope encode`.
const LARGEST_LATENTS: usize = 1_000_000;

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

/// The run's samples, n × columns.
pub(super) fn read_samples(context: &Context) -> Result<Array2<f32>> {
    let path = context.dir.file(RunDir::SAMPLES);
    let columns = context.dataset.table.columns();
    let samples = read_own(context, &path, columns, ReadOptions::default())?;
    let (rows, drawn) = (samples.len(), context.plan.settings.samples);
    if rows != drawn {
        let what = format!("it has {rows} rows, and {drawn} were drawn");
        return Err(Error::damaged(&path, what).help(context.dir.remedy()));
    }
    Ok(samples.rows().to_owned())
}

/// The latents of the rows trained on, in their order.
pub(super) fn read_latents(context: &Context) -> Result<Latents> {
    let labels = context.dataset.table.labels().map(|labels| labels.column.clone());
    let options = ReadOptions { labels, ..ReadOptions::default() };
    let path = context.dir.file(RunDir::LATENTS);
    let units = context.plan.decided.latent;
    let latents = read_own(context, &path, &Latents::columns(units), options)?;
    let (rows, encoded) = (latents.len(), encoded_rows(context));
    if rows != encoded {
        let what = format!("it has {rows} rows, and {encoded} were encoded");
        return Err(Error::damaged(&path, what).help(context.dir.remedy()));
    }
    let of_training = match encodes_every_row(context.dataset) {
        true => latents.rows().select(Axis(0), &context.dataset.training_rows),
        false => latents.rows().to_owned(),
    };
    let (means, log_variances) = of_training.view().split_at(Axis(1), units);
    Ok(Latents { means: means.to_owned(), log_variances: log_variances.to_owned() })
}

/// As [`read_latents`], of the first rows, those that clustering, t-SNE and pictures use.
pub(super) fn read_first_latents(context: &Context) -> Result<Latents> {
    let Latents { means, log_variances } = read_latents(context)?;
    let first = |values| first_rows(&values, context.plan.settings.analysis.rows);
    Ok(Latents { means: first(means), log_variances: first(log_variances) })
}

/// The first rows of a matrix, at most `rows`.
pub(super) fn first_rows(matrix: &Array2<f32>, rows: usize) -> Array2<f32> {
    matrix.slice(s![..rows.min(matrix.nrows()), ..]).to_owned()
}

/// A table that the run wrote, with these columns.
fn read_own(
    context: &Context,
    path: &Path,
    columns: &[String],
    options: ReadOptions,
) -> Result<Table> {
    let options = ReadOptions { columns: Some(columns.to_vec()), ..options };
    let read = read_table(path, &options, context.watch.interrupt);
    read.map(|read| read.table).map_err(|error| match error.kind() {
        Kind::Input => error.help(context.dir.remedy()),
        _ => error,
    })
}
