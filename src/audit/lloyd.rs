//! Full K-means: k-means++ places the centroids, Lloyd's iterations move them, sixteen rows at a time.

use ndarray::{Array2, ArrayView1, ArrayView2};
use pulp::{Arch, Simd, WithSimd};

use crate::knn::{LANES, Points, squared_distances};
use crate::random::Generator;

/// Rows that are given to centroids again and again.
pub(super) struct Clustered {
    arch: Arch,
    points: Points,
    tiles: Vec<[f64; LANES]>,
}

/// The nearest centroid of each row, tile after tile; in the last tile more than there are rows.
struct Nearest {
    centroids: Vec<[u64; LANES]>,
    squared_distances: Vec<[f64; LANES]>,
}

impl Clustered {
    /// `rows` are n × columns, at least one of each.
    pub(super) fn new(rows: ArrayView2<f64>) -> Self {
        let points = Points::new(rows);
        let tiles = points.tiles(&(0..points.len()).collect::<Vec<_>>());
        Self { arch: Arch::new(), points, tiles }
    }

    /// `k` of the rows as centroids, k × columns: the first at random, each further one with a
    /// probability proportional to the squared distance from the nearest before it (k-means++, Arthur
    /// and Vassilvitskii 2007). Where all rows are equal to one before, the first row.
    ///
    /// O(k · n) time.
    pub(super) fn plus_plus(&self, k: usize, generator: &Generator) -> Array2<f64> {
        let mut centroids = Array2::zeros((k, self.points.columns()));
        let mut nearest = self.nowhere();
        for (index, mut centroid) in centroids.outer_iter_mut().enumerate() {
            let row = self.draw(&nearest.squared_distances, generator.words(index as u32));
            centroid.assign(&ArrayView1::from(self.points.row(row)));
            self.approach(&mut nearest, index, self.points.row(row));
        }
        centroids
    }

    /// A row, drawn with a probability proportional to its squared distance; any where it is infinite.
    fn draw(&self, squared_distances: &[[f64; LANES]], [high, low, ..]: [u32; 4]) -> usize {
        let n = self.points.len();
        let squared_distances = &squared_distances.as_flattened()[..n];
        // 53 random bits, all that a value in [0, 1) has.
        let share = (u64::from(high) << 21 | u64::from(low) >> 11) as f64 / (1_u64 << 53) as f64;
        let total: f64 = squared_distances.iter().sum();
        if total.is_infinite() {
            return (share * n as f64) as usize;
        }
        let mut left = share * total;
        let below = |squared_distance: &f64| {
            left -= squared_distance;
            left < 0.0
        };
        // Nothing is left over but by rounding.
        let found = squared_distances.iter().position(below);
        found.or_else(|| squared_distances.iter().rposition(|&d| d > 0.0)).unwrap_or(0)
    }

    /// The centroids to which Lloyd's iterations lead from the given ones (k × columns): each goes to
    /// the mean of the rows that are nearest to it, or stays where it has none. They end when all
    /// centroids together move less than `tolerance`, or after so many.
    pub(super) fn lloyd(
        &self,
        mut centroids: Array2<f64>,
        tolerance: f64,
        iterations: usize,
    ) -> Array2<f64> {
        for _ in 0..iterations {
            let nearest = self.nearest(centroids.view());
            let mut means = Array2::zeros(centroids.dim());
            let mut counts = vec![0.0; centroids.nrows()];
            let labels = nearest.centroids.as_flattened();
            for (row, &label) in (0..self.points.len()).zip(labels) {
                counts[label as usize] += 1.0;
                for (sum, value) in
                    means.row_mut(label as usize).iter_mut().zip(self.points.row(row))
                {
                    *sum += value;
                }
            }
            let mut moved = 0.0;
            for ((mut mean, count), centroid) in
                means.outer_iter_mut().zip(counts).zip(centroids.outer_iter())
            {
                if count == 0.0 {
                    mean.assign(&centroid);
                    continue;
                }
                for (mean, before) in mean.iter_mut().zip(centroid) {
                    *mean /= count;
                    moved += (*mean - before).powi(2);
                }
            }
            centroids = means;
            if moved.sqrt() < tolerance {
                break;
            }
        }
        centroids
    }

    /// The index of each row's nearest centroid, and the inertia: the sum of the squared distances to
    /// them. Of equally near centroids the first is taken.
    pub(super) fn assign(&self, centroids: ArrayView2<f64>) -> (Vec<usize>, f64) {
        let n = self.points.len();
        let nearest = self.nearest(centroids);
        let labels = nearest.centroids.as_flattened()[..n].iter();
        let inertia = nearest.squared_distances.as_flattened()[..n].iter().sum();
        (labels.map(|&label| label as usize).collect(), inertia)
    }

    fn nearest(&self, centroids: ArrayView2<f64>) -> Nearest {
        let mut nearest = self.nowhere();
        let centroids = centroids.as_standard_layout();
        for (index, centroid) in centroids.rows().into_iter().enumerate() {
            if let Some(centroid) = centroid.to_slice() {
                self.approach(&mut nearest, index, centroid);
            }
        }
        nearest
    }

    /// Infinitely far from everything.
    fn nowhere(&self) -> Nearest {
        let tiles = self.tiles.len() / self.points.columns();
        Nearest {
            centroids: vec![[0; LANES]; tiles],
            squared_distances: vec![[f64::INFINITY; LANES]; tiles],
        }
    }

    /// Gives one more centroid the rows that are nearer to it.
    fn approach(&self, nearest: &mut Nearest, index: usize, centroid: &[f64]) {
        self.arch.dispatch(Approach { tiles: &self.tiles, nearest, index: index as u64, centroid });
    }
}

struct Approach<'a> {
    tiles: &'a [[f64; LANES]],
    nearest: &'a mut Nearest,
    index: u64,
    centroid: &'a [f64],
}

impl WithSimd for Approach<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Nearest { centroids, squared_distances: least } = self.nearest;
        let tiles = self.tiles.chunks_exact(self.centroid.len());
        for ((tile, labels), least) in tiles.zip(centroids).zip(least) {
            let distances = squared_distances(tile, self.centroid.iter().copied());
            for lane in 0..LANES {
                let nearer = distances[lane] < least[lane];
                labels[lane] = if nearer { self.index } else { labels[lane] };
                least[lane] = if nearer { distances[lane] } else { least[lane] };
            }
        }
    }
}
