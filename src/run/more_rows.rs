//! Stage `more-rows`: what a larger data set would change, where it can be drawn.

use ndarray::{Array2, ArrayView2};

use super::dataset::draw;
use super::products::first_rows;
use super::train::{Fit, checkpoints, epochs};
use super::{Context, Counter, RunDir, interruptible};
use crate::audit::findings::MoreRows;
use crate::audit::latent::summarise;
use crate::audit::structure::{Structure, describe, ticks};
use crate::config::TrainingSettings;
use crate::error::Result;
use crate::model::SavedModel;
use crate::train::Epochs;
use crate::vae::Model;

/// Restarts of K-means on the larger sets, whose optima differ little from start to start.
const RESTARTS: usize = 3;

pub(super) fn stage(context: &Context) -> Result<()> {
    let plan = context.plan;
    let (settings, analysis) = (&plan.settings, &plan.settings.analysis);
    let rows = analysis.more_rows;
    let wanted = analysis.full && rows > plan.decided.training_rows;
    let Some(mixture) = context.dataset.mixture.as_ref().filter(|_| wanted) else {
        return context.dir.remove(RunDir::MORE_ROWS);
    };
    let table = mixture.draw(rows, settings.seed, draw::MORE_ROWS);
    // About as many steps as on the smaller set, and its start, so that hardly more than the data differ.
    let batch = plan.decided.batch;
    let of_run = epochs(context);
    let epochs = Epochs::passes(rows, of_run.steps_before(of_run.len(), batch) * batch);
    let training = TrainingSettings { patience: None, ..settings.training.clone() };
    let none = Array2::zeros((0, table.width()));
    let name = "training on more rows";
    let seed = SavedModel::load(context.dir.path())?.card.seed;
    let folder = RunDir::CHECKPOINTS_OF_MORE_ROWS;
    let checkpoints = checkpoints(context, folder, &format!("{rows} rows"), &epochs)?;
    let fit = Fit {
        name,
        seed,
        settings: &training,
        epochs: &epochs,
        checkpoints: &checkpoints,
        view: None,
    };
    let (_, saved) = fit.train(context, &table, none.view());
    let model = Model::new(saved?, context.device);
    let generated = model.sample(rows, settings.noise, settings.seed, context.watch.interrupt)?;
    let latents = model.encode(table.rows(), context.watch.interrupt)?;
    let latent = summarise(latents.means.view(), latents.log_variances.view());
    let structure =
        structure_of(context, "clustering more rows", table.rows(), generated, RESTARTS)?;
    let steps = epochs.steps_before(epochs.len(), batch);
    let found = MoreRows { rows, steps, active_units: latent.active_units, structure };
    context.dir.write_json(RunDir::MORE_ROWS, &found)
}

/// [`describe`] on as many generated rows as real ones, with progress and a way to stop.
pub(super) fn structure_of(
    context: &Context,
    name: &str,
    real: ArrayView2<f32>,
    generated: Array2<f32>,
    restarts: usize,
) -> Result<Structure> {
    let settings = &context.plan.settings;
    let (max_clusters, seed) = (settings.analysis.max_clusters, settings.seed);
    let counter = Counter::new(context.watch.progress.begin(name, ticks(max_clusters)));
    let generated = first_rows(&generated, real.nrows());
    let real = real.to_owned();
    interruptible(context.watch.interrupt, move || {
        describe(real.view(), generated.view(), max_clusters, restarts, seed, &|| counter.tick())
    })
}
