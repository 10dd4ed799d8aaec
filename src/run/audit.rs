//! Stage `audit`: modes, distances, clusters and latent units, causes, and the questions answered.

use ndarray::{Array2, Axis, s};

use super::products::{read_latents, read_samples};
use super::train::epochs;
use super::{Context, Counter, RunDir, interruptible};
use crate::audit::bic::choose_components;
use crate::audit::cause::ModelEvidence;
use crate::audit::clusters::choose_k;
use crate::audit::eigen::covariance_eigenvalues;
use crate::audit::findings::{Findings, MoreRows, OfModel};
use crate::audit::hdbscan::density_clusters;
use crate::audit::latent::{LatentDiagnosis, PriorHole, summarise};
use crate::audit::ledger::Judged;
use crate::audit::markdown;
use crate::audit::metrics::{NllGap, nll_gap};
use crate::audit::overfitting::{Bounds, Overfitting, thrown_off};
use crate::audit::reference::Kind;
use crate::audit::samples::{Audited, Compared, Options, Samples, audit, check_rows, ticks};
use crate::audit::structure::MOST_COMPONENTS;
use crate::audit::subset::subset;
use crate::config::{Recipe, ScalingChoice};
use crate::data::mixed_spreads;
use crate::error::Result;
use crate::files::write_bytes;
use crate::history::{EpochRecord, read_history};
use crate::model::SavedModel;
use crate::train::kept_epochs;
use crate::vae::{Latents, Model};

/// Held-out rows whose likelihood is estimated, by 256 draws each.
const MOST_HELD_OUT: usize = 2000;
/// Eigenvalues of the data that are written down.
const EIGENVALUES: usize = 8;

pub(super) fn stage(context: &Context) -> Result<()> {
    let history = read_history(&context.dir.file(RunDir::HISTORY))?;
    let mut notes = Vec::new();
    let generated = read_samples(context)?;
    let mut audited = match check_rows(context.dataset.training.len(), generated.nrows()) {
        Ok(()) => Some(audit_samples(context, generated)?),
        Err(error) => {
            notes.push(format!("The samples were not audited: {}.", error.message()));
            None
        }
    };
    let model = Model::new(SavedModel::load(context.dir.path())?, context.device);
    // What was trained after them is not in the model.
    let training = &context.plan.settings.training;
    let kept = kept_epochs(&history, training, &model.card().objective);
    let overfitting = Overfitting::find(&bounds(kept));
    let objective = model.card().objective;
    let thrown_off = if objective.is_the_bound() { thrown_off(&bounds(kept)) } else { None };
    let (latent, posterior) = diagnose(context, &model, audited.as_ref())?;
    if let Some(audited) = &mut audited {
        audited.audit.metrics.nll_gap = held_out_gap(context, &model, audited)?;
    }
    let other_noise = other_noise(context, &model, audited.as_ref())?;
    let noisy = context.plan.settings.noise;
    if let (Some(audited), Some(posterior)) = (&mut audited, &posterior) {
        audited.audit.other_noise = other_noise.as_ref().map(|judged| {
            let how = if noisy { "without" } else { "with" };
            Compared::new(format!("the same latents decoded {how} the noise"), judged)
        });
        let held_out: Vec<f64> = kept.iter().filter_map(|epoch| epoch.held_out_elbo).collect();
        let epochs = epochs(context);
        let steps = epochs.steps_before(kept.len(), context.plan.decided.batch);
        let noise = model.noise_deviations().filter(|_| noisy);
        let evidence = ModelEvidence {
            latent: &latent,
            posterior,
            noise: noise.as_deref(),
            one_scale: [ScalingChoice::Rms, ScalingChoice::None]
                .contains(&context.plan.settings.data.scaling)
                && mixed_spreads(context.dataset.training.rows()).is_some(),
            with_noise: other_noise.as_ref().filter(|_| !noisy),
            bounds: &held_out,
            model: &context.plan.settings.model,
            training,
            objective,
            steps,
            thrown_off: thrown_off.as_deref(),
            longer: &context.plan.longer(),
            overfitted: overfitting.is_some(),
            impatient: history.len() < epochs.len(),
            recipe: Recipe::better_than(&context.plan.settings.recipe),
        };
        audited.explain(Some(&evidence));
    }
    let more_rows: Option<MoreRows> = match context.dir.file(RunDir::MORE_ROWS).exists() {
        true => Some(context.dir.read_json(RunDir::MORE_ROWS)?),
        false => None,
    };
    context.dir.remove(RunDir::REFERENCE)?;
    if let Some(audited) = audited.as_ref().filter(|_| context.dataset.mixture.is_none()) {
        audited.reference.mixture.write(&context.dir.file(RunDir::REFERENCE))?;
    }
    let samples = audited.map(|audited| audited.audit);
    let of_model = OfModel {
        latent: Some(latent),
        preflight: Some(context.dir.read_json(RunDir::PREFLIGHT)?),
        overfitting,
        more_rows,
    };
    let findings = Findings::new(samples, of_model, notes);
    write_bytes(&context.dir.file(RunDir::AUDIT_TEXT), markdown::render(&findings).as_bytes())?;
    context.dir.write_json(RunDir::AUDIT, &findings)
}

/// The bounds of the epochs that have a held-out one.
pub(super) fn bounds(history: &[EpochRecord]) -> Vec<Bounds> {
    let of_epoch = |record: &EpochRecord| {
        let training = record.reconstruction + record.kl;
        let held_out = record.held_out_elbo?;
        Some(Bounds { epoch: record.epoch, held_out, training })
    };
    history.iter().filter_map(of_epoch).collect()
}

/// The ledger of the samples' latents decoded without the likelihood's noise where they have it, and
/// with it where they have none; nothing where there is no noise.
fn other_noise(
    context: &Context,
    model: &Model,
    audited: Option<&Audited>,
) -> Result<Option<Judged>> {
    let settings = &context.plan.settings;
    let Some(audited) = audited.filter(|_| model.noise_deviations().is_some()) else {
        return Ok(None);
    };
    let (rows, noise) = (settings.samples, !settings.noise);
    let rows = model.sample(rows, noise, settings.seed, context.watch.interrupt)?;
    Ok(Some(audited.ledger.judge(rows.view())))
}

fn audit_samples(context: &Context, generated: Array2<f32>) -> Result<Audited> {
    let settings = &context.plan.settings;
    let options = Options::new(&settings.analysis, settings.seed);
    let task = context.watch.progress.begin("audit", ticks(options.max_clusters));
    let counter = Counter::new(task);
    let dataset = context.dataset;
    let (real, held_out) = (dataset.training.clone(), dataset.held_out.rows().to_owned());
    let truth = dataset.mixture.clone();
    interruptible(context.watch.interrupt, move || {
        let samples = Samples {
            real: &real,
            held_out: Some(held_out.view()),
            generated: generated.view(),
            truth: truth.as_ref(),
        };
        audit(samples, options, &|| counter.tick())
    })
}

/// What the latent space holds, and the ledger of decoded posterior draws where samples were judged.
fn diagnose(
    context: &Context,
    model: &Model,
    audited: Option<&Audited>,
) -> Result<(LatentDiagnosis, Option<Judged>)> {
    let settings = &context.plan.settings;
    let (analysis, seed) = (&settings.analysis, settings.seed);
    let training = context.dataset.training.rows();
    let posterior = audited
        .map(|audited| {
            let rows = model.sample_posterior(
                training,
                settings.samples,
                settings.noise,
                seed,
                context.watch.interrupt,
            )?;
            Ok(audited.ledger.judge(rows.view()))
        })
        .transpose()?;
    let Latents { means, log_variances } = read_latents(context)?;
    let summary = summarise(means.view(), log_variances.view());
    let some = means.select(Axis(0), &subset(means.nrows(), analysis.rows));
    let (max_clusters, restarts) = (analysis.max_clusters, analysis.restarts);
    let task = context.watch.progress.begin("latent space", 1);
    let (clusters, mixture, density) = interruptible(context.watch.interrupt, move || {
        let some = some.view();
        let (clusters, (mixture, density)) = rayon::join(
            || choose_k(some, max_clusters, restarts, seed, &|| ()),
            || {
                rayon::join(
                    || choose_components(some, MOST_COMPONENTS, seed),
                    || density_clusters(some),
                )
            },
        );
        task.update(1, "");
        Ok((clusters?, mixture?.0, density?))
    })?;
    let mut eigenvalues = covariance_eigenvalues(model.card().scaling.apply(training).view());
    eigenvalues.truncate(EIGENVALUES);
    let prior_hole = audited
        .zip(posterior.as_ref())
        .map(|(audited, posterior)| PriorHole::find(&audited.found, posterior));
    let latent = LatentDiagnosis {
        summary,
        likelihood_variance: model.likelihood_variance(),
        implied_variance: model.card().implied_variance(model.likelihood_variance()),
        eigenvalues,
        prior_hole,
        clusters,
        mixture,
        density,
    };
    Ok((latent, posterior))
}

/// Held-out likelihood against the truth, or against the fitted mixture where there is none; nothing
/// where no rows are held out.
fn held_out_gap(context: &Context, model: &Model, audited: &Audited) -> Result<Option<NllGap>> {
    let held_out = context.dataset.held_out.rows();
    let held_out = held_out.slice(s![..held_out.nrows().min(MOST_HELD_OUT), ..]);
    if held_out.nrows() < 2 {
        return Ok(None);
    }
    let likelihoods =
        model.log_likelihoods(held_out, context.plan.settings.seed, context.watch.interrupt)?;
    let reference = &audited.reference;
    let fitted = reference.fitted.log_densities(held_out);
    Ok(Some(match reference.kind {
        Kind::Mixture => {
            nll_gap(&likelihoods, &reference.mixture.log_densities(held_out), Some(&fitted))
        }
        Kind::Labels | Kind::Fitted => nll_gap(&likelihoods, &fitted, None),
    }))
}
