//! Finished runs side by side, from what their folders hold.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{Plan, RunDir, Source, kept_history, plot, report};
use crate::config::{DataSettings, ScalingChoice};
use crate::error::{Error, Result};
use crate::history::read_history;
use crate::report::{ComparedRun, Comparison, Figure};

/// The picture of a run that is shown beside those of others.
const PICTURE: &str = "real-and-generated";

/// Reads finished runs. Each folder is held only while it is read.
///
/// # Errors
/// A folder that is named twice, holds no run or an unfinished one, or is being written to.
pub fn compare(folders: &[PathBuf]) -> Result<Comparison> {
    refuse_twice(folders)?;
    let read = |folder: &PathBuf| read(folder, name(folder, folders));
    let (plans, runs): (Vec<Plan>, Vec<ComparedRun>) =
        folders.iter().map(read).collect::<Result<_>>()?;
    Ok(Comparison {
        runs,
        settings: Plan::differences(&plans.iter().collect::<Vec<_>>())?,
        same_rows: plans.iter().all(|plan| rows(plan) == rows(&plans[0])),
    })
}

fn refuse_twice(folders: &[PathBuf]) -> Result<()> {
    let mut known = Vec::new();
    for folder in folders {
        // A folder that is not there has an error of its own when it is read.
        let Ok(path) = folder.canonicalize() else { continue };
        if known.contains(&path) {
            return Err(Error::input(format!("{} is named twice", folder.display()))
                .help("name each run folder once"));
        }
        known.push(path);
    }
    Ok(())
}

/// The last part of a folder's path, or all of it where another folder ends in the same.
fn name(folder: &Path, folders: &[PathBuf]) -> String {
    let last = folder.file_name();
    let is_unique = folders.iter().filter(|other| other.file_name() == last).count() == 1;
    match last {
        Some(last) if is_unique => last.to_string_lossy().into_owned(),
        _ => folder.display().to_string(),
    }
}

fn read(folder: &Path, name: String) -> Result<(Plan, ComparedRun)> {
    let dir = RunDir::open_to_read(folder)?;
    dir.check_finished()?;
    let plan = Plan::read(folder)?;
    let history = read_history(&dir.file(RunDir::HISTORY))?;
    let kept = kept_history(&dir, &plan, &history)?;
    let run = ComparedRun {
        name,
        folder: folder.to_owned(),
        recipe: plan.settings.recipe.clone(),
        rows: report::rows(&plan),
        findings: dir.read_findings()?,
        held_out_elbo: kept.last().and_then(|last| last.held_out_elbo),
        history,
        picture: picture(&dir)?,
    };
    Ok((plan, run))
}

/// Real and generated rows, where the run has drawn them.
fn picture(dir: &RunDir) -> Result<Option<Figure>> {
    if !dir.file(plot::INDEX).is_file() {
        return Ok(None);
    }
    let caption = plot::captions(dir)?.into_iter().find(|caption| caption.name == PICTURE);
    caption.map(|caption| report::figure(dir, caption)).transpose()
}

/// What decides the rows that a run trains on and is held against: equal where the rows are.
fn rows(plan: &Plan) -> Value {
    let settings = &plan.settings;
    match &plan.decided.source {
        // Of it fresh rows are held out.
        Source::Mixture => json!([settings.mixture, settings.seed]),
        file @ Source::File { .. } => {
            let data = DataSettings { scaling: ScalingChoice::Auto, ..settings.data.clone() };
            json!([file.identity(), settings.seed, data])
        }
    }
}
