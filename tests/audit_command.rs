//! `modescope audit` as a user sees it: verdicts on samples of known make, files, exit codes.

mod common;

use common::{Place, finish};
use serde_json::Value;

/// What `audit.json` holds, by the contract.
const KEYS: [&str; 14] = [
    "schema",
    "verdict",
    "reference",
    "counts",
    "ceiling",
    "floor",
    "modes",
    "metrics",
    "clusters",
    "mixtures",
    "cause",
    "latent",
    "preflight",
    "answers",
];
const METRICS: [&str; 9] = [
    "high_quality",
    "js_divergence",
    "energy_distance",
    "sliced_wasserstein",
    "c2st_accuracy",
    "precision",
    "recall",
    "density",
    "coverage",
];
const GIVEN: &str = "audit --real real.csv --generated generated.csv --mixture truth/mixture.json";
const FITTED: &str = "audit --real real.csv --generated generated.csv";

/// Draws of a mixture of distant components with equal weights: rows, and the component of each.
struct Draws(Vec<([f32; 2], usize)>);

impl Draws {
    /// Its truth is in the folder `truth` of the place.
    fn new(place: &Place, components: usize) -> Self {
        place.succeed(&format!(
            "mixture --components {components} --dimensions 2 --spread 30 --weights uniform \
             --rows 1500 --seed 6 --out truth"
        ));
        let text = place.read("truth/data.csv");
        let row = |line: &str| {
            let cells: Vec<&str> = line.split(',').collect();
            ([cells[0].parse().unwrap(), cells[1].parse().unwrap()], cells[2].parse().unwrap())
        };
        Self(text.lines().skip(1).map(row).collect())
    }

    /// The first rows.
    fn real(&self, rows: usize) -> &[([f32; 2], usize)] {
        &self.0[..rows]
    }

    /// So many of the last 1000 rows, of components from `least` on.
    fn generated(&self, rows: usize, least: usize) -> Vec<([f32; 2], usize)> {
        let last = self.0[500..].iter().filter(|(_, component)| *component >= least);
        last.take(rows).copied().collect()
    }
}

/// Rows as CSV without their components.
fn features(names: [&str; 2], rows: &[([f32; 2], usize)]) -> String {
    let lines = rows.iter().map(|([a, b], _)| format!("{a},{b}\n"));
    format!("{},{}\n{}", names[0], names[1], lines.collect::<String>())
}

/// Rows as CSV with their components.
fn labelled(names: [&str; 3], rows: &[([f32; 2], usize)]) -> String {
    let lines = rows.iter().map(|([a, b], component)| format!("{a},{b},{component}\n"));
    format!("{}\n{}", names.join(","), lines.collect::<String>())
}

/// Rows as a NumPy array of single precision.
fn npy(rows: &[([f32; 2], usize)]) -> Vec<u8> {
    let header =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, 2), }}", rows.len());
    let mut bytes = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    bytes.extend(format!("{header:<117}\n").into_bytes());
    bytes.extend(rows.iter().flat_map(|(row, _)| row).flat_map(|value| value.to_le_bytes()));
    bytes
}

/// A place with real rows and fresh draws of the same mixture of six components.
fn fresh(rows: usize) -> Place {
    let place = Place::new();
    let draws = Draws::new(&place, 6);
    place.write("real.csv", features(["x0", "x1"], draws.real(rows)));
    place.write("generated.csv", features(["x0", "x1"], &draws.generated(rows, 0)));
    place
}

/// The one JSON object on stdout.
fn json(place: &Place, line: &str) -> Value {
    let ran = place.succeed(&format!("{line} --json"));
    assert_eq!(ran.stdout.trim_end().lines().count(), 1, "{}", ran.stdout);
    serde_json::from_str(&ran.stdout).unwrap()
}

fn count(audit: &Value, which: &str) -> u64 {
    audit["counts"]["eligible_only"][which].as_u64().unwrap()
}

/// Each mode's name (its number, where it has none) and verdict.
fn verdicts(audit: &Value) -> Vec<(String, String)> {
    let modes = audit["modes"].as_array().unwrap();
    modes
        .iter()
        .map(|mode| {
            let name = mode["name"].as_str().map_or(mode["id"].to_string(), str::to_owned);
            (name, mode["verdict"].as_str().unwrap().to_owned())
        })
        .collect()
}

/// Every mode can be judged, and is as in the data as far as can be told.
fn assert_captured(audit: &Value, modes: u64) {
    assert_eq!(audit["reference"]["trusted"], true, "{}", audit["reference"]);
    assert_eq!((count(audit, "modes"), count(audit, "captured")), (modes, modes));
    for mode in audit["modes"].as_array().unwrap() {
        assert!(mode["verdict"] == "strict" || mode["borderline"] == true, "{mode}");
    }
}

fn assert_valid(audit: &Value) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/audit.schema.json");
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(audit)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

#[test]
fn fresh_draws_of_a_known_mixture_are_captured() {
    let place = fresh(400);
    let audit = json(&place, GIVEN);
    assert_captured(&audit, 6);
    assert_eq!(audit["reference"]["kind"], "mixture");
    let ran = place.succeed(GIVEN);
    assert!(ran.stdout.contains("6 of 6 modes captured"), "{}", ran.stdout);
}

#[test]
fn dropped_components_are_missing_and_named() {
    let place = Place::new();
    let draws = Draws::new(&place, 6);
    place.write("real.csv", features(["x0", "x1"], draws.real(400)));
    place.write("generated.csv", features(["x0", "x1"], &draws.generated(400, 3)));
    let audit = json(&place, GIVEN);
    assert_eq!((count(&audit, "modes"), count(&audit, "missing")), (6, 3));
    let stdout = place.succeed(GIVEN).stdout;
    for (id, verdict) in verdicts(&audit).iter().enumerate().map(|(id, (_, verdict))| (id, verdict))
    {
        assert_eq!(verdict == "missing", id < 3, "mode {id} is {verdict}");
        let line = stdout.lines().find(|line| line.starts_with(&format!("{id} "))).unwrap();
        assert_eq!(line.ends_with("missing"), id < 3, "{line}");
    }
    assert!(stdout.contains("3 of 6 modes captured"), "{stdout}");
}

#[test]
fn a_collapsed_sample_has_no_strict_mode() {
    let place = fresh(400);
    // Rows about one point in the middle.
    let near = |row: usize| (1.618_034 * row as f32).fract() / 100.0;
    let rows: Vec<_> = (0..400).map(|row| ([near(2 * row), near(2 * row + 1)], 0)).collect();
    place.write("generated.csv", features(["x0", "x1"], &rows));
    let audit = json(&place, GIVEN);
    assert_eq!(audit["counts"]["strict"], 0);
    assert!(audit["cause"]["kind"].is_string(), "{}", audit["cause"]);
    assert!(place.succeed(GIVEN).stdout.contains("0 of 6 modes captured"));
}

#[test]
fn labels_are_modes() {
    let place = Place::new();
    let draws = Draws::new(&place, 3);
    let names = ["x0", "x1", "component"];
    place.write("real.csv", labelled(names, draws.real(480)));
    let line = "audit --real real.csv --generated generated.csv --labels component";
    for (least, captured) in [(0, 3), (1, 2)] {
        place.write("generated.csv", features(["x0", "x1"], &draws.generated(300, least)));
        let audit = json(&place, line);
        assert_eq!(audit["reference"]["kind"], "labels");
        assert_eq!(count(&audit, "captured"), captured, "{}", audit["modes"]);
        match least {
            0 => assert_captured(&audit, 3),
            _ => assert_eq!(verdicts(&audit)[0], ("0".into(), "missing".into())),
        }
    }
}

#[test]
fn without_a_reference_the_modes_are_found() {
    let place = Place::new();
    let draws = Draws::new(&place, 3);
    place.write("real.csv", features(["x0", "x1"], draws.real(480)));
    for (least, missing) in [(0, 0), (1, 1)] {
        place.write("generated.csv", features(["x0", "x1"], &draws.generated(300, least)));
        let audit = json(&place, FITTED);
        assert_eq!(
            (&audit["reference"]["kind"], &audit["reference"]["k"]),
            (&"fitted".into(), &3.into())
        );
        assert_eq!(count(&audit, "missing"), missing, "{}", audit["modes"]);
        assert!(audit["baseline"].is_null());
        if missing == 0 {
            assert_captured(&audit, 3);
        }
    }
}

#[test]
fn json_is_what_the_schema_and_the_contract_say() {
    let place = fresh(120);
    for line in [GIVEN, FITTED] {
        let audit = json(&place, line);
        assert_eq!(audit["schema"], 3);
        for key in KEYS {
            assert!(audit.get(key).is_some(), "no {key}");
        }
        for which in ["raw", "scaled", "real"] {
            assert!(audit["clusters"][which].is_object(), "no clusters of {which}");
        }
        for metric in METRICS {
            let metric = &audit["metrics"][metric];
            assert!(metric["value"].is_f64() && metric["real"]["value"].is_f64(), "{metric}");
        }
        for answer in audit["answers"].as_array().unwrap() {
            assert!(["question", "answer", "evidence"].iter().all(|key| answer[key].is_string()));
        }
        for key in ["latent", "preflight"] {
            assert!(audit[key].is_null(), "{key} of samples alone");
        }
        assert_valid(&audit);
    }
}

#[test]
fn one_result_however_often_and_on_however_many_threads() {
    let place = fresh(150);
    let line = format!("{FITTED} --json");
    let first = place.succeed(&line).stdout;
    for threads in ["1", "2"] {
        let mut command = place.command(&line);
        command.env("RAYON_NUM_THREADS", threads);
        assert!(finish(command).stdout == first, "{threads} threads");
    }
    assert_ne!(place.succeed(&format!("{line} --seed 2")).stdout, first);
}

#[test]
fn out_writes_two_files_and_only_force_replaces_them() {
    let place = fresh(100);
    let before = place.contents();
    let printed = json(&place, GIVEN);
    assert!(place.contents() == before, "written without --out");

    let line = format!("{GIVEN} --out new/audit");
    let ran = place.succeed(&line);
    assert!(ran.stdout.contains("new/audit/audit.md"), "{}", ran.stdout);
    let written: Value = serde_json::from_str(&place.read("new/audit/audit.json")).unwrap();
    assert_eq!(written, printed);
    assert_valid(&written);
    let words = place.read("new/audit/audit.md");
    assert!(words.starts_with("# ") && words.contains(written["verdict"].as_str().unwrap()));
    assert_eq!(place.contents().len(), before.len() + 4, "two folders and two files");

    place.write("new/audit/audit.md", "mine");
    common::refused(&place, &line, &["audit.json", "already there", "--force", "--out"]);
    std::fs::remove_file(place.path("new/audit/audit.json")).unwrap();
    common::refused(&place, &line, &["audit.md", "already there", "--force", "--out"]);
    place.succeed(&format!("{line} --force"));
    assert_eq!(place.read("new/audit/audit.md"), words);
}

#[test]
fn columns_are_matched_by_name_or_without_names_by_position() {
    let place = Place::new();
    let draws = Draws::new(&place, 6);
    let rows = draws.generated(100, 0);
    let swapped: Vec<_> = rows.iter().map(|([a, b], component)| ([*b, *a], *component)).collect();
    let line = "audit --real real.csv --labels kind --mixture truth/mixture.json --generated";
    for names in [["x0", "x1"], ["width", "height"]] {
        place.write("real.csv", labelled([names[0], names[1], "kind"], draws.real(100)));
        place.write("same.csv", features(names, &rows));
        let expected = json(&place, &format!("{line} same.csv"));
        place.write("rows.npy", npy(&rows));
        place.write("turned.csv", features([names[1], names[0]], &swapped));
        // What the generator calls its rows is no feature, and decides nothing.
        place.write("labelled.csv", labelled([names[0], names[1], "kind"], &rows));
        for file in ["rows.npy", "turned.csv", "labelled.csv"] {
            assert!(json(&place, &format!("{line} {file}")) == expected, "{file} of {names:?}");
        }
    }
}

#[test]
fn what_no_terminal_shows_is_not_coloured() {
    let place = fresh(100);
    // Every run here asserts that there are no escape codes.
    let plain = place.succeed(GIVEN).stdout;
    assert!(plain.starts_with("mode "), "{plain}");
    for (name, value) in [("NO_COLOR", "1"), ("TERM", "xterm-256color"), ("TERM", "dumb")] {
        let mut command = place.command(GIVEN);
        command.env(name, value);
        assert_eq!(finish(command).stdout, plain, "{name}={value}");
    }
    assert_eq!(place.succeed(&format!("{GIVEN} --quiet")).stderr, "");
}

#[test]
fn a_generator_that_repeats_its_rows_is_told_so() {
    let place = Place::new();
    Draws::new(&place, 2);
    let ran =
        place.succeed("audit --real truth/data.csv --labels component --generated truth/data.csv");
    let last = "All of the generated rows are copies of real ones.";
    assert!(ran.stdout.trim_end().ends_with(last), "{}", ran.stdout);
}

/// Rows of as many categories as rows repeat by themselves, 6 in 10 of all rows and 3 in 10 of half of
/// them, which fresh ones are looked up among.
#[test]
fn honest_draws_of_categories_are_no_copies() {
    let place = Place::new();
    let rows = |seed: usize| {
        let row = |i: usize| {
            let mixed = (i + seed).wrapping_mul(2_654_435_761) >> 7;
            format!("{},{}", mixed % 25, mixed / 25 % 24)
        };
        (0..600).map(row).fold("a,b".to_owned(), |text, row| format!("{text}\n{row}"))
    };
    place.write("real.csv", rows(0));
    place.write("generated.csv", rows(1000));
    let ran = place.succeed(FITTED);
    assert!(!ran.stdout.contains("copies"), "{}", ran.stdout);
}
