//! How matrix products, and the gradients, are divided into workgroups.

use std::ops::Range;

use burn::tensor::wgpu::wgpu;
use bytemuck::{Pod, Zeroable};

use super::plan::Constant;
use super::slots::{ROW_PADDING, Slots};
use super::stages::Products;
use crate::fused::Network;

/// Elements that a workgroup computes or sums side by side in the stages that are no product.
pub(super) const LANES: usize = 32;
/// Rows of a batch that are worth a slice of their own, and most slices.
const SLICE_ROWS: usize = 512;
const MOST_SLICES: usize = 16;
/// Values that all slices may have: the gradients of wide layers have tiles enough without.
const SLICED_VALUES: usize = 1 << 24;
/// Rows that a workgroup takes through a step at once where it takes a block of them, and the widest
/// layer that it has room for, as in `shaders/block.wgsl`.
pub(super) const BLOCK: usize = 32;
pub(super) const WIDEST: usize = 128;
/// Its invocations and their memory in bytes, the values and a slab; not every adapter allows as much.
pub(super) const BLOCK_LANES: u32 = 512;
pub(super) const BLOCK_BYTES: u32 = 4 * (BLOCK * WIDEST + SLAB_DEPTH * WIDEST) as u32;
pub(super) const SLAB_DEPTH: usize = 16;
/// Invocations of a workgroup that computes tiles, as in `shaders/common/slabs.wgsl`.
pub(super) const TILE_LANES: usize = 256;
/// Rows up to which the elements of a narrow layer, and the biases, are quickly added up one by one.
const FEW_ROWS: usize = 64;
/// Inputs or outputs up to which a layer is narrow: most of a tile would lie outside of it.
const NARROW: u32 = 16;
/// Depth below which storing a large tile takes longer than computing it.
const LARGE_DEPTH: usize = 128;

// Kinds of tiles, as in `shaders/gradients.wgsl`.
const WEIGHTS: u32 = 0;
const BIAS: u32 = 1;
const LOSSES: u32 = 2;
const COLUMN_SIGMAS: u32 = 3;
const PRIOR_GAUSSIANS: u32 = 4;
const PRIOR_WEIGHTS: u32 = 5;
const ELEMENTS: u32 = 6;

/// What runs the shaders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A GPU.
    Gpu {
        /// Workgroups that keep it busy.
        groups: usize,
        /// Blocks of rows that do.
        blocks: usize,
    },
    /// A processor that simulates one.
    Simulated,
}

impl Target {
    /// A GPU of any size: a large one, for which the shapes of small products matter most, is busy
    /// with two workgroups a multiprocessor. Blocks were measured ahead of layers from 1024 rows on,
    /// `benches/RESULTS.md`.
    pub const GPU: Self = Self::Gpu { groups: 256, blocks: 32 };
    /// As [`Kernels::Products`].
    pub const PRODUCTS: Self = Self::Gpu { groups: 1, blocks: usize::MAX };
    /// As [`Kernels::Blocks`].
    pub const BLOCKS: Self = Self::Gpu { groups: 256, blocks: 1 };

    /// Whether an adapter of these limits has room for blocks.
    pub fn has_room(limits: &wgpu::Limits) -> bool {
        let lanes =
            limits.max_compute_invocations_per_workgroup.min(limits.max_compute_workgroup_size_x);
        lanes >= BLOCK_LANES && limits.max_compute_workgroup_storage_size >= BLOCK_BYTES
    }

    /// The same without blocks where an adapter of these limits has no room for them.
    pub fn within(self, limits: &wgpu::Limits) -> Self {
        match self {
            Self::Gpu { groups, .. } if !Self::has_room(limits) => {
                Self::Gpu { groups, blocks: usize::MAX }
            }
            same => same,
        }
    }

    /// Whether a workgroup takes a block of rows through all layers.
    pub fn takes_blocks(self, network: &Network, batch: usize, members: usize) -> bool {
        let fits = network.layers().all(|layer| layer.inputs.max(layer.outputs) <= WIDEST);
        let count = members * batch.div_ceil(BLOCK);
        matches!(self, Self::Gpu { blocks, .. } if fits && count >= blocks)
    }
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
        let Target::Gpu { groups, .. } = target else {
            return Self { products: Products::Registers, rows: ROW_PADDING, columns: 4 * LANES };
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

    /// Vectors of 4 that a workgroup keeps: two slabs and, where its invocations share the depth of
    /// an output, the sums of all of them; `shaders/common/slabs.wgsl`.
    fn room(&self) -> usize {
        let blocks = self.rows / 4;
        let slabs = 2 * (TILE_LANES / blocks) * (blocks + 1);
        if blocks * blocks < TILE_LANES { slabs.max(4 * TILE_LANES) } else { slabs }
    }

    /// What the shaders have to know; that of registers is fixed.
    pub fn constants(&self) -> Vec<Constant> {
        match self.products {
            Products::Registers => vec![],
            Products::Tiles | Products::Large => {
                vec![("SIDE", self.rows as f64), ("ROOM", self.room() as f64)]
            }
        }
    }
}

/// A layer with its slots, as `shaders/common/bindings.wgsl` has it.
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Dense {
    pub inputs: u32,
    pub outputs: u32,
    pub weight: u32,
    pub bias: u32,
    pub x: u32,
    pub x_gradient: u32,
    pub y: u32,
    pub y_gradient: u32,
    pub function: u32,
    pub activated: u32,
}

impl Dense {
    /// Where its parameters end, W and then b.
    pub fn end(&self) -> usize {
        (self.bias + self.outputs) as usize
    }

    /// Whether most of a tile of its weights would lie outside of them.
    fn is_narrow(&self) -> bool {
        self.inputs.min(self.outputs) <= NARROW
    }
}

/// A layer, or a workgroup's share of the gradients, as `shaders/common/bindings.wgsl` has it.
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Tile {
    kind: u32,
    row: u32,
    column: u32,
    slice: u32,
    layer: Dense,
}

/// The layers in the order of a forward pass, which `block` reads, and the entries for `gradients`.
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
        slots: &Slots,
        (batch, slices, members): (usize, usize, usize),
        target: Target,
    ) -> Self {
        let shape = |layer: &Dense| {
            let size = [layer.inputs as usize, layer.outputs as usize, batch / slices];
            Shape::new(size, slices * members, target)
        };
        let is_large = |layer: &Dense| shape(layer).products == Products::Large;
        let (large, small): (Vec<Dense>, Vec<Dense>) =
            slots.layers().partition(|layer| is_large(layer));

        let few = target != Target::Simulated && batch / slices <= FEW_ROWS;
        let of_layer = |&layer: &Dense| Tile { layer, ..Tile::zeroed() };
        let mut tiles: Vec<Tile> = slots.layers().map(of_layer).collect();
        // Long-latency, low-work entries go first, so that they do not form the tail.
        let mut end = tiles.len();
        tiles.extend(others(network, slots, slices, few));
        let mut parts = Vec::new();
        for layers in [small, large] {
            // One shape for all, that of the widest, which has most of the work.
            let widest = layers.iter().max_by_key(|layer| layer.inputs * layer.outputs);
            let Some(shape) = widest.map(shape) else { continue };
            for slice in 0..slices as u32 {
                for &layer in layers.iter().filter(|layer| !few || !layer.is_narrow()) {
                    for row in (0..layer.inputs).step_by(shape.rows) {
                        let columns = (0..layer.outputs).step_by(shape.columns);
                        tiles.extend(columns.map(|column| Tile {
                            kind: WEIGHTS,
                            row,
                            column,
                            slice,
                            layer,
                        }));
                    }
                }
            }
            parts.push(Part { shape, tiles: end..tiles.len() });
            end = tiles.len();
        }
        Self { tiles, parts }
    }
}

/// The entries of all but the products, where a slice has `few` rows.
fn others(network: &Network, slots: &Slots, slices: usize, few: bool) -> Vec<Tile> {
    let mut tiles = Vec::new();
    let mut push = |elements: Range<usize>, each: usize, tile: Tile| {
        tiles.extend(elements.step_by(each).map(|first| Tile { row: first as u32, ..tile }));
    };
    let of = |kind: u32, slice: usize| Tile { kind, slice: slice as u32, ..Tile::zeroed() };
    push(0..1, 1, of(LOSSES, 0));
    for slice in 0..slices {
        if let Some(prior) = network.prior {
            push(0..prior.components, LANES, of(PRIOR_WEIGHTS, slice));
            push(0..prior.components * network.latent, LANES, of(PRIOR_GAUSSIANS, slice));
        }
        // That of a single column comes with the losses.
        if network.learned_sigmas > 1 {
            push(0..network.learned_sigmas, LANES, of(COLUMN_SIGMAS, slice));
        }
        for &layer in slots.layers() {
            let [weights, biases] =
                [layer.inputs * layer.outputs, layer.outputs].map(|n| n as usize);
            if few {
                let first = if layer.is_narrow() { 0 } else { weights };
                push(first..weights + biases, TILE_LANES, Tile { layer, ..of(ELEMENTS, slice) });
            } else {
                push(0..biases, LANES, Tile { layer, ..of(BIAS, slice) });
            }
        }
    }
    tiles
}
