//! Bad and odd input of `modescope audit`: what cannot be audited is refused with words that say
//! what is wrong and where, exit code 2, and nothing written; what can be gets a verdict.

mod common;

use common::{Place, refused};
use serde_json::{Value, json};

/// Rows of columns of this many values, about −6 and 6 in turn.
fn groups(rows: usize, columns: usize) -> Vec<Vec<f64>> {
    // The golden ratio's multiples spread evenly and repeat nothing.
    let noise = |place: usize| (1.618_033_988_75 * place as f64).fract();
    let row = |row: usize| {
        let middle = [-6.0, 6.0][row % 2];
        (0..columns).map(|column| middle + noise(row * columns + column)).collect()
    };
    (0..rows).map(row).collect()
}

/// Rows as CSV with columns `x0`, `x1`, …, and with a label a row where there are labels.
fn csv(rows: &[Vec<f64>], labels: impl Fn(usize) -> Option<String>) -> String {
    let label = |row| labels(row).map_or_else(String::new, |label| format!(",{label}"));
    let header = if labels(0).is_some() { ",kind" } else { "" };
    let names: Vec<String> = (0..rows[0].len()).map(|column| format!("x{column}")).collect();
    let line = |(row, values): (usize, &Vec<f64>)| {
        let cells: Vec<String> = values.iter().map(f64::to_string).collect();
        format!("{}{}\n", cells.join(","), label(row))
    };
    let lines: String = rows.iter().enumerate().map(line).collect();
    format!("{}{header}\n{lines}", names.join(","))
}

fn unlabelled(rows: &[Vec<f64>]) -> String {
    csv(rows, |_| None)
}

/// A place with these real and generated rows, and the mixture `t.json` of the two groups.
fn place(real: &str, generated: &str) -> Place {
    let place = Place::new();
    place.write("a.csv", real);
    place.write("b.csv", generated);
    place.write("t.json", mixture(&[0.5, 0.5], &[[-5.5, -5.5], [6.5, 6.5]]).to_string());
    place
}

fn mixture(weights: &[f64], means: &[[f64; 2]]) -> Value {
    let covariances = vec![[[0.1, 0.0], [0.0, 0.1]]; means.len()];
    json!({ "weights": weights, "means": means, "covariances": covariances })
}

const LINE: &str = "audit --real a.csv --generated b.csv";

/// Refuses the audit of these rows, with `--out` and without, whatever the modes are.
fn refused_rows(real: &str, generated: &str, words: &[&str]) {
    let place = place(real, generated);
    for options in ["", "--out new", "--mixture t.json --out new"] {
        refused(&place, &format!("{LINE} {options}"), words);
    }
}

/// The audit of these rows, which must come to a verdict.
fn audited(place: &Place, options: &str) -> Value {
    let ran = place.succeed(&format!("{LINE} {options} --json"));
    let audit: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert!(audit["verdict"].as_str().unwrap().len() > 10, "{options}");
    // No number is written that is none.
    let metrics = audit["metrics"].as_object().unwrap();
    for (name, metric) in metrics.iter().filter(|(_, metric)| metric.is_object()) {
        assert!(metric["value"].is_number() && metric["real"]["value"].is_number(), "{name}");
    }
    audit
}

fn audited_rows(real: &[Vec<f64>], generated: &[Vec<f64>], options: &str) -> Value {
    audited(&place(&unlabelled(real), &unlabelled(generated)), options)
}

fn moved(rows: &[Vec<f64>], by: impl Fn(f64) -> f64) -> Vec<Vec<f64>> {
    rows.iter().map(|row| row.iter().map(|value| by(*value)).collect()).collect()
}

#[test]
fn different_columns() {
    let rows = unlabelled(&groups(40, 2));
    let named = |names: &str| rows.replace("x0,x1", names);
    let words = ["a.csv", "b.csv has no column \"height\"", "a.csv has no column \"depth\""];
    refused_rows(&named("width,height"), &named("width,depth"), &words);
    let words = ["b.csv has no column \"x2\"", "--columns"];
    refused_rows(&unlabelled(&groups(40, 3)), &rows, &words);
    let words = ["a.csv has no column \"x2\"", "--labels"];
    refused_rows(&rows, &unlabelled(&groups(40, 3)), &words);
    // Names that a file without names would be given are names where the file gives them.
    refused_rows(&rows, &named("y0,y1"), &["b.csv has no column \"x0\", \"x1\"", "\"y0\", \"y1\""]);
}

#[test]
fn an_unknown_or_repeated_column() {
    let rows = unlabelled(&groups(40, 2));
    let place = place(&rows, &rows);
    refused(&place, &format!("{LINE} --columns x0,x7"), &["a.csv", "no column \"x7\"", "x0, x1"]);
    refused(&place, &format!("{LINE} --columns x0,x0"), &["\"x0\"", "twice"]);
    refused(&place, &format!("{LINE} --labels kind"), &["a.csv", "no column \"kind\""]);
}

#[test]
fn files_that_are_not_there_or_not_tables() {
    let place = place(&unlabelled(&groups(40, 2)), "x0,x1\n");
    refused(&place, LINE, &["b.csv", "no rows"]);
    for name in ["absent.csv", "absent.npy"] {
        refused(&place, &format!("audit --real {name} --generated b.csv"), &[name, "no such file"]);
        refused(&place, &format!("audit --real a.csv --generated {name}"), &[name, "no such file"]);
    }
    let line = "audit --real a.csv --generated a.csv";
    refused(&place, &format!("{line} --mixture absent.json"), &["absent.json"]);
    refused(
        &place,
        &format!("{line} --out b.csv"),
        &["b.csv is a file", "give the name of a folder"],
    );
}

#[test]
fn a_mixture_that_does_not_fit() {
    let rows = unlabelled(&groups(40, 3));
    let three = place(&rows, &rows);
    let words = ["t.json has 2 dimensions", "a.csv has 3 feature columns"];
    refused(&three, &format!("{LINE} --mixture t.json --out new"), &words);

    let rows = unlabelled(&groups(40, 2));
    let place = place(&rows, &rows);
    let means = [[0.0, 0.0], [1.0, 1.0]];
    for (content, words) in [
        ("{".to_owned(), &["t.json"][..]),
        (mixture(&[0.5, 0.6], &means).to_string(), &["t.json", "weights sum to 1.1"]),
        (mixture(&[1.0], &means).to_string(), &["t.json", "means"]),
        (mixture(&[0.5, 0.5], &means).to_string().replace("0.1", "-1"), &["t.json", "covariances"]),
    ] {
        place.write("t.json", content);
        refused(&place, &format!("{LINE} --mixture t.json --out new"), words);
    }
}

#[test]
fn a_label_that_only_the_generated_rows_have() {
    let label = |names: &'static [&str]| move |row: usize| Some(names[row % names.len()].into());
    let rows = groups(60, 2);
    let place =
        place(&csv(&rows, label(&["left", "right"])), &csv(&rows, label(&["left", "rihgt"])));
    let words = ["b.csv", "column \"kind\"", "label \"rihgt\"", "no row of a.csv"];
    refused(&place, &format!("{LINE} --labels kind --out new"), &words);
    // Text in a column that no one said is a label.
    refused(&place, LINE, &["a.csv, line 2, column 3 (\"kind\")", "\"left\"", "--labels kind"]);
}

#[test]
fn too_few_rows() {
    let text = |rows| unlabelled(&groups(rows, 2));
    let words = ["at least 20 real rows, not 19", "cannot be judged"];
    refused_rows(&text(19), &text(40), &words);
    let words = ["at least 6 generated rows, not 5", "5 nearest neighbours"];
    refused_rows(&text(40), &text(5), &words);
    refused_rows("x0,x1\n1,2\n", &text(40), &["at least 20 real rows, not 1:"]);
}

#[test]
fn the_fewest_rows_get_a_verdict() {
    for (real, generated) in [(20, 6), (25, 25), (25, 300)] {
        for options in ["", "--mixture t.json"] {
            let audit = audited_rows(&groups(real, 2), &groups(generated, 2), options);
            let eligible = &audit["counts"]["eligible_only"];
            assert_eq!((&eligible["modes"], &eligible["missing"]), (&json!(0), &json!(0)));
        }
    }
}

#[test]
fn values_that_are_not_numbers_or_too_large() {
    let rows = unlabelled(&groups(40, 2));
    for value in ["NaN", "inf", ""] {
        // The fourth line, the second column.
        let mut lines: Vec<&str> = rows.lines().collect();
        let changed = format!("{},{value}", lines[3].split(',').next().unwrap());
        lines[3] = &changed;
        let bad = lines.join("\n");
        refused_rows(&bad, &rows, &["a.csv, line 4, column 2 (\"x1\")", value, "--drop-missing"]);
        refused_rows(&rows, &bad, &["b.csv, line 4, column 2 (\"x1\")", value, "--drop-missing"]);
        let ran = place(&bad, &rows).succeed(&format!("{LINE} --drop-missing"));
        assert!(
            ran.stdout.contains("a.csv: 1 row with missing values was dropped, 39 are left"),
            "{ran:?}"
        );
    }
    let large = unlabelled(&moved(&groups(40, 2), |value| value * 2e37));
    refused_rows(&large, &rows, &["a.csv, row 1, column 1 (\"x0\")", "not within", "units"]);
    refused_rows(&rows, &large, &["b.csv, row 1, column 1 (\"x0\")", "not within", "units"]);
}

#[test]
fn equal_rows_get_a_verdict() {
    let rows = groups(80, 2);
    let equal = moved(&rows, |_| 3.5);
    let audit = audited_rows(&equal, &equal, "");
    let verdict = audit["verdict"].as_str().unwrap();
    assert!(verdict.contains("all real rows are equal"), "{verdict}");
    audited_rows(&equal, &moved(&rows, |_| -1.0), "");
    audited_rows(&equal, &rows, "");
    for options in ["", "--mixture t.json"] {
        let audit = audited_rows(&rows, &equal, options);
        assert_eq!(audit["counts"]["strict"], 0);
    }
    audited_rows(&equal, &equal, "--mixture t.json");
    let place = place(&csv(&equal, |row| Some(["a", "b"][row % 2].into())), &unlabelled(&equal));
    audited(&place, "--labels kind");
}

#[test]
fn odd_columns_get_a_verdict() {
    let captured = |audit: &Value| {
        let counts = &audit["counts"]["eligible_only"];
        counts["modes"] == counts["captured"]
    };
    let one = groups(120, 1);
    assert!(captured(&audited_rows(&one, &one[..80], "")));
    // A column that is constant on both sides, in the same place and in another.
    let flat = |rows: usize, at: f64| -> Vec<Vec<f64>> {
        groups(rows, 1).iter().map(|row| vec![row[0], at]).collect()
    };
    assert!(captured(&audited_rows(&flat(120, 7.0), &flat(100, 7.0), "")));
    let audit = audited_rows(&flat(120, 7.0), &flat(100, 9.0), "");
    assert_eq!(audit["counts"]["captured"], 0, "{}", audit["modes"]);
    // Noise about a place far from 0, at which single precision has steps of 1.
    let far = |rows, scale: f64| moved(&groups(rows, 2), |value| 1e7 + scale * value);
    assert!(captured(&audited_rows(&far(120, 100.0), &far(100, 100.0), "")));
    let place = place(&unlabelled(&far(120, 1.0)), &unlabelled(&far(100, 1.0)));
    refused(&place, LINE, &["\"x0\"", "hardly tells its values apart", "subtract a number"]);
}

#[test]
fn repeated_rows_get_a_verdict() {
    let rows = groups(160, 2);
    let ten: Vec<Vec<f64>> = rows[..10].iter().cycle().take(160).cloned().collect();
    let two: Vec<Vec<f64>> = rows[..2].iter().cycle().take(160).cloned().collect();
    for (real, generated) in [(&rows, &ten), (&ten, &rows), (&two, &two), (&rows, &rows)] {
        audited_rows(real, generated, "");
    }
    // A generator that knows one row of each mode.
    let audit = audited_rows(&rows, &two, "--mixture t.json");
    assert_eq!(audit["counts"]["eligible_only"]["strict"], 0, "{}", audit["modes"]);
}

#[test]
fn labels_of_one_row_and_two_hundred_labels() {
    let rows = groups(400, 2);
    let labels = |of_label: usize| move |row: usize| Some(format!("kind {}", row / of_label));
    let place = place(&csv(&rows, labels(1)), &unlabelled(&rows));
    refused(&place, &format!("{LINE} --labels kind --out new"), &["\"kind\"", "two rows"]);
    place.write("a.csv", csv(&rows, labels(2)));
    let audit = audited(&place, "--labels kind");
    assert_eq!(audit["modes"].as_array().unwrap().len(), 200);
    assert_eq!(audit["counts"]["eligible_only"]["modes"], 0);
    assert_eq!(audit["counts"]["missing"], 0);
}

#[test]
fn a_component_of_weight_zero_is_never_missing() {
    let rows = unlabelled(&groups(120, 2));
    let place = place(&rows, &rows);
    let means = [[-5.5, -5.5], [6.5, 6.5], [0.0, 0.0]];
    place.write("t.json", mixture(&[0.5, 0.5, 0.0], &means).to_string());
    let audit = audited(&place, "--mixture t.json");
    assert_eq!(audit["counts"]["missing"], 0);
    assert_eq!(audit["modes"][2]["verdict"], "too-small");
}

/// Names that a file lacks are given to its columns by their places: the same names elsewhere say nothing.
#[test]
fn rows_without_names_are_matched_by_their_places() {
    let columns = |first: f64| -> Vec<Vec<f64>> {
        groups(80, 2).into_iter().map(|row| vec![row[0] + first, row[1]]).collect()
    };
    let nameless = unlabelled(&columns(30.0)).replace("x0,x1\n", "");
    let real = unlabelled(&columns(30.0));
    let verdict = |header: &str| {
        let place = place(&real.replace("x0,x1", header), &nameless);
        place.succeed("audit --real a.csv --generated b.csv").stdout
    };
    assert_eq!(verdict("x1,x0"), verdict("width,height"));
    assert_eq!(verdict("x1,x0"), verdict("x0,x1"));
}

/// The audit of a run is not replaced by one of other rows.
#[test]
fn an_audit_does_not_move_into_the_folder_of_a_run() {
    let rows = unlabelled(&groups(40, 2));
    let place = place(&rows, &rows);
    place.write("run/config.toml", "");
    refused(
        &place,
        "audit --real a.csv --generated b.csv --out run",
        &["run holds a run", "--force"],
    );
    place.succeed("audit --real a.csv --generated b.csv --out run --force");
}
