use ndarray::{Array2, Axis, concatenate};

use super::*;

/// Gaussians with unit covariances.
fn mixture(weights: &[f64], means: &[&[f64]]) -> Mixture {
    let d = means[0].len();
    let unit: Vec<Vec<f64>> = (0..d).map(|i| (0..d).map(|j| f64::from(i == j)).collect()).collect();
    let means: Vec<Vec<f64>> = means.iter().map(|mean| mean.to_vec()).collect();
    Mixture::new(weights.to_vec(), means, vec![unit; weights.len()]).unwrap()
}

fn ledger(mixture: &Mixture) -> Ledger {
    Ledger::new(mixture.clone(), vec![], 1000, 1)
}

fn draw(mixture: &Mixture, rows: usize, step: u64) -> Array2<f32> {
    mixture.draw(rows, 7, step).rows().to_owned()
}

/// χ²₃ at 14.16 is 0.9973, whatever the mode.
#[test]
fn the_truth_gives_what_is_expected_of_it() {
    let two = mixture(&[0.25, 0.75], &[&[0.0, 0.0, 0.0], &[30.0, 0.0, 0.0]]);
    let ledger = ledger(&two);
    assert!((ledger.reach - 14.156).abs() < 0.001, "{}", ledger.reach);
    // Four standard errors of a share of 200 000.
    for (share, weight) in ledger.expected_high_quality().iter().zip(two.weights()) {
        assert!((share / weight - 0.9973).abs() < 0.01);
    }
    assert!((ledger.expected_shares().iter().sum::<f64>() - 1.0).abs() < 1e-12);
    let judged = ledger.judge(draw(&two, 4000, 3).view());
    assert!((judged.high_quality.value - 0.9973).abs() < 0.0033);
    let all = Counts {
        modes: 2,
        captured: 2,
        strict: 2,
        missing: 0,
        eligible_only: EligibleCounts { modes: 2, captured: 2, strict: 2, missing: 0 },
    };
    assert_eq!(judged.counts, all);
    assert_eq!(judged.assigned().iter().sum::<usize>(), 4000);
    assert_eq!(judged.modes[0].words(|id| id.to_string()), "strict");
}

/// A place that is off in a narrow column is not hidden by a wide one.
#[test]
fn shifts_are_seen_in_columns_of_any_unit() {
    let wide = vec![vec![1e8, 0.0], vec![0.0, 1.0]];
    let at = |place: f64| Mixture::new(vec![1.0], vec![vec![0.0, place]], vec![wide.clone()]);
    let judged = ledger(&at(0.0).unwrap()).judge(draw(&at(1.0).unwrap(), 4000, 3).view());
    // One standard deviation, where the columns count alike.
    let shift = judged.modes[0].mean_shift.unwrap();
    assert!((shift - 1.0).abs() < 0.06, "{shift}");
    assert_eq!(judged.modes[0].verdict, Verdict::Shifted);
}

/// Rows at one place, 0.3 from the mean of the only mode.
#[test]
fn identical_rows_are_one_shrunk_mode_at_its_place() {
    let one = mixture(&[1.0], &[&[2.0]]);
    let judged = ledger(&one).judge(Array2::from_elem((500, 1), 2.3_f32).view());
    let mode = &judged.modes[0];
    // Four standard errors of the mean of the truth's draws.
    assert!((mode.mean_shift.unwrap() - 0.3).abs() < 0.009);
    assert_eq!((mode.found, mode.assigned, mode.spread_ratio), (500, 500, Some(0.0)));
    assert!((mode.ratio.unwrap() - 1.0 / 0.9973).abs() < 0.001);
    assert_eq!((mode.verdict, mode.or), (Verdict::Shrunk, None));
    assert_eq!(judged.counts.captured, 1);
    assert_eq!(judged.counts.strict, 0);
}

/// Nothing here is a failure: a few rows, one row, a mode of weight 0, one hidden by another.
#[test]
fn what_cannot_be_judged_is_too_small_and_never_missing() {
    let means: [&[f64]; 4] = [&[0.0], &[20.0], &[20.0], &[50.0]];
    let mixture = mixture(&[0.5, 0.25, 0.25, 0.0], &means);
    let ledger = ledger(&mixture);
    let judged = ledger.judge(draw(&mixture, 4000, 3).view());
    // Of the two that are one, the first has all rows.
    let verdicts: Vec<Verdict> = judged.modes.iter().map(|mode| mode.verdict).collect();
    assert_eq!(verdicts, [Verdict::Strict, Verdict::Strict, Verdict::TooSmall, Verdict::TooSmall]);
    assert_eq!((judged.modes[3].ratio, judged.modes[3].mean_shift), (None, None));
    assert_eq!(judged.counts.missing, 0);
    for rows in [1, 2, 30] {
        let few = ledger.judge(draw(&mixture, rows, 3).view());
        assert!(few.modes.iter().all(|mode| mode.verdict == Verdict::TooSmall));
        assert_eq!((few.counts.missing, few.counts.eligible_only.modes), (0, 0));
    }
    let few_trained = Ledger::new(mixture, vec![], 10, 1);
    assert_eq!(few_trained.judge(Array2::zeros((5000, 1)).view()).counts.missing, 0);
}

/// 15 training rows: too small to judge, counted all the same.
#[test]
fn modes_too_small_to_judge_are_captured_and_strict_by_their_figures() {
    let mixture = mixture(&[0.985, 0.015], &[&[0.0, 0.0], &[20.0, 0.0]]);
    let ledger = ledger(&mixture);
    let judged = ledger.judge(draw(&mixture, 10_000, 3).view());
    assert_eq!(judged.modes[1].verdict, Verdict::TooSmall);
    assert_eq!((judged.counts.captured, judged.counts.strict), (2, 2));
    assert_eq!(judged.counts.eligible_only.modes, 1);
    let one = Mixture::new(vec![1.0], vec![vec![0.0, 0.0]], vec![mixture.covariances()[0].clone()]);
    let lost = ledger.judge(draw(&one.unwrap(), 10_000, 3).view());
    assert_eq!((lost.counts.captured, lost.counts.strict, lost.counts.missing), (1, 1, 0));
}

#[test]
fn twice_the_rows_are_over_weighted() {
    let truth = mixture(&[0.2, 0.8], &[&[0.0, 0.0], &[20.0, 0.0]]);
    let found = mixture(&[0.6, 0.4], &[&[0.0, 0.0], &[20.0, 0.0]]);
    let judged = ledger(&truth).judge(draw(&found, 10_000, 3).view());
    assert_eq!(judged.modes[0].verdict, Verdict::OverWeighted);
    // 0.6 / 0.2, four standard errors.
    assert!((judged.modes[0].ratio.unwrap() - 3.0).abs() < 0.13);
    let [low, high] = judged.modes[0].ratio_ci.unwrap();
    assert!(low > 2.9 && high < 3.1 && low < 3.0 && high > 3.0, "{low} {high}");
}

/// Without taking the noise off, 50 rows in 50 dimensions seem to lie a whole σ away.
#[test]
fn the_noise_of_a_mean_is_no_shift() {
    let one = mixture(&[1.0], &[&[0.0; 50]]);
    let ledger = ledger(&one);
    let shifts: Vec<f64> = (1..=20)
        .map(|step| ledger.judge(draw(&one, 50, step).view()).modes[0].mean_shift.unwrap())
        .collect();
    assert!(shifts.iter().sum::<f64>() / 20.0 < 0.35, "{shifts:?}");
}

/// Of 2000 intervals of 95 %, 93 to 97 % hold the true value (four standard errors).
#[test]
fn intervals_hold_the_true_shift_and_spread_as_often_as_they_say() {
    let truth = mixture(&[1.0], &[&[0.0; 4]]);
    let ledger = ledger(&truth);
    let wide: Vec<Vec<f64>> =
        (0..4).map(|i| (0..4).map(|j| if i == j { 1.5 } else { 0.0 }).collect()).collect();
    let moved = Mixture::new(vec![1.0], vec![vec![0.3, 0.4, 0.0, 0.0]], vec![wide]).unwrap();
    let (mut shift, mut spread) = (0, 0);
    for step in 1..=2000 {
        let rows = draw(&moved, 150, step).mapv(f64::from);
        let shape = Shape::new(rows.view(), &Array1::ones(rows.ncols())).unwrap();
        let holds = |figure: Figure, value: f64| {
            usize::from(figure.interval[0] <= value && value <= figure.interval[1])
        };
        shift += holds(shape.shift(&ledger.truth[0], z(0.95)), 0.5);
        spread += holds(shape.spread(&ledger.truth[0], &Hidden::Nothing, z(0.95)), 1.5);
    }
    assert!((1860..=1940).contains(&shift), "{shift}");
    assert!((1860..=1940).contains(&spread), "{spread}");
}

/// Half of the rows of both modes fill the gap.
#[test]
fn merged_modes_name_each_other() {
    let one = mixture(&[1.0], &[&[0.0, 0.0]]);
    let mixture = mixture(&[0.5, 0.5], &[&[0.0, 0.0], &[8.0, 0.0]]);
    let names = vec!["left".to_owned(), "right".to_owned()];
    let ledger = Ledger::new(mixture.clone(), names, 1000, 1);
    let rows = draw(&mixture, 2000, 3);
    let mut bridge = draw(&one, 2000, 4);
    for (i, mut row) in bridge.rows_mut().into_iter().enumerate() {
        row[0] += 8.0 * i as f32 / 2000.0;
    }
    let judged = ledger.judge(bridge.view());
    let name = |id: usize| judged.modes[id].name.clone().unwrap();
    let words = |id: usize| judged.modes[id].words(name);
    assert_eq!((words(0).as_str(), judged.modes[0].merged_with), ("merged with right", Some(1)));
    assert_eq!(words(1), "merged with left");
    assert!(judged.modes[0].stray() < judged.modes[0].assigned / 5);
    // A tenth of the rows on the bridge does not merge them.
    let some = concatenate![Axis(0), rows, bridge.slice(ndarray::s![..;9, ..])];
    assert!(ledger.judge(some.view()).modes.iter().all(|mode| mode.merged_with.is_none()));
}

#[test]
fn the_file_has_the_fields_that_are_promised() {
    let mixture = mixture(&[1.0], &[&[0.0, 0.0]]);
    let judged = ledger(&mixture).judge(draw(&mixture, 1000, 3).view());
    let json = serde_json::to_value(&judged).unwrap();
    let mode = json["modes"][0].as_object().unwrap();
    for key in
        ["id", "weight", "expected", "found", "ratio", "ratio_ci", "mean_shift", "spread_ratio"]
    {
        assert!(mode[key].is_number() || mode[key].is_array(), "{key}");
    }
    assert_eq!((mode["verdict"].as_str(), mode.get("name")), (Some("strict"), None));
    assert_eq!(json["counts"]["eligible_only"]["captured"], 1);
    assert_eq!(serde_json::from_value::<Judged>(json).unwrap(), judged);
}

/// Rows 0.6 σ from where a mode is said to be: a shift where that is the truth; less of one where it
/// was fitted to 25 rows, whose mean errs by √(3/25) σ itself.
#[test]
fn a_fitted_place_is_known_no_better_than_its_rows_say() {
    let one = mixture(&[1.0], &[&[0.0, 0.0, 0.0]]);
    let rows = draw(&one, 4000, 3) + 0.6 / 3.0_f32.sqrt();
    let known = ledger(&one).judge(rows.view());
    assert_eq!((known.modes[0].verdict, known.modes[0].or), (Verdict::Shifted, None));
    let fitted = ledger(&one).fitted_to(25, 25);
    // Rows without any spread say nothing of how well the place is known.
    let at_once = Array2::from_elem((100, 3), 0.6 / 3.0_f32.sqrt());
    let [known, spread, at_once] = [known, fitted.judge(rows.view()), fitted.judge(at_once.view())]
        .map(|judged| judged.modes[0].mean_shift.unwrap());
    // ‖δ‖² less tr Σ / 25, in units of tr Σ / 3.
    let expected = (0.36 - 0.12_f64).sqrt();
    assert!((known - 0.6).abs() < 0.05 && (spread - expected).abs() < 0.06);
    assert!((at_once - expected).abs() < 0.02, "{at_once}");
}

/// Squared distances of a Gaussian with equal variances in three dimensions are σ²χ²₃, of which the
/// variance is two thirds of the square of the mean.
#[test]
fn a_fitted_width_is_known_no_better_than_its_rows_say() {
    let one = mixture(&[1.0], &[&[0.0, 0.0, 0.0]]);
    let rows = draw(&one, 4000, 3);
    for (ledger, known_from) in [(ledger(&one), 200_000.0), (ledger(&one).fitted_to(25, 25), 25.0)]
    {
        let mode = &ledger.judge(rows.view()).modes[0];
        let [low, high] = mode.spread_ratio_ci.unwrap();
        let error = (2.0_f64 / 3.0 * (1.0 / 4000.0 + 1.0 / known_from)).sqrt();
        // One mode has four intervals.
        let reach = 2.0 * z(1.0 - 0.05 / 4.0) * error;
        assert!(((high / low).ln() / reach - 1.0).abs() < 0.1, "{low} {high} {reach}");
    }
}

/// The place is known from 25 rows, the weight from 400.
#[test]
fn a_weight_may_be_known_from_more_rows_than_its_place() {
    let two = mixture(&[0.2, 0.8], &[&[0.0], &[20.0]]);
    let rows = draw(&two, 4000, 3);
    let reach = |ledger: Ledger| {
        let mode = &ledger.judge(rows.view()).modes[0];
        let [low, high] = mode.ratio_ci.unwrap();
        (high - low) / 2.0 / mode.ratio.unwrap()
    };
    // Binomial: √((1 − w) / wn) of the weight.
    let expected = reach(ledger(&two)).hypot(1.96 * (0.8 / (0.2 * 400.0_f64)).sqrt());
    let found = reach(ledger(&two).fitted_to(25, 400));
    assert!((found / expected - 1.0).abs() < 0.05, "{found} {expected}");
}

/// What is expected is known from 200 000 draws, so of a hundred million rows the interval is that of the
/// draws: ±1.96 √((1 − s) / 200 000 s) for a share s.
#[test]
fn a_ratio_is_known_no_better_than_what_is_expected() {
    let two = mixture(&[0.2, 0.8], &[&[0.0], &[20.0]]);
    let ledger = ledger(&two);
    let (share, rows) = (ledger.truth[0].share, 100_000_000);
    let Figure { value, interval: [low, high] } =
        ledger.ratio(0, (share * rows as f64) as usize, rows, 0.95).unwrap();
    let expected = 1.96 * ((1.0 - share) / (share * 200_000.0)).sqrt();
    for reach in [value - low, high - value] {
        assert!((reach / expected - 1.0).abs() < 0.01, "{reach} {expected}");
    }
}
