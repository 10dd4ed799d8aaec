//! Our shaders as the device compiles them.

use burn::tensor::wgpu::wgpu;

use super::stages::Stage;

/// The module of a stage. wgpu adds a counter to every loop, so that it ends, and a bounds check to every
/// index; on a GPU both are left out. The counter keeps drivers from unrolling, which costs a sixth of a
/// step's time, and the checks cost 4 to 13 % more. Where a processor simulates a GPU both stay:
/// unrolling gains nothing there and takes long to compile, and a wrong index stays inside its array.
pub(super) fn module(device: &wgpu::Device, stage: Stage, simulated: bool) -> wgpu::ShaderModule {
    let descriptor = wgpu::ShaderModuleDescriptor {
        label: Some(stage.name()),
        source: wgpu::ShaderSource::Wgsl(stage.source().into()),
    };
    let checks = wgpu::ShaderRuntimeChecks {
        force_loop_bounding: simulated,
        bounds_checks: simulated,
        ..wgpu::ShaderRuntimeChecks::checked()
    };
    // SAFETY: what is left out is for loops without an end and for indices past one. The loops in
    // `shaders/` count up to a length that the pipeline's constants, the step or the table of
    // gradients give, or down to nothing. Indices are places that the plan gave room to, for members
    // of the job's network, rows of its columns and steps of at most a batch, which `Gpu` asserts; what
    // lies past the end of a product or of a batch is left out or repeats the last. Adapters that check
    // buffers themselves, as Vulkan's do, still do.
    unsafe { device.create_shader_module_trusted(descriptor, checks) }
}
