//! Repulsion between the points of a layout: Barnes and Hut's sums (Nature 324, 1986; van der Maaten,
//! JMLR 15, 2014, for t-SNE), each for a group of near points at once (Barnes, Journal of
//! Computational Physics 87, 1990).
//!
//! Points lie in buckets of [`LANES`], the leaves of a balanced tree, and those of a bucket meet what is
//! around them side by side, in SIMD lanes. Distances count from the box around the bucket, so that the
//! sums are at least as accurate as those of a walk for each point. What is so for all buckets below
//! a node is found out once.

use pulp::{Arch, Simd, WithSimd};

use crate::knn::{LANES, Node};

/// Leaves whose points are repelled on one thread, at most.
const TOGETHER: usize = 32;

/// A value of each point of a bucket.
type Lanes = [f32; LANES];

/// A point of the layout.
#[derive(Clone, Copy)]
struct Point {
    place: [f32; 2],
    number: u32,
}

/// The box around the points of a node.
#[derive(Clone, Copy)]
struct Bounds {
    low: [f32; 2],
    high: [f32; 2],
}

impl Bounds {
    /// Around points, at least one.
    fn around(points: &[Point]) -> Self {
        let (mut low, mut high) = (points[0].place, points[0].place);
        for point in points {
            for (axis, &value) in point.place.iter().enumerate() {
                low[axis] = lesser(value, low[axis]);
                high[axis] = greater(value, high[axis]);
            }
        }
        Self { low, high }
    }

    fn joined(self, other: Self) -> Self {
        Self {
            low: [0, 1].map(|axis| lesser(self.low[axis], other.low[axis])),
            high: [0, 1].map(|axis| greater(self.high[axis], other.high[axis])),
        }
    }

    fn widths(&self) -> [f32; 2] {
        [0, 1].map(|axis| self.high[axis] - self.low[axis])
    }

    /// The squared distances from a point to the nearest and the farthest place in the box.
    fn squared_distances(&self, point: [f32; 2]) -> [f32; 2] {
        let [x, y] = [0, 1].map(|axis| {
            let (left, right) = (point[axis] - self.low[axis], self.high[axis] - point[axis]);
            [lesser(lesser(left, right), 0.0), greater(left, right)]
        });
        [0, 1].map(|place| x[place] * x[place] + y[place] * y[place])
    }
}

/// `f32::min` for numbers, in one instruction.
fn lesser(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}

/// `f32::max` for numbers, in one instruction.
fn greater(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

/// The points of a node as one.
#[derive(Clone, Copy, Default)]
struct Cell {
    centre: [f32; 2],
    count: f32,
    /// The squared distance beyond which they count as one.
    reach: f32,
}

/// What a point meets: where, and how many points stand there.
type Source = [f32; 3];

/// What the points of a node meet.
struct Met {
    /// What all of them meet.
    sources: Vec<Source>,
    /// The cells that are far from some of them and near to others.
    open: Vec<Node>,
}

/// The repulsive half of t-SNE's gradient.
pub(super) struct Repulsion {
    theta: f32,
    /// Bucket after bucket.
    points: Vec<Point>,
    /// Where a point stands in that order.
    ranks: Vec<u32>,
    bounds: Vec<Bounds>,
    cells: Vec<Cell>,
    /// In the order of the points.
    forces: Vec<[f32; 2]>,
    arch: Arch,
}

impl Repulsion {
    /// For so many points, at least one. A cell counts as one point where the longer side of the
    /// box around its points over its distance is below `theta`.
    pub(super) fn new(count: usize, theta: f32) -> Self {
        let nodes = 2 * count.div_ceil(LANES) - 1;
        Self {
            theta,
            points: (0..count as u32).map(|number| Point { place: [0.0; 2], number }).collect(),
            ranks: vec![0; count],
            bounds: vec![Bounds { low: [0.0; 2], high: [0.0; 2] }; nodes],
            cells: vec![Cell::default(); nodes],
            forces: vec![[0.0; 2]; count],
            arch: Arch::new(),
        }
    }

    /// Computes Σⱼ k² (yᵢ − yⱼ) of each point i, with k = 1 / (1 + |yᵢ − yⱼ|²), and gives Σ k over all
    /// pairs i ≠ j.
    pub(super) fn update(&mut self, layout: &[[f32; 2]]) -> f64 {
        for point in &mut self.points {
            point.place = layout[point.number as usize];
        }
        arrange(&mut self.points);
        for (rank, point) in self.points.iter().enumerate() {
            self.ranks[point.number as usize] = rank as u32;
        }
        self.fit(Node::root(self.points.len()));

        let mut forces = std::mem::take(&mut self.forces);
        let kernels = self.repel(Node::root(self.points.len()), &mut forces);
        self.forces = forces;
        kernels
    }

    /// The last update's sum for a point.
    pub(super) fn force(&self, point: usize) -> [f32; 2] {
        self.forces[self.ranks[point] as usize]
    }

    /// The points of a node.
    fn points_of(&self, node: Node) -> &[Point] {
        let end = (node.first + node.leaves) * LANES;
        &self.points[node.first * LANES..end.min(self.points.len())]
    }

    /// Brings a node and what is below it up to date; gives the sum of the places of its points.
    fn fit(&mut self, node: Node) -> [f32; 2] {
        let points = self.points_of(node);
        let count = points.len() as f32;
        let (bounds, sum) = if node.leaves == 1 {
            let sum = points.iter().fold([0.0; 2], |sum, point| added(sum, point.place));
            (Bounds::around(points), sum)
        } else {
            let halves = node.halves();
            let [left, right] = halves.map(|half| self.fit(half));
            let [of_left, of_right] = halves.map(|half| self.bounds[half.index]);
            (of_left.joined(of_right), added(left, right))
        };
        let [x, y] = bounds.widths();
        let reach = (greater(x, y) / self.theta).powi(2);
        self.bounds[node.index] = bounds;
        self.cells[node.index] = Cell { centre: sum.map(|sum| sum / count), count, reach };
        sum
    }

    /// Sets the forces on the points of a node, and gives the sum of their kernels. Sums are those of
    /// the halves of nodes, so that the number of threads changes nothing.
    fn repel(&self, node: Node, forces: &mut [[f32; 2]]) -> f64 {
        if node.leaves <= TOGETHER {
            let open = vec![Node::root(self.points.len())];
            return self.meet(node, &mut Met { sources: vec![], open }, 0, forces);
        }
        let [left, right] = node.halves();
        let (of_left, of_right) = forces.split_at_mut(left.leaves * LANES);
        let sums = rayon::join(|| self.repel(left, of_left), || self.repel(right, of_right));
        sums.0 + sums.1
    }

    /// [`Self::repel`] on one thread, where `met` is what the points of the parent meet: the cells that
    /// are open there are those from `open` on.
    fn meet(&self, node: Node, met: &mut Met, open: usize, forces: &mut [[f32; 2]]) -> f64 {
        let (sources, end) = (met.sources.len(), met.open.len());
        for cell in open..end {
            self.look(met.open[cell], node, met);
        }
        let kernels = if node.leaves == 1 {
            let targets = self.points_of(node);
            let meeting = Meeting { targets, sources: &met.sources };
            let [xs, ys, kernels] = self.arch.dispatch(meeting);
            for (lane, force) in forces.iter_mut().enumerate() {
                *force = [xs[lane], ys[lane]];
            }
            // Each point also met itself, with a kernel of 1, give or take a rounding.
            kernels[..targets.len()].iter().map(|&kernel| f64::from(kernel) - 1.0).sum()
        } else {
            let [left, right] = node.halves();
            let (of_left, of_right) = forces.split_at_mut(left.leaves * LANES);
            self.meet(left, met, end, of_left) + self.meet(right, met, end, of_right)
        };
        met.sources.truncate(sources);
        met.open.truncate(end);
        kernels
    }

    /// Adds to what the points of `targets` meet what is in the cell of `node`.
    fn look(&self, node: Node, targets: Node, met: &mut Met) {
        let Cell { centre: [x, y], count, reach } = self.cells[node.index];
        let [nearest, farthest] = self.bounds[targets.index].squared_distances([x, y]);
        if reach < nearest {
            met.sources.push([x, y, count]);
        } else if targets.leaves > 1 && reach < farthest {
            met.open.push(node);
        } else if node.leaves == 1 {
            let points = self.points_of(node).iter();
            met.sources.extend(points.map(|&Point { place: [x, y], .. }| [x, y, 1.0]));
        } else {
            for half in node.halves() {
                self.look(half, targets, met);
            }
        }
    }
}

fn added(a: [f32; 2], b: [f32; 2]) -> [f32; 2] {
    [a[0] + b[0], a[1] + b[1]]
}

/// Up to [`LANES`] points that meet all sources: the sums of k² · (difference along x and y) and of k.
struct Meeting<'a> {
    targets: &'a [Point],
    sources: &'a [Source],
}

impl WithSimd for Meeting<'_> {
    type Output = [Lanes; 3];

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> [Lanes; 3] {
        let mut axes = [[0.0; LANES]; 2];
        for (lane, target) in self.targets.iter().enumerate() {
            [axes[0][lane], axes[1][lane]] = target.place;
        }
        let [xs, ys] = axes;
        let mut sums = [[0.0; LANES]; 3];
        let mut meet = |sources: &[Source; 2]| {
            for lane in 0..LANES {
                let differences = sources.map(|[x, y, _]| [xs[lane] - x, ys[lane] - y]);
                let [a, b] = differences.map(|[dx, dy]| 1.0 + dx * dx + dy * dy);
                // One division for two kernels. Layouts are far from the 10⁹ across at which it overflows.
                let inverse = 1.0 / (a * b);
                for (which, kernel) in [b * inverse, a * inverse].into_iter().enumerate() {
                    let ([dx, dy], [_, _, count]) = (differences[which], sources[which]);
                    let weighted = count * kernel;
                    let force = weighted * kernel;
                    sums[0][lane] += force * dx;
                    sums[1][lane] += force * dy;
                    sums[2][lane] += weighted;
                }
            }
        };
        let (pairs, last) = self.sources.as_chunks::<2>();
        pairs.iter().for_each(&mut meet);
        if let [source] = last {
            // Beside it no point at all.
            meet(&[*source, [source[0], source[1], 0.0]]);
        }
        sums
    }
}

/// Orders points so that the left half of a node comes before its right half, along the longer side
/// of its box, and so on down to the leaves.
fn arrange(points: &mut [Point]) {
    let root = Node::root(points.len());
    if root.leaves == 1 {
        return;
    }
    let [x, y] = Bounds::around(points).widths();
    let longer = usize::from(y > x);
    let middle = root.halves()[1].first * LANES;
    points.select_nth_unstable_by(middle, |a, b| {
        a.place[longer].total_cmp(&b.place[longer]).then(a.number.cmp(&b.number))
    });
    let (left, right) = points.split_at_mut(middle);
    rayon::join(|| arrange(left), || arrange(right));
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
