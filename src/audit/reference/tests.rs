use super::*;
use crate::audit::ledger::Verdict;

/// Rows that have two labels in turn.
fn two_labels(rows: usize) -> Labels {
    let names = ["left", "right"].map(String::from).to_vec();
    Labels { column: "kind".into(), names, of_row: (0..rows).map(|row| row % 2).collect() }
}

/// Draws from N(0, 1).
fn normal(count: usize, seed: u64, step: u64) -> Vec<f32> {
    let mut noise = vec![0.0; count];
    Generator::new(seed, Stream::MixtureRows, step).normal(&mut noise);
    noise
}

/// Two modes of four stand 20 standard deviations apart in the narrow column, two in the wide one.
#[test]
fn columns_of_other_units_hide_no_mode() {
    let noise = normal(2000, 3, 0);
    let place = |row: usize, column: usize| 10.0 - 20.0 * ((row >> column) % 2) as f32;
    let unit = [30_000.0, 0.01];
    let rows =
        Array2::from_shape_fn((1000, 2), |(i, j)| unit[j] * (noise[2 * i + j] + place(i, j)));
    let Fit { choice, mixture: fitted, .. } = fit_mixture(rows.view(), 1).unwrap();
    assert_eq!((choice.best, fitted.components()), (4, 4));
    // Four standard errors of the mean of 250 rows.
    let narrow: Vec<f64> = fitted.means().iter().map(|mean| mean[1].abs()).collect();
    assert!(narrow.iter().all(|place| (place - 0.1).abs() < 0.0025), "{narrow:?}");
    // 20 of its own deviations from the next in one column is far, whatever its unit.
    let ledger = Ledger::new(fitted.clone(), Vec::new(), 1000, 1);
    assert_eq!([6.0, 21.0].map(|reach| fitted.closer_than(reach, ledger.scales().view())), [0, 4]);
}

/// Modes 50 standard deviations apart are far, whatever other column is constant; two that differ in a flag
/// alone are not, where the other column is as wide as that.
#[test]
fn columns_without_width_are_no_distance() {
    let noise = normal(1200, 5, 0);
    let labels = two_labels(1200);
    for (place, flag, close) in [(0.5, 0.0, 0), (0.0, 1.0, 2)] {
        let rows = Array2::from_shape_fn((1200, 2), |(i, j)| match j {
            0 => place * (i % 2) as f32 + noise[i] * if flag > 0.0 { 0.3 } else { 0.01 },
            _ => flag * (i % 2) as f32,
        });
        let columns = ["x", "y"].map(String::from).to_vec();
        let real = Table::new(columns, rows, Some(labels.clone())).unwrap();
        let none = Array2::zeros((0, 2));
        let reference = Reference::find(None, &real, none.view(), 1200, 1).unwrap();
        let scales = reference.ledger(1).scales();
        assert_eq!(reference.mixture.closer_than(6.0, scales.view()), close, "{scales}");
    }
}

/// A generator that draws from the truth is right in every mode, whatever columns are constant or hold one
/// of a few values.
#[test]
fn columns_without_width_do_no_harm() {
    let rows = |step| {
        let noise = normal(2400, 5, step);
        Array2::from_shape_fn((2400, 4), |(i, j)| match j {
            0 => 4.0 * noise[i] + 60.0 * (i % 2) as f32,
            1 => 7.0,
            _ => (i % 2) as f32,
        })
    };
    let columns = ["a", "b", "c", "d"].map(String::from).to_vec();
    let labels = two_labels(2400);
    for labels in [None, Some(labels)] {
        let real = Table::new(columns.clone(), rows(0), labels).unwrap();
        let none = Array2::zeros((0, 4));
        let reference = Reference::find(None, &real, none.view(), 2400, 1).unwrap();
        let judged = reference.ledger(1).judge(rows(1).view());
        assert_eq!((judged.counts.modes, judged.counts.strict), (2, 2), "{judged:?}");
    }
}

/// Rows of steps alone lack the variance that a fit gives them for what steps hide, and are right all
/// the same: yes or no in three columns, and whole numbers that hardly leave the middle of their mode.
#[test]
fn rows_of_steps_alone_are_right() {
    let normal = |step| normal(8000, 7, step);
    let binary = |step| {
        let noise = normal(step);
        Array2::from_shape_fn((2400, 3), |(i, j)| f32::from(noise[3 * i + j] > 0.3))
    };
    let counts = |step| {
        let noise = normal(step);
        Array2::from_shape_fn((2400, 2), |(i, j)| {
            let mode = if i % 3 == 0 { 20.0 } else { 0.0 };
            (0.6 * noise[2 * i + j]).round() + mode * (1.0 - 2.0 * j as f32)
        })
    };
    for rows in [&binary as &dyn Fn(u64) -> Array2<f32>, &counts] {
        let real = rows(0);
        let names = (0..real.ncols()).map(|j| j.to_string()).collect();
        let of_row = (0..2400).map(|i| usize::from(i % 3 == 0)).collect();
        let labels = ["most", "third"].map(String::from).to_vec();
        let labels = Labels { column: "kind".into(), names: labels, of_row };
        for labels in [None, Some(labels)] {
            let real = Table::new(Vec::clone(&names), real.clone(), labels).unwrap();
            let none = Array2::zeros((0, real.width()));
            let reference = Reference::find(None, &real, none.view(), 2400, 1).unwrap();
            for judged in [rows(1), reference.fresh.clone()] {
                let judged = reference.ledger(1).judge(judged.view());
                let narrow = judged.modes.iter().find(|mode| !mode.may_be_strict);
                assert!(narrow.is_none(), "{narrow:?}");
            }
        }
    }
}

/// Flags that hardly any row has are far apart in their own deviations, and what stands for their steps is
/// wide: it makes no continuous column wide.
#[test]
fn rare_flags_leave_other_columns_as_they_are() {
    let rows = |step| {
        let noise = normal(7 * 8000, 9, step);
        Array2::from_shape_fn((8000, 7), |(i, j)| match (j, noise[7 * i + j]) {
            (..2, value) => value,
            // One in two hundred.
            (_, value) => f32::from(value > 2.576),
        })
    };
    let columns = (0..7).map(|j| j.to_string()).collect();
    let real = Table::new(columns, rows(0), None).unwrap();
    let none = Array2::zeros((0, 7));
    let reference = Reference::find(None, &real, none.view(), 8000, 1).unwrap();
    let judged = reference.ledger(1).judge(rows(1).view());
    let main = &judged.modes[0];
    assert!(main.weight > 0.9 && main.verdict == Verdict::Strict, "{main:?}");
    assert!((main.spread_ratio.unwrap() - 1.0).abs() < 0.1, "{main:?}");
}

/// Only one row in 1200 has the flag, and one of the halves: whichever is fitted, a generator that adds a
/// little noise to it is near.
#[test]
fn a_value_that_only_one_row_has_is_known_in_both_halves() {
    let noise = normal(1200, 5, 0);
    let labels = two_labels(1200);
    let rows = |blur: f32| {
        Array2::from_shape_fn((1200, 2), |(i, j)| match j {
            0 => 60.0 * (i % 2) as f32 + noise[i],
            _ => f32::from(i == 700) + blur * noise[1199 - i],
        })
    };
    let columns = ["x", "flag"].map(String::from).to_vec();
    let real = Table::new(columns, rows(0.0), Some(labels)).unwrap();
    let none = Array2::zeros((0, 2));
    for seed in 1..=4 {
        let reference = Reference::find(None, &real, none.view(), 1200, seed).unwrap();
        let judged = reference.ledger(seed).judge(rows(0.05).view());
        assert_eq!((judged.counts.modes, judged.counts.captured), (2, 2), "{judged:?}");
    }
}

/// A flag that is the label but in one row of 1200, whose width within modes is far less than what stands
/// for its step, hides nothing of the other column.
#[test]
fn a_column_narrower_than_its_step_hides_no_other() {
    let rows = |step, offset: f32, spread: f32| {
        let noise = normal(1200, 5, step);
        Array2::from_shape_fn((1200, 2), |(i, j)| match j {
            0 => 60.0 * (i % 2) as f32 + 4.0 * (offset + spread * noise[i]),
            _ => f32::from(i == 0 || i % 2 == 1),
        })
    };
    let labels = two_labels(1200);
    let columns = ["x", "flag"].map(String::from).to_vec();
    let real = Table::new(columns, rows(0, 0.0, 1.0), Some(labels)).unwrap();
    let none = Array2::zeros((0, 2));
    for seed in [1, 2] {
        let reference = Reference::find(None, &real, none.view(), 1200, seed).unwrap();
        let ledger = reference.ledger(seed);
        for (offset, spread, verdict) in [
            (0.0, 1.0, Verdict::Strict),
            (1.5, 1.0, Verdict::Shifted),
            (0.0, 1.7, Verdict::Smeared),
            (0.0, 0.1, Verdict::Shrunk),
        ] {
            let judged = ledger.judge(rows(1, offset, spread).view());
            let found: Vec<Verdict> = judged.modes.iter().map(|mode| mode.verdict).collect();
            assert_eq!(found, [verdict; 2], "{offset} {spread}: {judged:?}");
        }
    }
}

/// A millionth of the variance of all rows is the least that a mode is given, and here a hundred times
/// that of its rows.
#[test]
fn modes_narrower_than_the_floor_are_right() {
    let rows = |step| {
        let noise = normal(1200, 5, step);
        Array2::from_shape_fn((1200, 1), |(i, _)| noise[i] + 20_000.0 * (i % 2) as f32)
    };
    let labels = two_labels(1200);
    for labels in [None, Some(labels)] {
        let real = Table::new(vec!["x".into()], rows(0), labels).unwrap();
        let none = Array2::zeros((0, 1));
        let reference = Reference::find(None, &real, none.view(), 1200, 1).unwrap();
        let judged = reference.ledger(1).judge(rows(1).view());
        assert_eq!((judged.counts.modes, judged.counts.strict), (2, 2), "{judged:?}");
    }
}

/// The shares are those of all rows, whatever half was fitted.
#[test]
fn labels_weigh_what_they_do_among_all_rows() {
    let names: Vec<String> = ["many", "few", "one"].map(String::from).into();
    let of_row: Vec<usize> = (0..61).map(|row| [0, 0, 1][row % 3]).chain([2]).collect();
    let rows = Array2::from_shape_fn((62, 1), |(row, _)| (row % 7) as f32);
    let labels = Labels { column: "kind".into(), names, of_row };
    let real = Table::new(vec!["a".into()], rows, Some(labels)).unwrap();
    let none = Array2::zeros((0, 1));
    let mut places = [false; 2];
    for seed in 1..=16 {
        let reference = Reference::find(None, &real, none.view(), 0, seed).unwrap();
        let weights = reference.mixture.weights();
        // The half that was fitted has the only row of the last label, or has not.
        let rows = if weights[2] > 0.0 { 62.0 } else { 61.0 };
        places[usize::from(weights[2] > 0.0)] = true;
        for (weight, count) in weights.iter().zip([41.0, 20.0, rows - 61.0]) {
            assert!((weight - count / rows).abs() < 1e-12, "seed {seed}: {weights:?}");
        }
    }
    assert_eq!(places, [true; 2]);
}
