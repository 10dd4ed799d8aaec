//! A run before its first file is written: everything that can be wrong with the input has been checked.

use std::path::{Path, PathBuf};

use super::stage::is_trained;
use super::{Context, Dataset, Existing, Facts, Plan, RunDir, Stage, Watch, execute};
use crate::config::{BackendChoice, Settings, word};
use crate::device::{self, Adapter, Chosen};
use crate::error::{Error, Result, heed};

/// A run that is gone on with.
pub struct Earlier {
    folder: PathBuf,
    plan: Plan,
}

impl Earlier {
    /// The run that a folder holds; nothing where none began there.
    ///
    /// # Errors
    /// Where its `config.toml` is damaged.
    pub fn find(folder: &Path) -> Result<Option<Self>> {
        match folder.join(RunDir::CONFIG).exists() {
            true => Ok(Some(Self { folder: folder.into(), plan: Plan::read(folder)? })),
            false => Ok(None),
        }
    }

    /// Its settings and what was decided, as a file.
    pub fn config(&self) -> PathBuf {
        self.folder.join(RunDir::CONFIG)
    }
}

/// A run whose data are read, whose device is open and whose plan is made.
pub struct Prepared {
    /// Its data.
    pub dataset: Dataset,
    /// What decides everything else.
    pub plan: Plan,
    chosen: Chosen,
    earlier: Option<Earlier>,
    last: Stage,
}

impl Prepared {
    /// Prepares a run up to and with stage `last` on the table at `data`, or on a generated mixture; where
    /// `earlier` is there, its run goes on, on its own data where none are named.
    ///
    /// # Errors
    /// Data that cannot be read, trained on or, where that stage is wanted, audited; settings that they do
    /// not allow, or that are not those of the earlier run; a device that cannot be opened.
    pub fn new(
        data: Option<&Path>,
        settings: Settings,
        earlier: Option<Earlier>,
        last: Stage,
        watch: Watch,
    ) -> Result<Self> {
        let dataset = match (data, &earlier) {
            (None, Some(Earlier { folder, plan })) => Dataset::load(folder, plan, watch)?,
            (Some(path), Some(Earlier { plan, .. })) => {
                Dataset::again(path, plan, &settings, watch)?
            }
            (data, None) => Dataset::prepare(data, &settings, watch)?,
        };
        let chosen = open(&settings, earlier.as_ref())?;
        let facts = Facts::new(&dataset, chosen.backend, chosen.adapter.clone());
        let plan = Plan::resolve(settings, facts)?;
        if last != Stage::Train {
            dataset.check_for(&plan)?;
        }
        if let Some(Earlier { folder, plan: before }) = &earlier
            && let Some(difference) = plan.difference(before)?
        {
            let folder = folder.display();
            return Err(Error::input(format!("{folder} cannot be resumed: {difference}")).help(
                "go on with the settings and data of the run, or start afresh with --force",
            ));
        }
        Ok(Self { dataset, plan, chosen, earlier, last })
    }

    /// What a user should hear before it begins: where it is computed, by what, and what is unusual.
    pub fn notes(&self) -> Vec<String> {
        // A training alone embeds nothing.
        let of_tsne = self.plan.perplexity_notes().filter(|_| self.last != Stage::Train);
        let notes = (self.dataset.notes(&self.plan.settings.data).into_iter())
            .chain(self.plan.notes.iter().cloned())
            .chain(of_tsne)
            .chain(self.full_note())
            .map(|note| format!("note: {note}"));
        [self.chosen.to_string(), self.plan.engine_reason.clone()]
            .into_iter()
            .chain(notes)
            .collect()
    }

    fn full_note(&self) -> Option<String> {
        let wanted = self.plan.settings.analysis.full && self.last != Stage::Train;
        (wanted && self.dataset.mixture.is_none()).then(|| {
            "analysis.full (--full) does nothing here: more rows can be drawn of a generated mixture alone"
                .into()
        })
    }

    /// Takes the folder `out`, which a run that goes on has already.
    ///
    /// # Errors
    /// A folder that may not be written, or that holds another run by now.
    pub fn claim(&self, out: &Path, existing: Existing, watch: Watch) -> Result<RunDir> {
        heed(watch.interrupt)?;
        let dir = RunDir::create(out, existing)?;
        if let Some(earlier) = &self.earlier {
            self.check_unchanged(earlier, &dir, watch)?;
        }
        Ok(dir)
    }

    /// Runs the stages in a folder that it [claimed](Self::claim).
    ///
    /// # Errors
    /// What a stage returns.
    pub fn execute(&self, dir: &RunDir, watch: Watch) -> Result<()> {
        let Self { dataset, plan, chosen, .. } = self;
        let context = Context { dir, plan, dataset, device: &chosen.device, watch };
        execute(&context, self.last).map(drop).map_err(|error| {
            let goes_on = format!("--resume --out {} goes on from here", dir.path().display());
            error.help_if_interrupted(goes_on)
        })
    }

    /// Refuses a folder that another run took while the data were read, and says so where the rest of a
    /// training is done by something else.
    fn check_unchanged(&self, earlier: &Earlier, dir: &RunDir, watch: Watch) -> Result<()> {
        let Earlier { folder, plan: before } = earlier;
        if Plan::read(folder)? != *before {
            let folder = folder.display();
            return Err(Error::input(format!("{folder} holds another run by now"))
                .help("look at what it holds, then resume it or name another folder with --out"));
        }
        let by = |plan: &Plan| [word(plan.decided.backend), word(plan.decided.engine)];
        if by(before) != by(&self.plan) && !is_trained(dir, before) {
            let [backend, engine] = by(before);
            watch.progress.note(&format!(
                "note: the run began on {backend} with engine {engine}; what is left of its training ends \
                 in other digits here"
            ));
        }
        Ok(())
    }
}

/// The device of the settings. A run goes on where it began, or where it was moved to when a graphics
/// device failed.
fn open(settings: &Settings, earlier: Option<&Earlier>) -> Result<Chosen> {
    let began = earlier.map(|earlier| earlier.plan.decided.backend);
    let began = began.filter(|_| settings.backend == BackendChoice::Auto);
    match began.map(device::open) {
        // As everywhere, no software adapter is taken unless it is asked for.
        Some(Ok(chosen)) if chosen.adapter.as_ref().is_none_or(Adapter::is_gpu) => {
            Ok(Chosen { reason: "as the run began".into(), ..chosen })
        }
        // What it began on may be another machine's.
        _ => device::choose(settings.backend),
    }
}
