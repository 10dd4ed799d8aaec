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

    /// The rows, n × columns.
    pub(super) fn rows(&self) -> ArrayView2<'_, f64> {
        self.points.rows()
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
    /// centroids together move no more than `tolerance`, or after so many.
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
            if moved.sqrt() <= tolerance {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Stream;
    use ndarray::array;

    fn generator(seed: u64) -> Generator {
        Generator::new(seed, Stream::Clustering, 0)
    }

    /// Of the rows 0, 1 and 3 on a line: after 0 the next is 1 with the probability 1/10, after 1 it
    /// is 0 with 1/5, after 3 it is 0 with 9/13.
    #[test]
    fn further_centroids_are_drawn_by_their_squared_distances() {
        let rows = array![[0.0], [1.0], [3.0]];
        let clustered = Clustered::new(rows.view());
        let mut pairs = [[0.0; 4]; 4];
        let draws = 30_000;
        for seed in 0..draws {
            let centroids = clustered.plus_plus(2, &generator(seed));
            pairs[centroids[(0, 0)] as usize][centroids[(1, 0)] as usize] += 1.0 / draws as f64;
        }
        for (first, second, expected) in [
            (0, 1, 1.0 / 10.0),
            (0, 3, 9.0 / 10.0),
            (1, 0, 1.0 / 5.0),
            (1, 3, 4.0 / 5.0),
            (3, 0, 9.0 / 13.0),
            (3, 1, 4.0 / 13.0),
        ] {
            let (found, expected) = (pairs[first][second], expected / 3.0);
            let error = (expected * (1.0 - expected) / draws as f64).sqrt();
            assert!((found - expected).abs() < 4.0 * error, "{first} {second}: {found} {expected}");
        }
    }

    #[test]
    fn equal_rows_are_centroids_too() {
        let rows = Array2::ones((20, 2));
        let centroids = Clustered::new(rows.view()).plus_plus(3, &generator(1));
        assert_eq!(centroids, Array2::<f64>::ones((3, 2)));
    }

    /// Seventeen rows, one more than a tile, and a centroid that no row is near.
    #[test]
    fn a_step_goes_to_the_means_and_an_empty_cluster_stays() {
        let rows = Array2::from_shape_fn((17, 1), |(row, _)| row as f64);
        let clustered = Clustered::new(rows.view());
        let start = array![[2.0], [100.0], [12.0]];
        let (labels, inertia) = clustered.assign(start.view());
        // Row 7 is as near to the third as to the first, which takes it.
        assert!(
            labels.iter().enumerate().all(|(row, &label)| label == if row < 8 { 0 } else { 2 })
        );
        let by_hand: f64 = (0..17)
            .map(|row| if row < 8 { row - 2 } else { row - 12 })
            .map(|d: i32| f64::from(d * d))
            .sum();
        assert_eq!(inertia, by_hand);
        assert_eq!(clustered.lloyd(start, 0.0, 1), array![[3.5], [100.0], [12.0]]);
    }
}
