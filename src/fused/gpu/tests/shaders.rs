//! The shaders as text, for the languages of every graphics API.

use naga::back::{hlsl, msl, spv};
use naga::valid::{Capabilities, ValidationFlags, Validator};
use serde_json::json;

use super::super::plan::Pass;
use super::super::stages::Stage;
use super::*;

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
        for pass in Plan::new(&case.network, 100, 32, &all).passes {
            write(&pass);
            seen.push(pass.stage);
        }
    }
    assert!(Stage::ALL.iter().all(|stage| seen.contains(stage)));
}

fn write(pass: &Pass) {
    let name = format!("{:?}", pass.stage);
    let source = pass.stage.source();
    let module = naga::front::wgsl::parse_str(source)
        .unwrap_or_else(|error| panic!("{name}: {}", error.emit_to_string(source)));
    let mut validator = Validator::new(ValidationFlags::all(), Capabilities::default());
    let info = validator.validate(&module).unwrap_or_else(|error| panic!("{name}: {error:?}"));
    let constants = pass.constants.iter().map(|(name, value)| ((*name).to_owned(), *value));
    let entry = Some((naga::ShaderStage::Compute, pass.stage.entry()));
    let (module, info) = naga::back::pipeline_constants::process_overrides(
        &module,
        &info,
        entry,
        &constants.collect(),
    )
    .unwrap_or_else(|error| panic!("{name}: {error}"));

    spv::write_vec(&module, &info, &spv::Options::default(), None)
        .unwrap_or_else(|error| panic!("{name} as SPIR-V: {error}"));
    let options = msl::Options { fake_missing_bindings: true, ..Default::default() };
    msl::write_string(&module, &info, &options, &msl::PipelineOptions::default())
        .unwrap_or_else(|error| panic!("{name} as MSL: {error}"));
    let (options, pipeline) = (hlsl::Options::default(), hlsl::PipelineOptions::default());
    hlsl::Writer::new(&mut String::new(), &options, &pipeline)
        .write(&module, &info, None)
        .unwrap_or_else(|error| panic!("{name} as HLSL: {error}"));
}
