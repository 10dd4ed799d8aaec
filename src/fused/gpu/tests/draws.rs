//! The draws in WGSL against those of `src/random.rs`.

use serde_json::json;

use super::super::buffers::STEP_STRIDE;
use super::super::stages::{Stage, bindings};
use super::*;
use crate::random::philox4x32;

/// Puts what is to be seen where the values of a batch go.
const PROBE: &str = "
@compute @workgroup_size(1)
fn probe() {
    let numbers = array(
        philox(vec4(0u), vec2(0u)),
        philox(vec4(0xFFFFFFFFu), vec2(0xFFFFFFFFu)),
        philox(vec4(0x243F6A88u, 0x85A308D3u, 0x13198A2Eu, 0x03707344u), vec2(0xA4093822u, 0x299F31D0u)),
    );
    for (var i = 0u; i < 12u; i++) {
        workspace[i] = bitcast<f32>(numbers[i / 4u][i % 4u]);
    }
}
";

impl Gpu {
    /// A member's workspace from here on.
    fn workspace(&self, first: usize, count: usize) -> Vec<f32> {
        let bytes = 4 * count as u64;
        let device = &self.setup.device;
        let staging = device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: bytes,
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut encoder = device.create_command_encoder(&Default::default());
        let workspace = &self.buffers.workspace;
        encoder.copy_buffer_to_buffer(workspace, 4 * first as u64, &staging, 0, bytes);
        self.setup.queue.submit([encoder.finish()]);
        read::floats(device, &staging, 0..bytes).unwrap()
    }
}

/// The place of a slot in a member's workspace.
fn slot(plan: &Plan, name: &str) -> usize {
    plan.passes[0].constants.iter().find(|(constant, _)| *constant == name).unwrap().1 as usize
}

#[test]
fn philox_gives_the_known_answers() {
    let case = Case::drawn(json!({"hidden": [4]}), (30, 3), 8);
    let settings = TrainingSettings::default();
    let gpu = Gpu::new(case.job(&settings), &[case.member(7)]).unwrap();
    let plan = Plan::new(&case.job(&settings), 1, Target::GPU);
    let WgpuSetup { device, queue, .. } = gpu.setup;
    let pipeline = caught(device, "the probe", || {
        let layout = bindings(device);
        let source = format!("{}{PROBE}", Stage::Draw.source());
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: None,
            source: wgpu::ShaderSource::Wgsl(source.into()),
        });
        let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: None,
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        });
        device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: None,
            layout: Some(&layout),
            module: &module,
            entry_point: Some("probe"),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: &plan.passes[0].constants,
                ..Default::default()
            },
            cache: None,
        })
    })
    .unwrap();
    queue.write_buffer(&gpu.buffers.steps, 0, &[0; STEP_STRIDE]);
    let mut encoder = device.create_command_encoder(&Default::default());
    let mut pass = encoder.begin_compute_pass(&Default::default());
    pass.set_bind_group(0, &gpu.buffers.group, &[0]);
    pass.set_pipeline(&pipeline);
    pass.dispatch_workgroups(1, 1, 1);
    drop(pass);
    queue.submit([encoder.finish()]);
    let found: Vec<u32> = gpu.workspace(0, 12).into_iter().map(f32::to_bits).collect();
    let expected = [
        philox4x32([0; 4], [0; 2]),
        philox4x32([u32::MAX; 4], [u32::MAX; 2]),
        philox4x32(
            [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
            [0xa409_3822, 0x299f_31d0],
        ),
    ];
    assert_eq!(found, expected.as_flattened());
    assert_eq!(found[..4], [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
}

/// The rows are those of the shuffle, bit for bit, and the noise that of the generator to 1e-6.
#[test]
fn batches_and_noise_equal_those_of_the_generator() {
    // Rows that divide into nothing, noise that begins inside a block, and a short last batch.
    for (rows, batch, latent) in [(1003, 150, 3), (64, 64, 4), (1, 1, 1), (700, 350, 11)] {
        let case = Case::drawn(json!({"hidden": [4], "latent": latent}), (rows, 2), batch);
        let settings = TrainingSettings::default();
        let members = [case.member(3), case.member((1 << 40) + 5)];
        let mut gpu = Gpu::new(case.job(&settings), &members).unwrap();
        let plan = Plan::new(&case.job(&settings), members.len(), Target::GPU);
        let workspace = slot(&plan, "WORKSPACE");
        let places = [0, (rows / batch - 1) * batch, rows / batch * batch];
        for first in places.into_iter().filter(|&first| first < rows) {
            let step = Step { epoch: (7 << 32) + 1, first, count: batch.min(rows - first), ..STEP };
            take(&mut gpu, &[step], false);
            for (index, member) in members.iter().enumerate() {
                let base = index * workspace;
                let (x, noise) = case.batch(member.seed, &step);
                let found = gpu.workspace(base + slot(&plan, "BATCH"), x.len());
                assert_eq!(found, x.into_raw_vec_and_offset().0, "{rows} rows from {first}");
                let found = gpu.workspace(base + slot(&plan, "NOISE"), noise.len());
                for (found, expected) in found.iter().zip(&noise) {
                    assert!((found - expected).abs() < 1e-6, "{found} {expected}");
                }
            }
        }
    }
}
