//! Memory that SIMD loads like: aligned, and rows padded to whole panels.

use std::ops::{Deref, DerefMut};

use super::{LINE, Panels};

#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C, align(64))]
struct Line([f32; LINE]);

/// Values that begin at a cache line.
#[derive(Clone, Debug)]
pub(crate) struct Buffer(Vec<Line>);

impl Buffer {
    /// At least `len` zeros.
    pub(crate) fn zeros(len: usize) -> Self {
        Self(vec![Line([0.0; LINE]); len.div_ceil(LINE)])
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        bytemuck::cast_slice(&self.0)
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        bytemuck::cast_slice_mut(&mut self.0)
    }
}

/// Rows of values, each filled up to whole panels with zeros.
#[derive(Clone, Debug)]
pub(crate) struct Matrix {
    pub(crate) panels: Panels,
    /// Distance between rows.
    pub(crate) stride: usize,
    values: Buffer,
}

impl Matrix {
    pub(crate) fn zeros(rows: usize, columns: usize) -> Self {
        let panels = Panels::new(columns);
        // One line more, so that rows of a power of two do not all fall into the same cache sets.
        let stride = panels.columns() + LINE;
        Self { panels, stride, values: Buffer::zeros(rows * stride) }
    }

    /// The first values of a row.
    pub(crate) fn row(&self, row: usize, columns: usize) -> &[f32] {
        &self.values[row * self.stride..][..columns]
    }

    pub(crate) fn row_mut(&mut self, row: usize, columns: usize) -> &mut [f32] {
        &mut self.values[row * self.stride..][..columns]
    }

    /// The first `rows` rows with what lies between them.
    pub(crate) fn rows(&self, rows: usize) -> &[f32] {
        &self.values[..rows * self.stride]
    }

    pub(crate) fn rows_mut(&mut self, rows: usize) -> &mut [f32] {
        &mut self.values[..rows * self.stride]
    }
}
