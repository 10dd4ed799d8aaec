//! Which settings are best, and which member.

use std::path::Path;

use serde::Serialize;
use serde_json::json;

use super::train::Score;
use super::{Combination, Mean, MemberRecord, Sweep, SweepDir};
use crate::audit::ledger::EligibleCounts;
use crate::error::{Error, Result};
use crate::files::{make_folder, write_atomically, write_bytes, write_json};
use crate::plot;
use crate::report::{SweepPage, SweepPageRow};
use crate::run::train::{best_of, none_is_left};

/// Settings in the picture at most: the best.
const MOST_DRAWN: usize = 30;

/// How a combination did over its seeds.
#[derive(Clone, Debug, Serialize)]
pub struct CombinationResult {
    /// Its place in [`Sweep::combinations`].
    pub combination: usize,
    /// Seeds whose training diverged; the means are of the others.
    pub diverged: usize,
    /// Modes as they are in the data, of those large enough to judge.
    pub strict: Option<Mean>,
    /// Modes captured, of the same.
    pub captured: Option<Mean>,
    /// Held-out ELBO in nats a row.
    pub held_out_elbo: Option<Mean>,
}

/// The members of a sweep, ranked.
pub struct Ranking<'a> {
    sweep: &'a Sweep,
    members: Vec<MemberRecord>,
    /// The combinations, that with the best mean held-out ELBO first.
    pub standings: Vec<CombinationResult>,
    /// The member with the best held-out ELBO, and what it reached.
    pub best: (usize, Score),
}

impl<'a> Ranking<'a> {
    /// Ranks the members, given in their order.
    ///
    /// # Errors
    /// Where all of them diverged.
    pub fn new(sweep: &'a Sweep, members: Vec<MemberRecord>) -> Result<Self> {
        let scored = || members.iter().filter_map(|record| Some((record.member, record.score?)));
        let best = best_of(scored().map(|(member, score)| (member, score.held_out_elbo)))
            .and_then(|(best, _)| scored().find(|(member, _)| *member == best))
            .ok_or_else(|| none_is_left("every member diverged"))?;
        let standing = |(combination, members): (usize, &[MemberRecord])| {
            let scores: Vec<Score> = members.iter().filter_map(|record| record.score).collect();
            let counts = |count: fn(EligibleCounts) -> usize| {
                let judged = scores.iter().map(|score| score.counts.eligible_only);
                Mean::of_counts(judged.map(|judged| (count(judged), judged.modes)))
            };
            let bounds: Vec<f64> = scores.iter().map(|score| score.held_out_elbo).collect();
            CombinationResult {
                combination,
                diverged: members.len() - scores.len(),
                strict: counts(|judged| judged.strict),
                captured: counts(|judged| judged.captured),
                held_out_elbo: Mean::of(&bounds),
            }
        };
        let mut standings: Vec<CombinationResult> =
            members.chunks(sweep.seeds.len()).enumerate().map(standing).collect();
        let elbo =
            |s: &CombinationResult| s.held_out_elbo.map_or(f64::NEG_INFINITY, |mean| mean.value);
        standings.sort_by(|a, b| elbo(b).total_cmp(&elbo(a)));
        Ok(Self { sweep, members, standings, best })
    }

    /// The combination of a standing.
    pub fn combination(&self, standing: &CombinationResult) -> &'a Combination {
        &self.sweep.combinations[standing.combination]
    }

    /// The ranking as one JSON value.
    pub fn json(&self) -> serde_json::Value {
        let standings = self.standings.iter().map(|standing| {
            let settings: serde_json::Map<_, _> = (self.sweep.keys.iter().cloned())
                .zip(self.combination(standing).values.iter().map(|value| json!(value)))
                .collect();
            json!({ "settings": settings, "standing": standing })
        });
        json!({
            "modescope": env!("CARGO_PKG_VERSION"),
            "sweep": self.sweep.identity,
            "seeds": self.sweep.seeds,
            "standings": standings.collect::<Vec<_>>(),
            "best": { "member": self.best.0, "seed": self.sweep.member(self.best.0).1, "score": self.best.1 },
            "members": self.members,
        })
    }

    /// Writes `sweep.csv`, `sweep.json`, the picture and the page into the folder.
    ///
    /// # Errors
    /// Where a file cannot be written.
    pub fn write(&self, dir: &SweepDir) -> Result<()> {
        self.write_table(&dir.table())?;
        write_json(&dir.ranking(), &self.json())?;
        make_folder(&dir.plots())?;
        let picture = self.draw(&dir.plots())?;
        write_bytes(&dir.report(), self.page(picture).as_bytes())
    }

    /// Headings of [`cells`](Self::cells).
    pub fn headings(&self) -> Vec<String> {
        let keys = self.sweep.keys.iter().map(String::as_str);
        keys.chain(["strict", "captured", "held-out ELBO", "seeds"]).map(String::from).collect()
    }

    /// A combination and how it did, as the cells of a table.
    pub fn cells(&self, standing: &CombinationResult) -> Vec<String> {
        self.combination(standing).values.iter().cloned().chain(self.figures(standing)).collect()
    }

    /// How a combination did: strict, captured, held-out ELBO and its seeds.
    fn figures(&self, standing: &CombinationResult) -> [String; 4] {
        let mean = |mean: Option<Mean>, decimals: usize| {
            mean.map_or("–".into(), |mean| format!("{mean:.decimals$}"))
        };
        let seeds = match standing.diverged {
            0 => self.sweep.seeds.len().to_string(),
            diverged => format!("{} ({diverged} diverged)", self.sweep.seeds.len()),
        };
        [
            mean(standing.strict, 1),
            mean(standing.captured, 1),
            mean(standing.held_out_elbo, 3),
            seeds,
        ]
    }

    /// The best member in one sentence.
    pub fn best_in_words(&self) -> String {
        let (member, score) = &self.best;
        let (combination, seed) = self.sweep.member(*member);
        format!(
            "{} with training seed {seed}, held-out ELBO {:.3}, {} of {} modes as in the data.",
            self.sweep.describe(combination),
            score.held_out_elbo,
            score.counts.eligible_only.strict,
            score.counts.eligible_only.modes,
        )
    }

    fn page(&self, picture: plot::Picture) -> String {
        let best = self.standings[0].held_out_elbo;
        let row = |standing: &CombinationResult| {
            let [strict, captured, held_out_elbo, seeds] = self.figures(standing);
            SweepPageRow {
                settings: self.combination(standing).values.clone(),
                held_out_elbo,
                strict,
                captured,
                seeds,
                is_tied: standing
                    .held_out_elbo
                    .zip(best)
                    .is_some_and(|(own, best)| own.may_reach(best)),
            }
        };
        let page = SweepPage {
            members: self.members.len(),
            seeds: self.sweep.seeds.len(),
            best: self.best_in_words(),
            keys: self.sweep.keys.clone(),
            rows: self.standings.iter().map(row).collect(),
            picture: picture.into(),
        };
        page.render()
    }

    /// One row a member: its settings, its seed, and what it reached, empty where it diverged.
    fn write_table(&self, path: &Path) -> Result<()> {
        let names =
            ["seed", "held_out_elbo", "modes", "captured", "strict", "eligible", "eligible_strict"];
        let io = |error: csv::Error| Error::io("writing", path, error.into());
        write_atomically(path, |file| {
            let mut writer = csv::Writer::from_writer(file);
            let keys = self.sweep.keys.iter().map(String::as_str);
            writer.write_record(["member"].into_iter().chain(keys).chain(names)).map_err(io)?;
            for record in &self.members {
                let (combination, _) = self.sweep.member(record.member);
                let figures = record.score.map_or_else(
                    || vec![String::new(); names.len() - 1],
                    |Score { held_out_elbo, counts }| {
                        let eligible = counts.eligible_only;
                        let counts = [
                            counts.modes,
                            counts.captured,
                            counts.strict,
                            eligible.modes,
                            eligible.strict,
                        ];
                        [held_out_elbo.to_string()]
                            .into_iter()
                            .chain(counts.map(|c| c.to_string()))
                            .collect()
                    },
                );
                let first = [record.member.to_string()]
                    .into_iter()
                    .chain(combination.values.iter().cloned());
                let row = first.chain([record.seed.to_string()]).chain(figures);
                writer.write_record(row).map_err(io)?;
            }
            writer.flush().map_err(|error| Error::io("writing", path, error))
        })
    }

    fn draw(&self, folder: &Path) -> Result<plot::Picture> {
        let shown = &self.standings[..self.standings.len().min(MOST_DRAWN)];
        let seeds = self.sweep.seeds.len();
        let row = |standing: &CombinationResult, mean: Option<Mean>, value: fn(&Score) -> f64| {
            let members = &self.members[standing.combination * seeds..][..seeds];
            plot::SweepFigureRow {
                values: members.iter().filter_map(|r| r.score.as_ref().map(value)).collect(),
                mean: mean.map(|mean| mean.value),
                interval: mean.and_then(|mean| mean.interval),
            }
        };
        let panel = |name,
                     most,
                     mean: fn(&CombinationResult) -> Option<Mean>,
                     value: fn(&Score) -> f64| {
            plot::SweepPanel {
                name,
                most,
                rows: shown.iter().map(|standing| row(standing, mean(standing), value)).collect(),
            }
        };
        let settings: Vec<String> =
            shown.iter().map(|standing| self.sweep.describe(self.combination(standing))).collect();
        let title = match self.standings.len() > shown.len() {
            false => "Settings, the best held-out ELBO first".to_owned(),
            true => format!(
                "The best {} of {} settings by held-out ELBO",
                shown.len(),
                self.standings.len()
            ),
        };
        let scores = self.members.iter().filter_map(|record| record.score.as_ref());
        let modes = scores.map(|score| score.counts.eligible_only.modes);
        let figure = plot::Sweep {
            title: &title,
            settings: &settings,
            panels: [
                panel(
                    "strict modes",
                    modes.max().map(|modes| modes as f64),
                    |s| s.strict,
                    |score| score.counts.eligible_only.strict as f64,
                ),
                panel(
                    "held-out ELBO (nats a row)",
                    None,
                    |s| s.held_out_elbo,
                    |score| score.held_out_elbo,
                ),
            ],
        };
        figure.draw(folder, "sweep")
    }
}
