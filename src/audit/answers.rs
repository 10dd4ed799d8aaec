//! The questions of the reference experiment, answered in words from the evidence.

use serde::{Deserialize, Serialize};

use super::bic::BicChoice;
use super::clusters::KChoice;
use super::counts::Counts;
use super::findings::{MoreRows, collapsed};
use super::latent::LatentSummary;

/// A question with its answer and what the answer rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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

/// What the answers are drawn from.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// The number of components, where known.
    pub components: Option<usize>,
    /// What counts as a component: `components` of a mixture, or `labels`.
    pub kind: &'a str,
    /// Real and generated rows.
    pub counts: &'a Counts,
    /// Latent units.
    pub latent: &'a LatentSummary,
    /// K-means on posterior means.
    pub latent_clusters: &'a KChoice,
    /// Mixtures on posterior means.
    pub latent_mixture: &'a BicChoice,
    /// The larger data set.
    pub more_rows: Option<&'a MoreRows>,
}

impl Evidence<'_> {
    /// Every answer, in the order of the questions.
    pub fn answers(&self) -> Vec<Answer> {
        vec![self.captured(), self.missing(), self.latent_components(), self.would_more_help()]
    }

    fn collapsed(&self) -> bool {
        collapsed(self.latent.active_units)
    }

    /// k by the rule of the reference experiment, for scaled, raw and real rows.
    fn chosen(&self) -> [usize; 3] {
        let clusters = &self.counts.clusters;
        [&clusters.scaled, &clusters.raw, &clusters.real].map(|choice| choice.by_silhouette)
    }

    fn truth(&self) -> String {
        match self.components {
            Some(count) => format!("with their {count} {}", self.kind),
            None => "whose true number of components is not known".into(),
        }
    }

    fn captured(&self) -> Answer {
        let clusters = &self.counts.clusters;
        let [scaled, raw, real] = [&clusters.scaled, &clusters.raw, &clusters.real].map(seen);
        let answer = if self.collapsed() {
            format!(
                "None. The posterior collapsed: the decoder ignores its latent input, and the samples \
                 are {}. The {scaled} clusters that K-means reports are structure in that, not \
                 components of the data.",
                self.counts.when_collapsed()
            )
        } else {
            format!(
                "K-means sees {scaled} clusters in the scaled samples and {raw} in the raw ones, \
                 against {real} in the real rows {}. It counts clusters that stand apart, not \
                 components that overlap, so take it as a comparison with the real rows.",
                self.truth()
            )
        };
        let evidence = format!(
            "{} of {} latent units active; the generated rows spread over {}; \
             k by silhouette: scaled {scaled}, raw {raw}, real {real}; by BIC: generated {}, real {}.",
            self.latent.active_units,
            self.latent.kl_per_unit.len(),
            self.counts.spread(),
            self.counts.mixtures.generated.best,
            self.counts.mixtures.real.best,
        );
        Answer {
            question: "How many components are effectively captured?".into(),
            answer,
            evidence,
        }
    }

    fn missing(&self) -> Answer {
        let [scaled, _, real] = self.chosen();
        let answer = match self.components {
            Some(count) if self.collapsed() => format!(
                "All {count}. The reference experiment subtracted k from the number of components, \
                 which here gives {}; but the same rule finds only {real} in the real rows, and so \
                 would call {} of them missing from the data itself.",
                count.saturating_sub(scaled),
                count.saturating_sub(real)
            ),
            Some(count) => format!(
                "The rule of the reference experiment, {count} − k, gives {}. The same rule calls {} \
                 missing from the real rows themselves, so the difference between the two is what \
                 can be held against the model.",
                count.saturating_sub(scaled),
                count.saturating_sub(real)
            ),
            None if self.collapsed() => "All of them: the posterior collapsed.".into(),
            None => format!(
                "The true number is not known. K-means sees {scaled} clusters in the samples and \
                 {real} in the real rows."
            ),
        };
        let evidence =
            "K-means counts modes only where they stand about 6 standard deviations apart; \
                        nearer ones are merged, in real and in generated rows alike."
                .into();
        Answer { question: "How many modes are missing?".into(), answer, evidence }
    }

    fn latent_components(&self) -> Answer {
        let (clusters, mixture) = (self.latent_clusters.by_silhouette, self.latent_mixture.best);
        let answer = if self.collapsed() {
            "None. Every row has nearly the same posterior, so there are no clusters to see; what \
             t-SNE and K-means draw is variation too small to carry anything, blown up."
                .into()
        } else {
            format!(
                "{mixture}, by the mixture with the best BIC on the posterior means; K-means \
                 suggests {clusters}."
            )
        };
        let variances = self.latent.mean_variance.iter().map(|v| format!("{v:.2e}"));
        let kls = self.latent.kl_per_unit.iter().map(|kl| format!("{kl:.2e}"));
        let evidence = format!(
            "Variance of the posterior mean by unit: {}; KL by unit: {} nats; k by silhouette \
             {clusters}, by BIC {mixture}.",
            variances.collect::<Vec<_>>().join(", "),
            kls.collect::<Vec<_>>().join(", "),
        );
        let question = "How many components do the clusters of the latent space suggest?".into();
        Answer { question, answer, evidence }
    }

    fn would_more_help(&self) -> Answer {
        let question = "Would a larger data set or a mixture clustering help?".into();
        let (few, real_k) = (&self.counts, self.counts.clusters.real.by_silhouette);
        let Some(more) = self.more_rows else {
            let answer = format!(
                "A mixture clustering sees {} components in the real rows where K-means sees {real_k}, \
                 and {} in the generated ones. What more rows would change can be shown only where \
                 more can be drawn.",
                few.mixtures.real.best, few.mixtures.generated.best
            );
            let evidence = format!("Best BIC on {} real rows.", few.real_rows);
            return Answer { question, answer, evidence };
        };
        let rows = more.rows;
        let model = match (self.collapsed(), collapsed(more.active_units)) {
            (true, true) => format!(
                "For the model, no: trained on {rows} rows it collapses just the same, because the \
                 objective is best served by ignoring the latent, however many rows there are."
            ),
            (true, false) => {
                format!("For the model, yes: trained on {rows} rows it does not collapse.")
            }
            (false, _) => format!(
                "For the model, little: trained on {rows} rows for about as many steps, its samples show {} \
                 components by BIC, against {} before.",
                more.counts.mixtures.generated.best, few.mixtures.generated.best
            ),
        };
        let counting = format!(
            "For counting, K-means finds {} clusters in {rows} real rows against {real_k} in {}; the \
             mixture with the best BIC finds {} against {}{}.",
            more.counts.clusters.real.by_silhouette,
            few.real_rows,
            more.counts.mixtures.real.best,
            few.mixtures.real.best,
            self.components.map_or_else(String::new, |count| format!(", of {count}")),
        );
        let evidence = format!(
            "{} steps on {rows} rows: {} active units, generated rows that spread over {}; k by silhouette on its samples: {} scaled, {} raw.",
            more.steps,
            more.active_units,
            more.counts.spread(),
            more.counts.clusters.scaled.by_silhouette,
            more.counts.clusters.raw.by_silhouette,
        );
        Answer { question, answer: format!("{model} {counting}"), evidence }
    }
}
