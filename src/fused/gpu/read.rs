//! What waits on the device, and its way back.

use std::ops::Range;
use std::sync::mpsc;

use burn::tensor::wgpu::{WgpuSetup, wgpu};

use super::{Gpu, caught, lost, poll};
use crate::error::Result;
use crate::fused::{BatchLosses, Outcome};

/// Losses and snapshots since the last collection.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// Each call of `steps`: where its steps end among all, and its snapshot if it asked for one.
    calls: Vec<Call>,
    /// Each step and member; those of the last `slots` steps are not read back yet but for β.
    losses: Vec<Vec<BatchLosses>>,
    /// Steps whose losses are on the device only.
    pub slots: usize,
    /// Snapshots that were read back, every member's values one after the other.
    parameters: Vec<Vec<f32>>,
    /// Snapshots that are on the device only.
    snapshots: usize,
}

#[derive(Debug, Default)]
struct Call {
    steps: usize,
    snapshot: bool,
}

impl Waiting {
    /// A call of `steps` begins.
    pub fn begin(&mut self) {
        self.calls.push(Call::default());
    }

    /// A step was handed to the device; of its losses only β is known.
    pub fn push(&mut self, losses: Vec<BatchLosses>) {
        self.losses.push(losses);
        self.slots += 1;
        if let Some(call) = self.calls.last_mut() {
            call.steps += 1;
        }
    }

    /// Takes in what the device gave back: pairs of losses, then snapshots.
    fn fill(&mut self, values: &[f32], losses: usize, snapshot: usize) {
        let (losses, snapshots) = values.split_at(losses);
        let first = self.losses.len() - self.slots;
        let unread = self.losses[first..].iter_mut().flatten();
        for (entry, pair) in unread.zip(losses.chunks_exact(2)) {
            (entry.reconstruction, entry.kl) = (pair[0], pair[1]);
        }
        self.parameters.extend(snapshots.chunks_exact(snapshot).map(<[f32]>::to_vec));
        (self.slots, self.snapshots) = (0, 0);
    }

    /// Everything that was read back, by call.
    pub fn outcomes(&mut self, members: usize, parameters: usize) -> Vec<Outcome> {
        let Self { calls, losses, parameters: kept, .. } = std::mem::take(self);
        let (mut losses, mut kept) = (losses.into_iter(), kept.into_iter());
        let split = |snapshot: Vec<f32>| -> Vec<Vec<f32>> {
            debug_assert_eq!(snapshot.len(), members * parameters);
            snapshot.chunks_exact(parameters).map(<[f32]>::to_vec).collect()
        };
        let outcome = |call: Call| {
            let mut losses: Vec<Vec<BatchLosses>> = losses.by_ref().take(call.steps).collect();
            let parameters = if call.snapshot { kept.next().map_or(vec![], split) } else { vec![] };
            for (last, values) in losses.iter_mut().last().into_iter().flatten().zip(&parameters) {
                // A GPU may clamp NaN to a bound, so that the loss itself does not show it.
                if values.iter().any(|value| !value.is_finite()) {
                    last.reconstruction = f32::NAN;
                }
            }
            Outcome { losses, parameters }
        };
        calls.into_iter().map(outcome).collect()
    }
}

impl Gpu {
    /// Copies the weights as they stand, or their average where there is one, to the next place for
    /// a snapshot.
    pub(super) fn keep_snapshot(&mut self) -> Result<()> {
        if self.waiting.snapshots == self.sizes.snapshots {
            self.drain()?;
        }
        let (from, states, state) = match self.sizes.states {
            3 => (&self.buffers.moments, 3, 2),
            _ => (&self.buffers.parameters, 1, 0),
        };
        let vector = 4 * self.sizes.parameters;
        let first = self.waiting.snapshots * self.sizes.snapshot();
        let WgpuSetup { device, queue, .. } = self.setup;
        caught(device, "keeping the weights", || {
            let mut encoder = device.create_command_encoder(&Default::default());
            for member in 0..self.sizes.members {
                let place = ((member * states + state) * vector) as u64;
                let to = (first + member * vector) as u64;
                let snapshots = &self.buffers.snapshots;
                encoder.copy_buffer_to_buffer(from, place, snapshots, to, vector as u64);
            }
            queue.submit([encoder.finish()]);
        })?;
        self.waiting.snapshots += 1;
        if let Some(call) = self.waiting.calls.last_mut() {
            call.snapshot = true;
        }
        Ok(())
    }

    /// Reads back what is on the device only, and so waits for every step.
    pub(super) fn drain(&mut self) -> Result<()> {
        let losses = (8 * self.sizes.members * self.waiting.slots) as u64;
        let snapshots = (self.waiting.snapshots * self.sizes.snapshot()) as u64;
        if losses + snapshots == 0 {
            return Ok(());
        }
        let WgpuSetup { device, queue, .. } = self.setup;
        let buffers = &self.buffers;
        caught(device, "reading back", || {
            let mut encoder = device.create_command_encoder(&Default::default());
            encoder.copy_buffer_to_buffer(&buffers.losses, 0, &buffers.staging, 0, losses);
            let (from, to) = (&buffers.snapshots, &buffers.staging);
            encoder.copy_buffer_to_buffer(from, 0, to, losses, snapshots);
            queue.submit([encoder.finish()]);
        })?;
        if let Some(previous) = self.in_flight.take() {
            self.wait(previous)?;
        }
        let values = floats(device, &self.buffers.staging, 0..losses + snapshots)?;
        self.waiting.fill(&values, losses as usize / 4, self.sizes.snapshot() / 4);
        Ok(())
    }

    /// The values at the start of a buffer, after every step that was handed to the device.
    pub(super) fn read(&self, from: &wgpu::Buffer, values: usize, doing: &str) -> Result<Vec<f32>> {
        let WgpuSetup { device, queue, .. } = self.setup;
        let bytes = 4 * values as u64;
        let copy = caught(device, doing, || {
            let staging = device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("read back"),
                size: bytes,
                usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            });
            let mut encoder = device.create_command_encoder(&Default::default());
            encoder.copy_buffer_to_buffer(from, 0, &staging, 0, bytes);
            queue.submit([encoder.finish()]);
            staging
        })?;
        floats(device, &copy, 0..bytes)
    }
}

/// The values in these bytes of a buffer that can be mapped, after all that was submitted.
pub(super) fn floats(
    device: &wgpu::Device,
    buffer: &wgpu::Buffer,
    bytes: Range<u64>,
) -> Result<Vec<f32>> {
    let doing = "reading back";
    let (sender, receiver) = mpsc::channel();
    caught(device, doing, || {
        buffer.map_async(wgpu::MapMode::Read, bytes.clone(), move |mapped| {
            // The receiver is gone only after an error that was reported.
            let _ = sender.send(mapped);
        });
    })?;
    poll(device, doing, wgpu::PollType::wait_indefinitely())?;
    receiver.recv().map_err(|error| lost(doing, error))?.map_err(|error| lost(doing, error))?;
    let mapped = buffer.get_mapped_range(bytes).map_err(|error| lost(doing, error))?;
    let values = bytemuck::pod_collect_to_vec(&mapped);
    drop(mapped);
    buffer.unmap();
    Ok(values)
}
