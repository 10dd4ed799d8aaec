//! The shaders as text.

use serde_json::json;

use super::super::plan::Pass;
use super::super::stages::Stage;
use super::*;
use crate::shaders::write_for_every_api;

#[test]
fn every_stage_is_valid_and_is_written_for_every_api() {
    let all = TrainingSettings {
        gradient_clip: Some(1.0),
        ema: Some(0.9),
        ..TrainingSettings::default()
    };
    let mut seen: Vec<Stage> = Vec::new();
    for settings in [json!({}), json!({"prior": "mixture", "posterior_variance": "softplus"})] {
        let case = Case::drawn(settings, (100, 3), 32);
        for target in TARGETS {
            for Pass { stage, products, constants, .. } in
                Plan::new(&case.job(&all), 1, target).passes
            {
                let constants = constants.iter().map(|(name, value)| ((*name).to_owned(), *value));
                let name = format!("{stage:?}, {target:?}");
                let (source, entry) = (stage.source(products), stage.entry());
                write_for_every_api(&name, source, entry, &constants.collect());
                seen.push(stage);
            }
        }
    }
    assert!(Stage::ALL.iter().all(|stage| seen.contains(stage)));
}
