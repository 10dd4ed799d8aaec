//! The rows near a point, exactly.

use ndarray::ArrayView2;
use rayon::prelude::*;
use rayon::slice::ChunksExact;

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

    /// One row.
    pub fn row(&self, row: usize) -> &[f64] {
        &self.values[row * self.columns..][..self.columns]
    }

    /// All rows in order.
    pub fn par_iter(&self) -> ChunksExact<'_, f64> {
        self.values.par_chunks_exact(self.columns)
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
#[inline]
pub(crate) fn squared_distances(tile: &[[f64; LANES]], point: &[f64]) -> [f64; LANES] {
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
    columns: usize,
    /// The rows' numbers, leaf after leaf: a leaf is a tile.
    order: Vec<usize>,
    /// The rows in that order.
    tiles: Vec<[f64; LANES]>,
    /// Smallest and largest value of each column, node after node: a node comes before its left
    /// half, and that before the right half.
    boxes: Vec<[f64; 2]>,
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
        Self { columns: points.columns, tiles: points.tiles(&order), order, boxes }
    }

    /// Calls `visit` with the squared distance and the number of each row whose squared distance
    /// from `point` is smaller than `bound`. What `visit` returns is the bound from there on.
    pub fn search(&self, point: &[f64], bound: f64, mut visit: impl FnMut(f64, usize) -> f64) {
        let root = Node::root(self.order.len());
        self.descend(root, point, bound, &mut visit);
    }

    fn descend(
        &self,
        node: Node,
        point: &[f64],
        mut bound: f64,
        visit: &mut impl FnMut(f64, usize) -> f64,
    ) -> f64 {
        if node.leaves == 1 {
            let tile = &self.tiles[node.first * self.columns..][..self.columns];
            let rows = &self.order[node.first * LANES..];
            for (distance, &row) in squared_distances(tile, point).into_iter().zip(rows) {
                if distance < bound {
                    bound = visit(distance, row);
                }
            }
            return bound;
        }
        let mut halves = node.halves().map(|half| (self.squared_gap(half, point), half));
        if halves[1].0 < halves[0].0 {
            halves.swap(0, 1);
        }
        for (gap, half) in halves {
            if gap < bound {
                bound = self.descend(half, point, bound, visit);
            }
        }
        bound
    }

    /// The squared distance from `point` to the box of a node.
    fn squared_gap(&self, node: Node, point: &[f64]) -> f64 {
        let sides = &self.boxes[node.index * self.columns..][..self.columns];
        sides
            .iter()
            .zip(point)
            .map(|([low, high], own)| (low - own).max(own - high).max(0.0).powi(2))
            .sum()
    }

    /// Puts the `k` rows nearest to `point` among those that `counts` into `found`, nearest first,
    /// each with its squared distance; all of them where there are fewer.
    pub fn nearest(
        &self,
        point: &[f64],
        k: usize,
        counts: impl Fn(usize) -> bool,
        found: &mut Vec<(f64, usize)>,
    ) {
        found.clear();
        self.search(point, f64::INFINITY, |distance, row| {
            if counts(row) {
                found.truncate(k - 1);
                let place = found.partition_point(|&(other, _)| other <= distance);
                found.insert(place, (distance, row));
            }
            if found.len() == k { found[k - 1].0 } else { f64::INFINITY }
        });
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
    order.select_nth_unstable_by(middle, |&a, &b| value(a).total_cmp(&value(b)));
    let (left, right) = order.split_at_mut(middle);
    arrange(points, left, boxes);
    arrange(points, right, boxes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Generator, Stream};

    /// n rows on a coarse grid, so that many distances tie.
    fn grid(n: usize, columns: usize, levels: f32) -> Points {
        let mut values = vec![0.0; n * columns];
        Generator::new(5, Stream::MixtureRows, n as u64).uniform(&mut values);
        let values = values.into_iter().map(|u| f64::from((u * levels).floor())).collect();
        Points { columns, values }
    }

    /// Against sorting all distances, for full and partial leaves, few and many columns.
    #[test]
    fn searches_find_what_a_full_pass_finds() {
        for (n, columns, levels) in
            [(1, 1, 9.0), (16, 2, 9.0), (17, 3, 9.0), (333, 3, 9.0), (200, 12, 4.0), (500, 2, 1.0)]
        {
            let points = grid(n, columns, levels);
            let tree = Tree::new(&points);
            for own in 0..n {
                let point = points.row(own);
                let distance = |row| {
                    points.row(row).iter().zip(point).map(|(a, b)| (a - b).powi(2)).sum::<f64>()
                };
                let distances: Vec<f64> = (0..n).map(distance).collect();
                let mut sorted = distances.clone();
                sorted.sort_by(f64::total_cmp);

                let mut found = Vec::new();
                tree.nearest(point, 7, |_| true, &mut found);
                let nearest: Vec<f64> = found.iter().map(|&(distance, _)| distance).collect();
                assert_eq!(nearest, sorted[..n.min(7)]);
                assert!(found.iter().all(|&(distance, row)| distance == distances[row]));
                tree.nearest(point, 1, |row| row == own, &mut found);
                assert_eq!(found, [(0.0, own)]);

                let bound = sorted[n / 2];
                let mut within = Vec::new();
                tree.search(point, bound, |_, row| {
                    within.push(row);
                    bound
                });
                within.sort_unstable();
                let expected: Vec<usize> = (0..n).filter(|&row| distances[row] < bound).collect();
                assert_eq!(within, expected);
            }
        }
    }
}
