//! Stage `plot`: the pictures, from the run's files.

use ndarray::{Array1, Array2, ArrayView2, s};

use super::audit::{read_latents, read_rows};
use super::data::first_rows;
use super::{Context, EmbeddingRow, RunDir};
use crate::audit::clusters::{KChoice, KSummary};
use crate::audit::findings::Findings;
use crate::audit::structure::Clusters;
use crate::config::{KlReduction, Likelihood, ScalingKind};
use crate::data::{Scaling, Table};
use crate::error::{Error, Result};
use crate::files;
use crate::model::{Prior, SavedModel};
use crate::plot::theme::{GENERATED, GENERATED_SCALED, REAL};
use crate::plot::{
    Comparison, DecoderGrid, KChoice as KFigure, KCurve, Latent, Losses, Picture, PriorComponent,
    Scatter, Tsne, TsnePanel,
};
use crate::report::Caption;
use crate::train::{EpochRecord, read_history};
use crate::vae::Model;

/// Points along each side of the grid of latents that is decoded.
const GRID: usize = 40;

/// Name of the list of pictures in the folder of the pictures.
pub(super) const INDEX: &str = "plots/index.json";

pub(super) fn stage(context: &Context) -> Result<()> {
    let folder = context.dir.file(RunDir::PLOTS);
    std::fs::create_dir_all(&folder).map_err(|error| Error::io("making", &folder, error))?;
    let rows = context.plan.settings.analysis.rows;
    let real = context.dataset.first(rows);
    let generated = first_rows(&read_rows(context, RunDir::SAMPLES)?, real.len());
    let embedded = !context.plan.decided.perplexities.is_empty();
    let model = Model::new(SavedModel::load(context.dir.path())?, context.device);
    let planar = model.card().architecture.latent == 2;
    let pictures = 6 + u64::from(embedded) + u64::from(planar);
    let task = context.progress.begin("drawing", pictures);
    let mut pictures = Vec::new();
    let mut add = |picture: Picture| {
        pictures.push(Caption { name: picture.name, title: picture.title, alt: picture.alt });
        task.update(pictures.len() as u64, "");
    };

    let (classes, names) = classes(&real);
    let data = Scatter {
        title: "The data",
        columns: real.columns(),
        points: real.rows(),
        classes,
        class_names: names,
    };
    add(data.draw(&folder, "data")?);
    add(losses(context, &folder)?);
    let compare = |title, real: &Array2<f32>, generated: &Array2<f32>, name| {
        let (columns, real, generated) =
            (context.dataset.table.columns(), real.view(), generated.view());
        Comparison { title, columns, real, generated }.draw(&folder, name)
    };
    let real_rows = real.rows().to_owned();
    add(compare("Real and generated rows", &real_rows, &generated, "real-and-generated")?);
    let scale =
        |rows: &Array2<f32>| Scaling::fit(ScalingKind::MinMax, rows.view()).apply(rows.view());
    let title = "Real and generated rows, each min–max scaled on its own";
    add(compare(title, &scale(&real_rows), &scale(&generated), "real-and-generated-scaled")?);
    let findings: Findings = context.dir.read_json(RunDir::AUDIT)?;
    if let Some(audit) = &findings.samples {
        add(k_choice(&audit.structure.clusters, &folder)?);
    }

    let latents = first_rows(&read_latents(context)?, rows);
    let units = latents.ncols() / 2;
    let prior = prior_components(&model.card().prior, units)?;
    let latent = Latent {
        title: "The latent space: posterior means over the prior",
        means: latents.slice(s![.., ..units]),
        classes,
        class_names: names,
        prior: &prior,
    };
    add(latent.draw(&folder, "latent")?);
    if planar {
        add(decoder_grid(context, &model, latents.slice(s![.., ..2]), &prior, &folder)?);
    }
    if embedded {
        add(tsne(context, &real, &folder)?);
    }
    context.dir.write_json(INDEX, &pictures)
}

/// The class of each row and the names of the classes, as figures take them.
fn classes(table: &Table) -> (Option<&[usize]>, &[String]) {
    match table.labels() {
        Some(labels) => (Some(&labels.of_row), &labels.names),
        None => (None, &[]),
    }
}

/// The prior as figures take it.
fn prior_components(prior: &Prior, units: usize) -> Result<Vec<PriorComponent>> {
    let Prior::Mixture(mixture) = prior else {
        let (mean, covariance) = (Array1::zeros(units), Array2::eye(units));
        return Ok(vec![PriorComponent { weight: 1.0, mean, covariance }]);
    };
    let parts = mixture.weights().iter().zip(mixture.means()).zip(mixture.covariances());
    parts
        .map(|((&weight, mean), covariance)| {
            let covariance = Array2::from_shape_vec((units, units), covariance.concat())
                .map_err(|error| Error::failed(format!("the prior's covariance: {error}")))?;
            Ok(PriorComponent { weight, mean: mean.clone().into(), covariance })
        })
        .collect()
}

/// What the decoder makes of the latent plane where the posterior means are.
fn decoder_grid(
    context: &Context,
    model: &Model,
    means: ArrayView2<f32>,
    prior: &[PriorComponent],
    folder: &std::path::Path,
) -> Result<Picture> {
    let range = |unit: usize| {
        let column = means.column(unit);
        let (low, high) =
            column.iter().fold((f32::MAX, f32::MIN), |(a, b), &v| (a.min(v), b.max(v)));
        let margin = 0.1 * (high - low).max(0.1);
        [low - margin, high + margin]
    };
    let latents = DecoderGrid::lattice([range(0), range(1)], GRID);
    let decoded = model.decode(latents.view(), &context.interrupt)?;
    let (title, columns) =
        ("What the decoder makes of the latent plane", model.card().columns.clone());
    let (latents, decoded) = (latents.view(), decoded.view());
    DecoderGrid { title, columns: &columns, latents, decoded, prior }.draw(folder, "decoder-grid")
}

fn losses(context: &Context, folder: &std::path::Path) -> Result<Picture> {
    let history = read_history(&context.dir.file(RunDir::HISTORY))?;
    let epochs: Vec<usize> = history.iter().map(|record| record.epoch).collect();
    let column = |get: fn(&EpochRecord) -> f64| history.iter().map(get).collect();
    let (loss, reconstruction, kl): (Vec<f64>, Vec<f64>, Vec<f64>) =
        (column(|r| r.loss), column(|r| r.reconstruction), column(|r| r.kl));
    let (loss_unit, held_out) = match context.plan.settings.model.likelihood {
        Likelihood::MeanSquaredError => ("squared scaled units", None),
        Likelihood::FixedSigma | Likelihood::LearnedSigma | Likelihood::LearnedSigmaPerColumn => {
            // The bound is in the data's units, the loss in scaled ones.
            let scaling = SavedModel::load(context.dir.path())?.card.scaling;
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
    let training = &context.plan.settings.training;
    let comparable = training.kl_reduction == KlReduction::Mean
        && training.free_bits == 0.0
        && training.importance_samples == 1;
    let held_out = held_out.filter(|loss| comparable && loss.iter().any(|l| l.is_finite()));
    let (title, kl_unit) = ("Loss, reconstruction and KL by epoch", "nats a row");
    let (loss, reconstruction, kl) = (&loss, &reconstruction, &kl);
    let figure = Losses {
        title,
        epochs: &epochs,
        loss,
        held_out: held_out.as_deref(),
        reconstruction,
        kl,
        loss_unit,
        kl_unit,
    };
    figure.draw(folder, "losses")
}

fn k_choice(clusters: &Clusters, folder: &std::path::Path) -> Result<Picture> {
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
    KFigure { title: "How many clusters K-means sees", curves: &curves }.draw(folder, "k-choice")
}

fn tsne(context: &Context, real: &Table, folder: &std::path::Path) -> Result<Picture> {
    let rows: Vec<EmbeddingRow> = files::read_records(&context.dir.file(RunDir::TSNE))?;
    let embedding = |perplexity: f64| {
        let of = |row: &&EmbeddingRow| row.perplexity == perplexity;
        let points: Vec<[f32; 2]> = rows.iter().filter(of).map(|row| [row.x, row.y]).collect();
        (format!("perplexity {perplexity}"), ndarray::arr2(&points))
    };
    let embeddings: Vec<(String, Array2<f32>)> =
        context.plan.decided.perplexities.iter().map(|&p| embedding(p)).collect();
    let panels: Vec<TsnePanel> = embeddings
        .iter()
        .map(|(heading, points)| TsnePanel { heading, points: points.view() })
        .collect();
    let (classes, class_names) = classes(real);
    let title = "t-SNE of the posterior means";
    Tsne { title, panels: &panels, classes, class_names }.draw(folder, "tsne")
}
