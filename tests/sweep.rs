//! `modescope sweep`: members equal runs, shards equal the whole, and what cannot be a sweep is
//! refused.

mod common;

use common::{Place, QUICK, refused};
use serde_json::Value;

const GRID: &str = "seeds = 2\n[grid]\ntraining.beta = [0.5, 1.0]\nmodel.hidden = [[16], [8, 8]]\n";

fn place() -> Place {
    let place = Place::new();
    place.write("grid.toml", GRID);
    place
}

fn sweep(out: &str, more: &str) -> String {
    format!("sweep --grid grid.toml --out {out} {QUICK} {more}")
        .replace("--set model.hidden=[16,16]", "")
}

/// On the CPU a member is a run of its own, whoever was trained beside it.
#[test]
fn a_member_is_what_a_run_with_its_seed_and_settings_is() {
    let place = place();
    let ran = place.succeed(&format!("{} --json", sweep("all", "")));
    let json: Value = serde_json::from_str(&ran.stdout).unwrap();
    let best = &json["ranking"]["best"];
    let member = best["member"].as_u64().unwrap() as usize;
    let (beta, hidden) = ([0.5, 1.0][member % 4 / 2], ["[16]", "[8,8]"][member / 4]);
    let seed = best["seed"].as_u64().unwrap();
    let settings = format!(
        "--set training.beta={beta} --set model.hidden={hidden} --set training.seed={seed}"
    );
    let quick = QUICK.replace("--set model.hidden=[16,16]", "");
    place.succeed(&format!("run --out alone {quick} {settings}"));
    for file in ["samples.csv", "audit.json", "data.csv"] {
        assert_eq!(
            place.read(format!("alone/{file}")),
            place.read(format!("all/best/{file}")),
            "{file}"
        );
    }
    let audit: Value = serde_json::from_str(&place.read("alone/audit.json")).unwrap();
    assert_eq!(audit["counts"], best["score"]["counts"]);
    let history = place.read("alone/history.csv");
    let elbo = history.lines().last().unwrap().split(',').nth(8).unwrap();
    let scored = best["score"]["held_out_elbo"].as_f64().unwrap();
    assert!((elbo.parse::<f64>().unwrap() - scored).abs() < 1e-9);
    assert!(
        place.path("all/plots/sweep.png").exists() && place.path("all/best/report.html").exists()
    );
}

#[test]
fn shards_merged_are_the_whole_and_what_is_trained_is_not_trained_again() {
    let place = place();
    place.succeed(&sweep("all", ""));
    refused(&place, &sweep("parts", "--merge"), &["there are no shards in parts/shards"]);
    place.succeed(&sweep("parts", "--shard 2/3"));
    let missing = ["5 of 8 members are in no shard", "run the shards"];
    refused(&place, &sweep("parts", "--merge"), &missing);
    place.succeed(&sweep("parts", "--shard 1/3"));
    place.succeed(&sweep("parts", "--shard 3/3"));
    place.succeed(&sweep("parts", "--merge"));
    for file in ["sweep.csv", "sweep.json", "best/samples.csv"] {
        assert_eq!(
            place.read(format!("all/{file}")),
            place.read(format!("parts/{file}")),
            "{file}"
        );
    }
    let again = place.succeed(&sweep("all", ""));
    assert!(again.stderr.contains("8 members are trained already"), "{}", again.stderr);
    assert!(!again.stderr.contains("training:"), "{}", again.stderr);
    let other = sweep("all", "--seed 9");
    refused(
        &place,
        &other,
        &["1-of-1.json", "is of a sweep with other settings, grid or seeds", "--force"],
    );
    place.succeed(&format!("{other} --force"));
}

/// An interrupted sweep keeps the members that were judged.
#[test]
fn a_shard_with_some_members_trains_the_others() {
    let place = place();
    place.succeed(&sweep("all", ""));
    let whole = place.read("all/sweep.csv");
    let mut shard: Value = serde_json::from_str(&place.read("all/shards/1-of-1.json")).unwrap();
    shard["members"].as_array_mut().unwrap().truncate(3);
    place.write("all/shards/1-of-1.json", shard.to_string());
    let again = place.succeed(&sweep("all", ""));
    assert!(again.stderr.contains("3 members are trained already"), "{}", again.stderr);
    assert_eq!(place.read("all/sweep.csv"), whole);
}

#[test]
fn a_run_is_not_replaced_by_a_sweep() {
    let place = place();
    place.write("mine/config.toml", "seed = 1");
    refused(&place, &sweep("mine", ""), &["mine holds a run of its own", "--out"]);
    place.write("other/best/config.toml", "seed = 1");
    refused(&place, &sweep("other", "--force"), &["other/best holds a run of its own", "--out"]);
    assert_eq!(place.read("other/best/config.toml"), "seed = 1");
}

#[test]
fn what_no_sweep_wrote_is_not_replaced_by_one() {
    let place = place();
    for file in ["sweep.csv", "sweep.json", "report.html", "plots/sweep.png", "best/data.csv"] {
        let out = file.replace(['.', '/'], "-");
        place.write(format!("{out}/shards/notes.json"), "mine");
        place.write(format!("{out}/{file}"), "precious");
        for option in ["", "--force"] {
            refused(
                &place,
                &sweep(&out, option),
                &["is there, without the shards of a sweep", "--out"],
            );
        }
        assert_eq!(place.read(format!("{out}/{file}")), "precious");
    }
}

#[test]
fn what_cannot_be_a_sweep_is_refused() {
    let place = place();
    place.write("bad.toml", "[grid]\ntraining.betta = [1]\n");
    place.write("range.toml", "[grid]\nmodel.latent = [0]\n");
    place.write("data.toml", "[grid]\nsamples = [10, 20]\n");
    place.write("few.csv", common::two_groups(&["a", "b"], 40));
    place.write("named.csv", common::two_groups(&["a", "b"], 40).replace(",kind", ",mean0"));
    for (line, words) in [
        ("--grid bad.toml", &["no setting \"training.betta\"", "training.beta?"][..]),
        ("--grid range.toml", &["model.latent must be at least 1"]),
        ("--grid data.toml", &["samples cannot vary"]),
        ("--grid absent.toml", &["absent.toml"]),
        ("--set training.restarts=2", &["training.restarts", "seeds"]),
        ("--set training.patience=2", &["training.patience"]),
        ("few.csv --labels kind --set data.held_out=0", &["held-out rows", "data.held_out"]),
        ("named.csv --labels mean0", &["\"mean0\", as one of the latents"]),
    ] {
        refused(&place, &format!("sweep --out none {QUICK} {line}"), words);
    }
    let usage = place.run("sweep --shard 3/2");
    assert_eq!(usage.code, Some(2));
    assert!(usage.stderr.contains("such as 2/8"), "{}", usage.stderr);
    let damaged = sweep("damaged", "");
    place.write("damaged/shards/1-of-1.json", "{");
    let ran = place.run(&damaged);
    assert!(ran.code != Some(0) && ran.stderr.contains("1-of-1.json"), "{}", ran.stderr);
}
