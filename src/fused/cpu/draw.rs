//! The rows and the noise of a batch. Twin of `shaders/draw.wgsl`.

use super::block::Block;
use crate::fused::Step;
use crate::random::{Generator, Shuffle, Stream};

/// Fills the block's x and ε. Its rows begin at place `first` of the batch.
pub(super) fn draw(block: &mut Block, rows: &[f32], shuffle: &Shuffle, seed: u64, step: &Step) {
    let place = step.first + block.first;
    for i in 0..block.count {
        let features = block.features;
        let row = shuffle.row(place + i) * features;
        block.x.row_mut(i, features).copy_from_slice(&rows[row..row + features]);
    }
    let latent = block.latent;
    let noise = Generator::new(seed, Stream::PosteriorNoise, step.epoch);
    noise.normal_from(place * latent, &mut block.noise[..block.count * latent]);
}
