//! Means over the seeds of one case.

use modescope::audit::findings::Findings;
use modescope::audit::samples::SamplesAudit;

use super::case::Case;
use super::job::Peer;

/// What the tables show of one recipe on one case.
pub struct Summary {
    modes: f64,
    strict: Vec<f64>,
    strict_eligible: f64,
    eligible: f64,
    /// Seeds on which as many modes are captured as in fresh real rows.
    full_capture: f64,
    ceiling: f64,
    nll_gap: Option<Vec<f64>>,
    accuracy: f64,
    coverage: f64,
    active_units: Option<f64>,
}

impl Summary {
    pub const HEADING: &str = "| data | model | modes | strict ± standard error (least) | of fresh data | strict of eligible % | as many captured as in fresh data, seeds % | nats above the truth ± standard error | two-sample accuracy | coverage | active units |\n|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|";

    pub fn of_recipe(findings: &[Findings]) -> Self {
        let audits: Vec<&SamplesAudit> =
            findings.iter().map(|f| f.samples.as_ref().expect("enough rows to audit")).collect();
        let gaps = audits.iter().map(|a| a.metrics.nll_gap.as_ref().map(|gap| gap.generated.value));
        let units = findings
            .iter()
            .map(|f| f.latent.as_ref().expect("a run has a model").summary.active_units as f64);
        let units: Vec<f64> = units.collect();
        Self { active_units: Some(mean(&units)), ..Self::new(&audits, gaps.collect()) }
    }

    pub fn of_peer(peers: &[Peer]) -> Self {
        let audits: Vec<&SamplesAudit> = peers.iter().map(|peer| &peer.audit).collect();
        Self::new(&audits, peers.iter().map(|peer| Some(peer.nll_gap)).collect())
    }

    fn new(audits: &[&SamplesAudit], nll_gap: Option<Vec<f64>>) -> Self {
        let over = |figure: &dyn Fn(&SamplesAudit) -> f64| {
            audits.iter().map(|audit| figure(audit)).collect::<Vec<f64>>()
        };
        Self {
            modes: mean(&over(&|a| a.counts.modes as f64)),
            strict: over(&|a| a.counts.strict as f64),
            strict_eligible: mean(&over(&|a| a.counts.eligible_only.strict as f64)),
            eligible: mean(&over(&|a| a.counts.eligible_only.modes as f64)),
            full_capture: mean(&over(&|a| {
                f64::from(u8::from(a.counts.captured >= a.ceiling.counts.captured))
            })),
            ceiling: mean(&over(&|a| a.ceiling.counts.strict as f64)),
            nll_gap,
            accuracy: mean(&over(&|a| a.metrics.c2st_accuracy.generated.value)),
            coverage: mean(&over(&|a| a.metrics.coverage.generated.value)),
            active_units: None,
        }
    }

    pub fn row(&self, case: &Case, model: &str) -> String {
        let least = self.strict.iter().copied().fold(f64::INFINITY, f64::min);
        let gap = match &self.nll_gap {
            Some(gaps) => format!("{:.3} ± {:.3}", mean(gaps), standard_error(gaps)),
            None => "–".into(),
        };
        let gap = if case.is_mixture() { gap } else { "–".into() };
        format!(
            "| {} | {model} | {:.0} | {:.1} ± {:.1} ({least:.0}) | {:.1} | {:.1} | {:.0} | {gap} | {:.3} | {:.3} | {} |",
            case.what,
            self.modes,
            mean(&self.strict),
            standard_error(&self.strict),
            self.ceiling,
            100.0 * self.strict_eligible / self.eligible.max(1e-9),
            100.0 * self.full_capture,
            self.accuracy,
            self.coverage,
            self.active_units.map_or_else(|| "–".into(), |units| format!("{units:.1}")),
        )
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The standard error of the mean of values that are independent.
fn standard_error(values: &[f64]) -> f64 {
    let (n, mean) = (values.len() as f64, mean(values));
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (squares / (n - 1.0) / n).sqrt()
}
