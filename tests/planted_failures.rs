//! The audit is given draws of known mixtures in which a failure was planted, and must name it.
//! `benches/audit_study.rs` does the same with more seeds and prints what it found.

#[path = "common/planted.rs"]
mod planted;

use std::sync::LazyLock;

use modescope::audit::ledger::{Judged, Ledger, Verdict};
use planted::{Conditions, Plant, Planted, TRAINING_ROWS, mixture, plant};

const SEEDS: u64 = 5;
/// The spread of means that keeps most modes apart.
const APART: f64 = 10.0;

/// One ledger a seed, for all tests.
static LEDGERS: LazyLock<Vec<Ledger>> = LazyLock::new(|| ledgers(APART));

fn ledgers(spread: f64) -> Vec<Ledger> {
    let of_seed = |seed| Ledger::new(mixture(spread, seed), vec![], TRAINING_ROWS, seed);
    (0..SEEDS).map(of_seed).collect()
}

/// Every seed's draws with this plant, and what was judged of them.
fn judged(what: Plant, conditions: Conditions) -> Vec<(Planted, Judged)> {
    let ledgers = if conditions.spread == APART { &*LEDGERS } else { &ledgers(conditions.spread) };
    let of_seed = |(seed, ledger): (u64, &Ledger)| {
        let planted = plant(what, conditions, ledger, seed)?;
        let judged = ledger.judge(planted.rows.view());
        Some((planted, judged))
    };
    (0..).zip(ledgers).filter_map(of_seed).collect()
}

/// At least 95 % of the planted modes have the right verdict, and at most this share is borderline.
#[track_caller]
fn assert_found(what: Plant, rows: usize, most_borderline: f64) {
    let (mut modes, mut right, mut borderline) = (0.0, 0.0, 0.0);
    for (planted, judged) in judged(what, Conditions { spread: APART, apart: true, rows }) {
        for (k, verdict) in planted.right {
            let Some(verdict) = verdict else { continue };
            modes += 1.0;
            right += f64::from(judged.modes[k].verdict == verdict);
            borderline += f64::from(judged.modes[k].borderline);
        }
    }
    assert!(modes > 0.0, "{what:?} was planted nowhere");
    assert!(right >= 0.95 * modes, "{what:?} of {rows}: {right} of {modes}");
    assert!(borderline <= most_borderline * modes, "{what:?} of {rows}: {borderline} of {modes}");
}

/// Ten thousand rows decide nearly all; of two thousand, verdicts near a threshold are borderline.
#[track_caller]
fn assert_found_at_both_sizes(what: Plant) {
    assert_found(what, 10_000, 0.1);
    assert_found(what, 2000, 0.4);
}

#[test]
fn fresh_draws_are_strict() {
    assert_found_at_both_sizes(Plant::Fresh);
}

/// Copies of the training rows have the right modes. Other figures see that they are copies.
#[test]
fn training_rows_given_out_again_are_strict() {
    assert_found_at_both_sizes(Plant::Memorised);
}

#[test]
fn modes_left_out_are_missing() {
    assert_found_at_both_sizes(Plant::Dropped);
}

#[test]
fn a_third_of_a_modes_rows_is_under_weighted_and_three_quarters_are_enough() {
    assert_found(Plant::Kept(0.35), 10_000, 0.2);
    assert_found(Plant::Kept(0.35), 2000, 0.6);
    assert_found_at_both_sizes(Plant::Kept(0.75));
}

#[test]
fn a_moved_mode_is_shifted() {
    assert_found_at_both_sizes(Plant::Shifted(1.5));
}

#[test]
fn a_widened_mode_is_smeared_and_a_narrowed_one_shrunk() {
    assert_found(Plant::Widened(2.0), 10_000, 0.2);
    assert_found(Plant::Widened(2.0), 2000, 0.5);
    assert_found_at_both_sizes(Plant::Widened(0.5));
}

#[test]
fn modes_with_no_gap_between_them_are_merged_with_each_other() {
    for what in [Plant::Bridged, Plant::Blurred] {
        assert_found_at_both_sizes(what);
        for (planted, judged) in
            judged(what, Conditions { spread: APART, apart: true, rows: 10_000 })
        {
            let [(first, _), (second, _)] = planted.right[..] else { panic!("two modes") };
            for (k, other) in [(first, second), (second, first)] {
                if judged.modes[k].verdict == Verdict::Merged {
                    assert_eq!(judged.modes[k].merged_with, Some(other));
                }
            }
        }
    }
}

/// All rows are of high quality, which is why that share is never shown alone.
#[test]
fn a_collapse_is_missing_nearly_everything() {
    assert_found_at_both_sizes(Plant::Collapsed(0.055));
    let conditions = Conditions { spread: APART, apart: true, rows: 2000 };
    for (_, judged) in judged(Plant::Collapsed(0.055), conditions) {
        assert_eq!(judged.counts.eligible_only.strict, 0);
    }
}

/// The floor of every audit.
#[test]
fn one_gaussian_for_all_has_no_strict_mode_where_modes_are_apart() {
    let conditions = Conditions { spread: APART, apart: true, rows: 10_000 };
    for (_, judged) in judged(Plant::Collapsed(1.0), conditions) {
        assert_eq!(judged.counts.eligible_only.strict, 0);
        assert!(judged.high_quality.value < 0.9);
    }
}

/// Of modes that overlap too.
#[test]
fn fresh_draws_miss_no_mode() {
    for spread in [3.0, 5.0] {
        for rows in [500, 2000] {
            for (_, judged) in judged(Plant::Fresh, Conditions { spread, apart: false, rows }) {
                assert_eq!(judged.counts.missing, 0);
                let eligible = judged.counts.eligible_only;
                assert!(eligible.strict + 1 >= eligible.modes, "{:?}", judged.counts);
            }
        }
    }
}
