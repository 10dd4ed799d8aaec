//! The memory of the fused trainer on the device.

use burn::tensor::wgpu::wgpu;
use bytemuck::{Pod, Zeroable};
use ndarray::ArrayView2;

use super::plan::MOST_GROUPS;
use super::slots::Slots;
use super::tiles::{self, Target};
use crate::error::{Error, Result};
use crate::fused::{Job, Member, Network};

/// Distance of two steps in the uniform buffer: every adapter takes offsets of this multiple.
pub(super) const STEP_STRIDE: usize = 256;
/// Most steps of a submission.
pub(super) const MOST_STEPS: usize = 256;
/// Losses and snapshots that wait on the device for `collect` may each take about this many bytes.
const WAITING_BYTES: usize = 16 << 20;
/// Most steps whose losses wait on the device.
const MOST_SLOTS: usize = 16_384;

/// Bytes past the end of what shaders write. Tests find them as they were: indices are not checked on
/// GPUs, see `module.rs`.
pub(super) const GUARD: usize = if cfg!(test) { 1 << 16 } else { 0 };

/// A member's settings as `shaders/common/bindings.wgsl` has them.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct MemberSettings {
    seed: [u32; 2],
    beta: f32,
    learning_rate: f32,
}

/// Lengths of the buffers, in f32 values where not said otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sizes {
    pub members: usize,
    /// Of a member.
    pub parameters: usize,
    pub rows: usize,
    /// Parts of every gradient.
    pub slices: usize,
    /// Vectors of the length of the parameters in Adam's state: two moments, perhaps an average.
    pub states: usize,
    /// Of a member.
    pub workspace: usize,
    /// Steps whose losses there is room for.
    pub slots: usize,
    /// Snapshots of every member that there is room for.
    pub snapshots: usize,
}

impl Sizes {
    /// Those of a job; the table of layers and gradients, which is never the largest, is left out.
    pub fn new(job: &Job, members: usize, target: Target) -> Self {
        let parameters = job.network.parameters;
        Self {
            members,
            parameters,
            rows: job.rows.nrows().max(job.most_rows) * job.network.features,
            slices: tiles::slices(job.batch, parameters, members, target),
            states: if job.settings.ema.is_some() { 3 } else { 2 },
            workspace: Slots::new(job.network, job.batch).len,
            slots: (WAITING_BYTES / (8 * members)).clamp(MOST_STEPS, MOST_SLOTS),
            snapshots: (WAITING_BYTES / (4 * members * parameters)).clamp(1, 64),
        }
    }

    /// Bytes of the losses that wait.
    pub fn losses(&self) -> usize {
        8 * self.members * self.slots
    }

    /// Bytes of one snapshot of every member.
    pub fn snapshot(&self) -> usize {
        4 * self.members * self.parameters
    }

    /// Each buffer that a shader binds: what it holds, and its bytes.
    fn bound(&self) -> [(&'static str, usize); 7] {
        [
            ("the training rows", 4 * self.rows),
            ("the members' settings", size_of::<MemberSettings>() * self.members),
            ("the parameters", 4 * self.members * self.parameters),
            ("the gradients", 4 * self.members * self.parameters * self.slices),
            ("Adam's state", 4 * self.members * self.parameters * self.states),
            ("the values of a batch", 4 * self.members * self.workspace),
            ("the losses", self.losses()),
        ]
    }

    /// Bytes of the largest of them.
    pub fn largest(&self) -> usize {
        self.bound().into_iter().fold(0, |largest, (_, bytes)| largest.max(bytes))
    }

    /// Checks every buffer against what the adapter allows.
    ///
    /// # Errors
    /// Where one is too large.
    pub fn check(&self, limits: &wgpu::Limits) -> Result<()> {
        let bound = limits.max_storage_buffer_binding_size.min(limits.max_buffer_size);
        // wgpu tells shaders how many bytes a buffer has in 32 bits, on Metal too, where it may be longer.
        let bound = bound.min(u64::from(u32::MAX));
        let waiting = ("what is read back", self.losses() + self.snapshots * self.snapshot());
        let buffers = self.bound().map(|(what, bytes)| (what, bytes, bound)).into_iter();
        let buffers = buffers.chain([(waiting.0, waiting.1, limits.max_buffer_size)]);
        for (what, bytes, most) in buffers {
            if bytes as u64 > most {
                return Err(too_large(&format!(
                    "{what} need {} MiB, the adapter allows {}",
                    bytes.div_ceil(1 << 20),
                    most >> 20
                )));
            }
        }
        if self.members > MOST_GROUPS {
            return Err(too_large(&format!(
                "{} members are more than {MOST_GROUPS}",
                self.members
            )));
        }
        Ok(())
    }
}

/// Checks the loops of the shaders, which a simulated GPU leaves without a word; see
/// [`Network::suits_simulated_gpu`].
///
/// # Errors
/// Where one would be too long.
pub(super) fn check_loops(network: &Network, batch: usize, target: Target) -> Result<()> {
    match target {
        Target::Simulated if !network.suits_simulated_gpu(batch) => Err(too_large(&format!(
            "a software adapter sums over some 65 000 rows or units at most, a batch has {batch} rows"
        ))),
        _ => Ok(()),
    }
}

fn too_large(what: &str) -> Error {
    Error::device(format!("the fused trainer on the GPU: {what}")).help(
        "lower training.batch, model.hidden or the number of rows, train fewer members together, or \
         use --engine autodiff or --backend cpu",
    )
}

/// Writes training rows to the start of their buffer.
pub(super) fn write_rows(queue: &wgpu::Queue, buffer: &wgpu::Buffer, rows: ArrayView2<f32>) {
    let values = rows.as_standard_layout();
    queue.write_buffer(buffer, 0, bytemuck::cast_slice(values.as_slice().unwrap_or_default()));
}

/// The buffers.
#[derive(Debug)]
pub(super) struct Buffers {
    pub steps: wgpu::Buffer,
    pub rows: wgpu::Buffer,
    pub parameters: wgpu::Buffer,
    #[cfg(test)]
    pub gradients: wgpu::Buffer,
    pub moments: wgpu::Buffer,
    #[cfg(test)]
    pub workspace: wgpu::Buffer,
    pub losses: wgpu::Buffer,
    /// Parameters that wait for `collect`.
    pub snapshots: wgpu::Buffer,
    /// What the host reads: losses, then snapshots.
    pub staging: wgpu::Buffer,
    pub group: wgpu::BindGroup,
}

impl Buffers {
    /// Allocates and fills them.
    pub fn new(
        (device, queue): (&wgpu::Device, &wgpu::Queue),
        layout: &wgpu::BindGroupLayout,
        sizes: &Sizes,
        tiles: &[u8],
        job: &Job,
        members: &[Member],
    ) -> Self {
        use wgpu::BufferUsages as Usage;
        let buffer = |label, bytes: usize, usage| {
            let buffer = device.create_buffer(&wgpu::BufferDescriptor {
                label: Some(label),
                size: bytes as u64,
                usage,
                mapped_at_creation: false,
            });
            // What is read before it was written then shows as NaN.
            if cfg!(test) && usage.contains(Usage::COPY_DST | Usage::STORAGE) {
                queue.write_buffer(&buffer, 0, &vec![0xFF; bytes]);
            }
            buffer
        };
        let storage = Usage::STORAGE | Usage::COPY_DST | Usage::COPY_SRC;
        let bound = sizes.bound().map(|(label, bytes)| buffer(label, bytes + GUARD, storage));
        let [rows, settings, parameters, gradients, moments, workspace, losses] = bound;
        let table = buffer("the table of layers and gradients", tiles.len(), storage);
        let steps = buffer("steps", MOST_STEPS * STEP_STRIDE, Usage::UNIFORM | Usage::COPY_DST);
        let kept = sizes.snapshots * sizes.snapshot();
        let snapshots = buffer("snapshots", kept, Usage::COPY_DST | Usage::COPY_SRC);
        let bytes = sizes.losses() + kept;
        let staging = buffer("staging", bytes, Usage::MAP_READ | Usage::COPY_DST);

        write_rows(queue, &rows, job.rows);
        queue.write_buffer(&table, 0, tiles);
        let of_member = |member: &Member| MemberSettings {
            seed: [member.seed as u32, (member.seed >> 32) as u32],
            beta: member.beta as f32,
            learning_rate: member.learning_rate as f32,
        };
        let of_members: Vec<MemberSettings> = members.iter().map(of_member).collect();
        queue.write_buffer(&settings, 0, bytemuck::cast_slice(&of_members));
        let vector = 4 * sizes.parameters;
        for (index, Member { start, .. }) in members.iter().enumerate() {
            let weights = &start.parameters.values;
            queue.write_buffer(&parameters, (index * vector) as u64, bytemuck::cast_slice(weights));
            let average = start.average.as_ref().unwrap_or(weights);
            let states = [&start.first_moments, &start.second_moments, average];
            for (state, values) in states.into_iter().take(sizes.states).enumerate() {
                let place = (index * sizes.states + state) * vector;
                queue.write_buffer(&moments, place as u64, bytemuck::cast_slice(values));
            }
        }

        let of_step = wgpu::BufferBinding {
            buffer: &steps,
            offset: 0,
            size: wgpu::BufferSize::new(STEP_STRIDE as u64),
        };
        // Its length says how many members there are.
        let of_members = wgpu::BufferBinding {
            buffer: &settings,
            offset: 0,
            size: wgpu::BufferSize::new(size_of_val(&*of_members) as u64),
        };
        let storage = [&table, &parameters, &gradients, &moments, &workspace, &losses];
        let resources = [wgpu::BindingResource::Buffer(of_step), rows.as_entire_binding()]
            .into_iter()
            .chain([wgpu::BindingResource::Buffer(of_members)])
            .chain(storage.map(wgpu::Buffer::as_entire_binding));
        let entries: Vec<wgpu::BindGroupEntry> = (0..)
            .zip(resources)
            .map(|(binding, resource)| wgpu::BindGroupEntry { binding, resource })
            .collect();
        let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("fused trainer"),
            layout,
            entries: &entries,
        });
        Self {
            steps,
            rows,
            parameters,
            #[cfg(test)]
            gradients,
            moments,
            #[cfg(test)]
            workspace,
            losses,
            snapshots,
            staging,
            group,
        }
    }
}
