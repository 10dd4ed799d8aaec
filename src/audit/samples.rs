//! The audit of samples, whatever drew them.

mod doubt;

use ndarray::{ArrayView2, Axis, s};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::doubt::doubt;
use super::cause::{self, Cause, ModelEvidence};
use super::em::Covariance;
use super::estimate::Estimate;
use super::findings::{Findings, OfModel};
use super::ledger::{Counts, Judged, Ledger, Mode, one_gaussian};
use super::metrics::Metrics;
use super::neighbours::NEAREST;
use super::reference::{Kind, Reference};
use super::repeated::RepeatedRows;
use super::spread::{column_moments, spread_ratio};
use super::structure::{Structure, describe};
use super::subset::subset;
use crate::config::AnalysisSettings;
use crate::data::{Mixture, Table, Units};
use crate::error::{Error, Result};

/// The steps of the mixture's random stream that floor and baseline are drawn with.
const FLOOR_STEP: u64 = (1 << 32) + 1;
const BASELINE_STEP: u64 = (1 << 32) + 2;

/// The fewest real rows with which a mode can be judged.
pub(super) const LEAST_REAL: usize = 20;
/// The largest value: Gaussians of such rows keep within what a [`Mixture`] holds.
const LARGEST: f32 = 1e29;

/// Modes nearer than this many standard deviations are one to K-means.
const K_MEANS_REACH: f64 = 6.0;

/// What is audited.
#[derive(Clone, Copy, Debug)]
pub struct Samples<'a> {
    /// Real rows; where they have labels and no truth is given, each label is a mode.
    pub real: &'a Table,
    /// Real rows that the generator has not seen, where there are any; a given truth needs none.
    pub held_out: Option<ArrayView2<'a, f32>>,
    /// Rows of the generator, with the columns of `real`.
    pub generated: ArrayView2<'a, f32>,
    /// The mixture that the real rows were drawn from, where it is known.
    pub truth: Option<&'a Mixture>,
}

impl<'a> Samples<'a> {
    /// Generated rows to be held against real ones, without held-out rows or a truth.
    pub fn new(real: &'a Table, generated: ArrayView2<'a, f32>) -> Self {
        Self { real, held_out: None, generated, truth: None }
    }
}

/// How to audit.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Largest k that K-means tries.
    pub max_clusters: usize,
    /// Restarts of K-means for each k.
    pub restarts: usize,
    /// Rows that clustering looks at: a random choice of more.
    pub rows: usize,
    /// Seed of every draw.
    pub seed: u64,
}

impl Options {
    /// As the settings of a run have it.
    pub fn new(settings: &AnalysisSettings, seed: u64) -> Self {
        let &AnalysisSettings { max_clusters, restarts, rows, .. } = settings;
        Self { max_clusters, restarts, rows, seed }
    }
}

impl Default for Options {
    /// As the settings of a run have it where nothing is asked for, with the seed 1.
    fn default() -> Self {
        Self::new(&AnalysisSettings::default(), 1)
    }
}

/// What the modes are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReferenceSummary {
    /// How the modes are known.
    pub kind: Kind,
    /// Number of modes.
    pub k: usize,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// The covariances of the fitted mixture, where that is the reference.
    pub covariance: Option<Covariance>,
    /// Real rows: those the reference was fitted to, of a fitted mixture at most 20 000 and copies once where
    /// they are no evidence, or all where the mixture is given.
    pub real_rows: usize,
    /// Fresh rows that it was held against: draws of a given mixture, or real rows kept out of the
    /// fit.
    pub fresh_rows: usize,
    /// Modes that the fresh rows are enough to check.
    pub checked: usize,
    /// Modes whose nearest neighbour is less than 6 standard deviations away, which K-means cannot
    /// tell from it.
    pub close: usize,
    /// Whether the fresh rows pass: every mode that they are enough to check is strict in them, or
    /// may be. Where they do not, where less than half of those rows lie near a mode, or where the
    /// components of a fit cannot be checked, the audit cannot judge.
    pub trusted: bool,
    /// Why not, in words; absent where it is trusted.
    pub doubt: Option<String>,
}

/// The ledger of other rows than the generated ones, in short.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Compared {
    /// What the rows are.
    pub of: String,
    /// How many.
    pub rows: usize,
    /// Their modes.
    #[serde(flatten)]
    pub counts: Counts,
    /// Share of high quality.
    pub high_quality: Estimate,
}

impl Compared {
    /// Sums up the ledger of rows that are called `of`.
    pub fn new(of: String, judged: &Judged) -> Self {
        Self { of, rows: judged.rows, counts: judged.counts, high_quality: judged.high_quality }
    }
}

/// A mode with the cause of its loss.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AuditedMode {
    /// What was found.
    #[serde(flatten)]
    pub mode: Mode,
    /// Its mean in the reference, one value a column, in the data's units.
    pub mean: Vec<f64>,
    /// Why it is not as in the data; absent where it is.
    pub cause: Option<Cause>,
}

/// What the audit of samples found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SamplesAudit {
    /// What the modes are.
    pub reference: ReferenceSummary,
    /// Modes found in the generated rows.
    pub counts: Counts,
    /// The same audit on fresh real rows: what a perfect generator would get.
    pub ceiling: Compared,
    /// The same on draws of one Gaussian fitted to the real rows: what knowing no mode gets.
    pub floor: Compared,
    /// The same on draws of a mixture fitted to the real rows; absent where that is the reference.
    pub baseline: Option<Compared>,
    /// The same latents decoded without the likelihood's noise, or with it where the samples have
    /// none: what the noise does. Absent where the likelihood has none to give, or only samples were
    /// audited.
    pub other_noise: Option<Compared>,
    /// Every mode.
    pub modes: Vec<AuditedMode>,
    /// Distances between generated and real rows.
    pub metrics: Metrics,
    /// Rows that the real data have again and again, which are judged apart from the modes and left out of
    /// them and of the distances; absent where there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeated: Option<RepeatedRows>,
    /// Clusters, components and spread, side by side.
    #[serde(flatten)]
    pub structure: Structure,
}

impl SamplesAudit {
    /// The cause of each mode that has one.
    pub fn causes(&self) -> impl Iterator<Item = &Cause> {
        self.modes.iter().filter_map(|mode| mode.cause.as_ref())
    }

    /// What the rows are, how many, their modes and their share of high quality: for the generated
    /// rows and for those beside them.
    pub fn compared(&self) -> impl Iterator<Item = (&str, usize, &Counts, &Estimate)> {
        let quality = &self.metrics.high_quality.generated;
        let generated = self.modes.iter().map(|mode| mode.mode.assigned).sum();
        let others = [
            self.other_noise.as_ref(),
            Some(&self.ceiling),
            self.baseline.as_ref(),
            Some(&self.floor),
        ];
        std::iter::once(("generated rows", generated, &self.counts, quality)).chain(
            others
                .into_iter()
                .flatten()
                .map(move |o| (&o.of[..], o.rows, &o.counts, &o.high_quality)),
        )
    }
}

/// The findings on samples, and what they were found with.
pub struct Audited {
    /// The modes and the rows that show them.
    pub reference: Reference,
    /// Judges further rows by the same rule.
    pub ledger: Ledger,
    /// The ledger of the generated rows.
    pub found: Judged,
    /// Real rows that were given.
    pub training_rows: usize,
    /// What was found. Causes are still absent.
    pub audit: SamplesAudit,
}

impl Audited {
    /// The findings where nothing is known of what drew the samples.
    pub fn into_findings(mut self) -> Findings {
        self.explain(None);
        Findings::new(Some(self.audit), OfModel::default(), Vec::new())
    }

    /// Says of every mode that is not as in the data why, unless the reference is not to be trusted.
    /// `model` is what is known of the model behind the samples.
    pub fn explain(&mut self, model: Option<&ModelEvidence>) {
        if !self.audit.reference.trusted {
            return;
        }
        let rows = [self.training_rows, self.found.rows];
        for (mode, gaussian) in self.audit.modes.iter_mut().zip(self.reference.mixture.gaussians())
        {
            mode.cause = cause::of_mode(&mode.mode, gaussian, rows, model);
        }
    }
}

/// Number of calls of `tick` that [`audit`] makes at most.
pub fn ticks(max_clusters: usize) -> u64 {
    super::structure::ticks(max_clusters) + 3
}

/// Audits samples. `tick` is called, from any thread, when a part is done.
///
/// # Errors
/// Too few rows, rows or a truth with other columns than the real rows, or values that are not finite or
/// beyond ±1e29.
pub fn audit(samples: Samples, options: Options, tick: &(dyn Fn() + Sync)) -> Result<Audited> {
    let Samples { real, held_out, generated, truth } = samples;
    if options.max_clusters < 2 || options.restarts < 1 || options.rows < 2 {
        return Err(Error::input(
            "clusters are looked for with k from 2 on, a restart and 2 rows at least",
        )
        .help("see that max_clusters, restarts and rows allow that"));
    }
    let held_out = held_out.unwrap_or_else(|| real.rows().slice_move(s![..0, ..]));
    check_rows(real.len(), generated.nrows())?;
    let all_rows = [
        (real.rows(), "the real rows"),
        (held_out, "the held-out rows"),
        (generated, "the generated rows"),
    ];
    for (rows, whose) in all_rows {
        check_columns(rows, whose, real.columns())?;
        check_values(rows, whose, real.columns())?;
    }
    let seed = options.seed;
    let reference = Reference::find(truth, real, held_out, generated.nrows(), seed)?;
    tick();
    let all = generated;
    let (given, generated) =
        (reference.repeated.elsewhere(real.rows()), reference.repeated.judged(generated));
    let generated = generated.view();
    let ledger = reference.ledger(seed);
    let found = ledger.judge(generated);
    let ceiling = ledger.judge(reference.fresh.view());
    let rows = generated.nrows();
    let drawn = |mixture: &Mixture, step| ledger.judge(mixture.draw(rows, seed, step).rows());
    let floor = drawn(&one_gaussian(reference.real.view())?, FLOOR_STEP);
    let baseline = (reference.kind != Kind::Fitted)
        .then(|| drawn(&reference.fitted, BASELINE_STEP))
        .map(|judged| Compared::new(baseline_name(&reference), &judged));
    tick();
    let units = Units::of(given.view());
    let judged = [&found, &ceiling];
    let metrics =
        Metrics::compare((&reference, &ledger), given.view(), generated, judged, &units, seed)?;
    tick();
    let some = |rows: ArrayView2<'_, f32>| {
        units.apply(rows.select(Axis(0), &subset(rows.nrows(), options.rows)).view())
    };
    let clustered = describe(
        some(reference.real.view()).view(),
        some(generated).view(),
        options.max_clusters,
        options.restarts,
        seed,
        tick,
    )?;
    // Clustering is too costly for all rows; moments are not.
    let structure = Structure {
        spread_ratio: spread_ratio(real.rows(), all, &units),
        columns: column_moments(real.rows(), all),
        ..clustered
    };
    let places = found.modes.iter().zip(reference.mixture.means());
    let modes = places.map(|(mode, mean)| AuditedMode {
        mode: mode.clone(),
        mean: mean.clone(),
        cause: None,
    });
    let audit = SamplesAudit {
        reference: summary(&reference, real.columns().to_vec(), &ledger, &ceiling),
        counts: found.counts,
        ceiling: Compared::new(ceiling_name(reference.kind), &ceiling),
        floor: Compared::new("draws of one Gaussian fitted to the real rows".into(), &floor),
        baseline,
        other_noise: None,
        modes: modes.collect(),
        metrics,
        repeated: reference.repeated.count(real.rows(), all),
        structure,
    };
    Ok(Audited { reference, ledger, found, training_rows: real.len(), audit })
}

/// Refuses numbers of rows that no figure can be made of.
///
/// # Errors
/// Too few; the message says how many are needed, and why.
pub fn check_rows(real: usize, generated: usize) -> Result<()> {
    for (rows, whose, least, why) in [
        (real, "real", LEAST_REAL, "a mode with fewer cannot be judged"),
        (
            generated,
            "generated",
            NEAREST + 1,
            "precision and coverage look at the 5 nearest neighbours of each row",
        ),
    ] {
        if rows < least {
            return Err(Error::input(format!(
                "an audit takes at least {least} {whose} rows, not {rows}: {why}"
            ))
            .help("give more rows; 10 000 generated ones judge modes down to half a percent"));
        }
    }
    Ok(())
}

fn check_columns(rows: ArrayView2<f32>, whose: &str, columns: &[String]) -> Result<()> {
    match rows.ncols() == columns.len() {
        true => Ok(()),
        false => Err(Error::input(format!(
            "{whose} have {} columns, the real rows {}",
            rows.ncols(),
            columns.len()
        ))
        .help("give both with the same columns, in one order")),
    }
}

/// Refuses values whose squares are beyond all figures.
///
/// # Errors
/// The first that is not finite or beyond ±1e29.
pub fn check_values(rows: ArrayView2<f32>, whose: &str, columns: &[String]) -> Result<()> {
    match rows.indexed_iter().find(|(_, value)| value.is_nan() || value.abs() > LARGEST) {
        None => Ok(()),
        Some(((row, column), value)) => Err(Error::input(format!(
            "{whose}, row {}, column {} (\"{}\"): {value:e} is not within ±{LARGEST:e}",
            row + 1,
            column + 1,
            columns[column]
        ))
        .help("give the columns in larger units")),
    }
}

fn ceiling_name(kind: Kind) -> String {
    match kind {
        Kind::Mixture => "fresh draws of the given mixture".into(),
        Kind::Labels | Kind::Fitted => "real rows kept out of the fit".into(),
    }
}

fn baseline_name(reference: &Reference) -> String {
    let (k, covariance) = (reference.choice.best, reference.choice.covariance);
    format!("draws of a mixture of {k} {covariance} Gaussians fitted to the real rows")
}

fn summary(
    reference: &Reference,
    columns: Vec<String>,
    ledger: &Ledger,
    ceiling: &Judged,
) -> ReferenceSummary {
    let doubt = doubt(reference, ledger, ceiling);
    ReferenceSummary {
        kind: reference.kind,
        k: reference.mixture.components(),
        columns,
        covariance: (reference.kind == Kind::Fitted).then_some(reference.choice.covariance),
        real_rows: reference.fitted_rows(),
        fresh_rows: reference.fresh.nrows(),
        checked: ceiling.counts.eligible_only.modes,
        close: reference.mixture.closer_than(K_MEANS_REACH, ledger.scales().view()),
        trusted: doubt.is_none(),
        doubt,
    }
}

#[cfg(test)]
mod tests;
