//! Queries of the k-d tree, for all rows of a leaf at once: they are near one another, so they want
//! much the same nodes, and how far each is from a node's box is computed side by side.

use pulp::{Simd, WithSimd};

use super::{LANES, Leaf, Node, Tree, squared_distances};

impl Tree {
    /// Calls `visit` with a lane, a squared distance and a row's number for each row of this tree
    /// whose squared distance from the query in that lane is smaller than the lane's bound. What
    /// `visit` returns is the bound of that lane from there on.
    pub fn search(
        &self,
        queries: Leaf,
        bounds: [f64; LANES],
        visit: impl FnMut(usize, f64, usize) -> f64,
    ) {
        self.arch.dispatch(Search { tree: self, queries, bounds, visit });
    }

    /// Puts the `k` rows, at least one, nearest to each query among those that `counts(query, row)` into `found`,
    /// each with its squared distance, the farthest last and the others in no order; all rows where
    /// there are fewer.
    pub fn nearest(
        &self,
        queries: Leaf,
        k: usize,
        counts: impl Fn(usize, usize) -> bool,
        found: &mut [Vec<(f64, usize)>; LANES],
    ) {
        found.iter_mut().for_each(Vec::clear);
        let mut bounds = [f64::INFINITY; LANES];
        self.search(queries, bounds, |lane, distance, row| {
            if counts(queries.rows[lane], row) {
                let found = &mut found[lane];
                found.push((distance, row));
                // Not at every row, so that many neighbours cost no more than a few each.
                if found.len() == k + k.div_ceil(2) {
                    bounds[lane] = keep_nearest(found, k);
                }
            }
            bounds[lane]
        });
        for found in found.iter_mut().filter(|found| !found.is_empty()) {
            keep_nearest(found, k.min(found.len()));
        }
    }
}

/// Keeps the `k` nearest of at least as many rows, the farthest last, and gives its squared distance.
/// Kept out of the walk, whose inner loop would not be inlined with it.
#[inline(never)]
fn keep_nearest(found: &mut Vec<(f64, usize)>, k: usize) -> f64 {
    found.select_nth_unstable_by(k - 1, |(a, _), (b, _)| a.total_cmp(b));
    found.truncate(k);
    found[k - 1].0
}

struct Search<'a, V> {
    tree: &'a Tree,
    queries: Leaf<'a>,
    bounds: [f64; LANES],
    visit: V,
}

impl<V: FnMut(usize, f64, usize) -> f64> WithSimd for Search<'_, V> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, _: S) {
        let queries = self.queries.rows.len();
        // Lanes without a query ask for nothing.
        self.bounds[queries..].fill(0.0);
        let mut ahead = vec![(Node::root(self.tree.order.len()), [0.0; LANES])];
        while let Some((node, gaps)) = ahead.pop() {
            if !any_less(&gaps, &self.bounds) {
                continue;
            }
            if node.leaves == 1 {
                self.meet(node, &gaps);
                continue;
            }
            let [left, right] = node.halves();
            let mut halves = [(left, self.squared_gaps(left)), (right, self.squared_gaps(right))];
            let [left, right] = [0, 1].map(|half| halves[half].1[..queries].iter().sum::<f64>());
            // The nearer one is the first to be taken.
            if left < right {
                halves.swap(0, 1);
            }
            ahead.extend(halves);
        }
    }
}

impl<V: FnMut(usize, f64, usize) -> f64> Search<'_, V> {
    /// The squared distances from the queries to the box of a node.
    #[inline(always)]
    fn squared_gaps(&self, node: Node) -> [f64; LANES] {
        // f64::max would also look for NaN, of which there is none.
        let larger = |a: f64, b: f64| if a > b { a } else { b };
        let columns = self.tree.columns;
        let sides = &self.tree.boxes[node.index * columns..][..columns];
        let mut sums = [0.0; LANES];
        for ([low, high], column) in sides.iter().zip(self.queries.tile) {
            for (sum, own) in sums.iter_mut().zip(column) {
                let gap = larger(larger(low - own, own - high), 0.0);
                *sum += gap * gap;
            }
        }
        sums
    }

    /// Visits the rows of a leaf, at these squared distances from the queries.
    #[inline(always)]
    fn meet(&mut self, leaf: Node, gaps: &[f64; LANES]) {
        let leaf = self.tree.leaf(leaf.first);
        for lane in 0..self.queries.rows.len() {
            if gaps[lane] >= self.bounds[lane] {
                continue;
            }
            let point = self.queries.tile.iter().map(|column| column[lane]);
            let distances = squared_distances(leaf.tile, point);
            if !any_less(&distances, &[self.bounds[lane]; LANES]) {
                continue;
            }
            for (&distance, &row) in distances.iter().zip(leaf.rows) {
                if distance < self.bounds[lane] {
                    self.bounds[lane] = (self.visit)(lane, distance, row);
                }
            }
        }
    }
}

/// Whether a value is smaller than the other of its lane. Without branches, so that it becomes SIMD.
#[inline(always)]
fn any_less(values: &[f64; LANES], others: &[f64; LANES]) -> bool {
    values.iter().zip(others).fold(false, |any, (value, other)| any | (value < other))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::knn::Points;
    use crate::random::{Generator, Stream};

    /// n rows on a coarse grid, so that many distances tie.
    fn grid(n: usize, columns: usize, levels: f32, step: u64) -> Points {
        let mut values = vec![0.0; n * columns];
        Generator::new(5, Stream::MixtureRows, step).uniform(&mut values);
        let values = values.into_iter().map(|u| f64::from((u * levels).floor())).collect();
        Points { columns, values }
    }

    /// From one row of `points` to each of `others`.
    fn distances(points: &Points, row: usize, others: &Points) -> Vec<f64> {
        let squared = |other| {
            let pairs = others.row(other).iter().zip(points.row(row));
            pairs.map(|(a, b)| (a - b).powi(2)).sum()
        };
        (0..others.len()).map(squared).collect()
    }

    /// Against sorting all distances, for full and partial leaves, few and many columns.
    #[test]
    fn searches_find_what_a_full_pass_finds() {
        for (n, columns, levels) in
            [(1, 1, 9.0), (16, 2, 9.0), (17, 3, 9.0), (333, 3, 9.0), (200, 12, 4.0), (500, 2, 1.0)]
        {
            let (points, others) = (grid(n, columns, levels, 0), grid(70, columns, levels, 1));
            let (tree, queries) = (Tree::new(&points), Tree::new(&others));
            let k = 7;
            let nearest = queries.of_rows(|leaf, found, out: &mut [Vec<_>]| {
                tree.nearest(leaf, k, |query, row| query != row, found);
                out.iter_mut().zip(found).for_each(|(out, found)| out.clone_from(found));
            });
            for (query, nearest) in nearest.into_iter().enumerate() {
                let distances = distances(&others, query, &points);
                assert!(nearest.iter().all(|&(distance, row)| distance == distances[row]));
                assert!(nearest.iter().all(|&(_, row)| row != query));
                let mut sorted = distances;
                if query < n {
                    sorted.remove(query);
                }
                sorted.sort_by(f64::total_cmp);
                let mut nearest: Vec<f64> =
                    nearest.into_iter().map(|(distance, _)| distance).collect();
                assert!(nearest.iter().all(|distance| Some(distance) <= nearest.last()));
                nearest.sort_by(f64::total_cmp);
                assert_eq!(nearest, sorted[..k.min(sorted.len())]);
            }

            let bound = |query: usize| (query % 5) as f64;
            let within = queries.of_rows(|leaf, (), out: &mut [Vec<usize>]| {
                let mut bounds = [0.0; LANES];
                bounds.iter_mut().zip(leaf.rows).for_each(|(own, &query)| *own = bound(query));
                tree.search(leaf, bounds, |lane, _, row| {
                    out[lane].push(row);
                    bounds[lane]
                });
            });
            for (query, mut within) in within.into_iter().enumerate() {
                let distances = distances(&others, query, &points);
                within.sort_unstable();
                let expected = (0..n).filter(|&row| distances[row] < bound(query));
                assert!(within.into_iter().eq(expected));
            }
        }
    }
}
