//! The matrix product of dense layers on the processor, for whatever SIMD it has.
//!
//! A tile of rows × one panel of columns stays in registers while the inner dimension is walked: the
//! classic outer-product kernel (Goto and van de Geijn, "Anatomy of High-Performance Matrix
//! Multiplication", ACM TOMS 2008), without packing, as our panels lie packed in memory.

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
    /// Rows of A one after the other, this far apart.
    Rows(&'a [f32], usize),
    /// Rows of A without a gap, of which these columns alone are read.
    Sparse(&'a [f32], &'a Nonzero),
    /// Columns of A one after the other, this far apart: the transpose of what lies there.
    Columns(&'a [f32], usize),
}

/// Rows that share a list of columns.
const GROUP: usize = 8;

/// The columns that are not zero in all of a few rows: of rectified values often the smaller part, and
/// the smaller the more alike the rows are.
pub(crate) struct Nonzero {
    /// Group after group, room for all columns.
    columns: Vec<u32>,
    /// How many of them there are.
    counts: Vec<usize>,
    depth: usize,
}

impl Nonzero {
    /// Of `values`, rows of `depth` one after the other.
    pub(crate) fn new(arch: Arch, values: &[f32], depth: usize) -> Self {
        let groups = values.len().div_ceil(GROUP * depth);
        let (mut columns, mut counts) = (vec![0; groups * depth], vec![0; groups]);
        let lists = columns.chunks_exact_mut(depth).zip(&mut counts);
        for ((columns, count), rows) in lists.zip(values.chunks(GROUP * depth)) {
            *count = arch.dispatch(ListNonzero { rows, columns });
        }
        Self { columns, counts, depth }
    }

    /// The columns of the group that a row is in.
    fn of_row(&self, row: usize) -> &[u32] {
        let group = row / GROUP;
        &self.columns[group * self.depth..][..self.counts[group]]
    }
}

/// Lists the columns in which one of a few rows is not zero.
struct ListNonzero<'a> {
    rows: &'a [f32],
    /// As many as a row has values; what is beyond the list is anything.
    columns: &'a mut [u32],
}

impl WithSimd for ListNonzero<'_> {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        let depth = self.columns.len();
        let mut count = 0;
        // No branch in it: which columns these are is not to be foreseen.
        let mut list = |first: usize, any: &[u32]| {
            for (lane, any) in any.iter().enumerate() {
                self.columns[count] = (first + lane) as u32;
                count += usize::from(*any != 0);
            }
        };
        let whole = depth - depth % LINE;
        for first in (0..whole).step_by(LINE) {
            let mut any = [0; LINE];
            for row in self.rows.chunks_exact(depth) {
                let values: &[f32; LINE] = row[first..].first_chunk().expect("a whole line");
                for (any, value) in any.iter_mut().zip(values) {
                    *any |= bits_but_sign(*value);
                }
            }
            list(first, &any);
        }
        for column in whole..depth {
            let values = self.rows.chunks_exact(depth).map(|row| bits_but_sign(row[column]));
            list(column, &[values.fold(0, |any, bits| any | bits)]);
        }
        count
    }
}

/// Zero for both zeros alone.
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
    /// rows × depth.
    pub(crate) left: Left<'a>,
    /// depth × width, rows `right_stride` apart.
    pub(crate) right: &'a [f32],
    pub(crate) right_stride: usize,
    pub(crate) start: Start<'a>,
    /// rows × width, rows `out_stride` apart.
    pub(crate) out: &'a mut [f32],
    pub(crate) out_stride: usize,
    pub(crate) rows: usize,
    pub(crate) depth: usize,
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
        let right = self.right[column..].chunks(self.right_stride).take(self.depth);
        match self.left {
            Left::Rows(values, stride) => {
                let left = rows_from::<M>(values, row, stride, self.depth);
                for (k, right) in right.enumerate() {
                    let right = load::<S, N>(simd, right);
                    for m in 0..M {
                        let left = simd.splat_f32s(left[m][k]);
                        for n in 0..N {
                            sums[m][n] = simd.mul_add_e_f32s(left, right[n], sums[m][n]);
                        }
                    }
                }
            }
            Left::Sparse(values, nonzero) => {
                let left = rows_from::<M>(values, row, self.depth, self.depth);
                for &k in nonzero.of_row(row) {
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

/// M rows of this many values from `row` on.
#[inline(always)]
fn rows_from<const M: usize>(
    values: &[f32],
    row: usize,
    stride: usize,
    depth: usize,
) -> [&[f32]; M] {
    std::array::from_fn(|m| &values[(row + m) * stride..][..depth])
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

    #[test]
    fn columns_that_are_zero_in_a_few_rows_are_left_out() {
        let mut values = vec![0.0; 10 * 20];
        for (row, column, value) in [(0, 3, 1.0), (7, 19, f32::NAN), (8, 0, -2.0), (9, 3, -0.0)] {
            values[row * 20 + column] = value;
        }
        let nonzero = Nonzero::new(Arch::new(), &values, 20);
        assert_eq!((nonzero.of_row(0), nonzero.of_row(7)), (&[3, 19][..], &[3, 19][..]));
        assert_eq!((nonzero.of_row(8), nonzero.of_row(9)), (&[0][..], &[0][..]));
    }

    /// Every tail of every loop, against the definition.
    #[test]
    fn a_product_is_the_sum_over_the_inner_dimension() {
        let mut values = vec![0.0; 4096];
        Generator::new(1, Stream::MixtureRows, 0).normal(&mut values);
        // Of A about half is zero, of either sign.
        values[..2000].iter_mut().for_each(|value| *value *= f32::from(*value > 0.0));
        let (a, b) = (&values[..2000], &values[2000..]);
        for (rows, depth, width) in
            [(1, 1, 16), (7, 3, 16), (8, 5, 32), (13, 20, 32), (32, 40, 16), (4, 1, 32)]
        {
            let (a_stride, b_stride, c_stride) = (45, 33, 35);
            let nonzero = Nonzero::new(Arch::new(), &a[..rows * depth], depth);
            for (left, at) in [
                (Left::Rows(a, a_stride), [a_stride, 1]),
                (Left::Sparse(a, &nonzero), [depth, 1]),
                (Left::Columns(a, a_stride), [1, a_stride]),
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
                        depth,
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
