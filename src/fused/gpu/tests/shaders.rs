//! The shaders as text.

use serde_json::json;

use super::super::plan::Pass;
use super::super::stages::{Products, Stage};
use super::*;
use crate::shaders::write_for_every_api;

/// What an adapter is asked for is what the shader takes.
#[test]
fn a_block_takes_the_invocations_and_the_memory_that_are_asked_for() {
    let module = naga::front::wgsl::parse_str(Stage::Block.source()).unwrap();
    assert_eq!(module.entry_points[0].workgroup_size, [tiles::BLOCK_LANES, 1, 1]);
    let shared = module.global_variables.iter().map(|(_, variable)| variable);
    let shared = shared.filter(|variable| variable.space == naga::AddressSpace::WorkGroup);
    let bytes = shared.map(|variable| module.types[variable.ty].inner.size(module.to_ctx()));
    assert_eq!(bytes.sum::<u32>(), tiles::BLOCK_BYTES);
}

#[test]
fn every_stage_is_valid_and_is_written_for_every_api() {
    let all = TrainingSettings {
        gradient_clip: Some(1.0),
        ema: Some(0.9),
        ..TrainingSettings::default()
    };
    let mut seen: Vec<Stage> = Vec::new();
    for settings in [json!({}), json!({"prior": "mixture", "posterior_variance": "softplus"})] {
        let case = Case::drawn(settings, (1000, 3), 200);
        for target in TARGETS {
            for Pass { stage, constants, .. } in Plan::new(&case.job(&all), 1, target).passes {
                let constants = constants.iter().map(|(name, value)| ((*name).to_owned(), *value));
                let name = format!("{stage:?}");
                let (source, entry) = (stage.source(), stage.entry());
                write_for_every_api(&name, source, entry, &constants.collect());
                seen.push(stage);
            }
        }
    }
    let by_products = |products| {
        [Stage::DenseForward(products), Stage::DenseBackward(products), Stage::Gradients(products)]
    };
    let products = [Products::Registers, Products::Tiles, Products::Large].map(by_products);
    let others = [
        Stage::Draw,
        Stage::PosteriorStandardNormal,
        Stage::PosteriorMixture,
        Stage::PosteriorBackward,
        Stage::Block,
        Stage::Norm,
        Stage::Update,
    ];
    for stage in products.as_flattened().iter().chain(&others) {
        assert!(seen.contains(stage), "{stage:?}");
    }
}
