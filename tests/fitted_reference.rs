//! Unknown mixtures: what is fitted to 1000 rows is there in fresh rows of the same mixture.

use modescope::audit::bic::{MOST, choose_components};
use modescope::audit::ledger::{Ledger, Verdict};
use modescope::config::MixtureSettings;
use modescope::data::Mixture;

/// Modes of a fit to 1000 rows, judged on 10 000 fresh ones.
fn fresh_rows_pass(spread: f64) {
    for seed in 1..=10 {
        let settings = MixtureSettings { spread, ..MixtureSettings::default() };
        let mixture = Mixture::generate(&settings, seed).unwrap();
        let rows = mixture.draw(1000, seed, 0);
        let (choice, fitted) = choose_components(rows.rows(), MOST, seed).unwrap();
        let ledger = Ledger::new(fitted, vec![], 1000, seed).fitted_to(1000, 1000);
        let judged = ledger.judge(mixture.draw(10_000, seed, 1).rows());
        let place = format!("spread {spread}, seed {seed}");
        // A component of seven rows is too small to judge.
        let counts = judged.counts.eligible_only;
        assert_eq!(counts.captured, counts.modes, "{place}: {:?}", judged.modes);
        assert!(counts.modes + 2 >= choice.best, "{place}: {counts:?}");
        for mode in judged.modes.iter().filter(|mode| mode.verdict != Verdict::TooSmall) {
            assert!(mode.may_be_strict, "{place}: {mode:?}");
        }
    }
}

#[test]
fn overlapping_modes_of_a_fit_are_all_in_fresh_rows() {
    fresh_rows_pass(5.0);
}

#[test]
fn separate_modes_of_a_fit_are_all_in_fresh_rows() {
    fresh_rows_pass(10.0);
}
