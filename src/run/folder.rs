//! The run folder: the names of its files, and who may write into it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Stage;
use crate::audit::findings::Findings;
use crate::error::{Error, Result};
use crate::files;
use crate::model::SavedModel;
use crate::train::Checkpoints;

/// What to do with a folder that already holds a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Refuse to touch it.
    Refuse,
    /// Remove the run's files, and only those, and start afresh.
    Replace,
    /// Go on with what is not done.
    Resume,
}

/// A run folder that this process alone may write into, by an operating-system lock that ends with
/// the process.
#[derive(Debug)]
pub struct RunDir {
    path: PathBuf,
    _lock: Option<File>,
}

impl RunDir {
    /// Resolved settings and what was decided.
    pub const CONFIG: &'static str = "config.toml";
    /// What was trained on.
    pub const DATA: &'static str = "data.csv";
    /// Where a large data set is, in place of a copy.
    pub const DATA_REFERENCE: &'static str = "data.json";
    /// The truth behind generated data.
    pub const MIXTURE: &'static str = "mixture.json";
    /// One row an epoch.
    pub const HISTORY: &'static str = "history.csv";
    /// The same for TensorBoard.
    pub const EVENTS: &'static str = "history.tfevents";
    /// Generated rows.
    pub const SAMPLES: &'static str = "samples.csv";
    /// Posterior of each row.
    pub const LATENTS: &'static str = "latents.csv";
    /// Embeddings.
    pub const TSNE: &'static str = "tsne.csv";
    /// Everything the analysis found.
    pub const AUDIT: &'static str = "audit.json";
    /// The same in words.
    pub const AUDIT_TEXT: &'static str = "audit.md";
    /// The modes that the audit judged by, as a mixture, where [`MIXTURE`](Self::MIXTURE) is not
    /// there to say.
    pub const REFERENCE: &'static str = "reference.json";
    /// What was to be expected before training.
    pub const PREFLIGHT: &'static str = "preflight.json";
    /// What a larger data set would change.
    pub const MORE_ROWS: &'static str = "more_rows.json";
    /// Folder of the checkpoints of a training that is not finished.
    pub const CHECKPOINTS: &'static str = "checkpoints";
    /// The same of the training on more rows.
    pub const CHECKPOINTS_OF_MORE_ROWS: &'static str = "checkpoints/more-rows";
    /// Folder of the pictures.
    pub const PLOTS: &'static str = "plots";
    /// The page to open.
    pub const REPORT: &'static str = "report.html";

    pub(super) const STAMPS: &'static str = ".stamps";
    const LOCK: &'static str = ".lock";
    pub(super) const FILES: [&'static str; 17] = [
        Self::CONFIG,
        Self::DATA,
        Self::DATA_REFERENCE,
        Self::MIXTURE,
        SavedModel::WEIGHTS,
        SavedModel::CARD,
        Self::HISTORY,
        Self::EVENTS,
        Self::SAMPLES,
        Self::LATENTS,
        Self::TSNE,
        Self::AUDIT,
        Self::AUDIT_TEXT,
        Self::REFERENCE,
        Self::PREFLIGHT,
        Self::MORE_ROWS,
        Self::REPORT,
    ];

    /// Takes a folder for writing a run, making it where it is absent.
    ///
    /// # Errors
    /// Where it holds a run and `existing` is [`Existing::Refuse`], another process holds it, or it
    /// cannot be written.
    pub fn create(path: &Path, existing: Existing) -> Result<Self> {
        Self::check(path, existing)?;
        files::make_folder(path)?;
        let run = Self::lock(path)?;
        // Again, because another run may have ended in between.
        Self::check(path, existing)?;
        [path, &path.join(Self::PLOTS)]
            .into_iter()
            .filter(|folder| folder.is_dir())
            .try_for_each(|folder| files::remove_unfinished(folder, files::ABANDONED))?;
        // Where only who holds the lock writes.
        [Self::CHECKPOINTS, Self::CHECKPOINTS_OF_MORE_ROWS, Self::STAMPS]
            .map(|name| path.join(name))
            .iter()
            .filter(|folder| folder.is_dir())
            .try_for_each(|folder| files::remove_unfinished(folder, Duration::ZERO))?;
        if existing == Existing::Replace {
            run.clear()?;
        }
        Ok(run)
    }

    /// Whether a folder holds a run, or what is left of one.
    pub fn is_at(path: &Path) -> bool {
        path.join(Self::CONFIG).exists() || path.join(Self::STAMPS).exists()
    }

    /// Refuses what is no folder, and a folder whose files must not be touched.
    pub(super) fn check(path: &Path, existing: Existing) -> Result<()> {
        files::check_folder(path)?;
        let is_run = Self::is_at(path);
        let held =
            Self::FILES.into_iter().chain([Self::PLOTS]).find(|name| path.join(name).exists());
        let folder = path.display();
        match (existing, held) {
            (Existing::Refuse, Some(name)) => {
                let help = match (path.join(Self::CONFIG).exists(), is_run) {
                    (true, _) => {
                        "--force replaces a run, --resume goes on with it, --out names another folder"
                    }
                    (false, true) => {
                        "its config.toml is gone, so it cannot be resumed: --force replaces it, --out \
                         names another folder"
                    }
                    (false, false) => "it is no run: name another folder with --out",
                };
                Err(Error::input(format!("{folder} already holds {name}")).help(help))
            }
            (Existing::Replace, Some(name)) if !is_run => {
                Err(Error::input(format!("{folder} holds {name}, but it is no run to replace"))
                    .help("name another folder with --out"))
            }
            _ => Ok(()),
        }
    }

    /// Takes a folder that holds a run.
    ///
    /// # Errors
    /// Where it holds none, or another process holds it.
    pub fn open(path: &Path) -> Result<Self> {
        Self::check_holds_run(path)?;
        Self::lock(path)
    }

    /// Takes a folder that holds a run for reading alone, where one may not write too.
    ///
    /// # Errors
    /// Where it holds none, or another process writes there.
    pub fn open_to_read(path: &Path) -> Result<Self> {
        Self::check_holds_run(path)?;
        let lock = files::lock_to_read(&path.join(Self::LOCK), &path.display().to_string())?;
        Ok(Self { path: path.into(), _lock: lock })
    }

    /// Checks that the run was finished up to its report.
    ///
    /// # Errors
    /// The first file that is missing, or empty where it should not be.
    pub fn check_finished(&self) -> Result<()> {
        let needed = [Self::HISTORY, Self::SAMPLES, Self::LATENTS, Self::AUDIT];
        let lacking = needed.into_iter().find(|name| !self.is_filled(name));
        // Of too few rows to lay out it is empty.
        let without = (!self.file(Self::TSNE).is_file()).then_some(Self::TSNE);
        match lacking.or(without) {
            Some(name) => Err(Self::unfinished(&self.path, &format!("{name}, or an empty one"))),
            None => Ok(()),
        }
    }

    /// What is wrong with a run that lacks something.
    pub fn unfinished(folder: &Path, lacking: &str) -> Error {
        let folder = folder.display();
        Error::input(format!("{folder} is unfinished: it has no {lacking}"))
            .help(format!("`modescope run --resume --out {folder}` finishes it"))
    }

    fn lock(path: &Path) -> Result<Self> {
        let lock = files::lock(&path.join(Self::LOCK), &path.display().to_string())?;
        Ok(Self { path: path.into(), _lock: Some(lock) })
    }

    fn check_holds_run(path: &Path) -> Result<()> {
        match path.join(Self::CONFIG).is_file() {
            true => Ok(()),
            false => Err(Error::input(format!("{} holds no run", path.display()))
                .help(format!("a run folder has a {}; `modescope run` makes one", Self::CONFIG))),
        }
    }

    fn clear(&self) -> Result<()> {
        self.clear_pictures()?;
        self.clear_checkpoints()?;
        Self::FILES.iter().try_for_each(|name| self.remove(name))?;
        // Their folder stays: by it what is left is known for a run.
        let stamps = fs::read_dir(self.file(Self::STAMPS)).into_iter().flatten().flatten();
        stamps.map(|stamp| stamp.path()).try_for_each(|path| {
            fs::remove_file(&path).map_err(|error| Error::io("removing", &path, error))
        })
    }

    /// Removes the pictures that the run drew, and their folder where nothing else is in it. A link in
    /// place of that leads to what is not ours.
    fn clear_pictures(&self) -> Result<()> {
        let folder = self.file(Self::PLOTS);
        if folder.is_symlink() {
            return Ok(());
        }
        let drawn = Self::read_stamp(&self.path, Stage::Plot).map(|stamp| stamp.files);
        let lies_there = |name: &String| Path::new(name).parent() == Some(Path::new(Self::PLOTS));
        drawn
            .unwrap_or_default()
            .into_keys()
            .filter(lies_there)
            .try_for_each(|n| self.remove(&n))?;
        let _ = fs::remove_dir(folder);
        Ok(())
    }

    /// Removes every checkpoint, and their folders where nothing else is in them.
    ///
    /// # Errors
    /// Where the operating system refuses.
    pub fn clear_checkpoints(&self) -> Result<()> {
        let folders = [Self::CHECKPOINTS_OF_MORE_ROWS, Self::CHECKPOINTS];
        folders.iter().try_for_each(|folder| self.clear_checkpoints_in(folder))
    }

    /// The same of one folder. A link in place of it, or of what it lies in, leads to what is not ours.
    pub(super) fn clear_checkpoints_in(&self, folder: &str) -> Result<()> {
        let linked = [Self::CHECKPOINTS, folder].iter().any(|name| self.file(name).is_symlink());
        if linked { Ok(()) } else { Checkpoints::clear(&self.file(folder)) }
    }

    /// Removes one of the run's files, if it is there.
    ///
    /// # Errors
    /// Where the operating system refuses.
    pub fn remove(&self, name: &str) -> Result<()> {
        let path = self.file(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::io("removing", &path, error))
            }
            _ => Ok(()),
        }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What to do where a file in it is not as the run left it.
    pub(super) fn remedy(&self) -> String {
        format!("`modescope run --resume --out {}` makes it again", self.path.display())
    }

    /// The path of a file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Makes a folder of the run, where it is absent. The run's own is not made again.
    ///
    /// # Errors
    /// Where the operating system refuses.
    pub(super) fn make(&self, name: &str) -> Result<PathBuf> {
        let mut path = self.path.clone();
        for part in Path::new(name) {
            path.push(part);
            match fs::create_dir(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                    return Err(Error::io("making", &path, error));
                }
                _ => {}
            }
        }
        Ok(path)
    }

    /// Writes a value as JSON.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn write_json(&self, name: &str, value: &impl Serialize) -> Result<()> {
        files::write_json(&self.file(name), value)
    }

    /// Reads a value from JSON.
    ///
    /// # Errors
    /// Where the file is missing or does not hold such a value.
    pub fn read_json<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        files::read_json(&self.file(name))
    }

    /// Reads what the audit found.
    ///
    /// # Errors
    /// Where it is missing, damaged, or of another version.
    pub fn read_findings(&self) -> Result<Findings> {
        let findings: Findings = self.read_json(Self::AUDIT)?;
        match findings.check() {
            Ok(()) => Ok(findings),
            Err(what) => Err(Error::damaged(&self.file(Self::AUDIT), what)),
        }
    }

    /// Whether there is such a file and something in it.
    fn is_filled(&self, name: &str) -> bool {
        self.file(name).metadata().is_ok_and(|file| file.len() > 0)
    }
}

/// The model in the folder of a run, or in one that has its two files alone.
///
/// # Errors
/// As [`SavedModel::load`], and where the folder is a file, or holds a run that is not trained yet.
pub fn trained_model(folder: &Path) -> Result<SavedModel> {
    if folder.is_file() {
        return Err(Error::input(format!("{} is a file, no run", folder.display()))
            .help("name the folder that holds model.json and model.safetensors"));
    }
    let is_unfinished =
        || folder.join(RunDir::CONFIG).is_file() && !folder.join(SavedModel::CARD).exists();
    SavedModel::load(folder).map_err(|error| match is_unfinished() {
        true => RunDir::unfinished(folder, SavedModel::CARD),
        false => error,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_a_run_is_refused_and_replaced_only_when_told() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("notes.txt"), "mine").unwrap();
        fs::write(folder.path().join(RunDir::CONFIG), "seed = 1").unwrap();
        let refused = RunDir::create(folder.path(), Existing::Refuse).unwrap_err();
        assert!(refused.message().ends_with("already holds config.toml"), "{refused}");
        RunDir::create(folder.path(), Existing::Resume).unwrap();
        assert!(folder.path().join(RunDir::CONFIG).exists());
        RunDir::create(folder.path(), Existing::Replace).unwrap();
        assert!(!folder.path().join(RunDir::CONFIG).exists());
        assert!(folder.path().join("notes.txt").exists());
    }

    #[test]
    fn a_held_folder_is_refused_until_it_is_let_go() {
        let folder = tempfile::tempdir().unwrap();
        let held = RunDir::create(folder.path(), Existing::Refuse).unwrap();
        let error = RunDir::create(folder.path(), Existing::Refuse).unwrap_err();
        assert!(error.message().starts_with("another process"), "{error}");
        drop(held);
        RunDir::create(folder.path(), Existing::Refuse).unwrap();
    }
}
