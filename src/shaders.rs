//! The shaders as text, for the languages of every graphics API.

use naga::back::{PipelineConstants, hlsl, msl, pipeline_constants, spv};
use naga::valid::{Capabilities, ValidationFlags, Validator};

/// Validates a WGSL shader and writes it as Vulkan, Metal and DX12 will get it.
///
/// # Panics
/// Where it is not valid, or an API would not take it.
pub(crate) fn write_for_every_api(
    name: &str,
    source: &str,
    entry: &str,
    constants: &PipelineConstants,
) {
    let module = naga::front::wgsl::parse_str(source)
        .unwrap_or_else(|error| panic!("{name}: {}", error.emit_to_string(source)));
    let mut validator = Validator::new(ValidationFlags::all(), Capabilities::default());
    let info = validator.validate(&module).unwrap_or_else(|error| panic!("{name}: {error:?}"));
    let entry = Some((naga::ShaderStage::Compute, entry));
    let (module, info) = pipeline_constants::process_overrides(&module, &info, entry, constants)
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
