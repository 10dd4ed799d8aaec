//! What a shard trained, kept in a file of its own.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Identity, MemberRecord, Sweep, SweepDir};
use crate::error::{Error, Result};
use crate::files;
use crate::input;

/// The remedy for a damaged file.
const AFRESH: &str = "remove it, and start what trained it again";

/// A share of a sweep's members: number `index`, from 1, of `of`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// From 1.
    pub index: usize,
    /// How many there are.
    pub of: usize,
}

impl Shard {
    /// The one that holds every member.
    pub const WHOLE: Self = Self { index: 1, of: 1 };

    /// Whether it trains this member.
    pub fn holds(self, member: usize) -> bool {
        member % self.of == self.index - 1
    }

    fn path(self, dir: &SweepDir) -> PathBuf {
        dir.shards().join(format!("{}-of-{}.json", self.index, self.of))
    }

    /// The shard that a file is of, by its name.
    fn of_file(path: &Path) -> Option<Self> {
        let (index, of) = path.file_stem()?.to_str()?.split_once("-of-")?;
        format!("{index}/{of}").parse().ok()
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let parsed = text
            .split_once('/')
            .and_then(|(index, of)| Some((index.parse().ok()?, of.parse().ok()?)));
        match parsed {
            Some((index, of)) if (1..=of).contains(&index) => Ok(Self { index, of }),
            _ => Err("a shard is i/n with i from 1 to n, such as 2/8".into()),
        }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

/// The file of a shard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardFile {
    /// See [`Sweep::identity`].
    pub sweep: Identity,
    /// Which share this is.
    pub shard: Shard,
    /// The members trained so far.
    pub members: Vec<MemberRecord>,
}

impl ShardFile {
    /// Nothing trained yet.
    pub fn new(sweep: &Sweep, shard: Shard) -> Self {
        Self { sweep: sweep.identity.clone(), shard, members: Vec::new() }
    }

    /// What the folder holds of this shard; nothing trained where it has no file.
    ///
    /// # Errors
    /// A file that cannot be read or is of another sweep.
    pub fn open(sweep: &Sweep, shard: Shard, dir: &SweepDir) -> Result<Self> {
        let path = shard.path(dir);
        match path.exists() {
            true => Ok(Self { shard, ..Self::read(&path, sweep)? }),
            false => Ok(Self::new(sweep, shard)),
        }
    }

    fn read(path: &Path, sweep: &Sweep) -> Result<Self> {
        let file: Self = serde_json::from_slice(&input::bytes(path)?)
            .map_err(|error| Error::damaged(path, error).help(AFRESH))?;
        if let Some(what) = sweep.identity.difference(&file.sweep) {
            return Err(Error::input(format!("{} is of a sweep with {what}", path.display()))
                .help("--force replaces it, --out names another folder"));
        }
        let places = 0..sweep.members();
        match file.members.iter().find(|record| !places.contains(&record.member)) {
            Some(record) => {
                let what = format!("there is no member {}", record.member);
                Err(Error::damaged(path, what).help(AFRESH))
            }
            None => Ok(file),
        }
    }

    /// Keeps other processes from training the same share.
    ///
    /// # Errors
    /// Where one does.
    pub fn lock(shard: Shard, dir: &SweepDir) -> Result<fs::File> {
        let path = shard.path(dir);
        files::lock(&path.with_extension("lock"), &path.display().to_string())
    }

    /// Writes it into the folder.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn write(&self, dir: &SweepDir) -> Result<()> {
        files::write_json(&self.shard.path(dir), self)
    }

    /// The shards' files of this ending in the folder, in the order of their names.
    fn paths(dir: &SweepDir, ending: &str) -> Result<Vec<PathBuf>> {
        let folder = dir.shards();
        if !folder.exists() {
            return Ok(Vec::new());
        }
        let mut paths: Vec<PathBuf> = fs::read_dir(&folder)
            .map_err(|error| Error::io("reading the shards in", &folder, error))?
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .filter(|path| path.extension().is_some_and(|found| found == ending))
            .filter(|path| Shard::of_file(path).is_some())
            .collect();
        paths.sort();
        Ok(paths)
    }

    /// Whether a sweep has begun to train in the folder.
    ///
    /// # Errors
    /// Where the folder cannot be read.
    pub fn any_in(dir: &SweepDir) -> Result<bool> {
        Ok(!Self::paths(dir, "json")?.is_empty() || !Self::paths(dir, "lock")?.is_empty())
    }

    /// Removes every shard in the folder; none where another process is training one.
    ///
    /// # Errors
    /// Where one is, or a file cannot be removed.
    pub fn remove_all(dir: &SweepDir) -> Result<()> {
        // That of the whole is held by whoever calls this.
        let whole = Shard::WHOLE.path(dir).with_extension("lock");
        let others = Self::paths(dir, "lock")?.into_iter().filter(|lock| *lock != whole);
        let shard = |lock: &Path| lock.with_extension("json").display().to_string();
        let _locks: Vec<fs::File> =
            others.map(|lock| files::lock(&lock, &shard(&lock))).collect::<Result<_>>()?;
        Self::paths(dir, "json")?.iter().try_for_each(|path| {
            fs::remove_file(path).map_err(|error| Error::io("removing", path, error))
        })
    }

    /// Checks that every shard in the folder can be merged.
    ///
    /// # Errors
    /// A file that is damaged or of another sweep.
    pub fn check_all(sweep: &Sweep, dir: &SweepDir) -> Result<()> {
        Self::paths(dir, "json")?.iter().try_for_each(|path| Self::read(path, sweep).map(drop))
    }

    /// Every member's record, from all shards in the folder, in the members' order.
    ///
    /// # Errors
    /// A file that is damaged or of another sweep, or members that no shard has trained.
    pub fn merge(sweep: &Sweep, dir: &SweepDir) -> Result<Vec<MemberRecord>> {
        let paths = Self::paths(dir, "json")?;
        if paths.is_empty() {
            return Err(Error::input(format!("there are no shards in {}", dir.shards().display()))
                .help("train them first: the same command with --shard 1/n to --shard n/n"));
        }
        let mut members = BTreeMap::new();
        for path in paths {
            let records = Self::read(&path, sweep)?.members;
            members.extend(records.into_iter().map(|record| (record.member, record)));
        }
        match (0..sweep.members()).find(|member| !members.contains_key(member)) {
            Some(missing) => Err(Error::input(format!(
                "{} of {} members are in no shard, member {missing} is the first",
                sweep.members() - members.len(),
                sweep.members()
            ))
            .help("run the shards that are missing or unfinished, then merge")),
            None => Ok(members.into_values().collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_divide_the_members() {
        let shards: Vec<Shard> = ["1/3", "2/3", "3/3"].map(|text| text.parse().unwrap()).into();
        assert!((0..10).all(|member| shards.iter().filter(|s| s.holds(member)).count() == 1));
        for wrong in ["0/3", "4/3", "1/0", "1", "a/b", "-1/2", "1/2/3"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn no_shard_is_removed_while_one_is_trained() {
        let folder = tempfile::tempdir().unwrap();
        let dir = SweepDir(folder.path().to_owned());
        fs::create_dir(dir.shards()).unwrap();
        let done = Shard { index: 1, of: 2 };
        fs::write(done.path(&dir), "{}").unwrap();
        let begun = ShardFile::lock(Shard { index: 2, of: 2 }, &dir).unwrap();
        let error = ShardFile::remove_all(&dir).unwrap_err();
        assert!(error.message().contains("another process is writing to"), "{error}");
        assert!(done.path(&dir).exists());
        drop(begun);
        ShardFile::remove_all(&dir).unwrap();
        assert!(!done.path(&dir).exists());
    }
}
