//! The rows and the noise of a batch. Twin of `shaders/draw.wgsl`.

use super::BLOCK_ROWS;
use super::block::Block;
use crate::fused::Step;
use crate::random::{Generator, Shuffle, Stream};

/// Fills the block's x and ε. Its rows begin at place `first` of the batch.
pub(super) fn draw(block: &mut Block, rows: &[f32], shuffle: &Shuffle, seed: u64, step: &Step) {
    let place = step.first + block.first;
    let (features, latent) = (block.features, block.latent);
    let order = &mut [0; BLOCK_ROWS][..block.count];
    shuffle.fill(place, order);
    for (i, &row) in order.iter().enumerate() {
        let row = row as usize * features;
        block.x.row_mut(i, features).copy_from_slice(&rows[row..row + features]);
    }
    let noise = Generator::new(seed, Stream::PosteriorNoise, step.epoch);
    noise.normal_from(place * latent, &mut block.noise[..block.count * latent]);
}
