//! The shaders, and a pipeline for each pass of a plan.

use burn::tensor::wgpu::{WgpuSetup, wgpu};

use super::module::module;
use super::plan::{Constant, Pass, Plan};
use crate::device::is_gpu;

/// How the invocations of a workgroup divide a matrix product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Products {
    /// In registers alone.
    Registers,
    /// By slabs in workgroup memory, 4 × 4 outputs an invocation.
    Tiles,
    /// As tiles, 8 × 8 outputs an invocation.
    Large,
}

/// A stage of a step: a WGSL entry point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Draw,
    DenseForward(Products),
    PosteriorStandardNormal,
    PosteriorMixture,
    DenseBackward(Products),
    PosteriorBackward,
    Block,
    Gradients(Products),
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
    /// The joined WGSL.
    pub fn source(self) -> &'static str {
        use Products::{Large, Registers, Tiles};
        match self {
            Self::Draw => shader!("draw", "logarithm", "random"),
            Self::DenseForward(products) => match products {
                Registers => shader!(
                    "dense_forward",
                    "layer",
                    "one_by_one",
                    "activation",
                    "residual",
                    "product_registers"
                ),
                Tiles => shader!(
                    "dense_forward",
                    "layer",
                    "one_by_one",
                    "activation",
                    "residual",
                    "slabs",
                    "product_tiles"
                ),
                Large => shader!(
                    "dense_forward",
                    "layer",
                    "one_by_one",
                    "activation",
                    "residual",
                    "slabs",
                    "product_large"
                ),
            },
            Self::PosteriorStandardNormal | Self::PosteriorMixture => {
                shader!(
                    "posterior",
                    "logarithm",
                    "posterior",
                    "prior",
                    "posterior_sample",
                    "parts",
                    "reduce"
                )
            }
            Self::DenseBackward(products) => match products {
                Registers => shader!("dense_backward", "layer", "one_by_one", "product_registers"),
                Tiles => shader!("dense_backward", "layer", "one_by_one", "slabs", "product_tiles"),
                Large => shader!("dense_backward", "layer", "one_by_one", "slabs", "product_large"),
            },
            Self::PosteriorBackward => {
                shader!(
                    "posterior_backward",
                    "logarithm",
                    "posterior",
                    "prior",
                    "posterior_gradient"
                )
            }
            Self::Block => shader!(
                "block",
                "activation",
                "residual",
                "logarithm",
                "posterior",
                "prior",
                "posterior_sample",
                "posterior_gradient",
                "reduce"
            ),
            Self::Gradients(products) => match products {
                Registers => {
                    shader!("gradients", "prior", "adam", "product_registers", "sums_alone")
                }
                Tiles => {
                    shader!("gradients", "prior", "adam", "slabs", "product_tiles", "sums_shared")
                }
                Large => {
                    shader!("gradients", "prior", "adam", "slabs", "product_large", "sums_shared")
                }
            },
            Self::Norm => shader!("norm", "sliced"),
            Self::Update => shader!("update", "sliced", "adam"),
        }
    }

    /// The file in `shaders/`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Draw => "draw",
            Self::DenseForward(_) => "dense_forward",
            Self::PosteriorStandardNormal | Self::PosteriorMixture => "posterior",
            Self::DenseBackward(_) => "dense_backward",
            Self::PosteriorBackward => "posterior_backward",
            Self::Block => "block",
            Self::Gradients(_) => "gradients",
            Self::Norm => "norm",
            Self::Update => "update",
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
    pub name: String,
    pub pipeline: wgpu::ComputePipeline,
    /// Workgroups in x, y and z.
    pub groups: [u32; 3],
}

/// Pipelines for the passes of a plan; a stage is compiled to a module once.
pub(super) fn dispatches(
    setup: &WgpuSetup,
    bindings: &wgpu::BindGroupLayout,
    plan: &Plan,
    members: usize,
) -> Vec<Dispatch> {
    let (device, simulated) = (&setup.device, !is_gpu(setup));
    let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: Some("fused trainer"),
        bind_group_layouts: &[Some(bindings)],
        immediate_size: 0,
    });
    let mut modules: Vec<(Stage, wgpu::ShaderModule)> = Vec::new();
    let dispatch = |pass: &Pass| {
        let known = modules.iter().position(|(stage, _)| *stage == pass.stage);
        let index = known.unwrap_or_else(|| {
            modules.push((pass.stage, module(device, pass.stage, simulated)));
            modules.len() - 1
        });
        let pipeline = pipeline(device, &layout, &modules[index].1, pass.stage, &pass.constants);
        let [x, y] = pass.groups;
        Dispatch {
            name: pass.name(),
            pipeline,
            groups: [x, y, members].map(|groups| groups as u32),
        }
    };
    plan.passes.iter().map(dispatch).collect()
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
            // Nothing in workgroup memory is read before the shader has written it.
            zero_initialize_workgroup_memory: false,
        },
        cache: None,
    })
}
