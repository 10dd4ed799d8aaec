//! The learning rate by step.

use crate::config::{RateSchedule, TrainingSettings};

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

#[cfg(test)]
mod tests {
    use super::*;

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
