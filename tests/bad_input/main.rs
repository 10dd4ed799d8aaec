//! Bad input: the program says what is wrong, where, and what to do, exits with code 2, and leaves
//! every file as it was.

#[path = "../common/mod.rs"]
mod common;
#[cfg(unix)]
mod disk;
mod make;
mod models;
mod settings;
mod tables;

use std::panic::{RefUnwindSafe, catch_unwind};
use std::process::Command;

use common::{Place, QUICK, finish, refused, refused_command, two_groups};

/// An environment in which no graphics driver is found.
const NO_ADAPTER: [(&str, &str); 4] = [
    ("VK_DRIVER_FILES", "/dev/null"),
    ("VK_ICD_FILENAMES", "/dev/null"),
    ("__EGL_VENDOR_LIBRARY_FILENAMES", "/dev/null"),
    ("LIBGL_DRIVERS_PATH", "/nonexistent"),
];

/// As [`refused`], for a job that writes a run folder: one that is not there yet, and one that is.
fn refused_job(place: &Place, line: &str, words: &[&str]) {
    refused(place, &format!("{line} --out new"), words);
    place.write("kept/notes.txt", "mine");
    refused(place, &format!("{line} --out kept"), words);
}

/// A place with `my.csv` and a model trained on its columns a, b and c in the folder `run`.
fn trained() -> Place {
    let place = Place::new();
    place.write("my.csv", two_groups(&["a", "b", "c"], 30));
    place.succeed(&format!("train my.csv --labels kind --out run {QUICK}"));
    place
}

/// A file that must be refused.
struct Case {
    what: &'static str,
    content: Vec<u8>,
    words: Vec<String>,
    options: &'static str,
}

/// A file of this content, and what the error must say of it.
fn case(what: &'static str, content: impl AsRef<[u8]>, words: &[&str]) -> Case {
    let words = words.iter().map(|&word| word.to_owned()).collect();
    Case { what, content: content.as_ref().to_vec(), words, options: "" }
}

impl Case {
    /// With more options.
    fn with(self, options: &'static str) -> Self {
        Self { options, ..self }
    }
}

/// Tries every case, and fails where one did.
fn each(cases: impl IntoIterator<Item = Case>, check: impl Fn(&Case) + RefUnwindSafe) {
    let failed = cases.into_iter().filter(|case| catch_unwind(|| check(case)).is_err());
    let failed: Vec<&str> = failed.map(|case| case.what).collect();
    assert!(failed.is_empty(), "{failed:?}");
}

/// Refuses a job on a file: into a folder that is not there yet, and into one that is.
fn check(case: &Case, line: &str, file: &str) {
    let place = Place::new();
    place.write("kept/notes.txt", "mine");
    for out in ["new", "kept"] {
        check_in(&place, case, &format!("{line} {} --out {out}", case.options), file);
    }
}

/// Refuses a command in a place where this file is as the case says, in 4 GB of address space: no file
/// here is a reason to ask for more.
fn check_in(place: &Place, case: &Case, line: &str, file: &str) {
    place.write(file, &case.content);
    let words: Vec<&str> = case.words.iter().map(String::as_str).collect();
    let mut command = place.command(line);
    if cfg!(target_os = "linux") {
        command = limited(command, "ulimit -v 4000000");
    }
    refused_command(place, command, &format!("{line} # {}", case.what), &words);
}

/// The command in a shell that sets a limit first.
fn limited(command: Command, limit: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{limit} && exec \"$0\" \"$@\"")]);
    shell.arg(command.get_program()).args(command.get_args());
    shell.current_dir(command.get_current_dir().unwrap());
    shell
}

#[test]
fn rows_with_missing_values_are_dropped_aloud() {
    let place = Place::new();
    let text = two_groups(&["a", "b"], 30);
    place.write("my.csv", format!("{text}NaN,1,left\n1,inf,left\n,2,right\n"));
    let line = format!("train my.csv --labels kind --drop-missing --out run {QUICK}");
    let ran = place.succeed(&line);
    assert!(ran.stderr.contains("3 rows with missing values were dropped"), "{}", ran.stderr);
    assert_eq!(place.read("run/data.csv").lines().count(), 31);
}

#[test]
fn a_constant_column_is_a_warning() {
    let place = Place::new();
    let text = two_groups(&["a", "b"], 30).replace("\"b\"", "b,flat").replace(",left", ",7,left");
    place.write("my.csv", text.replace(",right", ",7,right"));
    let ran = place.succeed(&format!("train my.csv --labels kind --out run {QUICK}"));
    assert!(ran.stderr.contains("\"flat\" is constant, so it is left out"), "{}", ran.stderr);
    assert!(ran.stderr.contains("training: "), "{}", ran.stderr);
    assert!(place.read("run/data.csv").starts_with("a,b,kind\n"));
    // It changes nothing that is learned.
    place.write("varying.csv", two_groups(&["a", "b"], 30));
    place.succeed(&format!("train varying.csv --labels kind --out alone {QUICK}"));
    let weights = |run: &str| std::fs::read(place.path(run).join("model.safetensors")).unwrap();
    assert_eq!(weights("run"), weights("alone"));
    let ran = place.succeed("train --resume --out run");
    assert!(!ran.stderr.contains("training: "), "{}", ran.stderr);
    place.succeed("encode run my.csv --backend cpu --out latents.csv");
    // One that is named is kept.
    let named = format!("train my.csv --columns a,flat,b --labels kind --out named {QUICK}");
    let ran = place.succeed(&named);
    assert!(ran.stderr.contains("\"flat\" is constant: there is nothing"), "{}", ran.stderr);
    assert!(place.read("named/data.csv").starts_with("a,flat,b,kind\n"));
}

#[test]
fn more_components_than_rows() {
    let line = "run --set backend=cpu --epochs 1 --set mixture.components=50 --set mixture.rows=20";
    refused_job(&Place::new(), line, &["mixture.components", "50", "20"]);
}

#[test]
fn a_batch_above_the_rows_is_refused_but_the_default_shrinks_aloud() {
    let place = Place::new();
    place.write("my.csv", two_groups(&["a", "b"], 30));
    // A tenth of the 30 rows is held out.
    let words = ["training.batch", "28", "27 rows"];
    let line = "train my.csv --labels kind --backend cpu --set training.batch=28";
    refused_job(&place, line, &words);
    let ran = place.succeed(&format!("train my.csv --labels kind --out run {QUICK}"));
    assert!(ran.stderr.contains("batch size 27"), "{}", ran.stderr);
    assert!(place.read("run/config.toml").contains("batch = 27"));
}

#[test]
fn an_unknown_recipe() {
    refused_job(&Place::new(), "run --recipe clasic", &["\"clasic\"", "did you mean \"classic\""]);
    refused(
        &Place::new(),
        "recipes fancy",
        &["\"fancy\"", "calibrated, two-stage, vamp, standard, classic"],
    );
    let place = Place::new();
    place.write("mine.toml", "recipe = \"fancy\"\n");
    refused_job(
        &place,
        "run --config mine.toml",
        &["\"fancy\"", "calibrated, two-stage, vamp, standard, classic"],
    );
}

#[test]
fn sizes_that_no_machine_holds() {
    let place = trained();
    let many = "99999999999999";
    for options in [
        &format!("--samples {many}"),
        &format!("--set mixture.rows={many}"),
        &format!("--set model.latent={many}"),
        "--epochs 9223372036854775807",
    ] {
        refused_job(&place, &format!("run --backend cpu {options}"), &[]);
    }
    let words = ["--rows must be in [2, 10^8]", "change it with --rows"];
    refused(&place, &format!("mixture --rows {many} --out mixture"), &words);
    refused(&place, &format!("sample run --backend cpu -n {many} --out out.csv"), &["samples"]);
    let line = "sample run --backend cpu -n 18446744073709551615 --out out.csv";
    refused(&place, line, &["samples"]);
}

#[test]
fn the_fewest_rows_that_train_also_make_a_report() {
    let place = Place::new();
    place.write("my.csv", "a,b\n1,2\n3,5\n");
    place.succeed(&format!("run my.csv --out run {QUICK}"));
    assert!(place.path("run/report.html").exists());
}

#[test]
fn resuming_what_is_not_there() {
    let place = Place::new();
    refused_job(&place, "train --resume", &["no run to resume"]);
    refused(&place, "run --resume", &["--out"]);
}

#[test]
fn a_folder_that_must_not_be_replaced() {
    let place = Place::new();
    place.succeed("mixture --rows 60 --out blobs");
    let line = format!("run blobs/data.csv --labels component --out blobs --force {QUICK}");
    refused(&place, &line, &["data.csv", "--force"]);
    refused(&place, &format!("run --out blobs --force {QUICK}"), &["no run to replace"]);
    refused(&place, &format!("run --out blobs --resume {QUICK}"), &["already holds data.csv"]);
    place.write("pictures/plots/data.png", "precious");
    for option in ["", "--resume"] {
        let line = format!("run --out pictures {option} {QUICK}");
        refused(&place, &line, &["pictures already holds plots", "--out"]);
    }
    let line = format!("run --out pictures --force {QUICK}");
    refused(&place, &line, &["pictures holds plots", "no run to replace"]);
    assert_eq!(place.read("pictures/plots/data.png"), "precious");
}

#[test]
fn force_removes_the_pictures_of_a_run_and_no_others() {
    let place = trained();
    place.succeed("run --resume --out run");
    assert!(place.path("run/plots/data.png").exists());
    place.write("run/plots/mine/figure.png", "precious");
    let again = format!("train my.csv --labels kind --out run --force {QUICK}");
    place.succeed(&again);
    assert_eq!(place.read("run/plots/mine/figure.png"), "precious");
    assert!(!place.path("run/plots/data.png").exists());
    assert!(!place.path("run/plots/index.json").exists());
    // A stamp that somebody changed leads nowhere else.
    for name in ["kept.png", "../kept.png", "plots/../../kept.png"] {
        place.write("kept.png", "precious");
        place.write("run/kept.png", "precious");
        let stamp = format!("{{\"key\": \"\", \"files\": {{\"{name}\": \"\"}}}}");
        place.write("run/.stamps/plot", stamp);
        place.succeed(&again);
        assert_eq!(place.read("kept.png") + &place.read("run/kept.png"), "preciousprecious");
    }
}

#[test]
fn settings_of_a_run_without_its_data() {
    let place = trained();
    let line = format!("run --config run/config.toml {QUICK}");
    refused_job(&place, &line, &["config.toml", "my.csv", "no DATA"]);
}

#[test]
fn a_bad_option() {
    let place = Place::new();
    for (line, word) in [
        ("run --backend cuda", "ndarray"),
        ("run --seed one", "--seed"),
        ("run --epochs many", "many"),
        ("run --force --resume", "--resume"),
        ("sample", "RUN"),
        ("fly", "fly"),
    ] {
        let ran = place.run(line);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "modescope {line}");
        assert!(ran.stderr.contains(word), "modescope {line}\n{}", ran.stderr);
    }
    assert!(place.contents().is_empty());
}

#[test]
fn a_folder_that_holds_a_run_is_replaced_only_by_force() {
    let place = trained();
    place.write("run/notes.txt", "mine");
    place.write("run/report.html", "of the run before");
    let line = format!("train my.csv --labels kind --seed 2 --out run {QUICK}");
    refused(&place, &line, &["run already holds config.toml", "--force", "--resume", "--out"]);
    place.write("ragged.csv", "a,b\n1,2\n3\n");
    refused(&place, "train ragged.csv --out run --force", &["ragged.csv, line 3"]);

    place.succeed(&format!("{line} --force"));
    assert!(place.read("run/config.toml").contains("seed = 2"));
    assert_eq!(place.read("run/notes.txt"), "mine");
    assert!(!place.path("run/report.html").exists());
}

#[test]
fn no_adapter_for_wgpu() {
    let place = Place::with_environment(&NO_ADAPTER);
    refused_job(&place, "run --backend wgpu", &["--backend wgpu", "adapter", "--backend cpu"]);
}

#[test]
fn without_an_adapter_auto_takes_the_cpu_and_says_why() {
    let place = Place::with_environment(&NO_ADAPTER);
    place.write("my.csv", two_groups(&["a", "b"], 30));
    let ran =
        place.succeed(&format!("train my.csv --labels kind --backend auto --out run {QUICK}"));
    assert!(
        ran.stderr.contains("CPU (burn flex): chosen because wgpu finds no adapter"),
        "{ran:?}"
    );
    assert!(place.read("run/config.toml").contains("backend = \"cpu\""));
    let devices = place.succeed("devices");
    assert!(devices.stdout.contains("wgpu finds no adapter"), "{devices:?}");
}

#[test]
fn no_data_to_train_on() {
    refused_job(&Place::new(), "train", &["no table to train on"]);
}

#[test]
fn rows_that_do_not_fit_the_model() {
    let place = trained();
    place.write("narrow.csv", two_groups(&["a", "b"], 10));
    let words = ["narrow.csv", "no column \"c\"", "a, b"];
    refused(&place, "encode run narrow.csv --backend cpu --out out.csv", &words);
    place.write("nameless.csv", "1,2,3\n4,5,6\n");
    let words = ["no column \"a\"", "--columns x0,x1,x2"];
    refused(&place, "encode run nameless.csv --backend cpu --out out.csv", &words);
    let line = "encode run my.csv --columns a,b --backend cpu --out out.csv";
    refused(&place, line, &["2 columns", "a, b, c"]);
}

#[test]
fn a_perplexity_that_the_rows_do_not_allow() {
    let place = Place::new();
    place.write("my.csv", two_groups(&["a", "b"], 30));
    for perplexity in ["30", "0.5", "nan"] {
        let line = format!("tsne my.csv --labels kind --perplexity {perplexity} --out out.csv");
        let asked = if perplexity == "nan" { "NaN" } else { perplexity };
        refused(&place, &line, &["30 rows", asked, "from 1 to 9.6"]);
    }
    place.write("few.csv", two_groups(&["a", "b"], 4));
    refused(&place, "tsne few.csv --labels kind --perplexity 1 --out out.csv", &["5 rows", "4"]);
    // What is refused has not begun, so there is no progress to show.
    let ran = place.run("tsne my.csv --labels kind --perplexity 30 --out out.csv");
    assert!(!ran.stderr.contains("t-SNE:"), "{}", ran.stderr);
}

#[test]
fn a_file_that_is_there_is_not_written_over() {
    let place = trained();
    for file in ["out.csv", "mixture/data.csv"] {
        place.write(file, "mine");
    }
    for (line, file) in [
        ("sample run --backend cpu -n 10 --out out.csv", "out.csv"),
        ("encode run my.csv --backend cpu --out out.csv", "out.csv"),
        ("tsne my.csv --labels kind --perplexity 5 --epochs 20 --out out.csv", "out.csv"),
        ("mixture --rows 50 --out mixture", "mixture/data.csv"),
    ] {
        place.write(file, "mine");
        refused(&place, line, &[file, "already there", "--force"]);
        place.succeed(&format!("{line} --force"));
        assert_ne!(place.read(file), "mine");
    }
}

/// What the audit of a run could not judge is known before its training, though a training alone may have it.
#[test]
fn what_an_audit_would_refuse_is_refused_before_training() {
    let place = Place::new();
    let text = two_groups(&["a", "b"], 30);
    place.write("far.csv", text.replacen(",left", ",left\n1e30,2,left", 1));
    let line = format!("run far.csv --labels kind --out run {QUICK}");
    refused(&place, &line, &["far.csv, row 2, column 1 (\"a\"): 1e30 is not within ±1e29"]);
    let lines = text.lines().enumerate();
    let numbered = |(row, line): (usize, &str)| match row {
        0 => format!("{line},id\n"),
        row => format!("{line},{row}\n"),
    };
    place.write("ids.csv", lines.map(numbered).collect::<String>());
    let line = format!("ids.csv --labels id --columns a,b {QUICK}");
    refused(&place, &format!("run {line} --out run"), &["no label in column \"id\" has two rows"]);
    place.succeed(&format!("train {line} --out run"));
    place.write("named.csv", text.replace(",kind", ",mean0"));
    let line = format!("named.csv --labels mean0 {QUICK}");
    let words = ["\"mean0\", as one of the latents"];
    refused(&place, &format!("run {line} --out other"), &words);
    place.succeed(&format!("train {line} --out other"));
    let words = ["100000000 samples of 11 columns are more than 10^9 values"];
    refused(&place, "run --set mixture.dimensions=11 --samples 100000000 --out many", &words);
    // A generated mixture knows its modes, though each has one row.
    place.succeed(&format!(
        "run --out few {QUICK} --set mixture.components=40 --set mixture.rows=40"
    ));
}

#[cfg(unix)]
#[test]
fn an_argument_that_is_no_text_is_refused() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let place = Place::new();
    for line in ["mixture --out", "train", "sample run --json --out"] {
        let mut command = place.command(line);
        command.arg(OsStr::from_bytes(b"odd\xff"));
        let ran = finish(command);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.stderr.contains("odd\u{fffd}: the argument is not UTF-8"), "{ran:?}");
        assert_eq!(ran.stdout.is_empty(), !line.contains("--json"));
    }
    assert!(place.contents().is_empty());
}

/// Opening a pipe would wait for its other end, and a link could lead anywhere.
#[cfg(unix)]
#[test]
fn a_lock_that_is_no_file_is_refused() {
    let place = trained();
    for make in ["mkfifo run/.lock", "ln -s ../made run/.lock"] {
        std::fs::remove_file(place.path("run/.lock")).unwrap();
        let mut shell = Command::new("sh");
        assert!(shell.args(["-c", make]).current_dir(place.path("")).status().unwrap().success());
        for line in ["report run", "run --resume --out run"] {
            let ran = place.run(line);
            assert_eq!(ran.code, Some(2), "{make}, {line}: {ran:?}");
            assert!(ran.stderr.contains("run/.lock is no regular file"), "{ran:?}");
        }
        assert!(!place.path("made").exists());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_result_that_cannot_be_written_is_an_error() {
    let place = Place::new();
    let mut command = place.command("recipes");
    command.stdout(std::fs::File::options().write(true).open("/dev/full").unwrap());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("error: writing the result: "));
}
