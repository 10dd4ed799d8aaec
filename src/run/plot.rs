//! Stage `plot`: the pictures, from the run's files.

use std::path::Path;

use ndarray::Array2;

use super::classes::Classes;
use super::latent_plane::{HOLE, LatentPlane, MOST_DECADES, components, prior_mixture};
use super::products::{first_rows, read_first_latents, read_samples};
use super::{Context, EmbeddingRow, RunDir};
use crate::audit::clusters::{KChoice, KSummary};
use crate::audit::structure::Clusters;
use crate::config::{KlReduction, Likelihood, ScalingKind, Settings};
use crate::data::Scaling;
use crate::error::{Error, Result};
use crate::files::read_records;
use crate::history::{EpochRecord, read_history};
use crate::model::SavedModel;
use crate::plot::theme::{GENERATED, GENERATED_SCALED, REAL};
use crate::plot::{
    Comparison, KChoiceFigure, KCurve, Latent, LatentMap, Losses, Marginals, Meaning, Picture,
    Scatter, Tsne, TsnePanel,
};
use crate::report::{Caption, Set};
use crate::vae::Model;

/// Name of the list of pictures in the folder of the pictures.
pub(super) const INDEX: &str = "plots/index.json";

/// The list of a run's pictures.
///
/// # Errors
/// Where it is missing, damaged, or names what is no picture of the folder.
pub(super) fn captions(dir: &RunDir) -> Result<Vec<Caption>> {
    let captions: Vec<Caption> = dir.read_json(INDEX)?;
    let is_name = |name: &str| Path::new(name).file_name().is_some_and(|only| only == name);
    match captions.iter().find(|caption| !is_name(&caption.name)) {
        Some(Caption { name, .. }) => {
            Err(Error::damaged(&dir.file(INDEX), format!("\"{name}\" is no name of a picture")))
        }
        None => Ok(captions),
    }
}

/// The files that [`stage`] leaves.
///
/// # Errors
/// As [`captions`].
pub(super) fn outputs(dir: &RunDir) -> Result<Vec<String>> {
    let files = |Caption { name, .. }: Caption| {
        ["png", "svg"].map(|ending| format!("{}/{name}.{ending}", RunDir::PLOTS))
    };
    Ok(captions(dir)?.into_iter().flat_map(files).chain([INDEX.into()]).collect())
}

pub(super) fn stage(context: &Context) -> Result<()> {
    let folder = context.dir.make(RunDir::PLOTS)?;
    let task = context.watch.progress.begin("drawing", 1);
    let mut pictures = rows(context, &folder)?;
    pictures.push(losses(context, &folder)?);
    if let Some(audit) = &context.dir.read_findings()?.samples {
        pictures.push(k_choice(&audit.structure.clusters, &folder)?);
    }
    pictures.extend(latents(context, &folder)?);
    pictures.extend(embeddings(context, &folder)?);
    task.update(1, "");
    let caption = |p: Picture| Caption { name: p.name, title: p.title, alt: p.alt };
    let captions: Vec<Caption> = pictures.into_iter().map(caption).collect();
    context.dir.write_json(INDEX, &captions)
}

/// Real and generated rows, as many of each.
fn rows(context: &Context, folder: &Path) -> Result<Vec<Picture>> {
    let real = context.dataset.first(context.plan.settings.analysis.rows);
    let generated = first_rows(&read_samples(context)?, real.len());
    let classes = Classes::find(context, &real, generated.view())?;
    let (class_names, of_real) = (&classes.names[..], classes.real.as_deref());
    let (columns, title) = (real.columns(), "The data");
    let data = Scatter {
        title,
        columns,
        points: real.rows(),
        classes: of_real,
        class_names,
        generated: Some(generated.view()),
    };
    let both = of_real.zip(classes.generated.as_deref()).map(<[_; 2]>::from);
    let sets = [real.rows(), generated.view()];
    let raw = Comparison {
        title: "Real and generated rows",
        columns,
        real: real.rows(),
        generated: generated.view(),
        classes: both,
        class_names,
        note: None,
        pairs: false,
    };
    let [scaled_real, scaled_generated] =
        sets.map(|rows| Scaling::fit(ScalingKind::MinMax, rows).apply(rows));
    let scaled = Comparison {
        title: "Real and generated rows, each set scaled by itself",
        note: Some("each column of each set from 0 to 1: sizes are not comparable, shapes are"),
        real: scaled_real.view(),
        generated: scaled_generated.view(),
        ..raw
    };
    let mut pictures = vec![
        data.draw(folder, "data")?,
        raw.draw(folder, "real-and-generated")?,
        scaled.draw(folder, "real-and-generated-scaled")?,
    ];
    if let 2 | 3 = columns.len() {
        let title = "Pairs of columns, real and generated";
        pictures.push(Comparison { title, pairs: true, ..raw }.draw(folder, "pairs")?);
    }
    let title = "Each column, real and generated";
    let [real, generated] = sets;
    pictures.push(Marginals { title, columns, real, generated }.draw(folder, "marginals")?);
    Ok(pictures)
}

/// The posterior means over the prior and, of two units, their plane.
fn latents(context: &Context, folder: &Path) -> Result<Vec<Picture>> {
    let model = Model::new(SavedModel::load(context.dir.path())?, context.device);
    let posteriors = read_first_latents(context)?;
    let means = posteriors.means.view();
    let classes = Classes::of_first(context, means.nrows())?;
    let prior = components(&prior_mixture(&model.card().prior, means.ncols())?);
    let latent = Latent {
        title: "The latent space: posterior means over the prior",
        means,
        classes: classes.real.as_deref(),
        class_names: &classes.names,
        prior: &prior,
    };
    let mut pictures = vec![latent.draw(folder, "latent")?];
    if let Some(plane) = LatentPlane::find(context, &model, &posteriors)? {
        let real = context.dataset.first(context.plan.settings.analysis.rows);
        let decoded = LatentMap {
            title: "What the decoder makes of the latent plane",
            meaning: Meaning::Decoded { real: real.rows() },
            names: &model.card().columns,
            latents: plane.latents.view(),
            values: plane.decoded.view(),
            prior: &prior,
        };
        pictures.push(decoded.draw(folder, "decoder-grid")?);
        let ratio = LatentMap {
            title: "Where the prior has holes",
            meaning: Meaning::Holes { decades: MOST_DECADES, level: HOLE.log10() },
            names: &["log₁₀ of posterior over prior density".to_owned()],
            values: plane.ratio.view(),
            ..decoded
        };
        pictures.push(ratio.draw(folder, "prior-holes")?);
    }
    Ok(pictures)
}

fn losses(context: &Context, folder: &Path) -> Result<Picture> {
    let history = read_history(&context.dir.file(RunDir::HISTORY))?;
    let scaling = SavedModel::load(context.dir.path())?.card.scaling;
    with_losses(&history, &context.plan.settings, &scaling, |figure| figure.draw(folder, "losses"))
}

/// Gives the losses of a history to `draw`.
pub(super) fn with_losses(
    history: &[EpochRecord],
    settings: &Settings,
    scaling: &Scaling,
    draw: impl FnOnce(&Losses) -> Result<Picture>,
) -> Result<Picture> {
    let epochs: Vec<usize> = history.iter().map(|record| record.epoch).collect();
    let column = |get: fn(&EpochRecord) -> f64| history.iter().map(get).collect();
    let [loss, reconstruction, kl, beta, learning_rate]: [Vec<f64>; 5] = [
        column(|r| r.loss),
        column(|r| r.reconstruction),
        column(|r| r.kl),
        column(|r| r.beta),
        column(|r| r.learning_rate),
    ];
    let (loss_unit, held_out) = match settings.model.likelihood {
        Likelihood::MeanSquaredError => ("squared scaled units", None),
        Likelihood::FixedSigma | Likelihood::LearnedSigma | Likelihood::LearnedSigmaPerColumn => {
            // The bound is in the data's units, the loss in scaled ones.
            let bound = |r: &EpochRecord| r.held_out_elbo.unwrap_or(f64::NAN);
            // Before β has risen the training loss is not the negative bound.
            let loss = |record: &EpochRecord| match record.beta == 1.0 {
                true => -bound(record) - scaling.log_jacobian(),
                false => f64::NAN,
            };
            ("nats a row", Some(history.iter().map(loss).collect::<Vec<f64>>()))
        }
    };
    // Nor is it with another reduction, free bits or several draws.
    let training = &settings.training;
    let comparable = training.kl_reduction == KlReduction::Mean
        && training.free_bits == 0.0
        && training.importance_samples == 1;
    let held_out = held_out.filter(|loss| comparable && loss.iter().any(|l| l.is_finite()));
    draw(&Losses {
        title: "Loss and schedule by epoch",
        epochs: &epochs,
        loss: &loss,
        held_out: held_out.as_deref(),
        reconstruction: &reconstruction,
        kl: &kl,
        beta: &beta,
        learning_rate: &learning_rate,
        loss_unit,
        kl_unit: "nats a row",
    })
}

fn k_choice(clusters: &Clusters, folder: &Path) -> Result<Picture> {
    let sets = [
        ("generated, as they are", &clusters.raw, GENERATED),
        ("generated, min–max scaled", &clusters.scaled, GENERATED_SCALED),
        ("real", &clusters.real, REAL),
    ];
    type Column = fn(&KSummary) -> f64;
    let columns = |choice: &KChoice, get: Column| choice.fits.iter().map(get).collect::<Vec<f64>>();
    let ks = sets.map(|(_, choice, _)| choice.fits.iter().map(|fit| fit.k).collect::<Vec<_>>());
    let silhouettes = sets.map(|(_, choice, _)| columns(choice, |fit| fit.silhouette));
    let inertias = sets.map(|(_, choice, _)| columns(choice, |fit| fit.inertia));
    let curves: [KCurve; 3] = std::array::from_fn(|i| KCurve {
        name: sets[i].0,
        k: &ks[i],
        silhouette: &silhouettes[i],
        inertia: &inertias[i],
        chosen: sets[i].1.by_silhouette,
        style: sets[i].2,
    });
    KChoiceFigure { title: "How many clusters K-means sees", curves: &curves }
        .draw(folder, "k-choice")
}

/// A picture of the embeddings of the posterior means, and one of those of rows.
fn embeddings(context: &Context, folder: &Path) -> Result<Vec<Picture>> {
    let rows: Vec<EmbeddingRow> = read_records(&context.dir.file(RunDir::TSNE))?;
    let points = |source: Option<Set>, perplexity: f64| {
        let of = |row: &&EmbeddingRow| Some(row.source) == source && row.perplexity == perplexity;
        let points: Vec<[f32; 2]> = rows.iter().filter(of).map(|row| [row.x, row.y]).collect();
        ndarray::arr2(&points)
    };
    let mut pictures = Vec::new();
    for (sources, title, name) in [
        ([Some(Set::Latent), None], "t-SNE of the posterior means", "tsne"),
        (
            [Some(Set::Real), Some(Set::Generated)],
            "t-SNE of real and generated rows together",
            "tsne-rows",
        ),
    ] {
        let embeddings: Vec<(String, [Array2<f32>; 2])> = context
            .plan
            .decided
            .perplexities
            .iter()
            .map(|&p| (format!("perplexity {p}"), sources.map(|source| points(source, p))))
            .filter(|(_, [points, _])| !points.is_empty())
            .collect();
        let Some((_, [first, _])) = embeddings.first() else { continue };
        let panels: Vec<TsnePanel> = embeddings
            .iter()
            .map(|(heading, [points, generated])| TsnePanel {
                heading,
                points: points.view(),
                generated: (!generated.is_empty()).then(|| generated.view()),
            })
            .collect();
        let classes = Classes::of_first(context, first.nrows())?;
        let (class_names, classes) = (&classes.names[..], classes.real.as_deref());
        let figure = Tsne { title, panels: &panels, classes, class_names };
        pictures.push(figure.draw(folder, name)?);
    }
    Ok(pictures)
}
