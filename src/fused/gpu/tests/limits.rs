//! What a device has no room for, or finds wrong.

use serde_json::json;

use super::*;
use crate::error::Kind;

#[test]
fn what_does_not_fit_the_adapter_is_refused_in_words() {
    let case = Case::drawn(json!({"hidden": [64], "latent": 2}), (30, 3), 8);
    let network = &case.network;
    let error = buffers::check_loops(network, 65_536, Target::Simulated).unwrap_err();
    assert!(error.message().contains("a batch has 65536 rows"), "{error}");
    buffers::check_loops(network, 65_000, Target::Simulated).unwrap();
    buffers::check_loops(network, 1 << 20, Target::GPU).unwrap();
    let mut wide = network.clone();
    wide.decoder[0].outputs = 70_000;
    assert!(buffers::check_loops(&wide, 8, Target::Simulated).is_err());
    let settings = TrainingSettings::default();
    let job = case.job(&settings);
    let sizes = Sizes::new(&job, 1000, Target::GPU);
    let limits = |max_storage_buffer_binding_size| wgpu::Limits {
        max_storage_buffer_binding_size,
        ..wgpu::Limits::default()
    };
    sizes.check(&limits(128 << 20)).unwrap();
    let error = sizes.check(&limits(1 << 20)).unwrap_err();
    assert_eq!(error.kind(), crate::error::Kind::Device);
    assert!(error.message().contains("need 4 MiB, the adapter allows 1"), "{error}");
    let vast = wgpu::Limits { max_buffer_size: 1 << 40, ..limits(1 << 40) };
    let error = Sizes { members: 70_000, ..sizes }.check(&vast).unwrap_err();
    assert!(error.message().contains("70000 members are more than 65535"), "{error}");
    // Beyond what shaders can address, whatever the adapter allows.
    let error = Sizes { rows: 1 << 30, ..sizes }.check(&vast).unwrap_err();
    assert!(error.message().contains("the training rows need 4096 MiB"), "{error}");
}

#[test]
fn a_step_of_two_hidden_layers_has_sixteen_dispatches_at_most() {
    let settings = TrainingSettings::default();
    let of =
        |case: &Case, members| Plan::new(&case.job(&settings), members, Target::GPU).passes.len();
    let standard = Case::drawn(json!({}), (100, 3), 32);
    let mixture = Case::drawn(json!({"prior": "mixture"}), (100, 3), 32);
    // The step of a mixture's parameters is one of its own.
    assert_eq!([of(&standard, 1), of(&mixture, 1)], [15, 16]);
    // By blocks, of which every member has one.
    assert_eq!([of(&standard, 31), of(&standard, 32), of(&mixture, 32)], [15, 3, 4]);
    // The default recipe, by which blocks are checked before they are trusted.
    let default = crate::config::Settings::default();
    let case = Case::drawn(serde_json::to_value(&default.model).unwrap(), (100, 3), 32);
    let plan = Plan::new(&case.job(&settings), 1, Target::BLOCKS);
    assert!(plan.passes.iter().any(|pass| pass.stage == stages::Stage::Block));
    // Where an adapter has no room for one, as by wgpu's default limits, all go by layers. The one that
    // the tests run on has room.
    let without = Target::GPU.within(&wgpu::Limits::default());
    assert_eq!(Plan::new(&standard.job(&settings), 256, without).passes.len(), 15);
    let limits = device::wgpu_setup().unwrap().device.limits();
    assert_eq!(Target::BLOCKS.within(&limits), Target::BLOCKS);
    // A layer that a block has no room for.
    let wide = Case::drawn(json!({"hidden": [129, 128]}), (100, 3), 32);
    assert_eq!(of(&wide, 256), 15);
}

/// What a device finds wrong is an error, with a way out, and the device goes on.
#[test]
fn a_broken_shader_a_buffer_beyond_the_limits_and_a_full_memory_are_errors() {
    let device = &device::wgpu_setup().unwrap().device;
    let shader = |source: &str| {
        caught(device, "preparing", || {
            let source = wgpu::ShaderSource::Wgsl(source.to_owned().into());
            device.create_shader_module(wgpu::ShaderModuleDescriptor { label: None, source })
        })
    };
    let buffer = |size| {
        let usage = wgpu::BufferUsages::STORAGE;
        let descriptor =
            wgpu::BufferDescriptor { label: None, size, usage, mapped_at_creation: false };
        caught(device, "preparing", || device.create_buffer(&descriptor))
    };
    let poisoned = shader("@compute @workgroup_size(1) fn main() { x = 1; }").unwrap_err();
    let beyond = buffer(device.limits().max_buffer_size + 4).unwrap_err();
    let full = reported("preparing", wgpu::Error::OutOfMemory { source: "no more".into() });
    assert!(full.message().contains("out of memory"), "{full}");
    for error in [poisoned, beyond, full] {
        assert_eq!(error.kind(), Kind::Device);
        assert!(error.message().starts_with("preparing: the graphics device"), "{error}");
        assert!(error.remedy().unwrap().contains("--backend cpu"), "{error}");
    }
    shader("@compute @workgroup_size(1) fn main() {}").unwrap();
    buffer(4).unwrap();
}

#[test]
fn a_lost_device_is_an_error() {
    // Alone, because nothing else can compute on the device afterwards.
    let program = std::env::current_exe().unwrap();
    let name = "fused::gpu::tests::limits::the_driver_loses_the_device";
    let output =
        std::process::Command::new(program).args(["--ignored", "--exact", name]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
#[ignore = "run alone by a_lost_device_is_an_error"]
fn the_driver_loses_the_device() {
    let case = Case::drawn(json!({"hidden": [4]}), (30, 3), 8);
    let settings = TrainingSettings::default();
    let mut gpu = Gpu::new(case.job(&settings), &[case.member(7)]).unwrap();
    let mut lose = |_| {
        device::wgpu_setup().unwrap().device.destroy();
        true
    };
    let taken = gpu.steps(&epochs(30, 8, 20), true, &mut lose);
    let error = taken.and_then(|_| gpu.collect()).unwrap_err();
    assert_eq!(error.kind(), Kind::Device);
    assert!(gpu.states().is_err());
}
