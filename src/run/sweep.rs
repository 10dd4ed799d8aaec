//! A sweep: many VAEs, seeds × settings, trained on one data set and ranked.
//!
//! A sweep's members are divided over shards, each of which any process on any machine can train;
//! whoever merges the shards ranks the members and makes a normal run of the best.

mod mean;
mod ranking;
mod shard;
mod train;

pub use mean::Mean;
pub use ranking::{CombinationResult, Ranking};
pub use shard::{Shard, ShardFile};
pub use train::{MemberRecord, Score};

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::json;
use toml::Value;

use super::{Dataset, Existing, Facts, Plan, RunDir};
use crate::config::{Grid, Seeds, Settings};
use crate::error::{Error, Result};
use crate::train::restart_seed;

/// Characters of a combination that a message shows.
const SHOWN: usize = 200;

/// One combination of the grid's settings.
#[derive(Clone, Debug)]
pub struct Combination {
    /// The value of each of the grid's settings, as TOML.
    pub values: Vec<String>,
    /// The plan of a run with them.
    pub plan: Plan,
}

/// What tells one sweep from another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// Version of the program.
    pub version: String,
    /// BLAKE3 of what tells the data from others, in hexadecimal.
    pub data: String,
    /// The same of every setting, with the grid and its seeds.
    pub settings: String,
}

impl Identity {
    /// What differs from another, in words; nothing where they are equal.
    fn difference(&self, other: &Self) -> Option<String> {
        let differs = [
            (self.data != other.data, "other data".to_owned()),
            (self.settings != other.settings, "other settings, grid or seeds".to_owned()),
            (self.version != other.version, format!("version {} of modescope", other.version)),
        ];
        let differs = differs.into_iter().filter(|(differ, _)| *differ).map(|(_, what)| what);
        Some(differs.collect::<Vec<_>>().join(" and ")).filter(|words| !words.is_empty())
    }
}

/// A sweep, planned.
#[derive(Clone, Debug)]
pub struct Sweep {
    /// The settings that vary.
    pub keys: Vec<String>,
    /// Every combination of them.
    pub combinations: Vec<Combination>,
    /// The seeds of each combination.
    pub seeds: Vec<u64>,
    /// Equal in all shards of one sweep.
    pub identity: Identity,
    facts: Facts,
}

impl Sweep {
    /// Plans a sweep; `resolve` gives the settings with some of them set to these values.
    ///
    /// # Errors
    /// A combination that is not allowed, no held-out rows to compare members on, or settings that a
    /// sweep cannot have.
    pub fn new(
        grid: &Grid,
        dataset: &Dataset,
        facts: Facts,
        resolve: impl Fn(Vec<(&str, Value)>) -> Result<Settings>,
    ) -> Result<Self> {
        if dataset.held_out.is_empty() {
            return Err(Error::input("the members of a sweep are compared on held-out rows")
                .help("set data.held_out above 0"));
        }
        let keys: Vec<String> = grid.axes.iter().map(|(key, _)| key.clone()).collect();
        let mut combinations = Vec::new();
        for values in grid.combinations() {
            let written: Vec<String> = values.iter().map(|(_, value)| value.to_string()).collect();
            let plan = || -> Result<Plan> {
                let settings = resolve(values.into_iter().map(|(k, v)| (k, v.clone())).collect())?;
                check(&settings)?;
                let plan = Plan::resolve(settings, facts.clone())?;
                dataset.check_for(&plan)?;
                Ok(plan)
            };
            let plan = plan().map_err(|error| match keys.is_empty() {
                true => error,
                false => {
                    let mut values = pairs(&keys, &written);
                    if let Some((end, _)) = values.char_indices().nth(SHOWN) {
                        values.replace_range(end.., "…");
                    }
                    error.within(&format!("the grid's {values}"))
                }
            })?;
            combinations.push(Combination { values: written, plan });
        }
        let seed = combinations.first().map_or(0, |first| first.plan.settings.training_seed());
        let seeds = match &grid.seeds {
            Seeds::Count(count) => (0..*count).map(|index| restart_seed(seed, index)).collect(),
            Seeds::List(list) => list.clone(),
        };
        let settings: Vec<&Settings> = combinations.iter().map(|c| &c.plan.settings).collect();
        let hash = |value: serde_json::Value| {
            blake3::hash(value.to_string().as_bytes()).to_hex().to_string()
        };
        let identity = Identity {
            version: env!("CARGO_PKG_VERSION").into(),
            data: hash(facts.source.identity()),
            settings: hash(json!([keys, settings, seeds])),
        };
        Ok(Self { keys, combinations, seeds, identity, facts })
    }

    /// Number of members: combinations × seeds.
    pub fn members(&self) -> usize {
        self.combinations.len() * self.seeds.len()
    }

    /// What a user should hear of its plans, each once.
    pub fn notes(&self) -> Vec<String> {
        let mut notes: Vec<String> = Vec::new();
        for Combination { plan, .. } in &self.combinations {
            for note in plan.notes.iter().cloned().chain(plan.perplexity_notes()) {
                if !notes.contains(&note) {
                    notes.push(note);
                }
            }
        }
        notes
    }

    /// The combination and the seed of a member.
    pub fn member(&self, index: usize) -> (&Combination, u64) {
        let seeds = self.seeds.len();
        (&self.combinations[index / seeds], self.seeds[index % seeds])
    }

    /// What a combination sets, as `training.beta=0.5, model.sigma=1.0`.
    pub fn describe(&self, combination: &Combination) -> String {
        if self.keys.is_empty() {
            return "the settings as given".into();
        }
        pairs(&self.keys, &combination.values)
    }

    /// The plan of a normal run that trains this member and does the rest with it.
    ///
    /// # Errors
    /// As [`Plan::resolve`].
    pub fn plan_of(&self, member: usize) -> Result<Plan> {
        let (combination, seed) = self.member(member);
        let mut settings = combination.plan.settings.clone();
        settings.training.seed = Some(seed);
        Plan::resolve(settings, self.facts.clone())
    }
}

/// Settings with their values, as `training.beta=0.5, model.sigma=1.0`.
fn pairs(keys: &[String], values: &[String]) -> String {
    let pairs = keys.iter().zip(values);
    pairs.map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(", ")
}

/// The files of a sweep's folder.
#[derive(Clone, Debug)]
pub struct SweepDir(pub PathBuf);

impl SweepDir {
    /// One row a member.
    pub fn table(&self) -> PathBuf {
        self.0.join("sweep.csv")
    }

    /// Standings, members and the best.
    pub fn ranking(&self) -> PathBuf {
        self.0.join("sweep.json")
    }

    /// Folder of the picture.
    pub fn plots(&self) -> PathBuf {
        self.0.join("plots")
    }

    /// The page to open.
    pub fn report(&self) -> PathBuf {
        self.0.join("report.html")
    }

    /// The run folder of the best member.
    pub fn best(&self) -> PathBuf {
        self.0.join("best")
    }

    /// Folder of the shards.
    pub fn shards(&self) -> PathBuf {
        self.0.join("shards")
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Refuses a folder that is a run, and one that no sweep made where it has what a sweep writes.
    ///
    /// # Errors
    /// Such a folder.
    pub fn check(&self) -> Result<()> {
        let refused = |what: String| {
            Err(Error::input(what).help("name another folder for the sweep with --out"))
        };
        let (own, best) = (self.path(), self.best());
        if ShardFile::any_in(self)? && !RunDir::is_at(own) {
            return RunDir::check(&best, Existing::Replace);
        }
        if let Some(run) = [own, &best].into_iter().find(|at| RunDir::is_at(at)) {
            return refused(format!("{} holds a run of its own", run.display()));
        }
        let written = [self.table(), self.ranking(), self.report(), self.plots(), best];
        match written.iter().find(|path| path.exists()) {
            Some(path) => {
                refused(format!("{} is there, without the shards of a sweep", path.display()))
            }
            None => Ok(()),
        }
    }
}

/// Refuses what has no meaning for a member.
fn check(settings: &Settings) -> Result<()> {
    if settings.training.restarts > 1 {
        return Err(Error::input(
            "a sweep has no restarts (training.restarts): its seeds are that",
        )
        .help("leave training.restarts out, and name more seeds in the grid"));
    }
    if settings.training.patience.is_some() {
        return Err(Error::input(
            "the members of a sweep take the same steps, so none stops early (training.patience)",
        )
        .help("leave training.patience out"));
    }
    Ok(())
}
