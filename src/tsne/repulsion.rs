//! Repulsion between the points of a layout: Barnes and Hut's sums (Nature 324, 1986; van der Maaten,
//! JMLR 15, 2014, for t-SNE), each for a group of near points at once (Barnes, Journal of
//! Computational Physics 87, 1990).
//!
//! Points lie in buckets of [`LANES`], the leaves of a balanced tree. A bucket walks the tree once and
//! its points then meet what was found side by side, in SIMD lanes. Distances count from the box
//! around the bucket, so that the sums are at least as accurate as those of a walk for each point.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::kernel;
use crate::knn::{LANES, Node};

/// A value of each point of a bucket.
type Lanes = [f32; LANES];

/// A part of the layout: a node of the tree.
#[derive(Clone, Copy)]
struct Cell {
    low: [f32; 2],
    high: [f32; 2],
    centre: [f32; 2],
    count: f32,
}

impl Cell {
    /// Around points, at least one.
    fn around(points: &[[f32; 2]]) -> Self {
        let (mut low, mut high, mut sum) = (points[0], points[0], [0.0; 2]);
        for point in points {
            for axis in 0..2 {
                low[axis] = low[axis].min(point[axis]);
                high[axis] = high[axis].max(point[axis]);
                sum[axis] += point[axis];
            }
        }
        let count = points.len() as f32;
        Self { low, high, centre: sum.map(|sum| sum / count), count }
    }

    fn joined(self, other: Self) -> Self {
        let count = self.count + other.count;
        let axis = |axis: usize| {
            let sum = self.centre[axis] * self.count + other.centre[axis] * other.count;
            (
                self.low[axis].min(other.low[axis]),
                self.high[axis].max(other.high[axis]),
                sum / count,
            )
        };
        let (x, y) = (axis(0), axis(1));
        Self { low: [x.0, y.0], high: [x.1, y.1], centre: [x.2, y.2], count }
    }

    /// The longer side of the box.
    fn width(&self) -> f32 {
        (self.high[0] - self.low[0]).max(self.high[1] - self.low[1])
    }

    /// The squared distance from the box to a point.
    fn squared_gap(&self, point: [f32; 2]) -> f32 {
        let gap = |axis: usize| {
            (self.low[axis] - point[axis]).max(point[axis] - self.high[axis]).max(0.0)
        };
        gap(0) * gap(0) + gap(1) * gap(1)
    }
}

/// What a point meets: where, and how many points stand there.
type Source = [f32; 3];

/// The repulsive half of t-SNE's gradient.
pub(super) struct Repulsion {
    theta: f32,
    /// The points' numbers, bucket after bucket.
    order: Vec<usize>,
    /// Where a point stands in that order.
    places: Vec<usize>,
    /// The points in that order.
    points: Vec<[f32; 2]>,
    cells: Vec<Cell>,
    forces: Vec<[f32; 2]>,
    arch: Arch,
}

impl Repulsion {
    /// For so many points, at least one. A cell counts as one point where the longer side of the
    /// box around its points over its distance is below `theta`.
    pub(super) fn new(count: usize, theta: f32) -> Self {
        let empty = Cell::around(&[[0.0; 2]]);
        Self {
            theta,
            order: (0..count).collect(),
            places: vec![0; count],
            points: vec![[0.0; 2]; count],
            cells: vec![empty; 2 * count.div_ceil(LANES) - 1],
            forces: vec![[0.0; 2]; count],
            arch: Arch::new(),
        }
    }

    /// Computes Σⱼ k² (yᵢ − yⱼ) of each point i, with k = 1 / (1 + |yᵢ − yⱼ|²), and gives Σ k over all
    /// pairs i ≠ j.
    pub(super) fn update(&mut self, layout: &[[f32; 2]]) -> f64 {
        arrange(layout, &mut self.order);
        for (place, &point) in self.order.iter().enumerate() {
            self.places[point] = place;
        }
        for (point, &number) in self.points.iter_mut().zip(&self.order) {
            *point = layout[number];
        }
        self.fit(Node::root(self.order.len()));

        let mut forces = std::mem::take(&mut self.forces);
        let walk = |sources: &mut Vec<Source>, (bucket, forces): (usize, &mut [[f32; 2]])| {
            let targets = &self.points[bucket * LANES..][..forces.len()];
            sources.clear();
            self.collect(Node::root(self.order.len()), &Cell::around(targets), sources);
            let [xs, ys, kernels] = self.arch.dispatch(Meeting { targets, sources });
            for (lane, force) in forces.iter_mut().enumerate() {
                *force = [xs[lane], ys[lane]];
            }
            // Each point also met itself, with a kernel of 1.
            kernels[..targets.len()].iter().map(|&kernel| f64::from(kernel) - 1.0).sum::<f64>()
        };
        let buckets = forces.par_chunks_mut(LANES).enumerate().with_min_len(8);
        // Summed in order, so that the number of threads changes nothing.
        let kernels: Vec<f64> = buckets.map_init(Vec::new, walk).collect();
        self.forces = forces;
        kernels.iter().sum()
    }

    /// The last update's sum for a point.
    pub(super) fn force(&self, point: usize) -> [f32; 2] {
        self.forces[self.places[point]]
    }

    /// The points of a leaf.
    fn bucket(&self, leaf: usize) -> &[[f32; 2]] {
        let start = leaf * LANES;
        &self.points[start..self.points.len().min(start + LANES)]
    }

    /// Brings the cells of a node up to date.
    fn fit(&mut self, node: Node) -> Cell {
        let cell = match node.leaves {
            1 => Cell::around(self.bucket(node.first)),
            _ => {
                let [left, right] = node.halves().map(|half| self.fit(half));
                left.joined(right)
            }
        };
        self.cells[node.index] = cell;
        cell
    }

    /// What the points in `targets` meet of a node: cells that are far, points that are near.
    fn collect(&self, node: Node, targets: &Cell, sources: &mut Vec<Source>) {
        let cell = &self.cells[node.index];
        let width = cell.width();
        if width * width < self.theta * self.theta * targets.squared_gap(cell.centre) {
            sources.push([cell.centre[0], cell.centre[1], cell.count]);
        } else if node.leaves == 1 {
            sources.extend(self.bucket(node.first).iter().map(|&[x, y]| [x, y, 1.0]));
        } else {
            for half in node.halves() {
                self.collect(half, targets, sources);
            }
        }
    }
}

/// Up to [`LANES`] points that meet all sources: the sums of k² · (difference along x and y) and of k.
struct Meeting<'a> {
    targets: &'a [[f32; 2]],
    sources: &'a [Source],
}

impl WithSimd for Meeting<'_> {
    type Output = [Lanes; 3];

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> [Lanes; 3] {
        let mut axes = [[0.0; LANES]; 2];
        for (lane, target) in self.targets.iter().enumerate() {
            (axes[0][lane], axes[1][lane]) = (target[0], target[1]);
        }
        let [xs, ys] = axes;
        let mut sums = [[0.0; LANES]; 3];
        for &[x, y, count] in self.sources {
            for lane in 0..LANES {
                let (kernel, [dx, dy]) = kernel([xs[lane], ys[lane]], [x, y]);
                let weighted = count * kernel;
                let force = weighted * kernel;
                sums[0][lane] += force * dx;
                sums[1][lane] += force * dy;
                sums[2][lane] += weighted;
            }
        }
        sums
    }
}

/// Orders points so that the left half of a node comes before its right half, along the longer side
/// of its box, and so on down to the leaves.
fn arrange(layout: &[[f32; 2]], order: &mut [usize]) {
    let root = Node::root(order.len());
    if root.leaves == 1 {
        return;
    }
    let range = |axis: usize| {
        let values = order.iter().map(|&point| layout[point][axis]);
        let (low, high) = values
            .fold((f32::MAX, f32::MIN), |(low, high), value| (low.min(value), high.max(value)));
        high - low
    };
    let longer = usize::from(range(1) > range(0));
    let middle = root.halves()[1].first * LANES;
    order.select_nth_unstable_by(middle, |&a, &b| {
        layout[a][longer].total_cmp(&layout[b][longer]).then(a.cmp(&b))
    });
    let (left, right) = order.split_at_mut(middle);
    rayon::join(|| arrange(layout, left), || arrange(layout, right));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Generator, Stream};

    fn layout(count: usize, spread: f32) -> Vec<[f32; 2]> {
        let mut values = vec![0.0; 2 * count];
        Generator::new(3, Stream::MixtureRows, 0).normal(&mut values);
        let places =
            |i: usize| [values[2 * i] * spread + (i % 5) as f32 * spread, values[2 * i + 1]];
        (0..count).map(places).collect()
    }

    fn exact(layout: &[[f32; 2]]) -> (Vec<[f64; 2]>, f64) {
        let (mut forces, mut kernels) = (vec![[0.0; 2]; layout.len()], 0.0);
        for (i, own) in layout.iter().enumerate() {
            for other in layout.iter().enumerate().filter(|(j, _)| i != *j).map(|(_, other)| other)
            {
                let [dx, dy] = [0, 1].map(|axis| f64::from(own[axis]) - f64::from(other[axis]));
                let kernel = 1.0 / (1.0 + dx * dx + dy * dy);
                kernels += kernel;
                forces[i][0] += kernel * kernel * dx;
                forces[i][1] += kernel * kernel * dy;
            }
        }
        (forces, kernels)
    }

    /// Against all pairs in double precision.
    #[test]
    fn sums_are_those_of_all_pairs() {
        for (count, theta, bound) in
            [(1, 0.5, 0.0), (20, 0.5, 1e-6), (1003, 0.0, 1e-5), (1003, 0.5, 0.02)]
        {
            let mut repulsion = Repulsion::new(count, theta);
            for spread in [1e-4, 1.0, 30.0] {
                let layout = layout(count, spread);
                let kernels = repulsion.update(&layout);
                let (forces, expected) = exact(&layout);
                assert!((kernels - expected).abs() <= bound * expected, "{kernels} {expected}");
                let length = |[x, y]: [f64; 2]| (x * x + y * y).sqrt();
                let mean = forces.iter().map(|&force| length(force)).sum::<f64>() / count as f64;
                for (point, force) in forces.iter().enumerate() {
                    let found = repulsion.force(point).map(f64::from);
                    let off = length([found[0] - force[0], found[1] - force[1]]);
                    assert!(off <= bound * mean, "{count} {theta} {spread}: {off} of {mean}");
                }
            }
        }
    }

    #[test]
    fn equal_points_do_not_repel() {
        let mut repulsion = Repulsion::new(40, 0.5);
        assert_eq!(repulsion.update(&[[3.0, -1.0]; 40]), 40.0 * 39.0);
        assert!((0..40).all(|point| repulsion.force(point) == [0.0; 2]));
    }
}
