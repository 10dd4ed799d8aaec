//! The shaders, and a pipeline for each pass of a plan.

use burn::tensor::wgpu::wgpu;

use super::plan::{Constant, Pass};

/// A stage of a step: a WGSL entry point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Draw,
    DenseForward,
    PosteriorStandardNormal,
    PosteriorMixture,
    DenseBackward,
    PosteriorBackward,
    Gradients,
    Norm,
    Update,
}

/// A stage's WGSL: the bindings, the named common parts, and the stage itself.
macro_rules! shader {
    ($name:literal $(, $common:literal)*) => {
        concat!(
            include_str!("../../../shaders/common/bindings.wgsl"),
            $(include_str!(concat!("../../../shaders/common/", $common, ".wgsl")),)*
            include_str!(concat!("../../../shaders/", $name, ".wgsl")),
        )
    };
}

impl Stage {
    #[cfg(test)]
    pub const ALL: [Self; 9] = [
        Self::Draw,
        Self::DenseForward,
        Self::PosteriorStandardNormal,
        Self::PosteriorMixture,
        Self::DenseBackward,
        Self::PosteriorBackward,
        Self::Gradients,
        Self::Norm,
        Self::Update,
    ];

    /// The joined WGSL.
    pub fn source(self) -> &'static str {
        match self {
            Self::Draw => shader!("draw", "logarithm", "random"),
            Self::DenseForward => shader!("dense_forward", "layer"),
            Self::PosteriorStandardNormal | Self::PosteriorMixture => {
                shader!("posterior", "logarithm", "posterior", "prior", "reduce")
            }
            Self::DenseBackward => shader!("dense_backward", "layer"),
            Self::PosteriorBackward => {
                shader!("posterior_backward", "logarithm", "posterior", "prior")
            }
            Self::Gradients => shader!("gradients", "prior"),
            Self::Norm => shader!("norm"),
            Self::Update => shader!("update"),
        }
    }

    /// The name of the entry point.
    pub fn entry(self) -> &'static str {
        match self {
            Self::PosteriorStandardNormal => "standard_normal",
            Self::PosteriorMixture => "mixture",
            _ => "main",
        }
    }
}

/// The bindings that every stage has: the step at a dynamic offset, then eight storage buffers, of
/// which the first three are only read.
pub(super) fn bindings(device: &wgpu::Device) -> wgpu::BindGroupLayout {
    let entry = |binding| {
        let ty = match binding {
            0 => wgpu::BufferBindingType::Uniform,
            _ => wgpu::BufferBindingType::Storage { read_only: binding <= 3 },
        };
        wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer {
                ty,
                has_dynamic_offset: binding == 0,
                min_binding_size: None,
            },
            count: None,
        }
    };
    let entries: Vec<_> = (0..9).map(entry).collect();
    device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: Some("fused trainer"),
        entries: &entries,
    })
}

/// A pass made ready.
#[derive(Debug)]
pub(super) struct Dispatch {
    pub pipeline: wgpu::ComputePipeline,
    /// Workgroups in x, y and z.
    pub groups: [u32; 3],
}

/// Pipelines for these passes; a stage is compiled to a module once.
pub(super) fn dispatches(
    device: &wgpu::Device,
    bindings: &wgpu::BindGroupLayout,
    passes: &[Pass],
    members: usize,
) -> Vec<Dispatch> {
    let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: Some("fused trainer"),
        bind_group_layouts: &[Some(bindings)],
        immediate_size: 0,
    });
    let mut modules: Vec<(Stage, wgpu::ShaderModule)> = Vec::new();
    let dispatch = |pass: &Pass| {
        let known = modules.iter().position(|(stage, _)| *stage == pass.stage);
        let index = known.unwrap_or_else(|| {
            modules.push((pass.stage, module(device, pass.stage)));
            modules.len() - 1
        });
        let pipeline = pipeline(device, &layout, &modules[index].1, pass.stage, &pass.constants);
        let [x, y] = pass.groups;
        Dispatch { pipeline, groups: [x, y, members].map(|groups| groups as u32) }
    };
    passes.iter().map(dispatch).collect()
}

fn module(device: &wgpu::Device, stage: Stage) -> wgpu::ShaderModule {
    device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: Some(&format!("{stage:?}")),
        source: wgpu::ShaderSource::Wgsl(stage.source().into()),
    })
}

fn pipeline(
    device: &wgpu::Device,
    layout: &wgpu::PipelineLayout,
    module: &wgpu::ShaderModule,
    stage: Stage,
    constants: &[Constant],
) -> wgpu::ComputePipeline {
    device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some(&format!("{stage:?}")),
        layout: Some(layout),
        module,
        entry_point: Some(stage.entry()),
        compilation_options: wgpu::PipelineCompilationOptions {
            constants,
            // Every lane writes its part before any is read.
            zero_initialize_workgroup_memory: false,
        },
        cache: None,
    })
}
