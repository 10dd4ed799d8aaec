//! The questions of the reference experiment, answered in words from the evidence.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::clusters::KChoice;
use super::findings::MoreRows;
use super::latent::LatentDiagnosis;
use super::ledger::Verdict;
use super::reference::Kind;
use super::samples::SamplesAudit;
use super::words::{counted, figure, name};

/// A question with its answer and what the answer rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Answer {
    /// The question.
    pub question: String,
    /// One or two sentences.
    pub answer: String,
    /// The figures behind it.
    pub evidence: String,
}

/// The k that K-means sees, marked where it is the largest that was tried.
fn seen(choice: &KChoice) -> String {
    let k = choice.by_silhouette;
    match choice.fits.last() {
        Some(last) if last.k == k && choice.fits.len() > 1 => format!("{k} (the most tried)"),
        _ => k.to_string(),
    }
}

/// Items of a list, or `none`.
fn list(items: impl IntoIterator<Item = String>) -> String {
    let items: Vec<String> = items.into_iter().collect();
    if items.is_empty() { "none".into() } else { items.join(", ") }
}

/// What the answers are drawn from.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// Real and generated rows.
    pub samples: &'a SamplesAudit,
    /// The latent space, where the model is at hand.
    pub latent: Option<&'a LatentDiagnosis>,
    /// The larger data set.
    pub more_rows: Option<&'a MoreRows>,
}

impl Evidence<'_> {
    /// Every answer that the evidence allows, in the order of the questions.
    pub fn answers(&self) -> Vec<Answer> {
        let mut answers = vec![self.captured(), self.missing()];
        if let Some(latent) = self.latent {
            answers.push(self.latent_components(latent));
            answers.push(self.would_more_help(latent));
        }
        answers
    }

    fn collapsed(&self) -> bool {
        self.latent.is_some_and(|latent| latent.summary.collapsed())
    }

    /// k by the rule of the reference experiment, for scaled, raw and real rows.
    fn chosen(&self) -> [String; 3] {
        let clusters = &self.samples.structure.clusters;
        [&clusters.scaled, &clusters.raw, &clusters.real].map(seen)
    }

    /// The modes that the reference speaks of, counted.
    fn modes(&self) -> String {
        let modes = self.samples.counts.modes;
        match self.samples.reference.kind {
            Kind::Mixture => format!("{} of the mixture", counted(modes, "component")),
            Kind::Labels => counted(modes, "label"),
            Kind::Fitted => format!(
                "{} that a mixture fitted to the real rows has",
                counted(modes, "component")
            ),
        }
    }

    fn captured(&self) -> Answer {
        let audit = self.samples;
        let (counts, ceiling, floor) = (audit.counts, &audit.ceiling, &audit.floor);
        let [scaled, raw, real] = self.chosen();
        let answer = if let Some(doubt) = &audit.reference.doubt {
            format!("The audit cannot judge: {doubt}.")
        } else if self.collapsed() && counts.strict == 0 {
            format!(
                "None. The posterior collapsed: the decoder ignores its latent input, and the samples \
                 are {}. The {scaled} clusters that K-means reports are structure in that, not \
                 components of the data.",
                audit.structure.when_collapsed()
            )
        } else {
            format!(
                "{} of {}, {} of them with place, width and weight as in the data. Fresh real rows get \
                 {} and {} by the same rule, draws of one Gaussian {} and {}.",
                counts.captured,
                self.modes(),
                counts.strict,
                ceiling.counts.captured,
                ceiling.counts.strict,
                floor.counts.captured,
                floor.counts.strict,
            )
        };
        let units = self.latent.map_or_else(String::new, |latent| {
            let summary = &latent.summary;
            format!(
                "{} of {} latent units active; ",
                summary.active_units,
                summary.kl_per_unit.len()
            )
        });
        let evidence = format!(
            "{units}{} of {} generated rows near a mode (high quality); they spread over {}; k of \
             K-means by silhouette: scaled {scaled}, raw {raw}, real {real}.",
            percent(audit.metrics.high_quality.generated.value),
            audit.modes.iter().map(|mode| mode.mode.assigned).sum::<usize>(),
            audit.structure.spread(),
        );
        let question = "How many components are effectively captured?".into();
        Answer { question, answer, evidence }
    }

    fn missing(&self) -> Answer {
        let audit = self.samples;
        let with = |wanted: fn(&Verdict) -> bool| {
            let modes = audit.modes.iter().filter(move |mode| wanted(&mode.mode.verdict));
            list(modes.map(|mode| format!("mode {}", name(audit, mode.mode.id))))
        };
        let [scaled, _, real] = self.chosen();
        let answer = if audit.reference.doubt.is_some() {
            "That cannot be said either.".into()
        } else {
            format!(
                "{}. Missing: {}. Under-weighted: {}. Too small to judge: {}.",
                counted(audit.counts.missing, "mode"),
                with(|verdict| *verdict == Verdict::Missing),
                with(|verdict| *verdict == Verdict::UnderWeighted),
                with(|verdict| *verdict == Verdict::TooSmall),
            )
        };
        let evidence = format!(
            "A mode is missing where less than a fifth of the rows expected near it are there. The \
             reference experiment took k of K-means from the number of components instead. K-means \
             counts modes only where they stand about 6 standard deviations apart: it sees {real} in \
             the real rows, and {scaled} in the scaled samples, of {}.",
            self.modes()
        );
        Answer { question: "How many modes are missing?".into(), answer, evidence }
    }

    fn latent_components(&self, latent: &LatentDiagnosis) -> Answer {
        let (clusters, mixture) = (seen(&latent.clusters), latent.mixture.best);
        let dense = latent.density.clusters;
        let answer = if latent.summary.collapsed() {
            "None. Every row has nearly the same posterior, so there are no clusters to see; what \
             t-SNE and K-means draw is variation too small to carry anything, blown up."
                .into()
        } else {
            format!(
                "{mixture}, by the mixture with the best BIC on the posterior means; HDBSCAN finds \
                 {} and leaves {} of the rows outside, K-means suggests {clusters}.",
                counted(dense, "dense cluster"),
                percent(latent.density.noise_share)
            )
        };
        let figures = |values: &[f64]| list(values.iter().map(|&value| figure(value)));
        let evidence = format!(
            "Variance of the posterior mean by unit: {}; information by unit: at most {} nats; components by BIC \
             {mixture}, clusters by HDBSCAN {dense}, k by silhouette {clusters}.",
            figures(&latent.summary.mean_variance),
            figures(&latent.summary.information_per_unit),
        );
        let question = "How many components do the clusters of the latent space suggest?".into();
        Answer { question, answer, evidence }
    }

    fn would_more_help(&self, latent: &LatentDiagnosis) -> Answer {
        let question = "Would a larger data set or a mixture clustering help?".into();
        let few = &self.samples.structure;
        let real_k = few.clusters.real.by_silhouette;
        let Some(more) = self.more_rows else {
            let answer = format!(
                "A mixture clustering sees {} in the real rows where K-means sees {real_k}, and {} in \
                 the generated ones. What more rows would change can be shown where more can be \
                 drawn: `run --full` does, on a mixture that it generates.",
                counted(few.mixtures.real.best, "component"),
                few.mixtures.raw.best
            );
            let evidence = format!("Best BIC on {} real rows.", few.real_rows);
            return Answer { question, answer, evidence };
        };
        let rows = more.rows;
        let model = match (latent.summary.collapsed(), more.active_units == 0) {
            (true, true) => {
                format!("For the model, no: trained on {rows} rows it collapses just the same.")
            }
            (true, false) => {
                format!("For the model, yes: trained on {rows} rows it does not collapse.")
            }
            (false, _) => format!(
                "For the model: trained on {rows} rows for about as many steps, its samples show {} by \
                 BIC, against {} before.",
                counted(more.structure.mixtures.raw.best, "component"),
                few.mixtures.raw.best
            ),
        };
        let counting = format!(
            "For counting, K-means finds {} in {rows} real rows against {real_k} in {}; the mixture \
             with the best BIC finds {} against {}, of {}.",
            counted(more.structure.clusters.real.by_silhouette, "cluster"),
            few.real_rows,
            more.structure.mixtures.real.best,
            few.mixtures.real.best,
            self.samples.counts.modes,
        );
        let evidence = format!(
            "{} steps on {rows} rows: {} active units, generated rows that spread over {}; k by \
             silhouette on its samples: {} scaled, {} raw.",
            more.steps,
            more.active_units,
            more.structure.spread(),
            more.structure.clusters.scaled.by_silhouette,
            more.structure.clusters.raw.by_silhouette,
        );
        Answer { question, answer: format!("{model} {counting}"), evidence }
    }
}

fn percent(share: f64) -> String {
    format!("{:.1}%", 100.0 * share)
}
