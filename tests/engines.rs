//! Who takes the training steps, as a user chooses and sees it.

mod common;

use common::{Place, QUICK, refused};
use modescope::train::read_history;
use serde_json::Value;

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

#[test]
fn an_engine_that_does_not_do_the_job_is_refused_and_auto_says_why_it_takes_another() {
    let place = Place::new();
    let line = format!("run --out run {QUICK} --recipe vamp --engine fused");
    refused(&place, &line, &["the fused engine does not do a VampPrior", "--engine autodiff"]);
    let ran = place.succeed(&format!("run --out run {QUICK} --recipe vamp"));
    assert!(ran.stderr.contains("chosen because fused does not do a VampPrior"), "{}", ran.stderr);
    assert!(place.read("run/config.toml").contains("engine = \"autodiff\""));
}
