//! Models and runs: `model.json`, `model.safetensors`, `config.toml` and `mixture.json`.

use serde_json::{Value, json};

use crate::common::{Place, refused, two_groups};
use crate::make::{Tensors, mixture};
use crate::{case, check_in, each, trained};

#[test]
fn weights() {
    let place = trained();
    let whole = std::fs::read(place.path("run/model.safetensors")).unwrap();
    let (first, second) = ("encoder.0.weight", "encoder.0.bias");
    let changed = |change: &dyn Fn(&mut Tensors)| {
        let mut tensors = Tensors::parse(&whole);
        change(&mut tensors);
        tensors.bytes(None)
    };
    let claimed = |length| Tensors::parse(&whole).bytes(Some(length));
    let overlap = changed(&|tensors| {
        let place = tensors.entry(second)["data_offsets"].clone();
        tensors.entry(first)["data_offsets"] = place;
    });
    let entry = |key: &'static str, value: Value| {
        changed(&move |tensors| tensors.entry(first)[key] = value.clone())
    };
    let renamed = changed(&|tensors| {
        let entry = tensors.header.remove(first).unwrap();
        tensors.header.insert("encoder.9.weight".into(), entry);
    });
    let extra = changed(&|tensors| {
        let end = tensors.data.len();
        tensors.data.extend([0; 4]);
        let entry = json!({ "dtype": "F32", "shape": [1], "data_offsets": [end, end + 4] });
        tensors.header.insert("extra".into(), entry);
    });
    let with_value = |value: f32| {
        changed(&move |tensors| {
            let at = tensors.entry(second)["data_offsets"][0].as_u64().unwrap() as usize;
            tensors.data[at..at + 4].copy_from_slice(&value.to_le_bytes());
        })
    };
    let turned = format!("{first} is F32 [16, 3], not F32 [3, 16]");
    let integers = format!("{first} is I32 [3, 16], not F32 [3, 16]");
    let infinite = format!("{second} holds values that are not finite");
    let no = "not a safetensors file";
    let cases = [
        case("no byte", "", &[no]),
        case("cut", &whole[..whole.len() / 2], &[no]),
        case("a header beyond the file", claimed(90_000_000), &[no, "header length"]),
        case("a header of 2^60 bytes", claimed(1 << 60), &[no, "header too large"]),
        case("a header that is no JSON", claimed(9), &[no]),
        case("a deep header", [&200_000_u64.to_le_bytes()[..], &[b'['; 200_000]].concat(), &[no]),
        case("overlapping tensors", overlap, &[no, "offset"]),
        case("a shape beyond 2^64", entry("shape", json!([1_u64 << 63, 48])), &[no, "overflow"]),
        case("half precision", entry("dtype", json!("F16")), &[no]),
        case("integers", entry("dtype", json!("I32")), &[&integers]),
        case("an unknown type", entry("dtype", json!("Q7")), &[no]),
        case("a shape turned round", entry("shape", json!([16, 3])), &[&turned]),
        case("a tensor missing", renamed, &["no tensor encoder.0.weight"]),
        case("a tensor too many", extra, &["unexpected tensor extra"]),
        case("NaN", with_value(f32::NAN), &[&infinite]),
        case("inf", with_value(f32::NEG_INFINITY), &[&infinite]),
    ];
    each(cases, |case| {
        let line = "sample run --backend cpu --out out.csv";
        check_in(&place, case, line, "run/model.safetensors");
    });
}

#[test]
fn cards() {
    let place = trained();
    let whole: Value = serde_json::from_str(&place.read("run/model.json")).unwrap();
    let with = |path: &str, value: Value| {
        let mut card = whole.clone();
        *card.pointer_mut(path).unwrap() = value;
        card.to_string()
    };
    let text = whole.to_string();
    let with_key = text.replacen('{', "{\"colour\": 1,", 1);
    let cases = [
        case("no byte", "", &["line 1 column 0"]),
        case("cut", &text[..text.len() / 2], &["EOF"]),
        case("a deep list", "[".repeat(200_000), &["line 1"]),
        case("not UTF-8", [0xff; 20], &["line 1 column 1"]),
        case("an unknown field", with_key, &["unknown field `colour`"]),
        case("a field twice", text.replacen('{', "{\"seed\": 1,", 1), &["duplicate field `seed`"]),
        case("another format", with("/format", json!(99)), &["format 99", "reads format 2"]),
        case("a negative seed", with("/seed", json!(-1)), &["integer `-1`"]),
        case("an unknown activation", with("/architecture/activation", json!("sine")), &["`sine`"]),
        case("too many latents", with("/architecture/latent", json!(1_u64 << 60)), &["2^30"]),
        case("too wide a layer", with("/architecture/hidden", json!([1_u64 << 62])), &["2^30"]),
        case("a layer of no width", with("/architecture/hidden", json!([0])), &["width 0"]),
        case("no features", with("/architecture/features", json!(0)), &["0 features"]),
        case("too few columns", with("/columns", json!(["a"])), &["do not fit 3 features"]),
        case("one name twice", with("/columns", json!(["a", "b", "a"])), &["one name"]),
        case("a number as a column", with("/columns", json!([1, 2, 3])), &["expected a string"]),
        case("a scale of 0", with("/scaling/scale", json!([1, 0, 1])), &["scaling"]),
        case("a scale beyond f32", with("/scaling/scale", json!([1, 1e39, 1])), &["out of range"]),
        case("a negative weight", with("/prior/weights/0", json!(-1)), &["weights[0] is -1.0"]),
        case("a flat prior", with("/prior/covariances/0/0/0", json!(0)), &["covariances[0]"]),
        case("an unknown prior", with("/prior/kind", json!("cauchy")), &["`cauchy`"]),
    ];
    each(cases, |case| {
        let line = "sample run --backend cpu --out out.csv";
        check_in(&place, case, line, "run/model.json");
    });
}

#[test]
fn settings_of_a_run() {
    let place = trained();
    place.succeed("run --resume --out run");
    let whole = place.read("run/config.toml");
    let with = |from: &str, to: &str| {
        assert!(whole.contains(from), "{from} in {whole}");
        whole.replacen(from, to, 1)
    };
    let rows = with("rows = 120", "rows = 1000000000000000");
    let cases = [
        case("no byte", "", &["no [run] table"]),
        case("cut", &whole[..whole.len() / 2], &[]),
        case("not TOML", "seed = \n", &["line 1, column 8"]),
        case("not UTF-8", *b"recipe = \"\xff\"\n", &["not UTF-8"]),
        case("two megabytes", "# \n".repeat(700_000), &["2100000 bytes"]),
        case("text for a number", with("seed = 1", "seed = \"x\""), &["\"x\"", "seed"]),
        case("a negative seed", with("seed = 1", "seed = -1"), &["-1", "seed"]),
        case("an unknown key", format!("colour = 1\n{whole}"), &["colour"]),
        case("a key twice", format!("seed = 1\n{whole}"), &["duplicate key"]),
        case("10^15 rows of a mixture", rows, &["mixture.rows", "10^8"]),
        case("batches of 0", with("batch = 27", "batch = 0"), &["batches of 0"]),
        case("other rows", with("training_rows = 27", "training_rows = 270"), &["270 rows", "27"]),
        case("an unknown engine", with("engine = \"fused\"", "engine = \"x\""), &["engine"]),
    ];
    each(cases, |case| {
        check_in(&place, case, "report run", "run/config.toml");
    });
}

#[test]
fn mixtures() {
    let place = Place::new();
    place.write("my.csv", two_groups(&["a", "b"], 40));
    let whole = mixture();
    let with = |path: &str, value: Value| {
        let mut mixture = whole.clone();
        *mixture.pointer_mut(path).unwrap() = value;
        mixture.to_string()
    };
    let text = whole.to_string();
    let none = json!({ "weights": [], "means": [], "covariances": [] }).to_string();
    let narrow = json!({ "weights": [1], "means": [[0]], "covariances": [[[1]]] }).to_string();
    let with_key = text.replacen('{', "{\"colour\": 1,", 1);
    let cases = [
        case("no byte", "", &["line 1 column 0"]),
        case("cut", &text[..text.len() / 2], &["EOF"]),
        case("deep lists", "[".repeat(200_000), &["line 1"]),
        case("deep lists in it", format!("{{\"means\":{}", "[".repeat(200_000)), &["column 11"]),
        case("a number", "7", &["line 1 column 1"]),
        case("NaN", text.replacen("0.5", "NaN", 1), &["expected value at line 1"]),
        case("text for a weight", with("/weights/0", json!("half")), &["\"half\""]),
        case("null for a mean", with("/means/0", Value::Null), &["null"]),
        case("an unknown field", with_key, &["unknown field `colour`"]),
        case("nothing in it", none, &["weights is empty"]),
        case("a negative weight", with("/weights/0", json!(-0.5)), &["weights[0] is -0.5"]),
        case("weights that sum to 1.1", with("/weights/0", json!(0.6)), &["sum to 1.1"]),
        case("a mean too few", with("/means", json!([[0, 0]])), &["means has 1", "2"]),
        case("a mean too short", with("/means/1", json!([0])), &["means[1] has 1"]),
        case("a mean beyond f32", with("/means/1/0", json!(1e31)), &["means[1][0] is 1e31"]),
        case("a flat matrix", with("/covariances/1/0", json!([1])), &["covariances[1][0] has 1"]),
        case(
            "not symmetric",
            with("/covariances/1/0/1", json!(0.5)),
            &["covariances[1] is not sym"],
        ),
        case("not positive", with("/covariances/1/1/1", json!(-1)), &["covariances[1] is not pos"]),
        case("one dimension", narrow, &["has 1 dimensions", "2 feature columns"]),
    ];
    each(cases, |case| {
        let line =
            "audit --real my.csv --generated my.csv --labels kind --mixture t.json --out new";
        check_in(&place, case, line, "t.json");
    });
}

#[test]
fn what_a_report_is_made_of() {
    let place = trained();
    refused(&place, "report run", &["samples.csv", "--resume"]);
    place.succeed("run --resume --out run");
    for file in ["audit.json", "history.csv"] {
        let whole = place.read(format!("run/{file}"));
        for content in ["", &whole[..whole.len() / 2]] {
            let case = case(file, content, &[file]);
            check_in(&place, &case, "report run", &format!("run/{file}"));
        }
        place.write(format!("run/{file}"), whole);
    }
    // Tables that are not what the run wrote: a row less, or a column.
    let narrow = |text: &str| -> String {
        text.lines().map(|line| format!("{}\n", line.split_once(',').unwrap().1)).collect()
    };
    let short = |text: &str| text[..text.trim_end().rfind('\n').unwrap()].to_owned();
    for (file, content, words) in [
        ("samples.csv", narrow(&place.read("run/samples.csv")), "there is no column"),
        (
            "samples.csv",
            short(&place.read("run/samples.csv")),
            "it has 199 rows, and 200 were drawn",
        ),
        ("latents.csv", narrow(&place.read("run/latents.csv")), "there is no column"),
        (
            "latents.csv",
            short(&place.read("run/latents.csv")),
            "it has 29 rows, and 30 were encoded",
        ),
    ] {
        let whole = place.read(format!("run/{file}"));
        // Where the hashes of files are not known too.
        let (stamps, aside) = (place.path("run/.stamps"), place.path("stamps"));
        std::fs::rename(&stamps, &aside).unwrap();
        let case = case(file, content, &[file, words, "--resume --out run"]);
        check_in(&place, &case, "report run", &format!("run/{file}"));
        std::fs::rename(&aside, &stamps).unwrap();
        let words = format!("run: {file} is missing or not as the run left it");
        refused(&place, "report run", &[&words, "--resume --out run"]);
        place.succeed("run --resume --out run");
        assert!(place.read(format!("run/{file}")) == whole, "{file}");
    }
    let config = place.read("run/config.toml");
    let unlabelled: String =
        config.lines().filter(|l| !l.starts_with("labels = ")).map(|l| format!("{l}\n")).collect();
    // Then the labels are a column of text.
    let case = case("no labels", unlabelled, &["run/data.csv, line 2", "is not a number"]);
    check_in(&place, &case, "report run", "run/config.toml");
}

#[test]
fn a_folder_without_a_model() {
    let place = Place::new();
    place.write("my.csv", two_groups(&["a", "b"], 10));
    std::fs::create_dir(place.path("empty")).unwrap();
    for run in ["empty", "absent", "my.csv"] {
        refused(&place, &format!("sample {run} --out out.csv"), &[run, "model.json"]);
        refused(&place, &format!("encode {run} my.csv --out out.csv"), &[run, "model.json"]);
        refused(&place, &format!("report {run}"), &[run, "no run"]);
    }
    let place = trained();
    for (file, what) in [("model.safetensors", "no such file"), ("model.json", "unfinished")] {
        std::fs::remove_file(place.path("run").join(file)).unwrap();
        refused(&place, "sample run --backend cpu --out out.csv", &[file, what]);
        std::fs::create_dir(place.path("run").join(file)).unwrap();
        refused(&place, "sample run --backend cpu --out out.csv", &[file, "folder"]);
    }
}
