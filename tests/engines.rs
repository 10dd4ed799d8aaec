//! Who takes the training steps, as a user chooses and sees it.

mod common;

use common::{Place, QUICK, refused};
use modescope::history::read_history;
use serde_json::Value;

#[test]
fn restarts_that_all_diverge_are_an_error() {
    let place = Place::new();
    let rate = "--set training.learning_rate=1e30 --restarts 3";
    let ran = place.run(&format!("run --out none {QUICK} {rate}"));
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(ran.stderr.contains("all 3 restarts diverged"), "{}", ran.stderr);
    assert!(!place.path("none/model.json").exists());
    // A lower rate may help the first, and here does not.
    let ran = place.run(&format!("run --out none {QUICK} {rate} --on-divergence retry --force"));
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(ran.stderr.contains("all 3 restarts diverged: going on with the first alone"));
    assert_eq!(ran.stderr.matches(" of the learning rate, try ").count(), 3, "{}", ran.stderr);
}

/// Restarts differ, the best of them is the model, and both engines train it alike.
#[test]
fn restarts_keep_the_best_of_several_trainings() {
    let place = Place::new();
    let seed = |run: &str| {
        let card: Value = serde_json::from_str(&place.read(format!("{run}/model.json"))).unwrap();
        card["seed"].as_u64().unwrap()
    };
    let last_elbo = |run: &str| {
        let history = read_history(&place.path(format!("{run}/history.csv"))).unwrap();
        history.last().unwrap().held_out_elbo.unwrap()
    };
    let ran = place.succeed(&format!("run --out several {QUICK} --restarts 5"));
    assert!(ran.stderr.contains("restarts: number"), "{}", ran.stderr);
    let best = seed("several");
    // The kept training as a run of its own, on the other engine: only the data's seed differs.
    place.succeed(&format!("run --out one {QUICK}"));
    assert!(last_elbo("several") >= last_elbo("one"));
    assert_eq!(seed("one"), 1);
    place.succeed(&format!("run --out again {QUICK} --engine autodiff --restarts 5"));
    assert_eq!(seed("again"), best);
    assert!((last_elbo("several") - last_elbo("again")).abs() < 1e-3);
}

/// Rounding makes two engines' trainings drift apart, as other noise does: it must cost no more modes.
#[test]
fn whole_trainings_by_either_engine_capture_the_same_modes() {
    let place = Place::new();
    let captured = |name: &str, options: &str| -> Vec<bool> {
        let analysis = "--set analysis.max_clusters=2 --set analysis.restarts=1 \
                        --set analysis.perplexities=[]";
        place.succeed(&format!("run --out {name} --backend cpu --epochs 100 {analysis} {options}"));
        let text = place.read(format!("{name}/audit.json"));
        let audit: Value = serde_json::from_str(&text).unwrap();
        let modes = audit["modes"].as_array().unwrap();
        modes.iter().map(|mode| mode["ratio"].as_f64().unwrap() >= 0.5).collect()
    };
    let fused = captured("fused", "--engine fused");
    let autodiff = captured("autodiff", "--engine autodiff");
    let other_noise = captured("other", "--engine autodiff --set training.seed=2");
    let apart = |a: &[bool], b: &[bool]| a.iter().zip(b).filter(|(a, b)| a != b).count();
    assert!(apart(&fused, &autodiff) <= apart(&autodiff, &other_noise));
    assert!(fused.iter().filter(|&&captured| captured).count() >= 9);
}

/// Whatever is here passes, and says where it was checked.
#[test]
fn the_doctor_finds_every_backend_right() {
    let place = Place::new();
    let ran = place.succeed("doctor --json");
    let found: Value = serde_json::from_str(&ran.stdout).unwrap();
    let checks = found["checks"].as_array().unwrap();
    assert_eq!(checks.len(), 4, "{found}");
    for check in checks {
        let compared = check["compared"].as_array().unwrap();
        assert!(check["right"] == true && compared.len() > 12, "{check}");
        assert!(compared.iter().any(|tensor| tensor["tensor"] == "prior.means"));
    }
    assert!(place.succeed("doctor --backend cpu").stdout.starts_with("fused     right: at most"));
}

#[test]
fn an_engine_that_does_not_do_the_job_is_refused_and_auto_says_why_it_takes_another() {
    let place = Place::new();
    let line = format!("run --out run {QUICK} --recipe vamp --engine fused");
    refused(&place, &line, &["the fused engine does not do a VampPrior", "--engine autodiff"]);
    let ran = place.succeed(&format!("run --out run {QUICK} --recipe vamp"));
    assert!(ran.stderr.contains("chosen because fused does not do a VampPrior"), "{}", ran.stderr);
    assert!(place.read("run/config.toml").contains("engine = \"autodiff\""));
}
