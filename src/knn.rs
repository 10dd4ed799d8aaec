//! The rows near others, exactly.

mod search;

use ndarray::ArrayView2;
use pulp::Arch;
use rayon::prelude::*;

use crate::error::{Error, Result};

/// Rows whose distances to a point are computed at once.
pub(crate) const LANES: usize = 16;

/// Whether `real` and `generated` rows, both rows × the same columns, can be compared.
///
/// # Errors
/// Where a set has fewer than `least` rows, there are no columns, or a value is not finite.
///
/// # Panics
/// Where the numbers of columns differ.
pub(crate) fn check(real: ArrayView2<f32>, generated: ArrayView2<f32>, least: usize) -> Result<()> {
    assert_eq!(real.ncols(), generated.ncols(), "the same columns");
    for (rows, whose) in [(real.view(), "real"), (generated.view(), "generated")] {
        let n = rows.nrows();
        if n < least {
            let message = format!("{n} {whose} rows are too few to compare: it takes {least}");
            return Err(Error::input(message).help("give more rows"));
        }
        if rows.ncols() == 0 {
            return Err(Error::input(format!("the {whose} rows have no columns")));
        }
        if let Some(((row, column), _)) = rows.indexed_iter().find(|(_, value)| !value.is_finite())
        {
            let place = format!("{whose} row {}, column {}", row + 1, column + 1);
            return Err(Error::input(format!("{place}: not a finite number")));
        }
    }
    Ok(())
}

/// Rows in double precision, one after the other.
pub(crate) struct Points {
    columns: usize,
    values: Vec<f64>,
}

impl Points {
    /// The values of `rows`, n × columns, at least one column.
    pub fn new(rows: ArrayView2<impl Copy + Into<f64>>) -> Self {
        Self { columns: rows.ncols(), values: rows.iter().copied().map(Into::into).collect() }
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.values.len() / self.columns
    }

    /// How many values a row has.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// All rows, n × columns.
    pub fn rows(&self) -> ArrayView2<'_, f64> {
        ArrayView2::from_shape((self.len(), self.columns), &self.values).expect("whole rows")
    }

    /// One row.
    pub fn row(&self, row: usize) -> &[f64] {
        &self.values[row * self.columns..][..self.columns]
    }

    /// The `chosen` rows in tiles of [`LANES`], each tile column after column, so that the distances
    /// from a point are computed side by side. What the last tile lacks is infinitely far away.
    pub fn tiles(&self, chosen: &[usize]) -> Vec<[f64; LANES]> {
        let tile = |chosen: &[usize], column: usize| {
            let mut values = [f64::INFINITY; LANES];
            for (value, &row) in values.iter_mut().zip(chosen) {
                *value = self.row(row)[column];
            }
            values
        };
        chosen
            .chunks(LANES)
            .flat_map(|chosen| (0..self.columns).map(move |column| tile(chosen, column)))
            .collect()
    }
}

/// The squared distances from `point` to the rows of one tile.
#[inline(always)]
pub(crate) fn squared_distances(
    tile: &[[f64; LANES]],
    point: impl IntoIterator<Item = f64>,
) -> [f64; LANES] {
    let mut sums = [0.0; LANES];
    for (column, own) in tile.iter().zip(point) {
        for (sum, other) in sums.iter_mut().zip(column) {
            *sum += (other - own) * (other - own);
        }
    }
    sums
}

/// Rows in a k-d tree (Bentley 1975), for neighbour queries in any number of columns.
///
/// Each node halves its tiles at the median of its widest column and knows the box around its rows.
/// Boxes are tight, so the tree prunes as far as the rows are low-dimensional, whatever the number
/// of columns, and where nothing can be pruned a query is a pass over all tiles. Halving by number
/// keeps the tree balanced for equal rows too.
///
/// Box and row distances are rounded alike, so pruning never loses a row.
pub(crate) struct Tree {
    arch: Arch,
    columns: usize,
    /// The rows' numbers, leaf after leaf: a leaf is a tile.
    order: Vec<usize>,
    /// The rows in that order.
    tiles: Vec<[f64; LANES]>,
    /// Smallest and largest value of each column, node after node: a node comes before its left
    /// half, and that before the right half.
    boxes: Vec<[f64; 2]>,
}

/// Near rows of a tree.
#[derive(Clone, Copy)]
pub(crate) struct Leaf<'a> {
    /// Their numbers: [`LANES`] of them, or fewer in the last leaf.
    pub rows: &'a [usize],
    /// Their values, as [`Points::tiles`] lays them out.
    tile: &'a [[f64; LANES]],
}

/// Part of a balanced tree whose leaves hold [`LANES`] rows each.
#[derive(Clone, Copy)]
pub(crate) struct Node {
    /// Its place in preorder.
    pub index: usize,
    /// Its first leaf.
    pub first: usize,
    /// Its number of leaves. A subtree of l leaves has 2l − 1 nodes.
    pub leaves: usize,
}

impl Node {
    /// All of a tree of so many rows, at least one.
    pub fn root(rows: usize) -> Self {
        Self { index: 0, first: 0, leaves: rows.div_ceil(LANES) }
    }

    /// Its left and its right half.
    pub fn halves(self) -> [Self; 2] {
        let Self { index, first, leaves } = self;
        let left = leaves / 2;
        [
            Self { index: index + 1, first, leaves: left },
            Self { index: index + 2 * left, first: first + left, leaves: leaves - left },
        ]
    }
}

impl Tree {
    /// Arranges `points`, of which there is at least one.
    pub fn new(points: &Points) -> Self {
        let mut order: Vec<usize> = (0..points.len()).collect();
        let mut boxes = Vec::new();
        arrange(points, &mut order, &mut boxes);
        let (arch, tiles) = (Arch::new(), points.tiles(&order));
        Self { arch, columns: points.columns, tiles, order, boxes }
    }

    /// The rows' numbers so that near rows follow one another.
    pub fn into_order(self) -> Vec<usize> {
        self.order
    }

    /// The rows of one leaf.
    fn leaf(&self, leaf: usize) -> Leaf<'_> {
        let rows = &self.order[leaf * LANES..];
        Leaf {
            rows: &rows[..LANES.min(rows.len())],
            tile: &self.tiles[leaf * self.columns..][..self.columns],
        }
    }

    /// What `compute` sets for the rows of each leaf, in the order of the rows. Its second argument
    /// is scratch, as an earlier leaf left it.
    pub fn of_rows<T: Clone + Default + Send, S: Default>(
        &self,
        compute: impl Fn(Leaf, &mut S, &mut [T]) + Sync,
    ) -> Vec<T> {
        let mut by_leaf = vec![T::default(); self.order.len()];
        by_leaf.par_chunks_mut(LANES).enumerate().for_each_init(
            S::default,
            |scratch, (leaf, out)| {
                compute(self.leaf(leaf), scratch, out);
            },
        );
        let mut by_row = vec![T::default(); by_leaf.len()];
        for (value, &row) in by_leaf.into_iter().zip(&self.order) {
            by_row[row] = value;
        }
        by_row
    }
}

/// Orders the rows of a node so that its left half comes before its right half, and so on, and
/// appends the boxes in preorder.
fn arrange(points: &Points, order: &mut [usize], boxes: &mut Vec<[f64; 2]>) {
    let start = boxes.len();
    boxes.resize(start + points.columns, [f64::INFINITY, f64::NEG_INFINITY]);
    for &row in &*order {
        for ([low, high], &value) in boxes[start..].iter_mut().zip(points.row(row)) {
            (*low, *high) = (low.min(value), high.max(value));
        }
    }
    let root = Node::root(order.len());
    if root.leaves == 1 {
        return;
    }
    let width = |column: &usize| boxes[start + column][1] - boxes[start + column][0];
    let widest = (0..points.columns).max_by(|a, b| width(a).total_cmp(&width(b))).unwrap_or(0);
    let middle = root.halves()[1].first * LANES;
    let value = |row: usize| points.row(row)[widest];
    order.select_nth_unstable_by(middle, |&a, &b| value(a).total_cmp(&value(b)).then(a.cmp(&b)));
    let (left, right) = order.split_at_mut(middle);
    arrange(points, left, boxes);
    arrange(points, right, boxes);
}
