//! Stamps: what each stage that is finished leaves, by which a run knows what is done.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use serde::{Deserialize, Serialize};

use super::{RunDir, Stage};
use crate::error::Result;
use crate::input;

/// What a stage that is finished leaves in the folder of stamps, under its name.
#[derive(Serialize, Deserialize)]
pub(super) struct Stamp {
    /// The hash of what its files depend on.
    key: String,
    /// The files that it left, with the hash of each.
    pub files: BTreeMap<String, String>,
}

impl Stamp {
    /// Whether a file of a run folder is as the stage left it.
    pub fn vouches_for(&self, folder: &Path, file: &str) -> bool {
        let found = || input::hash(&[folder.join(file)], &AtomicBool::new(false));
        self.files.get(file).is_some_and(|known| found().is_ok_and(|found| found == *known))
    }
}

impl RunDir {
    /// The files of a stage that are missing or not as it left them; nothing where it was not finished
    /// with this key.
    pub(super) fn changed_since(&self, stage: Stage, key: &str) -> Option<Vec<String>> {
        let stamp = Self::read_stamp(self.path(), stage).filter(|stamp| stamp.key == key)?;
        let changed = stamp.files.keys().filter(|name| !stamp.vouches_for(self.path(), name));
        Some(changed.cloned().collect())
    }

    /// What a stage that was finished left in a run folder.
    pub(super) fn read_stamp(folder: &Path, stage: Stage) -> Option<Stamp> {
        let text = fs::read(folder.join(name(stage))).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Lets the stage be done again.
    pub(super) fn remove_stamp(&self, stage: Stage) -> Result<()> {
        self.remove(&name(stage))
    }

    /// The stamp of a stage with this key, with those of its files that are there.
    pub(super) fn stamp_of(&self, key: String, files: &[String]) -> Result<Stamp> {
        // What is finished is not given up for an interrupt.
        let never = AtomicBool::new(false);
        let there = files.iter().filter(|name| self.file(name).exists());
        let with_hash =
            |name: &String| Ok((name.clone(), input::hash(&[self.file(name)], &never)?));
        Ok(Stamp { key, files: there.map(with_hash).collect::<Result<_>>()? })
    }

    /// Records that the stage is finished.
    pub(super) fn write_stamp(&self, stage: Stage, stamp: &Stamp) -> Result<()> {
        self.make(Self::STAMPS)?;
        self.write_json(&name(stage), stamp)
    }
}

/// The file of a stage's stamp in a run folder.
fn name(stage: Stage) -> String {
    format!("{}/{}", RunDir::STAMPS, stage.name())
}
