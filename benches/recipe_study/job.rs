//! One run of the study, and the peer's samples of the same data.

use std::path::{Path, PathBuf};
use std::process::Command;

use modescope::audit::findings::Findings;
use modescope::audit::samples::{Options, Samples, SamplesAudit, audit};
use modescope::config::{Layers, Settings};
use modescope::data::{Mixture, ReadOptions, read, write};
use modescope::error::Result;
use modescope::run::{Existing, Prepared, RunDir, Stage, Watch};
use serde::Deserialize;

use super::case::Case;

/// The audit looks at modes and distances here; how K-means counts is another matter.
const ANALYSIS: [&str; 5] = [
    "backend=cpu",
    "analysis.max_clusters=2",
    "analysis.restarts=1",
    "analysis.perplexities=[]",
    "analysis.rows=500",
];
const HELD_OUT: &str = "held_out.csv";

pub struct Job<'a> {
    pub case: &'a Case,
    pub recipe: &'a str,
    pub seed: u64,
    pub folder: &'a Path,
}

/// What scikit-learn's mixture made of the data of a run.
pub struct Peer {
    pub audit: SamplesAudit,
    /// Mean log-likelihood of the held-out rows under the truth less that under the peer, in nats.
    pub nll_gap: f64,
}

#[derive(Deserialize)]
struct PeerScore {
    held_out_log_likelihood: f64,
}

impl Job<'_> {
    pub fn name(&self) -> String {
        format!("{}-{}-{}", self.case.name, self.recipe, self.seed)
    }

    fn path(&self) -> PathBuf {
        self.folder.join(self.name())
    }

    /// Trains, samples and audits, unless that is done.
    pub fn run(&self, assignments: &[String]) -> Result<()> {
        let mut all: Vec<String> = ANALYSIS.map(String::from).into();
        all.extend(self.case.settings.iter().map(|&setting| setting.into()));
        all.push(format!("seed={}", self.seed));
        if let Some((_, label)) = self.case.table {
            all.push(format!("data.labels={label}"));
        }
        all.extend_from_slice(assignments);
        let layers = Layers { recipe: Some(self.recipe), assignments: &all, ..Layers::default() };
        let settings = Settings::resolve(&layers)?;
        let table = self.case.table.map(|(file, _)| self.folder.join(file));
        let run = Prepared::new(table.as_deref(), settings, None, Stage::Audit, Watch::nobody())?;
        let dir = run.claim(&self.path(), Existing::Resume, Watch::nobody())?;
        write(&dir.file(HELD_OUT), &run.dataset.held_out)?;
        run.execute(&dir, Watch::nobody())
    }

    pub fn findings(&self) -> Findings {
        let text = std::fs::read(self.path().join(RunDir::AUDIT)).expect("the run has ended");
        serde_json::from_slice(&text).expect("a run writes its findings")
    }

    /// The audit of the peer's samples.
    pub fn peer(&self) -> Peer {
        let path = self.path();
        let table = |name: &str, labels: Option<&str>| {
            let labels = labels.map(String::from);
            let options = ReadOptions { labels, ..ReadOptions::default() };
            read(&path.join(name), &options).expect("the study wrote it").table
        };
        let truth = Mixture::read(&path.join(RunDir::MIXTURE)).expect("the run wrote it");
        let real = table(RunDir::DATA, Some("component"));
        let (held_out, generated) = (table(HELD_OUT, Some("component")), table("peer.csv", None));
        let samples = Samples {
            real: &real,
            held_out: Some(held_out.rows()),
            generated: generated.rows(),
            truth: Some(&truth),
        };
        let options = Options { max_clusters: 2, restarts: 1, rows: 500, seed: self.seed };
        let audit = audit(samples, options, &|| ()).expect("as the run's own samples").audit;
        let score = std::fs::read(path.join("peer.json")).expect("the peer wrote it");
        let score: PeerScore = serde_json::from_slice(&score).expect("the peer wrote a number");
        let truth = truth.log_densities(held_out.rows());
        let truth = truth.iter().sum::<f64>() / truth.len() as f64;
        Peer { audit, nll_gap: truth - score.held_out_log_likelihood }
    }
}

/// Fits and samples the peer in every run folder of a mixture.
pub fn run_peer(python: &Path, folder: &Path) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/recipe_study_peer.py");
    let status = Command::new(python).arg(script).arg(folder).status();
    assert!(status.is_ok_and(|status| status.success()), "scripts/recipe_study_peer.py failed");
}
