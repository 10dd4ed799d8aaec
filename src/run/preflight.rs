//! Stage `preflight`: whether training is to be expected to collapse, said before its first step.

use super::train::model_card;
use super::{Context, RunDir, interruptible};
use crate::audit::findings::Preflight;
use crate::audit::preflight::certify;
use crate::config::Recipe;
use crate::error::Result;

pub(super) fn stage(context: &Context) -> Result<()> {
    let settings = &context.plan.settings;
    let training = &context.dataset.training;
    let card = model_card(context.plan, settings.training_seed(), training);
    let rows = card.scaling.apply(training.rows());
    let starting = vec![settings.model.sigma.ln() as f32; card.architecture.learned_sigmas()];
    let variance = card.implied_variance(card.architecture.mean_variance(&starting));
    let mut certificate =
        interruptible(context.watch.interrupt, move || certify(rows.view(), 0.5 / variance))?;
    // The certificate is of a loss in which all of the KL divergence has its price.
    certificate.proved &= settings.training.free_bits == 0.0 || !certificate.collapse_is_optimal;
    let preflight = Preflight::new(
        certificate,
        settings.model.likelihood,
        card.objective,
        settings.model.sigma,
        Recipe::better_than(&settings.recipe),
    );
    context.watch.progress.note(&format!("pre-flight: {preflight}"));
    context.dir.write_json(RunDir::PREFLIGHT, &preflight)
}
