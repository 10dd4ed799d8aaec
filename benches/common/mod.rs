//! What benches of backends share.

use modescope::config::Backend;
use modescope::device::{self, Chosen};

/// These backends, and wgpu where there is an adapter.
pub fn and_wgpu(backends: &[Backend]) -> Vec<Chosen> {
    let wgpu = (!device::adapters().is_empty()).then_some(Backend::Wgpu);
    let all = backends.iter().copied().chain(wgpu);
    all.map(|backend| device::open(backend).expect("the backend opens")).collect()
}
