//! What the interactive views of the report show, from the run's files.

use std::collections::HashMap;

use ndarray::{Array2, Axis};

use super::classes::Classes;
use super::latent_plane::{LatentPlane, components, prior_mixture};
use super::products::{first_rows, read_first_latents, read_samples};
use super::tsne::coloured_rows;
use super::{Context, EmbeddingRow};
use crate::error::Result;
use crate::model::SavedModel;
use crate::report::{
    Charts, Class, EmbeddingView, LatentView, Map, Points, PriorComponentView, Set, most_rows,
};
use crate::vae::Model;

/// The views of a run, and the share of the prior's mass that lies in holes where that is known.
pub(super) fn charts(context: &Context) -> Result<(Charts, Option<f64>)> {
    let dataset = context.dataset;
    let columns = dataset.table.columns().to_vec();
    let most = most_rows(columns.len());
    let real = dataset.first(most);
    let samples = read_samples(context)?;
    let generated = first_rows(&samples, most);
    let classes = Classes::find(context, &real, generated.view())?;
    let (of_real, of_generated) = (classes.real.as_deref(), classes.generated.as_deref());
    let numbers = || dataset.row_numbers();
    let (latent, hole_share) = latents(context)?;
    let charts = Charts {
        real: Points::new(Set::Real, real.rows(), dataset.training.len(), numbers(), of_real),
        generated: Points::new(
            Set::Generated,
            generated.view(),
            samples.nrows(),
            1..,
            of_generated,
        ),
        classes: Class::all(&classes.names),
        latent,
        embeddings: embeddings(context, &classes.names)?,
        columns,
    };
    Ok((charts, hole_share))
}

fn latents(context: &Context) -> Result<(LatentView, Option<f64>)> {
    let model = Model::new(SavedModel::load(context.dir.path())?, context.device);
    let posteriors = read_first_latents(context)?;
    let means = posteriors.means.view();
    let classes = Classes::of_first(context, means.nrows())?;
    let plane = LatentPlane::find(context, &model, &posteriors)?;
    let prior = prior_mixture(&model.card().prior, means.ncols())?;
    let means = Points::new(
        Set::Latent,
        means,
        context.dataset.training.len(),
        context.dataset.row_numbers(),
        classes.real.as_deref(),
    );
    let map = plane.as_ref().map(|plane| {
        Map::new(plane.latents.view(), plane.decoded.view(), plane.ratio.index_axis(Axis(1), 0))
    });
    let prior = components(&prior).iter().map(PriorComponentView::from).collect();
    Ok((LatentView { means, prior, map }, plane.map(|plane| plane.hole_share)))
}

/// The embeddings of `tsne.csv`: runs of rows with one perplexity, in which a source may follow
/// another that it was embedded with.
fn embeddings(context: &Context, names: &[String]) -> Result<Vec<EmbeddingView>> {
    let rows = coloured_rows(context)?;
    let class: HashMap<&str, usize> =
        names.iter().enumerate().map(|(index, name)| (name.as_str(), index)).collect();
    let of_set = |rows: &[EmbeddingRow], set: Set| {
        let values = Array2::from_shape_fn((rows.len(), 2), |(row, axis)| match axis {
            0 => rows[row].x,
            _ => rows[row].y,
        });
        let classes: Option<Vec<usize>> =
            rows.iter().map(|row| class.get(row.component.as_str()).copied()).collect();
        let numbers: Vec<usize> = match set {
            Set::Generated => (1..=rows.len()).collect(),
            Set::Real | Set::Latent => context.dataset.row_numbers().collect(),
        };
        Points::new(set, values.view(), rows.len(), numbers, classes.as_deref())
    };
    let by_perplexity = rows.chunk_by(|a, b| {
        a.perplexity == b.perplexity && (a.source == Set::Latent) == (b.source == Set::Latent)
    });
    Ok(by_perplexity
        .map(|rows| EmbeddingView {
            perplexity: rows[0].perplexity,
            sets: rows
                .chunk_by(|a, b| a.source == b.source)
                .map(|rows| of_set(rows, rows[0].source))
                .collect(),
        })
        .collect())
}
