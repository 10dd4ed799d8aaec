//! The matrix product of dense layers on the processor, for whatever SIMD it has.
//!
//! A tile of rows × one panel of columns stays in registers while the inner dimension is walked: the
//! classic outer-product kernel (Goto and van de Geijn, "Anatomy of High-Performance Matrix
//! Multiplication", ACM TOMS 2008), without packing, as our panels mostly lie packed in memory. Columns
//! of A that are zero in all of eight rows, as rectified units often are, are left out: no sum of
//! finite values changes.

mod buffer;
pub(crate) mod math;

pub(crate) use buffer::{Buffer, Matrix};

use pulp::{Arch, Simd, WithSimd};

/// Values that one cache line holds, which is also the widest SIMD register.
pub(crate) const LINE: usize = 16;

/// How the columns of a matrix are cut into panels, the last filled up with zeros.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Panels {
    /// Columns of a panel.
    pub(crate) width: usize,
    /// Number of panels.
    pub(crate) count: usize,
}

impl Panels {
    /// Columns of a panel: one of the widest registers, or two.
    pub(crate) const NARROW: usize = LINE;
    pub(crate) const WIDE: usize = 2 * LINE;

    /// Panels for this many columns.
    pub(crate) fn new(columns: usize) -> Self {
        let width = if columns <= Self::NARROW { Self::NARROW } else { Self::WIDE };
        Self { width, count: columns.div_ceil(width) }
    }

    /// Columns of all panels.
    pub(crate) fn columns(self) -> usize {
        self.width * self.count
    }
}

/// The left factor A.
#[derive(Clone, Copy)]
pub(crate) enum Left<'a> {
    Rows(&'a Rows<'a>),
    /// All columns of A one after the other, this far apart: the transpose of what lies there.
    Columns(&'a [f32], usize),
}

/// Rows that share a list of columns.
const GROUP: usize = 8;

/// Rows of A one after the other, and of a few of them at a time the columns that are not zero in all.
/// Of rectified values those are often the smaller part, and the smaller the more alike the rows are.
pub(crate) struct Rows<'a> {
    values: &'a [f32],
    stride: usize,
    depth: usize,
    /// The lists of all groups, each with room for all columns.
    columns: Vec<u32>,
    /// How many columns are in each list.
    counts: Vec<usize>,
}

impl<'a> Rows<'a> {
    /// Of `depth` values, at least one, each row `stride` after the one before it.
    pub(crate) fn new(arch: Arch, values: &'a [f32], stride: usize, depth: usize) -> Self {
        let groups = values.len().div_ceil(GROUP * stride);
        let (mut columns, mut counts) = (vec![0; groups * depth], vec![0; groups]);
        let lists = columns.chunks_exact_mut(depth).zip(&mut counts);
        for ((columns, count), rows) in lists.zip(values.chunks(GROUP * stride)) {
            *count = arch.dispatch(ListNonzero { rows, stride, columns });
        }
        Self { values, stride, depth, columns, counts }
    }

    /// M rows from `row` on.
    #[inline(always)]
    fn some<const M: usize>(&self, row: usize) -> [&[f32]; M] {
        let mut rows = [&self.values[..0]; M];
        for (m, values) in rows.iter_mut().enumerate() {
            *values = &self.values[(row + m) * self.stride..][..self.depth];
        }
        rows
    }

    /// The columns that count in the rows of a group from `row` on.
    fn columns(&self, row: usize) -> &[u32] {
        let group = row / GROUP;
        &self.columns[group * self.depth..][..self.counts[group]]
    }
}

/// Lists the columns in which one of a few rows is not zero.
struct ListNonzero<'a> {
    rows: &'a [f32],
    stride: usize,
    /// As many as a row has values; what is beyond the list is anything.
    columns: &'a mut [u32],
}

impl WithSimd for ListNonzero<'_> {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        let Self { rows, stride, columns } = self;
        let depth = columns.len();
        let rows = || rows.chunks(stride).map(|row| &row[..depth]);
        let mut count = 0;
        // No branch in it: which columns these are is not to be foreseen.
        let mut list = |first: usize, any: &[u32]| {
            for (lane, any) in any.iter().enumerate() {
                columns[count] = (first + lane) as u32;
                count += usize::from(*any != 0);
            }
        };
        let whole = depth - depth % LINE;
        for first in (0..whole).step_by(LINE) {
            let mut any = [0; LINE];
            for row in rows() {
                let values: &[f32; LINE] = row[first..].first_chunk().expect("a whole line");
                for (any, value) in any.iter_mut().zip(values) {
                    *any |= bits_but_sign(*value);
                }
            }
            list(first, &any);
        }
        for column in whole..depth {
            list(column, &[rows().fold(0, |any, row| any | bits_but_sign(row[column]))]);
        }
        count
    }
}

/// Zero for both zeros alone.
#[inline(always)]
fn bits_but_sign(value: f32) -> u32 {
    value.to_bits() << 1
}

/// What the product is added to.
#[derive(Clone, Copy)]
pub(crate) enum Start<'a> {
    Zero,
    /// The same values in every row.
    Bias(&'a [f32]),
    /// What stands in C.
    Sum,
}

/// C = start + A·B for one panel of columns.
pub(crate) struct Product<'a> {
    pub(crate) left: Left<'a>,
    /// As many rows as A has columns, `right_stride` apart, of `width` values.
    pub(crate) right: &'a [f32],
    pub(crate) right_stride: usize,
    pub(crate) start: Start<'a>,
    /// rows × width, rows `out_stride` apart.
    pub(crate) out: &'a mut [f32],
    pub(crate) out_stride: usize,
    pub(crate) rows: usize,
    /// Columns of the panel, of a width of [`Panels`].
    pub(crate) width: usize,
}

impl Product<'_> {
    pub(crate) fn compute(self, arch: Arch) {
        arch.dispatch(self);
    }

    /// All rows for the columns from `column`, N registers of them.
    #[inline(always)]
    fn columns<S: Simd, const N: usize>(&mut self, simd: S, column: usize) {
        let mut row = 0;
        if S::REGISTER_COUNT >= 32 {
            while self.rows - row >= 8 {
                self.tile::<S, 8, N>(simd, row, column);
                row += 8;
            }
        }
        while self.rows - row >= 4 {
            self.tile::<S, 4, N>(simd, row, column);
            row += 4;
        }
        while row < self.rows {
            self.tile::<S, 1, N>(simd, row, column);
            row += 1;
        }
    }

    /// M rows from `row` for the columns from `column`.
    #[inline(always)]
    fn tile<S: Simd, const M: usize, const N: usize>(
        &mut self,
        simd: S,
        row: usize,
        column: usize,
    ) {
        let mut sums = [[simd.splat_f32s(0.0); N]; M];
        match self.start {
            Start::Zero => {}
            Start::Bias(bias) => sums = [load::<S, N>(simd, &bias[column..]); M],
            Start::Sum => {
                for (m, sums) in sums.iter_mut().enumerate() {
                    *sums = load::<S, N>(simd, &self.out[(row + m) * self.out_stride + column..]);
                }
            }
        }
        match self.left {
            Left::Rows(rows) => {
                let left = rows.some::<M>(row);
                for &k in rows.columns(row) {
                    let k = k as usize;
                    let right = load::<S, N>(simd, &self.right[k * self.right_stride + column..]);
                    for m in 0..M {
                        let left = simd.splat_f32s(left[m][k]);
                        for n in 0..N {
                            sums[m][n] = simd.mul_add_e_f32s(left, right[n], sums[m][n]);
                        }
                    }
                }
            }
            Left::Columns(values, stride) => {
                let right = self.right[column..].chunks(self.right_stride);
                for (left, right) in values[row..].chunks(stride).zip(right) {
                    let (left, right) = (&left[..M], load::<S, N>(simd, right));
                    for m in 0..M {
                        let left = simd.splat_f32s(left[m]);
                        for n in 0..N {
                            sums[m][n] = simd.mul_add_e_f32s(left, right[n], sums[m][n]);
                        }
                    }
                }
            }
        }
        for (m, sums) in sums.iter().enumerate() {
            let out = &mut self.out[(row + m) * self.out_stride + column..][..N * S::F32_LANES];
            S::as_mut_simd_f32s(out).0.copy_from_slice(sums);
        }
    }
}

/// Sets the first `rows` rows of `out` to x·W + b, for W in the panels of `out`, packed one after the
/// other, and b filled up to them.
pub(crate) fn dense(
    arch: Arch,
    x: &Rows,
    weights: &[f32],
    biases: &[f32],
    rows: usize,
    out: &mut Matrix,
) {
    let (width, out_stride) = (out.panels.width, out.stride);
    for (panel, right) in weights.chunks_exact(x.depth * width).enumerate() {
        let first = panel * width;
        Product {
            left: Left::Rows(x),
            right,
            right_stride: width,
            start: Start::Bias(&biases[first..first + width]),
            out: &mut out.rows_mut(rows)[first..],
            out_stride,
            rows,
            width,
        }
        .compute(arch);
    }
}

/// The first N registers of values.
#[inline(always)]
fn load<S: Simd, const N: usize>(simd: S, values: &[f32]) -> [S::f32s; N] {
    let mut out = [simd.splat_f32s(0.0); N];
    out.copy_from_slice(S::as_simd_f32s(&values[..N * S::F32_LANES]).0);
    out
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let mut column = 0;
        while self.width - column >= 2 * S::F32_LANES {
            self.columns::<S, 2>(simd, column);
            column += 2 * S::F32_LANES;
        }
        while column < self.width {
            self.columns::<S, 1>(simd, column);
            column += S::F32_LANES;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Generator, Stream};

    /// Between two rows of A.
    const A_STRIDE: usize = 45;

    #[test]
    fn columns_that_are_zero_in_a_few_rows_are_left_out() {
        let mut values = vec![0.0; 10 * 20];
        for (row, column, value) in [(0, 3, 1.0), (7, 19, f32::NAN), (8, 0, -2.0), (9, 3, -0.0)] {
            values[row * 20 + column] = value;
        }
        let rows = Rows::new(Arch::new(), &values, 20, 20);
        assert_eq!((rows.columns(0), rows.columns(7)), (&[3, 19][..], &[3, 19][..]));
        assert_eq!((rows.columns(8), rows.columns(9)), (&[0][..], &[0][..]));
        assert_eq!(Rows::new(Arch::new(), &values, 20, 18).columns(0), [3]);
    }

    /// Every tail of every loop, against the definition.
    #[test]
    fn a_product_is_the_sum_over_the_inner_dimension() {
        let mut values = vec![0.0; 4096];
        Generator::new(1, Stream::MixtureRows, 0).normal(&mut values);
        // In places A is zero, of either sign, and every third column of it in eight rows.
        for (place, value) in values[..2000].iter_mut().enumerate() {
            let (row, column) = (place / A_STRIDE, place % A_STRIDE);
            if *value < 0.0 || (row / GROUP).is_multiple_of(2) && column % 3 == 1 {
                *value *= 0.0;
            }
        }
        let (a, b) = (&values[..2000], &values[2000..]);
        for (rows, depth, width) in
            [(1, 1, 16), (7, 3, 16), (8, 5, 32), (13, 20, 32), (32, 40, 16), (4, 1, 32)]
        {
            let (b_stride, c_stride) = (33, 35);
            let of_a = Rows::new(Arch::new(), &a[..rows * A_STRIDE], A_STRIDE, depth);
            for (left, at) in [
                (Left::Rows(&of_a), [A_STRIDE, 1]),
                (Left::Columns(&a[..depth * A_STRIDE], A_STRIDE), [1, A_STRIDE]),
            ] {
                for start in [Start::Zero, Start::Bias(a), Start::Sum] {
                    let mut out = vec![0.5; rows * c_stride];
                    Product {
                        left,
                        right: b,
                        right_stride: b_stride,
                        start,
                        out: &mut out,
                        out_stride: c_stride,
                        rows,
                        width,
                    }
                    .compute(Arch::new());
                    for row in 0..rows {
                        for column in 0..c_stride {
                            let term = |k: usize| {
                                f64::from(a[row * at[0] + k * at[1]])
                                    * f64::from(b[k * b_stride + column])
                            };
                            let expected = if column >= width {
                                0.5
                            } else {
                                (0..depth).map(term).sum::<f64>()
                                    + match start {
                                        Start::Zero => 0.0,
                                        Start::Bias(bias) => f64::from(bias[column]),
                                        Start::Sum => 0.5,
                                    }
                            };
                            let found = f64::from(out[row * c_stride + column]);
                            assert!((found - expected).abs() < 1e-5, "{found} {expected}");
                        }
                    }
                }
            }
        }
    }
}
