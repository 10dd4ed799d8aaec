//! The learning rate and the weight of the KL divergence by step.

use crate::config::{BetaSchedule, RateSchedule, TrainingSettings};

/// The learning rate of step `step` (from 0) of `steps`.
///
/// It rises linearly over the first `warm_up` steps, reaching the full rate on the last of them,
/// and then stays or follows half a cosine that ends at `final_rate` of the full rate (Loshchilov
/// and Hutter, "SGDR", ICLR 2017, eq. 5 without restarts).
pub fn learning_rate(settings: &TrainingSettings, step: usize, steps: usize) -> f64 {
    let full = settings.learning_rate;
    if step < settings.warm_up {
        return full * (step + 1) as f64 / settings.warm_up as f64;
    }
    match settings.schedule {
        RateSchedule::Constant => full,
        RateSchedule::Cosine => {
            let span = steps.saturating_sub(settings.warm_up + 1).max(1);
            let progress = ((step - settings.warm_up) as f64 / span as f64).min(1.0);
            let cosine = 0.5 * (1.0 + (std::f64::consts::PI * progress).cos());
            full * (settings.final_rate + (1.0 - settings.final_rate) * cosine)
        }
    }
}

/// The share of β that the KL divergence weighs in step `step` (from 0) of `steps`: 1, or, on a rise,
/// from 0 up to it.
///
/// The cyclical schedule is that of Fu et al., "Cyclical Annealing Schedule" (NAACL 2019, eq. 6 and
/// 7): its cycles are equally long, and each rises linearly over `beta_warm_up` of itself.
pub fn beta_share(settings: &TrainingSettings, step: usize, steps: usize) -> f64 {
    let (cycle, step) = match settings.beta_schedule {
        BetaSchedule::Constant => return 1.0,
        BetaSchedule::Linear => (steps as f64, step as f64),
        BetaSchedule::Cyclical => {
            let cycle = steps as f64 / settings.beta_cycles as f64;
            (cycle, step as f64 % cycle)
        }
    };
    (step / (settings.beta_warm_up * cycle)).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beta_rises_once_or_in_every_cycle() {
        let with = |beta_schedule| TrainingSettings {
            beta_schedule,
            beta_warm_up: 0.5,
            beta_cycles: 4,
            ..TrainingSettings::default()
        };
        let shares =
            |schedule, steps: [usize; 5]| steps.map(|step| beta_share(&with(schedule), step, 800));
        assert_eq!(shares(BetaSchedule::Constant, [0, 1, 2, 3, 799]), [1.0; 5]);
        assert_eq!(
            shares(BetaSchedule::Linear, [0, 100, 300, 400, 799]),
            [0.0, 0.25, 0.75, 1.0, 1.0]
        );
        let cyclical = shares(BetaSchedule::Cyclical, [0, 50, 199, 200, 650]);
        assert_eq!(cyclical, [0.0, 0.5, 1.0, 0.0, 0.5]);
        // Fewer steps than cycles have no rise to make, and a number all the same.
        assert!((0..3).all(|step| beta_share(&with(BetaSchedule::Cyclical), step, 3).is_finite()));
    }

    fn settings(schedule: RateSchedule) -> TrainingSettings {
        TrainingSettings {
            learning_rate: 3e-3,
            warm_up: 50,
            final_rate: 0.02,
            schedule,
            ..TrainingSettings::default()
        }
    }

    #[test]
    fn warm_up_rises_to_the_full_rate_and_constant_stays_there() {
        let settings = settings(RateSchedule::Constant);
        assert!((learning_rate(&settings, 0, 3200) - 6e-5).abs() < 1e-12);
        assert_eq!(learning_rate(&settings, 49, 3200), 3e-3);
        assert_eq!(learning_rate(&settings, 3199, 3200), 3e-3);
    }

    #[test]
    fn cosine_starts_full_passes_the_middle_and_ends_at_its_share() {
        let settings = settings(RateSchedule::Cosine);
        assert_eq!(learning_rate(&settings, 50, 3201), 3e-3);
        let middle = learning_rate(&settings, 50 + 1575, 3201);
        assert!((middle - 3e-3 * 0.51).abs() < 1e-9);
        assert!((learning_rate(&settings, 3200, 3201) - 6e-5).abs() < 1e-12);
    }
}
