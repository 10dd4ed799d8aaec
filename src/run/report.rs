//! Stage `report`: one page from what the folder holds.

use super::{Context, RunDir, Source};
use crate::error::{Error, Result};
use crate::files;
use crate::report::{Figure, Page};
use crate::train::read_history;

pub(super) fn stage(context: &Context) -> Result<()> {
    let captions: Vec<crate::report::Caption> = context.dir.read_json(super::plot::INDEX)?;
    let figure = |caption: crate::report::Caption| {
        let path = context.dir.file(RunDir::PLOTS).join(format!("{}.svg", caption.name));
        let svg = std::fs::read_to_string(&path).map_err(|e| Error::io("reading", &path, e))?;
        Ok(Figure { caption, svg })
    };
    let plan = context.plan;
    let dataset = context.dataset;
    let source = match &dataset.source {
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
    let toml = std::fs::read_to_string(context.dir.file(RunDir::CONFIG))
        .map_err(|error| Error::io("reading", &context.dir.file(RunDir::CONFIG), error))?;
    let page = Page {
        source,
        recipe: plan.settings.recipe.clone(),
        machine: match &plan.decided.adapter {
            Some(adapter) => adapter.to_string(),
            None => "the CPU".into(),
        },
        seed: plan.settings.seed,
        rows: (dataset.training.len(), dataset.held_out.len()),
        columns: dataset.table.columns().to_vec(),
        history: read_history(&context.dir.file(RunDir::HISTORY))?,
        findings: context.dir.read_json(RunDir::AUDIT)?,
        figures: captions.into_iter().map(figure).collect::<Result<_>>()?,
        settings: toml,
        notes: dataset.notes(plan.settings.data.scaling),
        generated: dataset.mixture.is_some(),
    };
    files::write_bytes(&context.dir.file(RunDir::REPORT), page.render().as_bytes())
}
