//! Our shaders as the device compiles them.

use burn::tensor::wgpu::wgpu;

use super::stages::Stage;

/// The module of a stage; on a GPU without the counter that wgpu puts into every loop to end it at
/// last. Drivers unroll no loop that has one, which costs a sixth of a step's time. Where a processor
/// simulates a GPU, unrolling gains nothing and takes long.
pub(super) fn module(device: &wgpu::Device, stage: Stage, simulated: bool) -> wgpu::ShaderModule {
    let descriptor = wgpu::ShaderModuleDescriptor {
        label: Some(stage.name()),
        source: wgpu::ShaderSource::Wgsl(stage.source().into()),
    };
    let checks = wgpu::ShaderRuntimeChecks {
        force_loop_bounding: simulated,
        ..wgpu::ShaderRuntimeChecks::checked()
    };
    // SAFETY: what is left out is for loops without an end. Those in `shaders/` count up to a length
    // that the pipeline's constants, the step or the table of gradients give, or down to nothing.
    unsafe { device.create_shader_module_trusted(descriptor, checks) }
}
