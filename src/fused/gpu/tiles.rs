//! How matrix products, and the gradients, are divided into workgroups.

use std::ops::Range;

use bytemuck::{Pod, Zeroable};

use super::plan::{BLOCK_ROWS, Constant, Slots};
use super::stages::Products;
use crate::fused::{Layer, Network};

/// Elements that a workgroup computes or sums side by side in the stages that are no product.
pub(super) const LANES: usize = 32;
/// Rows of a batch that are worth a slice of their own, and most slices.
const SLICE_ROWS: usize = 512;
const MOST_SLICES: usize = 16;
/// Values that all slices may have: the gradients of wide layers have tiles enough without.
const SLICED_VALUES: usize = 1 << 24;
/// Depth below which storing a large tile takes longer than computing it.
const LARGE_DEPTH: usize = 128;

// Kinds of tiles, as in `shaders/gradients.wgsl`.
const WEIGHTS: u32 = 0;
const BIAS: u32 = 1;
const LOSSES: u32 = 2;
const COLUMN_SIGMAS: u32 = 3;
const PRIOR_GAUSSIANS: u32 = 4;
const PRIOR_WEIGHTS: u32 = 5;

/// What runs the shaders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A GPU that so many workgroups keep busy.
    Gpu { groups: usize },
    /// A processor that simulates one.
    Simulated,
}

impl Target {
    /// A GPU of any size: a large one, for which the shapes of small products matter most, is busy
    /// with two workgroups a multiprocessor.
    pub const GPU: Self = Self::Gpu { groups: 256 };
}

/// Parts into which the rows of a batch are divided for the gradients of weights: a product that sums
/// over many rows has too few outputs to keep a GPU busy.
pub(super) fn slices(batch: usize, parameters: usize, members: usize, target: Target) -> usize {
    match target {
        Target::Gpu { .. } => {
            let most = MOST_SLICES.min(SLICED_VALUES / parameters) / members;
            (batch / SLICE_ROWS).min(most).max(1)
        }
        Target::Simulated => 1,
    }
}

/// The part of a matrix product that a workgroup computes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Shape {
    pub products: Products,
    rows: usize,
    columns: usize,
}

impl Shape {
    /// What suits as many products of `rows` × `columns` outputs, each a sum over `depth`.
    ///
    /// On a GPU the largest square of which there are enough to keep it busy, but less than twice as
    /// large as the product.
    pub fn new([rows, columns, depth]: [usize; 3], products: usize, target: Target) -> Self {
        let Target::Gpu { groups } = target else {
            return Self { products: Products::Registers, rows: BLOCK_ROWS, columns: 4 * LANES };
        };
        let square = |side| Self {
            products: if side > 64 { Products::Large } else { Products::Tiles },
            rows: side,
            columns: side,
        };
        let suits = |shape: &Self| {
            shape.count(rows, columns) * products >= groups
                && shape.rows < 2 * rows.min(columns)
                && (shape.products != Products::Large || depth >= LARGE_DEPTH)
        };
        [128, 64, 32].map(square).into_iter().find(suits).unwrap_or(square(16))
    }

    /// How many cover a product.
    pub fn count(&self, rows: usize, columns: usize) -> usize {
        rows.div_ceil(self.rows) * columns.div_ceil(self.columns)
    }

    /// What the shaders have to know; that of registers is fixed.
    pub fn constants(&self) -> Vec<Constant> {
        match self.products {
            Products::Registers => vec![],
            Products::Tiles | Products::Large => vec![("SIDE", self.rows as f64)],
        }
    }
}

/// A workgroup's share of the gradients, as `shaders/common/bindings.wgsl` has it.
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Tile {
    kind: u32,
    x: u32,
    y_gradient: u32,
    inputs: u32,
    outputs: u32,
    weight: u32,
    row: u32,
    column: u32,
    slice: u32,
}

/// The entries for the stage `gradients`.
pub(super) struct Table {
    pub tiles: Vec<Tile>,
    /// Those that a pass computes.
    pub parts: Vec<Part>,
}

/// Entries whose products have one shape.
pub(super) struct Part {
    pub shape: Shape,
    pub tiles: Range<usize>,
}

impl Table {
    /// The table for batches of `batch` rows in `slices`.
    pub fn new(
        network: &Network,
        [encoder, decoder]: [&[Slots]; 2],
        (batch, slices, members): (usize, usize, usize),
        target: Target,
    ) -> Self {
        let layers: Vec<(&Layer, &Slots)> =
            network.layers().zip(encoder.iter().chain(decoder)).collect();
        let shape = |layer: &Layer| {
            let size = [layer.inputs, layer.outputs, batch / slices];
            Shape::new(size, slices * members, target)
        };
        let is_large = |(layer, _): &(&Layer, &Slots)| shape(layer).products == Products::Large;
        let (large, small): (Vec<_>, Vec<_>) = layers.iter().copied().partition(is_large);

        // First what takes long for how little it computes: it is then not what is waited for.
        let mut tiles = others(network, &layers, slices);
        let mut parts = Vec::new();
        for layers in [small, large] {
            // One shape for all, that of the widest, which has most of the work.
            let widest = layers.iter().max_by_key(|(layer, _)| layer.inputs * layer.outputs);
            let Some(shape) = widest.map(|(layer, _)| shape(layer)) else { continue };
            let first = parts.last().map_or(0, |part: &Part| part.tiles.end);
            for slice in 0..slices {
                for (layer, slots) in &layers {
                    for row in (0..layer.inputs).step_by(shape.rows) {
                        let columns = (0..layer.outputs).step_by(shape.columns);
                        tiles.extend(columns.map(|column| Tile {
                            row: row as u32,
                            column: column as u32,
                            ..of_layer(layer, slots, slice)
                        }));
                    }
                }
            }
            parts.push(Part { shape, tiles: first..tiles.len() });
        }
        Self { tiles, parts }
    }
}

/// The entries of all but the products.
fn others(network: &Network, layers: &[(&Layer, &Slots)], slices: usize) -> Vec<Tile> {
    let mut tiles = Vec::new();
    let mut push = |elements: usize, tile: Tile| {
        let first = (0..elements).step_by(LANES);
        tiles.extend(first.map(|first| Tile { row: first as u32, ..tile }));
    };
    let of = |kind: u32, slice: usize| Tile { kind, slice: slice as u32, ..Tile::zeroed() };
    push(1, of(LOSSES, 0));
    for slice in 0..slices {
        if let Some(prior) = network.prior {
            push(prior.components, of(PRIOR_WEIGHTS, slice));
            push(prior.components * network.latent, of(PRIOR_GAUSSIANS, slice));
        }
        // That of a single column comes with the losses.
        if network.learned_sigmas > 1 {
            push(network.learned_sigmas, of(COLUMN_SIGMAS, slice));
        }
        for (layer, slots) in layers {
            let weights = of_layer(layer, slots, slice);
            push(layer.outputs, Tile { kind: BIAS, weight: layer.bias as u32, ..weights });
        }
    }
    tiles
}

/// The weights of a layer from their first row and column.
fn of_layer(layer: &Layer, slots: &Slots, slice: usize) -> Tile {
    Tile {
        kind: WEIGHTS,
        x: slots.x as u32,
        y_gradient: slots.y_gradient as u32,
        inputs: layer.inputs as u32,
        outputs: layer.outputs as u32,
        weight: layer.weight as u32,
        row: 0,
        column: 0,
        slice: slice as u32,
    }
}
