//! What a user sees of each command: files, results on stdout, words on stderr, exit codes.

mod common;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use common::{Place, QUICK, file_names, finish, history, rows, two_groups};
use serde_json::Value;

/// What a run without data writes, pictures and the run's own book-keeping aside.
const FILES: [&str; 14] = [
    "audit.json",
    "audit.md",
    "config.toml",
    "data.csv",
    "history.csv",
    "history.tfevents",
    "latents.csv",
    "mixture.json",
    "model.json",
    "model.safetensors",
    "preflight.json",
    "report.html",
    "samples.csv",
    "tsne.csv",
];
const PICTURES: [&str; 12] = [
    "data",
    "decoder-grid",
    "k-choice",
    "latent",
    "losses",
    "marginals",
    "pairs",
    "prior-holes",
    "real-and-generated",
    "real-and-generated-scaled",
    "tsne",
    "tsne-rows",
];
const STAGES: [&str; 9] =
    ["audit", "data", "more-rows", "plot", "preflight", "report", "sample", "train", "tsne"];

/// A place with a quick run of a mixture in the folder `run`.
fn finished_run() -> Place {
    let place = Place::new();
    place.succeed(&format!("run --out run {QUICK}"));
    place
}

/// The feature values of a CSV file without labels.
fn numbers(text: &str) -> Vec<Vec<f64>> {
    let number = |cell: &String| cell.parse().unwrap();
    rows(text)[1..].iter().map(|row| row.iter().map(number).collect()).collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[test]
fn a_run_without_data_writes_its_folder_and_nothing_else() {
    let place = Place::new();
    let ran = place.succeed(&format!("run {QUICK}"));
    let folder = Path::new("runs/mixture-calibrated");
    assert!(ran.stdout.contains(folder.join("report.html").to_str().unwrap()), "{}", ran.stdout);
    assert!(ran.stderr.contains("CPU (burn flex): as asked"), "{}", ran.stderr);

    let pictures =
        PICTURES.iter().flat_map(|name| ["png", "svg"].map(|e| format!("plots/{name}.{e}")));
    let stamps = STAGES.iter().map(|stage| format!(".stamps/{stage}"));
    let own = [".lock", "plots/index.json"].map(String::from);
    let names = FILES.map(str::to_owned).into_iter().chain(own).chain(pictures).chain(stamps);
    let expected: BTreeSet<PathBuf> = names.map(|name| folder.join(name)).collect();
    assert_eq!(file_names(&place), expected);

    let count = |name: &str| place.read(folder.join(name)).lines().count();
    assert_eq!(place.read(folder.join("data.csv")).lines().next(), Some("x0,x1,x2,component"));
    assert_eq!(place.read(folder.join("samples.csv")).lines().next(), Some("x0,x1,x2"));
    let counts = ["data.csv", "samples.csv", "latents.csv", "tsne.csv", "history.csv"].map(count);
    // Posterior means, then real and generated rows together.
    assert_eq!(counts, [121, 201, 121, 1 + 3 * 120, 4]);
}

#[test]
fn the_report_answers_the_questions_and_fetches_nothing() {
    let place = finished_run();
    let (html, audit) = (place.read("run/report.html"), place.read("run/audit.json"));
    let audit: Value = serde_json::from_str(&audit).unwrap();
    let answers = audit["answers"].as_array().unwrap();
    assert_eq!(answers.len(), 4);
    for key in ["question", "answer", "evidence"] {
        for answer in answers {
            let text = answer[key].as_str().unwrap();
            assert!(text.len() > 20 && html.contains(&escaped(text)), "{key}: {text}");
        }
    }
    let (page, scripts) = html.split_once("<script").unwrap();
    assert_eq!(page.matches("<svg xmlns").count(), PICTURES.len());
    for (attribute, end) in [("src=\"", '"'), ("href=\"", '"'), ("url(", ')')] {
        for value in page.split(attribute).skip(1).map(|rest| rest.split(end).next().unwrap()) {
            let inside = value.starts_with('#') || value.starts_with("data:");
            assert!(inside, "{attribute}{value}");
        }
    }
    for element in ["<link", "<iframe", "<object", "@import"] {
        assert!(!page.contains(element), "{element}");
    }
    // The data, the library and the page's own script, all inside.
    assert_eq!(scripts.matches("</script>").count(), 3);
    assert!(!html.contains("<script src") && page.contains("default-src 'none'"));
}

#[test]
fn names_from_the_data_are_escaped() {
    let place = Place::new();
    let name = "</script><b>&\"";
    let data = two_groups(&["a", name], 40).replace("right", "<i>right");
    place.write("r&d.csv", data);
    place.succeed(&format!("run r&d.csv --labels kind --out run {QUICK}"));
    let svgs = PICTURES.map(|picture| format!("run/plots/{picture}.svg"));
    for file in svgs.iter().map(String::as_str).chain(["run/report.html"]) {
        let text = place.read(file);
        let scripts = if file.ends_with("html") { 3 } else { 0 };
        assert_eq!(text.matches("</script>").count(), scripts, "{file}");
        for raw in ["<b>&", "<i>right", "r&d"] {
            assert!(!text.contains(raw), "{file} holds {raw}");
        }
    }
    // Whether a quote is escaped in text is a matter of taste.
    let name = escaped(name).replace("&quot;", "");
    for file in ["run/report.html", "run/plots/data.svg", "run/plots/real-and-generated.svg"] {
        assert!(place.read(file).contains(&name), "{file}");
    }
    let html = place.read("run/report.html");
    assert!(html.contains("&lt;i&gt;right") && html.contains("r&amp;d.csv"));
    assert_eq!(rows(&place.read("run/samples.csv"))[0][1], "</script><b>&\"");
}

#[test]
fn data_of_one_two_and_five_columns_with_labels() {
    let place = Place::new();
    for columns in [&["a"][..], &["a", "b"], &["a", "b", "c", "d", "e"]] {
        place.write("my.csv", two_groups(columns, 40));
        let run = format!("run{}", columns.len());
        place.succeed(&format!("run my.csv --labels kind --out {run} {QUICK}"));
        let header = |name: &str| rows(&place.read(Path::new(&run).join(name)))[0].clone();
        assert_eq!(header("samples.csv"), columns);
        assert_eq!(header("data.csv"), [columns, &["kind"]].concat());
        assert_eq!(header("latents.csv").last().unwrap(), "kind");
        assert!(!place.path(&run).join("mixture.json").exists());
        assert!(place.read(Path::new(&run).join("report.html")).contains("right"));
    }
}

#[test]
fn json_is_one_object_on_stdout() {
    let place = Place::new();
    place.write("my.csv", two_groups(&["a", "b"], 40));
    for line in [
        &format!("run my.csv --labels kind --out run {QUICK}"),
        &format!("train my.csv --labels kind --out trained {QUICK}"),
        "sample run -n 10 --backend cpu --out samples.csv",
        "encode run my.csv --backend cpu --out latents.csv",
        "tsne my.csv --labels kind --perplexity 5 --epochs 50 --out tsne.csv",
        "report run",
        "mixture --rows 50 --out mixture",
        "recipes",
        "recipes classic",
        "devices",
    ] {
        let ran = place.succeed(&format!("{line} --json"));
        let value: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert!(value.is_object(), "modescope {line}\n{}", ran.stdout);
        for key in ["file", "run", "report", "data", "mixture"] {
            // Every file that is named is there.
            if let Some(name) = value[key].as_str() {
                assert!(place.path(name).exists(), "modescope {line}: no {name}");
            }
        }
    }
    let ran = place.run("sample absent --out absent.csv --json");
    let value: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((ran.code, &value["exit_code"]), (Some(2), &Value::from(2)));
    assert!(value["error"].as_str().unwrap().contains("absent"), "{value}");
    assert!(value["help"].is_string(), "{value}");
    // Arguments that are none too.
    for line in ["run --bogus --json", "--json run -z", "man --json"] {
        let ran = place.run(line);
        let value: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!((ran.code, &value["exit_code"]), (Some(2), &Value::from(2)));
        assert!(value["help"].as_str().unwrap().contains("Usage: "), "{value}");
    }
    // A number below 0 is a number, and no argument.
    let ran = place.run("--json run --epochs -1");
    let value: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert!(value["error"].as_str().unwrap().contains("-1 is not in 0.."), "{value}");
}

/// A run of too few rows for most of what follows training is a finished one all the same.
#[test]
fn a_run_of_five_rows_can_be_reported_again() {
    let place = Place::new();
    place.write("my.csv", "a,b\n1,2\n2,1\n3,5\n5,3\n8,7\n");
    place.succeed("run my.csv --backend cpu --epochs 2 --out run");
    place.succeed("report run");
}

#[test]
fn quiet_leaves_results_and_errors_only() {
    let place = Place::new();
    place.write("my.csv", two_groups(&["a", "b"], 30));
    for line in [
        &format!("run my.csv --labels kind --out run {QUICK}"),
        "sample run -n 10 --backend cpu --out samples.csv",
        "encode run my.csv --backend cpu --out latents.csv",
        "tsne my.csv --labels kind --perplexity 5 --epochs 50 --out tsne.csv",
        "report run",
        "mixture --rows 50 --out mixture",
        "recipes",
    ] {
        let ran = place.succeed(&format!("{line} --quiet"));
        assert_eq!(ran.stderr, "", "modescope {line}");
        assert!(!ran.stdout.is_empty(), "modescope {line}");
    }
    assert!(place.run("sample absent --out absent.csv --quiet").stderr.starts_with("error: "));
}

#[test]
fn a_plain_progress_line_ends_with_the_last_epoch() {
    let ran = Place::new().succeed(&format!("run {QUICK}"));
    let line = ran.stderr.lines().find(|line| line.starts_with("training: 12/12")).unwrap();
    assert!(line.contains("epoch 2 "), "{line}");
}

#[test]
fn two_files_are_a_model() {
    let place = finished_run();
    for name in ["model.json", "model.safetensors"] {
        place.write(
            Path::new("moved").join(name),
            std::fs::read(place.path("run").join(name)).unwrap(),
        );
    }
    place.succeed("sample moved -n 200 --seed 1 --backend cpu --out samples.csv");
    assert_eq!(place.read("samples.csv"), place.read("run/samples.csv"));
    let line = "encode moved run/data.csv --labels component --backend cpu --out latents.csv";
    place.succeed(line);
    assert_eq!(place.read("latents.csv"), place.read("run/latents.csv"));
    place.succeed("sample moved -n 200 --seed 2 --backend cpu --out others.csv");
    assert_ne!(place.read("others.csv"), place.read("samples.csv"));
}

#[test]
fn cpu_backends_draw_the_same_samples() {
    let place = finished_run();
    for backend in ["cpu", "ndarray"] {
        let line = format!("sample run -n 500 --backend {backend} --out {backend}.csv");
        place.succeed(&line);
    }
    let (flex, ndarray) = (numbers(&place.read("cpu.csv")), numbers(&place.read("ndarray.csv")));
    let largest = flex.iter().flatten().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    assert_eq!((flex.len(), ndarray.len()), (500, 500));
    for (a, b) in flex.iter().flatten().zip(ndarray.iter().flatten()) {
        assert!((a - b).abs() <= 1e-4 * largest, "{a} and {b}");
    }
}

#[test]
fn one_seed_gives_one_result_however_many_threads() {
    // Wide enough layers and enough rows for the libraries to want threads.
    let place = Place::new();
    let line = format!("run {QUICK} --set model.hidden=[128,128] --samples 4000");
    for (run, threads) in [("one", "1"), ("two", "2"), ("any", "0")] {
        let mut command = place.command(&format!("{line} --out {run}"));
        command.env("RAYON_NUM_THREADS", threads);
        assert_eq!(finish(command).code, Some(0));
    }
    let files = ["samples.csv", "audit.json", "latents.csv", "tsne.csv", "model.safetensors"];
    for other in ["two", "any"] {
        for file in files {
            let bytes = |run: &str| std::fs::read(place.path(run).join(file)).unwrap();
            assert!(bytes("one") == bytes(other), "{file} of {other}");
        }
        assert_eq!(history(&place, "one"), history(&place, other));
    }
    place.succeed(&format!("{line} --seed 2 --out seed"));
    assert_ne!(place.read("seed/samples.csv"), place.read("one/samples.csv"));
}

#[test]
fn a_report_is_built_again_from_the_folder_alone() {
    let place = Place::new();
    let text = two_groups(&["a", "b"], 40);
    place.write("my.csv", format!("{text}NaN,1,left\n"));
    place.succeed(&format!("run my.csv --labels kind --drop-missing --out run {QUICK}"));
    place.succeed(&format!("run --out mixture {QUICK}"));
    std::fs::remove_file(place.path("my.csv")).unwrap();
    for run in ["run", "mixture"] {
        let before = place.contents();
        std::fs::remove_file(place.path(run).join("report.html")).unwrap();
        std::fs::remove_dir_all(place.path(run).join("plots")).unwrap();
        place.succeed(&format!("report {run}"));
        for (name, content) in place.contents() {
            assert!(before.get(&name) == Some(&content), "{} differs", name.display());
        }
        assert_eq!(place.contents().len(), before.len());
    }
}

/// What samples are drawn from: N(0, I), the prior that was learned, or a mixture fitted after.
#[test]
fn every_prior_is_settled_in_the_card() {
    let place = Place::new();
    // 120 rows have room for 4 components of 25.
    for (out, arguments, components) in [
        ("standard", "--recipe standard", None),
        ("two-stage", "--recipe two-stage", Some(4)),
        ("vamp", "--recipe vamp --set model.refit_prior=false", Some(50)),
        ("mixture", "--set model.refit_prior=false --set model.prior_components=7", Some(7)),
        ("wide", "--set model.likelihood=learned-sigma-per-column --set training.ema=0.9", Some(4)),
        (
            "bound",
            "--set training.importance_samples=3 --set training.beta_schedule=constant",
            Some(4),
        ),
        ("free", "--recipe standard --set training.free_bits=0.1", None),
    ] {
        place.write("data.csv", "a,b\n".to_owned() + &"0,1\n1,0\n2,2.5\n-1,1.5\n".repeat(30));
        let quick = QUICK.replace("--set mixture.rows=120", "");
        place.succeed(&format!(
            "train data.csv --out {out} --set data.held_out=0 {arguments} {quick}"
        ));
        let card: Value = serde_json::from_str(&place.read(format!("{out}/model.json"))).unwrap();
        let found = card["prior"]["weights"].as_array().map(Vec::len);
        assert_eq!(found, components, "{out}: {}", card["prior"]["kind"]);
        place.succeed(&format!("sample {out} -n 20 --out {out}.csv --backend cpu"));
    }
}

/// With one seed both draw the same latents, so the two differ by σ·ε alone.
#[test]
fn samples_without_noise_are_the_mean_of_those_with_it() {
    let place = finished_run();
    let draw = |flags: &str, out: &str| {
        place.succeed(&format!("sample run -n 4000 --seed 3 --out {out} --backend cpu{flags}"));
        let text = place.read(out);
        let cells = text.lines().skip(1).flat_map(|line| line.split(','));
        cells.map(|cell| cell.parse::<f64>().unwrap()).collect::<Vec<f64>>()
    };
    let (noisy, mean) = (draw("", "noisy.csv"), draw(" --mean", "mean.csv"));
    let squares: f64 = noisy.iter().zip(&mean).map(|(a, b)| (a - b).powi(2)).sum();
    let deviation = (squares / noisy.len() as f64).sqrt();
    let card: Value = serde_json::from_str(&place.read("run/model.json")).unwrap();
    let history = place.read("run/history.csv");
    let names: Vec<&str> = history.lines().next().unwrap().split(',').collect();
    let sigma = names.iter().position(|name| *name == "sigma").unwrap();
    let sigma: f64 =
        history.lines().last().unwrap().split(',').nth(sigma).unwrap().parse().unwrap();
    let expected = sigma * card["scaling"]["scale"][0].as_f64().unwrap();
    // The standard error of a deviation from 12 000 draws is 0.65 %.
    assert!((deviation / expected - 1.0).abs() < 0.03, "{deviation} against {expected}");
}

#[test]
fn a_run_of_means_says_what_they_cost() {
    let place = Place::new();
    place.succeed(&format!("run --mean --out run {QUICK}"));
    let (html, audit) = (place.read("run/report.html"), place.read("run/audit.json"));
    let audit: Value = serde_json::from_str(&audit).unwrap();
    let beside = audit["other_noise"]["of"].as_str().unwrap();
    assert_eq!(beside, "the same latents decoded with the noise");
    assert!(html.contains(beside) && place.read("run/config.toml").contains("noise = false"));
}

#[test]
fn recipes_are_listed_and_printed_as_settings() {
    let place = Place::new();
    let list = place.succeed("recipes").stdout;
    for name in ["calibrated", "two-stage", "vamp", "standard", "classic"] {
        assert!(list.lines().any(|line| line.starts_with(name)), "{list}");
        let text = place.succeed(&format!("recipes {name}")).stdout;
        assert!(text.parse::<toml::Table>().unwrap().contains_key("training"), "{text}");
    }
    // What is printed is what --config takes.
    place.write("mine.toml", place.succeed("recipes classic").stdout);
    place.succeed(&format!("run --config mine.toml --out file {QUICK}"));
    place.succeed(&format!("run --recipe classic --out named {QUICK}"));
    assert_eq!(place.read("file/samples.csv"), place.read("named/samples.csv"));
}

#[test]
fn a_mixture_and_its_truth() {
    let place = Place::new();
    place.succeed("mixture --components 4 --dimensions 2 --rows 50 --out blobs");
    let data = rows(&place.read("blobs/data.csv"));
    assert_eq!((data[0].join(","), data.len()), ("x0,x1,component".into(), 51));
    let truth: Value = serde_json::from_str(&place.read("blobs/mixture.json")).unwrap();
    let weights: Vec<f64> = serde_json::from_value(truth["weights"].clone()).unwrap();
    let means: Vec<[f64; 2]> = serde_json::from_value(truth["means"].clone()).unwrap();
    let covariances: Vec<[[f64; 2]; 2]> =
        serde_json::from_value(truth["covariances"].clone()).unwrap();
    assert_eq!((weights.len(), means.len()), (4, 4));
    assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-6);
    assert!(means.iter().flatten().all(|mean| mean.abs() < 5.0));
    assert_eq!(covariances, [[[1.0, 0.0], [0.0, 1.0]]; 4]);

    // The same mixture that a run without data makes.
    place.succeed("mixture --rows 120 --out same");
    place.succeed(&format!("run --out run {QUICK}"));
    for file in ["data.csv", "mixture.json"] {
        let read = |folder: &str| place.read(Path::new(folder).join(file));
        assert_eq!(read("same"), read("run"), "{file}");
    }
}

#[test]
fn an_embedding_has_a_point_a_row() {
    let place = Place::new();
    place.write("my.csv", two_groups(&["a", "b", "c"], 30));
    place.succeed("tsne my.csv --labels kind --perplexity 5 --out out.csv");
    let points = rows(&place.read("out.csv"));
    assert_eq!((points[0].join(","), points.len()), ("x,y,kind".into(), 31));
    assert_eq!(points[1][2], "left");
}

#[test]
fn rows_that_were_dropped_are_counted_by_every_command() {
    let place = Place::new();
    let text = two_groups(&["a", "b"], 40);
    place.write("my.csv", format!("{text}NaN,1,left\n,2,right\n"));
    place.succeed(&format!("train my.csv --labels kind --drop-missing --out run {QUICK}"));
    for line in [
        "encode run my.csv --labels kind --drop-missing --backend cpu --out latents.csv",
        "tsne my.csv --labels kind --drop-missing --perplexity 5 --epochs 50 --out tsne.csv",
    ] {
        let ran = place.succeed(line);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(
            said.contains("2 rows with missing values were dropped"),
            "modescope {line}\n{said}"
        );
    }
}

/// A run reads what it wrote, though a column is called as pandas calls what is left out of features, and says
/// what it noticed of the rows.
#[test]
fn a_column_that_is_named_is_a_feature_of_every_stage() {
    let place = Place::new();
    let line = |row: usize| format!("{},{}\n", row % 7, (1e4 * (row as f64).sin()).fract());
    let rows: String = (0..40).map(line).collect();
    place.write("my.csv", format!("__index_level_0__,x\n{rows}{rows}"));
    let ran = place.succeed(&format!("run my.csv --columns __index_level_0__,x --out run {QUICK}"));
    assert!(ran.stderr.contains("50% of the rows are copies of others"), "{}", ran.stderr);
    assert!(place.read("run/samples.csv").starts_with("__index_level_0__,x\n"));
}

#[test]
fn devices_are_listed() {
    let place = Place::new();
    assert!(place.succeed("devices").stdout.contains("--backend auto takes"));
    let ran = place.succeed("devices --json");
    let value: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert!(value["adapters"].is_array() && value["auto"]["backend"].is_string(), "{value}");
}

#[test]
fn every_command_has_help_with_an_example() {
    let place = Place::new();
    let help = place.succeed("--help").stdout;
    let list = help.split("Commands:").nth(1).unwrap().split("Options:").next().unwrap();
    let commands: Vec<&str> = list
        .lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .map(|line| line.split_whitespace().next().unwrap())
        .filter(|name| *name != "help")
        .collect();
    let known = ["run", "mixture", "train", "sample", "encode", "tsne", "report", "recipes"];
    assert!(known.iter().all(|name| commands.contains(name)), "{commands:?}");
    for name in commands.into_iter().chain([""]) {
        let text = place.succeed(&format!("{name} --help")).stdout;
        assert!(text.contains("Example") && text.contains(&format!("modescope {name}")), "{text}");
    }
}

#[test]
fn completions_and_manual_pages_are_of_every_command() {
    let place = Place::new();
    let script = place.succeed("completions bash").stdout;
    assert!(script.contains("complete -F _modescope") && script.contains("--on-divergence"));
    place.succeed("man pages");
    let page = place.read("pages/modescope-sweep.1");
    assert!(page.starts_with(".ie \\n(.g") && page.contains("\\-\\-shard"), "{page}");
    let pages = file_names(&place).len();
    let commands = place.read("pages/modescope.1").matches("modescope\\-").count();
    assert!(pages > 15 && commands + 1 >= pages, "{pages} pages of {commands} commands");
}

/// Software adapters count: where there is none at all, this fails and says so.
#[test]
fn a_run_on_wgpu_names_its_adapter() {
    let place = Place::new();
    let small = "--set mixture.rows=32 --set samples=40 --set model.hidden=[8]";
    let quick = QUICK.replace("--epochs 3", "--epochs 1");
    let ran = place.succeed(&format!("run --json --out run {quick} {small} --backend wgpu"));
    let value: Value = serde_json::from_str(&ran.stdout).unwrap();
    let adapter = value["decided"]["adapter"]["name"].as_str().unwrap();
    assert!(!adapter.is_empty() && ran.stderr.contains(&format!("wgpu on {adapter}")), "{ran:?}");
    let config: toml::Table = place.read("run/config.toml").parse().unwrap();
    assert_eq!(config["run"]["backend"].as_str(), Some("wgpu"));
    assert_eq!(config["run"]["adapter"]["name"].as_str(), Some(adapter));
    // The samples of the same weights, drawn on the CPU.
    place.succeed("sample run -n 40 --seed 1 --backend cpu --out cpu.csv");
    let (gpu, cpu) = (numbers(&place.read("run/samples.csv")), numbers(&place.read("cpu.csv")));
    assert_eq!((gpu.len(), cpu.len()), (40, 40));
    for (a, b) in gpu.iter().flatten().zip(cpu.iter().flatten()) {
        assert!((a - b).abs() <= 1e-3, "{a} and {b}");
    }
}

#[test]
fn more_rows_are_trained_on_and_answered_for() {
    let place = Place::new();
    place.succeed(&format!(
        "run --out run {QUICK} --full --set analysis.more_rows=240 \
         --set safety.checkpoint_epochs=1"
    ));
    assert!(!place.path("run/checkpoints").exists());
    let found: Value = serde_json::from_str(&place.read("run/more_rows.json")).unwrap();
    assert_eq!(found["rows"], 240);
    // As many rows as 3 epochs of 4 batches may have: an epoch of 8, and 144 of its 240 rows again.
    assert_eq!(found["steps"], 13);
    assert_eq!(found["real_rows"], 240);
    let audit: Value = serde_json::from_str(&place.read("run/audit.json")).unwrap();
    assert_eq!(audit["more_rows"], found);
    let answer = audit["answers"][3]["answer"].as_str().unwrap();
    assert!(answer.contains("240 rows"), "{answer}");
}

#[test]
fn early_stopping_keeps_the_best_epoch() {
    let place = Place::new();
    let settings = "--set training.learning_rate=0.05 --set training.patience=3 --epochs 200 \
                    --set training.beta_schedule=constant";
    place.succeed("mixture --rows 200 --out data");
    let line = format!("train data/data.csv --labels component --backend cpu --out run {settings}");
    place.succeed(&line);
    let history = rows(&place.read("run/history.csv"));
    let column = history[0].iter().position(|name| name == "held_out_elbo").unwrap();
    let elbos: Vec<f64> = history[1..].iter().map(|row| row[column].parse().unwrap()).collect();
    let best = elbos.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    assert!(elbos.len() < 200, "it did not stop");
    assert_eq!(elbos.iter().position(|&elbo| elbo == best), Some(elbos.len() - 4));
}

#[test]
fn columns_of_different_units_are_warned_about() {
    let place = Place::new();
    let lines: String = (0..40).map(|i| format!("{},{}\n", i % 7, 100 * (i % 11))).collect();
    place.write("my.csv", format!("narrow,wide\n{lines}"));
    let ran = place.succeed(&format!("train my.csv --out rms {QUICK}"));
    assert!(ran.stderr.contains("column \"wide\" spreads"), "{}", ran.stderr);
    let line = format!("train my.csv --out z {QUICK} --set data.scaling=z-score");
    assert!(!place.succeed(&line).stderr.contains("spreads"));
}
