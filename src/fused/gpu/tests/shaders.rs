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

/// Constants that a shader and the plan of its workgroups both have.
#[test]
fn constants_of_the_shaders_are_those_of_the_plan() {
    use Products::{Large, Registers, Tiles};
    let (lanes, of_tile) = (tiles::LANES, tiles::TILE_LANES);
    for (stage, invocations, constants) in [
        (Stage::PosteriorMixture, lanes, &[("LANES", lanes), ("ROW_LANES", lanes)][..]),
        (Stage::PosteriorBackward, lanes, &[]),
        (Stage::DenseForward(Registers), lanes, &[("TILE_ROWS", slots::ROW_PADDING)]),
        (Stage::Gradients(Registers), lanes, &[("ABREAST", lanes), ("TILE_COLUMNS", 4 * lanes)]),
        (Stage::Gradients(Tiles), of_tile, &[("ABREAST", lanes)]),
        (Stage::Gradients(Large), of_tile, &[("ABREAST", lanes)]),
        (Stage::Norm, of_tile, &[("SQUARE_PARTS", plan::SQUARES)]),
        (Stage::Update, plan::UPDATED / 4, &[("SQUARE_PARTS", plan::SQUARES)]),
        (
            Stage::Block,
            tiles::BLOCK_LANES as usize,
            &[("ROWS", tiles::BLOCK), ("WIDEST", tiles::WIDEST), ("DEPTH", tiles::SLAB_DEPTH)],
        ),
    ] {
        let module = naga::front::wgsl::parse_str(stage.source()).unwrap();
        let entry = module.entry_points.iter().find(|entry| entry.name == stage.entry()).unwrap();
        assert_eq!(entry.workgroup_size, [invocations as u32, 1, 1], "{stage:?}");
        for &(name, expected) in constants {
            let named = |(_, of): &(_, &naga::Constant)| of.name.as_deref() == Some(name);
            let (_, constant) = module.constants.iter().find(named).unwrap();
            let value = &module.global_expressions[constant.init];
            let expected = naga::Expression::Literal(naga::Literal::U32(expected as u32));
            assert_eq!(value, &expected, "{name} of {stage:?}");
        }
    }
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
