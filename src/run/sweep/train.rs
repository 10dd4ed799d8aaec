//! Training the members of a shard, and judging what they generate.

use std::cell::RefCell;
use std::collections::HashSet;

use burn::tensor::Device;
use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::{Shard, ShardFile, Sweep, SweepDir};
use crate::audit::ledger::{Counts, Ledger};
use crate::audit::reference::Reference;
use crate::audit::samples::{check_rows, doubt};
use crate::config::{Engine, Settings};
use crate::error::Result;
use crate::fused::Member;
use crate::model::SavedModel;
use crate::run::train::{member as member_of, model_card, settle_prior};
use crate::run::{Dataset, Silent, Task, Watch, interruptible};
use crate::train::{Job, MOST_AT_ONCE, TrainedMember, refuse_wrong_adapter, train_members};
use crate::vae::Model;

/// What became of a member.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemberRecord {
    /// Its number, from 0.
    pub member: usize,
    /// Its training seed.
    pub seed: u64,
    /// What it reached; nothing where its training diverged.
    pub score: Option<Score>,
}

/// What a member reached.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Evidence lower bound of the held-out rows in nats a row, in the data's own units.
    pub held_out_elbo: f64,
    /// Modes found in its samples.
    pub counts: Counts,
}

/// What every member is trained and judged with.
struct Bench<'a> {
    sweep: &'a Sweep,
    dataset: &'a Dataset,
    device: &'a Device,
    watch: Watch<'a>,
    ledger: Ledger,
}

impl Sweep {
    /// Trains and judges the members of a shard that its file does not have yet, writing the file after each
    /// group that is trained together.
    ///
    /// # Errors
    /// Data that cannot be audited, an interrupt, or a device or disk that fails.
    pub fn train_shard(
        &self,
        shard: Shard,
        dir: &SweepDir,
        mut file: ShardFile,
        (dataset, device): (&Dataset, &Device),
        watch: Watch,
    ) -> Result<()> {
        let known: HashSet<usize> = file.members.iter().map(|record| record.member).collect();
        let missing = (0..self.members()).filter(|m| shard.holds(*m) && !known.contains(m));
        let groups = self.groups(missing.collect());
        if groups.is_empty() {
            return Ok(());
        }
        let plans = || self.combinations.iter().map(|combination| &combination.plan.decided);
        for engine in [Engine::Fused, Engine::Autodiff] {
            if let Some(decided) = plans().find(|decided| decided.engine == engine) {
                refuse_wrong_adapter(decided.backend, engine, device)?;
            }
        }
        let ledger = self.ledger(dataset, watch)?;
        let bench = Bench { sweep: self, dataset, device, watch, ledger };
        for (number, group) in groups.iter().enumerate() {
            let which = match groups.len() {
                1 => String::new(),
                several => format!(" group {} of {several}", number + 1),
            };
            let judged = bench.group(&which, group, &mut |record| file.members.push(record));
            // Also what was judged before an interrupt.
            file.write(dir)?;
            judged?;
        }
        Ok(())
    }

    /// Divides members into those that are trained together, at most [`MOST_AT_ONCE`], which is what an
    /// interrupt loses at most: whose settings differ only in what each member has of its own.
    fn groups(&self, members: Vec<usize>) -> Vec<Vec<usize>> {
        let mut groups: Vec<(Settings, Vec<usize>)> = Vec::new();
        for member in members {
            let key = shared_settings(&self.member(member).0.plan.settings);
            match groups.iter_mut().find(|(settings, _)| *settings == key) {
                Some((_, members)) => members.push(member),
                None => groups.push((key, vec![member])),
            }
        }
        let divided = |(_, members): (Settings, Vec<usize>)| {
            members.chunks(MOST_AT_ONCE).map(<[usize]>::to_vec).collect::<Vec<_>>()
        };
        groups.into_iter().flat_map(divided).collect()
    }

    /// The rule that samples of every member are judged by: that of an audit.
    fn ledger(&self, dataset: &Dataset, watch: Watch) -> Result<Ledger> {
        let Settings { samples, seed, .. } = self.combinations[0].plan.settings;
        check_rows(dataset.training.len(), samples)?;
        let task = watch.progress.begin("reference", 1);
        let (truth, training) = (dataset.mixture.clone(), dataset.training.clone());
        let held_out = dataset.held_out.rows().to_owned();
        let reference = interruptible(watch.interrupt, move || {
            Reference::find(truth.as_ref(), &training, held_out.view(), samples, seed)
        })?;
        task.update(1, "");
        let ledger = reference.ledger(seed);
        let ceiling = ledger.judge(reference.fresh.view());
        if let Some(doubt) = doubt(&reference, &ledger, &ceiling) {
            watch.progress.note(&format!("note: the audit cannot judge the modes: {doubt}"));
        }
        Ok(ledger)
    }
}

/// The settings without those that each member has of its own.
fn shared_settings(settings: &Settings) -> Settings {
    let mut shared = settings.clone();
    shared.training.beta = 1.0;
    shared.training.learning_rate = 1.0;
    if shared.model.likelihood.learns_sigma() {
        shared.model.sigma = 1.0;
    }
    shared
}

impl Bench<'_> {
    /// Trains members that can be trained together, judges them and gives each to `keep`. `which` of
    /// the groups it is stands behind what is being done.
    fn group(
        &self,
        which: &str,
        members: &[usize],
        keep: &mut dyn FnMut(MemberRecord),
    ) -> Result<()> {
        let (training, held_out) = (&self.dataset.training, self.dataset.held_out.rows());
        let plan = &self.sweep.member(members[0]).0.plan;
        let card = model_card(plan, plan.settings.training_seed(), training);
        let (rows, held_out) = (card.scaling.apply(training.rows()), card.scaling.apply(held_out));
        let (visits, seed) = (plan.rows_to_visit(), plan.settings.seed);
        let epochs = self.dataset.epochs(&card.scaling, visits, seed);
        let job = Job {
            card: &card,
            settings: &plan.settings.training,
            epochs: &epochs,
            engine: plan.decided.engine,
            backend: plan.decided.backend,
            device: self.device,
            rows: rows.view(),
            held_out: held_out.view(),
        };
        let count = members.len();
        let steps = (job.step_count() * count) as u64;
        // They take turns where not all members fit into memory.
        let bar: RefCell<Option<(&str, Box<dyn Task>)>> = RefCell::new(None);
        let show = |what: &'static str, total: u64, done: u64, message: &str| {
            let mut bar = bar.borrow_mut();
            if bar.as_ref().is_none_or(|(shown, _)| *shown != what) {
                // One ends before the next begins.
                drop(bar.take());
                *bar = Some((what, self.watch.progress.begin(&format!("{what}{which}"), total)));
            }
            if let Some((_, task)) = &*bar {
                task.update(done, message);
            }
        };
        let message = format!("{count} members");
        let mut on_steps = |done| show("training", steps, done as u64, &message);
        let start = |index: usize| self.start(members[index], &rows);
        let mut judged = 0;
        train_members(
            job,
            count,
            &start,
            self.watch.interrupt,
            &mut on_steps,
            &mut |index, trained| {
                show("judging", count as u64, judged, "");
                let member = members[index];
                let score = trained.map(|trained| self.judge(member, trained)).transpose()?;
                keep(MemberRecord { member, seed: self.sweep.member(member).1, score });
                judged += 1;
                show("judging", count as u64, judged, "");
                Ok(())
            },
        )
    }

    /// A member at its first weights, given the training rows in scaled units.
    fn start(&self, member: usize, rows: &Array2<f32>) -> Result<Member> {
        let (combination, seed) = self.sweep.member(member);
        let card = model_card(&combination.plan, seed, &self.dataset.training);
        member_of(&card, &combination.plan.settings, rows.view(), seed)
    }

    /// Draws a member's samples as a run does, and counts the modes in them.
    fn judge(&self, member: usize, trained: TrainedMember) -> Result<Score> {
        let (combination, seed) = self.sweep.member(member);
        let (settings, training) = (&combination.plan.settings, &self.dataset.training);
        let card = model_card(&combination.plan, seed, training);
        let saved = SavedModel { card, parameters: trained.parameters };
        let interrupt = self.watch.interrupt;
        let watch = Watch::new(&Silent, interrupt);
        let saved = settle_prior(saved, training.rows(), settings, self.device, watch)?;
        let model = Model::new(saved, self.device);
        let rows = model.sample(settings.samples, settings.noise, settings.seed, interrupt)?;
        let counts = self.ledger.judge(rows.view()).counts;
        Ok(Score { held_out_elbo: trained.held_out_elbo, counts })
    }
}
