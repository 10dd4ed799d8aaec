//! `modescope compare` as a user sees it.

mod common;

use common::{Place, QUICK, refused, two_groups};
use serde_json::{Value, json};

/// A label with markup in it.
const INJECTION: &str = "</script><b>right";

/// Two runs on the same rows, whose recipes differ, in folders with markup in their names. One of the
/// three labels has too few rows to judge.
fn two_runs() -> Place {
    let place = Place::new();
    let few = |row: usize| format!("{},{},few\n", 30.0 + 0.1 * row as f64, (7 * row % 8) as f64);
    let few: String = (0..8).map(few).collect();
    place.write("my.csv", two_groups(&["a", "b"], 120).replace("right", INJECTION) + &few);
    for recipe in ["classic", "calibrated"] {
        let line = format!("run my.csv --labels kind --recipe {recipe} --out <i>{recipe} {QUICK}");
        place.succeed(&line);
    }
    place
}

/// The rows of the table under a heading, each as the text of its cells.
fn rows_of(page: &str, section: &str) -> Vec<Vec<String>> {
    let (_, rest) = page.split_once(&format!("<section id=\"{section}\"")).unwrap();
    let (body, _) = rest.split_once("<tbody>").unwrap().1.split_once("</tbody>").unwrap();
    let text = |html: &str| {
        let parts = html.split('<').filter_map(|part| part.split_once('>'));
        parts.map(|(_, text)| text).collect::<String>()
    };
    let cells = |row: &str| {
        let ends = row.replace("</th>", "</td>");
        let cells = ends.split("</td>").map(text).map(|cell| cell.trim().to_owned());
        let mut cells: Vec<String> = cells.collect();
        cells.pop();
        cells
    };
    body.split("<tr>").skip(1).map(cells).collect()
}

/// A run may come from anyone: what its files say need not fit together.
#[test]
fn files_that_contradict_themselves_are_refused() {
    let place = two_runs();
    let damage = |file: &str, from: &str, to: &str, words: &str| {
        let whole = place.read(file);
        assert!(whole.contains(from), "{from} in {file}");
        place.write(file, whole.replacen(from, to, 1));
        refused(&place, "compare <i>classic <i>calibrated", &[file, words]);
        place.write(file, whole);
    };
    let audit = "<i>calibrated/audit.json";
    damage(audit, "\"schema\": 3", "\"schema\": 2", "schema 2 in place of 3");
    damage(audit, "\"id\": 1", "\"id\": 99", "mode 99 is not in its place");
    damage(audit, "\"id\": 1,", "\"id\": 1, \"merged_with\": 99,", "with one that is not there");
    damage(audit, "\"modes\": []", "\"modes\": [99]", "there is no mode 99");
    damage("<i>calibrated/history.csv", "\n1,", "\n100,", "epoch 100 in place of 1");
}

#[test]
fn the_page_holds_both_runs_and_only_the_settings_that_differ() {
    let place = two_runs();
    let ran = place.succeed("compare <i>classic <i>calibrated --json");
    let json: Value = serde_json::from_str(&ran.stdout).unwrap();
    let page = place.read("compare.html");
    let told = place.succeed("compare <i>classic <i>calibrated --force").stdout;

    assert_eq!((json["runs"].as_array().unwrap().len(), told.lines().count()), (2, 5), "{told}");
    let runs = json["runs"].as_array().unwrap().iter().zip(["classic", "calibrated"]);
    for ((run, recipe), told) in runs.zip(told.lines().skip(1)) {
        let audit: Value =
            serde_json::from_str(&place.read(format!("<i>{recipe}/audit.json"))).unwrap();
        assert_eq!(run["recipe"], recipe);
        for part in ["verdict", "counts", "metrics"] {
            assert_eq!(run[part], audit[part], "{recipe}: {part}");
        }
        // Those that can be judged.
        let judged = &audit["counts"]["eligible_only"];
        assert_eq!((&audit["counts"]["modes"], &judged["modes"]), (&json!(3), &json!(2)));
        for count in ["strict", "captured"] {
            let of_judged = format!("{} of 2", judged[count]);
            assert!(told.contains(&of_judged), "{of_judged} {count}: {told}");
            assert!(page.contains(&format!("<td>{of_judged}</td>")), "{of_judged} {count}");
        }
        let verdict = audit["verdict"].as_str().unwrap();
        let escaped = verdict.replace('<', "&lt;").replace('>', "&gt;");
        assert!(page.contains(&format!("<p>{escaped}</p>")), "{verdict}");
        let picture = place.read(format!("<i>{recipe}/plots/real-and-generated.svg"));
        assert!(page.contains(&picture), "{recipe}");
        let history = place.read(format!("<i>{recipe}/history.csv"));
        let elbo: f64 = history.lines().last().unwrap().split(',').nth(8).unwrap().parse().unwrap();
        assert_eq!(run["held_out_elbo"], elbo);
        assert!(page.contains(&format!("<td>{elbo:.3}</td>")), "{recipe}: {elbo}");
    }

    // What `diff` would say of the two config.toml.
    let table =
        |recipe| -> toml::Table { place.read(format!("<i>{recipe}/config.toml")).parse().unwrap() };
    let (classic, calibrated) = (table("classic"), table("calibrated"));
    let settings = rows_of(&page, "settings");
    let keys: Vec<&str> = settings.iter().map(|cells| cells[0].as_str()).collect();
    for key in ["model.likelihood", "training.kl_reduction", "recipe"] {
        assert!(keys.contains(&key), "{key} is not in {keys:?}");
    }
    for key in &keys {
        let value = |table: &toml::Table| match key.split_once('.') {
            Some((section, name)) => table[section].as_table().unwrap().get(name).cloned(),
            None => table.get(*key).cloned(),
        };
        assert_ne!(value(&classic), value(&calibrated), "{key}");
    }
    assert_eq!(json["settings"].as_object().unwrap().len(), keys.len());

    assert_eq!(json["same_rows"], true);
    let modes = rows_of(&page, "modes");
    assert_eq!(modes.len(), 3);
    assert!(modes.iter().all(|cells| cells.len() == 4), "{modes:?}");
    assert_eq!(rows_of(&page, "distances").len(), 12);
}

#[test]
fn names_are_text_and_the_page_runs_nothing() {
    let place = two_runs();
    place.succeed("compare <i>classic <i>calibrated --out pages/both.html");
    let page = place.read("pages/both.html");
    assert!(page.contains("&lt;i&gt;classic") && !page.contains("<i>"));
    assert!(page.contains("&lt;/script&gt;&lt;b&gt;right") && !page.contains(INJECTION));
    for part in ["<script", "<link", "<img", "href=\"http", "url("] {
        assert!(!page.contains(part), "the page has {part}");
    }
    assert!(page.contains("default-src 'none'; style-src 'unsafe-inline'"));
}

#[test]
fn what_cannot_be_compared_is_refused_with_the_reason() {
    let place = two_runs();
    let alone = place.run("compare <i>classic");
    assert_eq!((alone.code, alone.stdout.as_str()), (Some(2), ""));
    assert!(alone.stderr.contains("<RUN>"), "{}", alone.stderr);

    place.write("none/notes.txt", "mine");
    refused(&place, "compare <i>classic none", &["none holds no run", "modescope run"]);
    refused(&place, "compare <i>classic <i>classic/", &["is named twice"]);

    place.write("compare.html", "mine");
    let both = "compare <i>classic <i>calibrated";
    refused(&place, both, &["compare.html is already there", "--force"]);
    assert_eq!(place.read("compare.html"), "mine");
    place.succeed(&format!("{both} --force"));
    assert!(place.read("compare.html").starts_with("<!DOCTYPE html>"));

    std::fs::remove_file(place.path("<i>classic/audit.json")).unwrap();
    refused(&place, "compare <i>classic <i>calibrated --out new.html", &["unfinished", "--resume"]);
}

#[test]
fn runs_on_other_data_show_counts_only_and_say_why() {
    let place = Place::new();
    place.succeed(&format!("run --out three --set mixture.components=3 {QUICK}"));
    place.succeed(&format!("run --out two --set mixture.components=2 {QUICK}"));
    let ran = place.succeed("compare three two");
    assert!(ran.stdout.contains("not trained on the same rows"), "{}", ran.stdout);
    let page = place.read("compare.html");
    assert!(page.contains("three was judged by 3 modes, two by 2"));
    assert!(page.contains("not trained on the same rows") && !page.contains("Table of modes"));

    // A run that audited nothing, as one of too few rows leaves it.
    let mut audit: Value = serde_json::from_str(&place.read("two/audit.json")).unwrap();
    let kept =
        ["schema", "verdict", "cause", "latent", "preflight", "more_rows", "answers", "notes"];
    audit.as_object_mut().unwrap().retain(|key, _| kept.contains(&key.as_str()));
    audit["learned"] = "cannot-be-judged".into();
    place.write("two/audit.json", audit.to_string());
    std::fs::remove_dir_all(place.path("two/plots")).unwrap();
    place.succeed("compare three two --force");
    let page = place.read("compare.html");
    for words in ["the samples of two were not audited", "That cannot be judged", "has no picture"]
    {
        assert!(page.contains(words), "{words}");
    }
}
