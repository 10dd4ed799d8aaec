//! What settings are allowed.

use super::{
    BetaSchedule, KlReduction, LEAST_BETA, LEAST_SIGMA, MOST_LAYERS, MOST_ROWS, MOST_VALUES,
    MixtureSettings, PriorKind, Settings,
};
use crate::error::{Error, Result};

impl Settings {
    /// Checks every range that the types do not express.
    ///
    /// # Errors
    /// The first setting out of its range.
    pub fn validate(&self) -> Result<()> {
        self.mixture.validate()?;
        let Self { model, training, analysis, safety, .. } = self;
        let mut perplexities = analysis.perplexities.clone();
        perplexities.sort_by(f64::total_cmp);
        perplexities.dedup();
        check(&[
            ("samples", "in [2, 10^8]", (2..=MOST_ROWS).contains(&self.samples)),
            ("data.held_out", "in [0, 0.9]", (0.0..=0.9).contains(&self.data.held_out)),
            ("data.stream_above", "at least 1", self.data.stream_above >= 1),
            ("model.latent", "at least 1", model.latent != Some(0)),
            (
                "model.hidden",
                "a list of at most 100 widths of at least 1",
                model.hidden.len() <= MOST_LAYERS && !model.hidden.contains(&0),
            ),
            ("model.sigma", "in [1e-6, 1e6]", (LEAST_SIGMA..=1e6).contains(&model.sigma)),
            (
                "model.prior_components",
                "in [1, 10^4]",
                (1..=10_000).contains(&model.prior_components),
            ),
            (
                "training.epochs",
                "in [1, 10^9]",
                training.epochs.is_none_or(|epochs| (1..=1_000_000_000).contains(&epochs)),
            ),
            (
                "training.rows",
                "in [1, 10^15]",
                training.rows.is_none_or(|rows| (1..=1_000_000_000_000_000).contains(&rows)),
            ),
            ("training.batch", "at least 1", training.batch != Some(0)),
            (
                "training.beta",
                "at least 1e-12 and finite",
                training.beta >= LEAST_BETA && training.beta.is_finite(),
            ),
            (
                "training.beta_warm_up",
                "above 0 and at most 1",
                training.beta_warm_up > 0.0 && training.beta_warm_up <= 1.0,
            ),
            ("training.beta_cycles", "at least 1", training.beta_cycles >= 1),
            (
                "training.free_bits",
                "at least 0 and finite",
                training.free_bits >= 0.0 && training.free_bits.is_finite(),
            ),
            (
                "training.importance_samples",
                "in [1, 1000]",
                (1..=1000).contains(&training.importance_samples),
            ),
            ("training.learning_rate", "positive and finite", positive(training.learning_rate)),
            // Nearer 1, single precision has not enough digits left for what they leave of it.
            (
                "training.adam_beta1",
                "in [0, 0.9999]",
                (0.0..=0.9999).contains(&training.adam_beta1),
            ),
            (
                "training.adam_beta2",
                "in [0, 0.9999]",
                (0.0..=0.9999).contains(&training.adam_beta2),
            ),
            // Smaller ones leave the step of a gradient near nothing without a bound, in single precision.
            (
                "training.adam_epsilon",
                "in [1e-15, 1]",
                (1e-15..=1.0).contains(&training.adam_epsilon),
            ),
            ("training.final_rate", "in [0, 1]", (0.0..=1.0).contains(&training.final_rate)),
            (
                "training.gradient_clip",
                "in [1e-6, 1e6]",
                training.gradient_clip.is_none_or(|clip| (1e-6..=1e6).contains(&clip)),
            ),
            ("training.ema", "in [0, 1)", training.ema.is_none_or(|d| (0.0..1.0).contains(&d))),
            ("training.restarts", "in [1, 10^4]", (1..=10_000).contains(&training.restarts)),
            ("training.patience", "at least 1", training.patience != Some(0)),
            (
                "safety.checkpoint_seconds",
                "at least 0 and finite",
                safety.checkpoint_seconds >= 0.0 && safety.checkpoint_seconds.is_finite(),
            ),
            ("safety.checkpoint_epochs", "at least 1", safety.checkpoint_epochs != Some(0)),
            ("safety.checkpoints_kept", "at least 1", safety.checkpoints_kept >= 1),
            ("analysis.max_clusters", "in [2, 1000]", (2..=1000).contains(&analysis.max_clusters)),
            ("analysis.more_rows", "at most 10^6", analysis.more_rows <= 1_000_000),
            ("analysis.restarts", "at least 1", analysis.restarts >= 1),
            ("analysis.rows", "at least 2", analysis.rows >= 2),
            (
                "analysis.perplexities",
                "a list of different numbers of at least 1",
                perplexities.iter().all(|&p| p >= 1.0 && p.is_finite())
                    && perplexities.len() == analysis.perplexities.len(),
            ),
        ])?;
        self.check_together()
    }

    /// Refuses settings that are each allowed but have no meaning together.
    fn check_together(&self) -> Result<()> {
        let (model, training) = (&self.model, &self.training);
        let importance = training.importance_samples > 1;
        let is_bound = training.beta == 1.0
            && training.beta_schedule == BetaSchedule::Constant
            && training.kl_reduction == KlReduction::Mean;
        let refusals = [
            (
                training.epochs.is_some() && training.rows.is_some(),
                "training.epochs and training.rows both say how long training is",
                "leave one of the two out",
            ),
            (
                training.patience.is_some()
                    && training.beta_schedule != BetaSchedule::Constant
                    && training.beta_warm_up == 1.0,
                "training.patience with training.beta_warm_up = 1 never stops: epochs count once β has \
                 risen",
                "lower training.beta_warm_up, or leave training.patience out",
            ),
            (
                training.patience.is_some() && training.restarts > 1,
                "training.restarts compares trainings at their last epoch, so none stops early \
                 (training.patience)",
                "leave one of the two out",
            ),
            (
                training.free_bits > 0.0 && model.prior != PriorKind::StandardNormal,
                "training.free_bits needs model.prior = \"standard-normal\": the KL divergence from \
                 a mixture is not a sum over latent units",
                "leave one of the two out",
            ),
            (
                training.free_bits > 0.0 && importance,
                "training.free_bits and training.importance_samples exclude each other: the \
                 importance-weighted bound has no KL divergence to spare",
                "leave one of the two out",
            ),
            (
                importance && !model.likelihood.has_sigma(),
                "training.importance_samples needs a likelihood: a mean squared error is no \
                 density to weight draws by",
                "set model.likelihood to \"learned-sigma\" or \"fixed-sigma\"",
            ),
            (
                importance && !is_bound,
                "training.importance_samples needs training.beta = 1 with the constant schedule and \
                 the mean reduction: with another weight on the KL divergence it bounds nothing",
                "leave it out, or set the weight to 1",
            ),
        ];
        match refusals.into_iter().find(|(applies, ..)| *applies) {
            Some((_, why, remedy)) => Err(Error::input(why).help(remedy)),
            None => Ok(()),
        }
    }
}

impl MixtureSettings {
    /// Checks every range that the types do not express.
    ///
    /// # Errors
    /// The first setting out of its range.
    pub fn validate(&self) -> Result<()> {
        check(&[
            ("mixture.components", "in [1, 10^6]", (1..=1_000_000).contains(&self.components)),
            ("mixture.dimensions", "at least 1", self.dimensions >= 1),
            ("mixture.rows", "in [2, 10^8]", (2..=MOST_ROWS).contains(&self.rows)),
            (
                "mixture.dimensions",
                "such that rows × dimensions is at most 10^9",
                self.rows.checked_mul(self.dimensions).is_some_and(|n| n <= MOST_VALUES),
            ),
            ("mixture.spread", "positive and finite", positive(self.spread)),
        ])
    }
}

/// Each check is a setting, the rule it must follow, and whether it does.
fn check(checks: &[(&str, &str, bool)]) -> Result<()> {
    match checks.iter().find(|(.., holds)| !holds) {
        Some((key, rule, _)) => Err(Error::input(format!("setting {key} must be {rule}")).help(
            format!("change it with --set {key}=VALUE, or in the file or grid that sets it"),
        )),
        None => Ok(()),
    }
}

fn positive(value: f64) -> bool {
    value > 0.0 && value.is_finite()
}
