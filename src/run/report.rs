//! Stage `report`: one page from what the folder holds.

use super::charts::charts;
use super::train::epochs;
use super::{Context, Plan, RunDir, Source, plot};
use crate::config::word;
use crate::error::Result;
use crate::files;
use crate::history::{EpochRecord, read_history};
use crate::input;
use crate::report::{Caption, Figure, Page, Rows};

pub(super) fn stage(context: &Context) -> Result<()> {
    let captions = plot::captions(context.dir)?;
    let (plan, dataset) = (context.plan, context.dataset);
    let history = read_history(&context.dir.file(RunDir::HISTORY))?;
    let (charts, hole_share) = charts(context)?;
    let page = Page {
        recipe: plan.settings.recipe.clone(),
        rows: rows(plan),
        columns: dataset.table.columns().to_vec(),
        findings: context.dir.read_findings()?,
        figures: captions
            .into_iter()
            .map(|caption| figure(context.dir, caption))
            .collect::<Result<_>>()?,
        charts,
        hole_share,
        facts: facts(context, &history)?,
        history,
        settings: input::text(&context.dir.file(RunDir::CONFIG))?,
        notes: dataset.notes(&plan.settings.data),
        generated: dataset.mixture.is_some(),
    };
    files::write_bytes(&context.dir.file(RunDir::REPORT), page.render().as_bytes())
}

/// The picture that a caption is of.
pub(super) fn figure(dir: &RunDir, caption: Caption) -> Result<Figure> {
    let svg = input::text(&dir.file(RunDir::PLOTS).join(format!("{}.svg", caption.name)))?;
    Ok(Figure { svg, caption })
}

/// What a run learns from.
pub(super) fn rows(plan: &Plan) -> Rows {
    let source = match &plan.decided.source {
        Source::Mixture => {
            let mixture = &plan.settings.mixture;
            format!(
                "a generated mixture of {} Gaussians in {} dimensions, means uniform in (−{s}, {s})",
                mixture.components,
                mixture.dimensions,
                s = mixture.spread
            )
        }
        Source::File { path, .. } => path.display().to_string(),
    };
    let decided = &plan.decided;
    Rows { source, training: decided.training_rows, held_out: decided.held_out_rows }
}

/// Where, with what and how long the run was computed.
fn facts(context: &Context, history: &[EpochRecord]) -> Result<Vec<(&'static str, String)>> {
    // As it was recorded, which need not be where the page is made.
    let Plan { settings, decided, .. } = &Plan::read(context.dir.path())?;
    let machine = match &decided.adapter {
        Some(adapter) => adapter.to_string(),
        None => "CPU".into(),
    };
    let steps = epochs(context).steps_before(history.len(), decided.batch);
    let training = history.last().map_or("–".into(), |last| {
        let rate = steps as f64 / last.seconds.max(1e-6);
        format!("{:.2} s for {steps} steps ({rate:.0} a second)", last.seconds)
    });
    Ok(vec![
        ("modescope", decided.modescope.clone()),
        ("backend", word(decided.backend)),
        ("engine", word(decided.engine)),
        ("adapter", machine),
        ("seed", settings.seed.to_string()),
        ("training", training),
        (
            if context.dataset.streamed.is_some() { "blocks" } else { "epochs" },
            history.len().to_string(),
        ),
        ("batch", decided.batch.to_string()),
        ("latent units", decided.latent.to_string()),
        ("generated rows", settings.samples.to_string()),
    ])
}
