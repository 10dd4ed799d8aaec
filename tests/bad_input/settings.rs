//! Settings: `--config`, `--set`, grids of a sweep, and the names of files to read and write.

use crate::common::{Place, QUICK, refused, two_groups};
use crate::{case, check_in, each, refused_job};

#[test]
fn files_of_settings() {
    let deep =
        |start: &str, end: &str| format!("seed = {}1{}", start.repeat(50_000), end.repeat(50_000));
    let dotted = vec!["a"; 100_000].join(".");
    let limit = "recursion limit";
    let cases = [
        case("an open table", "[model\nlatent = 2\n", &["line 1"]),
        case("an unknown key", "seed = 3\n[training]\nepoch = 5\n", &["line 3, column 1", "epoch"]),
        case("an unknown table", "[trainnig]\nepochs = 5\n", &["line 1", "trainnig"]),
        case("a key twice", "seed = 3\nseed = 4\n", &["line 2, column 1", "duplicate key"]),
        case("a table twice", "[data]\n[data]\n", &["line 2", "duplicate key"]),
        case("an unknown recipe", "recipe = \"fancy\"\n", &["\"fancy\"", "vamp, standard"]),
        case("a number as a table", "model = 3\n", &["line 1, column 9", "expected a table"]),
        case(
            "a table as a number",
            "[seed]\nx = 1\n",
            &["line 1", "expected a whole number from 0"],
        ),
        case("text as a number", "[model]\nlatent = \"two\"\n", &["line 2, column 10", "latent"]),
        case(
            "a number as text",
            "[data]\nlabels = 3\n",
            &["line 2, column 10", "expected a string"],
        ),
        case("a fraction", "[model]\nlatent = 2.5\n", &["line 2, column 10", "2.5"]),
        case("a negative count", "[model]\nlatent = -2\n", &["line 2, column 10", "-2"]),
        case("a number as a flag", "noise = 1\n", &["line 1, column 9", "boolean"]),
        case("a list as a number", "seed = [1]\n", &["line 1, column 8", "invalid type: a list"]),
        case(
            "a number as a list",
            "[model]\nhidden = 8\n",
            &["line 2, column 10", "expected a list"],
        ),
        case("a date", "seed = 1979-05-27\n", &["line 1, column 8", "seed"]),
        case(
            "an unknown choice",
            "[model]\nactivation = \"sine\"\n",
            &["line 2, column 14", "sine"],
        ),
        case("beyond 2^63", "seed = 9223372036854775808\n", &["line 1, column 8"]),
        case("out of its range", "[model]\nlatent = 0\n", &["model.latent", "at least 1"]),
        case("Latin-1", *b"recipe = \"caf\xe9\"\n", &["not UTF-8"]),
        case("deep lists", deep("[", "]"), &["line 1", "recursion depth"]),
        case("deep tables", deep("{a=", "}"), &["line 1", "recursion depth"]),
        case("a deep key", format!("{dotted} = 1\n"), &[limit]),
        case("a deep heading", format!("[{dotted}]\n"), &[limit]),
        case("two megabytes", "# \n".repeat(700_000), &["2100000 bytes"]),
    ];
    each(cases, |case| {
        check_in(&Place::new(), case, "run --config mine.toml --out new", "mine.toml");
    });
}

#[test]
fn grids() {
    let list = |length: usize| (0..length).map(|i| format!("{i},")).collect::<String>();
    let rates = format!("[grid]\ntraining.beta = [{}]\n", list(150_000));
    let wide =
        format!("[grid]\nmodel.hidden = [[{}]]\ntraining.beta = [{}]\n", list(9_999), list(5_000));
    let cases = [
        case("an unknown key", "sedes = 3\n", &["line 1", "sedes"]),
        case("no seed", "seeds = []\n", &["the list of seeds is empty"]),
        case("0 seeds", "seeds = 0\n", &["at least 1"]),
        case("a seed twice", "seeds = [4, 4]\n", &["seed 4 is listed twice"]),
        case("too many seeds", "seeds = 100001\n", &["more than 100000"]),
        case(
            "a long list of seeds",
            format!("seeds = [{}]\n", list(120_000)),
            &["more than 100000"],
        ),
        case("seeds in words", "seeds = \"many\"\n", &["seeds must be a number", "is \"many\""]),
        case("a seed below 0", "seeds = [1, -2]\n", &["numbers from 0", "is [1, -2]"]),
        case("an unknown setting", "[grid]\nmodel.sigmo = [1]\n", &["model.sigmo", "model.sigma?"]),
        case("no list", "[grid]\ntraining.beta = 1\n", &["training.beta must be a list"]),
        case("an empty list", "[grid]\ntraining.beta = []\n", &["training.beta has no values"]),
        case("a value twice", "[grid]\ntraining.beta = [1, 1]\n", &["training.beta lists 1 twice"]),
        case(
            "data that vary",
            "[grid]\nmixture.rows = [10, 20]\n",
            &["mixture.rows", "share data"],
        ),
        case(
            "a bad value",
            "[grid]\ntraining.beta = [1, -1]\n",
            &["the grid's training.beta=-1: ", "at least 1e-12"],
        ),
        case(
            "a list of texts",
            "[grid]\ntraining.beta = [\"x\"]\n",
            &["\"x\"", "expected a number"],
        ),
        case("too many values", rates, &["more than 100000"]),
        case("a thousand layers", wide, &["model.hidden", "at most 100"]),
        case(
            "a deep list",
            format!("[grid]\nmodel.hidden = {}", "[".repeat(90_000)),
            &["recursion"],
        ),
    ];
    each(cases, |case| {
        let line = "sweep --backend cpu --grid grid.toml --out new";
        check_in(&Place::new(), case, line, "grid.toml");
    });
}

#[test]
fn assignments() {
    let place = Place::new();
    let (deep, long) = ("[".repeat(50_000), "a.".repeat(50_000));
    for (assignment, words) in [
        ("model.latent=0", ["model.latent", "at least 1"]),
        ("training.epochs=many", ["epochs", "many"]),
        ("training.learning_rate=-1", ["training.learning_rate", "positive"]),
        ("training.beta=nan", ["training.beta", "finite"]),
        ("model.activation=sine", ["activation", "sine"]),
        ("data.held_out=1.5", ["data.held_out", "0.9"]),
        ("analysis.perplexities=[0.5]", ["analysis.perplexities", "at least 1"]),
        ("training.epoch=5", ["training.epoch", "did you mean training.epochs?"]),
        ("colour=red", ["\"colour\"", "training.epochs"]),
        ("model=3", ["\"model\"", "the settings are"]),
        ("epochs", ["epochs", "key=value"]),
        ("=5", ["\"\"", "the settings are"]),
        (&format!("training.epochs={deep}"), ["epochs", "invalid type"]),
        (&format!("{long}=1"), ["there is no setting", "…"]),
        ("mixture.components=2000000", ["mixture.components", "10^6"]),
        ("model.hidden=[0]", ["model.hidden", "at least 1"]),
    ] {
        refused_job(&place, &format!("run --set {assignment}"), &words);
    }
}

#[test]
fn names_of_files_to_read() {
    let place = Place::new();
    place.write("my.csv", two_groups(&["a", "b"], 40));
    place.write("my.xlsx", "PK");
    place.write("noending", "1,2\n3,4\n");
    for name in ["folder.csv", "folder.toml", "folder.json"] {
        std::fs::create_dir(place.path(name)).unwrap();
    }
    let audit = "audit --labels kind --real my.csv --generated";
    for (line, words) in [
        ("run absent.csv", ["absent.csv", "there is no such file"]),
        ("run folder.csv", ["folder.csv", "this is a folder"]),
        ("run my.xlsx", ["my.xlsx", ".csv, .parquet or .npy"]),
        ("run noending", ["noending", ".csv, .parquet or .npy"]),
        ("run --config absent.toml", ["absent.toml", "there is no such file"]),
        ("run --config folder.toml", ["folder.toml", "this is a folder"]),
        ("sweep --grid absent.toml", ["absent.toml", "there is no such file"]),
        ("sweep --grid folder.toml", ["folder.toml", "this is a folder"]),
        (&format!("{audit} my.csv --mixture absent.json"), ["absent.json", "no such file"]),
        (&format!("{audit} my.csv --mixture folder.json"), ["folder.json", "this is a folder"]),
        (&format!("{audit} absent.npy"), ["absent.npy", "no such file"]),
    ] {
        refused_job(&place, line, &words);
    }
    #[cfg(unix)]
    for line in ["run", "run --config", "sweep --grid", &format!("{audit} my.csv --mixture")] {
        let line = format!("{line} /dev/zero");
        refused_job(&place, &line, &["/dev/zero: this is not a regular file"]);
    }
}

#[test]
fn names_of_files_to_write() {
    let place = crate::trained();
    std::fs::create_dir(place.path("folder")).unwrap();
    let commands = [
        "sample run --backend cpu -n 10",
        "encode run my.csv --backend cpu",
        "tsne my.csv --labels kind --perplexity 5 --epochs 20",
    ];
    for command in commands {
        for force in ["", "--force"] {
            refused(&place, &format!("{command} {force} --out folder"), &["folder is a folder"]);
            let line = format!("{command} {force} --out my.csv/out.csv");
            refused(&place, &line, &["my.csv is a file", "give the name of a folder"]);
        }
        refused(
            &place,
            &format!("{command} --out my.csv"),
            &["my.csv is already there", "--force"],
        );
        refused(
            &place,
            &format!("{command} --out out.txt"),
            &["out.txt", ".csv, .parquet or .npy"],
        );
    }
    let labelled = format!("{} --out out.npy", commands[2]);
    refused(&place, &labelled, &["out.npy: .npy files hold no labels", "leave --labels out"]);
    let audit = "audit --real my.csv --generated my.csv --labels kind";
    for command in [audit, "mixture --rows 50", &format!("run {QUICK}"), &format!("sweep {QUICK}")]
    {
        refused(
            &place,
            &format!("{command} --out my.csv"),
            &["my.csv is a file", "give the name of a folder"],
        );
        refused(
            &place,
            &format!("{command} --out my.csv/new"),
            &["my.csv is a file", "give the name of a folder"],
        );
    }
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("elsewhere.csv", place.path("link.csv")).unwrap();
        for command in commands {
            refused(&place, &format!("{command} --out link.csv"), &["link.csv is already there"]);
        }
        // Forced, the link is replaced and what it points to is not written.
        place.succeed(&format!("{} --force --out link.csv", commands[0]));
        assert!(!place.path("link.csv").is_symlink() && !place.path("elsewhere.csv").exists());
    }
}
