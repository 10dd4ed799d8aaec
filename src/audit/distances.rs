//! How far generated rows are from real ones: the energy distance and the sliced Wasserstein
//! distance.
//!
//! Both take the rows as they are, so they are in the data's units and columns of a large scale count
//! most. Two samples of one distribution are not at 0: set the distance of generated rows beside that
//! of held-out real ones.

use ndarray::ArrayView2;
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::estimate::{Estimate, GROUPS};
use crate::error::Result;
use crate::knn::{LANES, Points, check, squared_distances};
use crate::random::{Generator, Stream};

/// Directions of the sliced Wasserstein distance.
pub const DIRECTIONS: u64 = 100;

/// The energy distance 2 E|X − Y| − E|X − X′| − E|Y − Y′| of `real` rows X and `generated` rows Y,
/// both rows × the same columns (Székely and Rizzo 2013), in the data's units.
///
/// This is their squared quantity D², not its root, which `scipy.stats.energy_distance` gives. The
/// means are over all pairs, of a row with itself too (the V-statistic), so it is never negative, and
/// 0 only for samples of the same rows in the same shares. The interval is that of a jackknife over
/// [`GROUPS`] groups of rows, each left out of both sides: of the figure for so many rows, whose mean is
/// above the distance of the distributions.
///
/// Exact: O((n + m)²) time, O(n + m) memory.
///
/// # Errors
/// Where a set has fewer than two rows, or a value is not finite.
///
/// # Panics
/// Where the numbers of columns differ.
pub fn energy_distance(real: ArrayView2<f32>, generated: ArrayView2<f32>) -> Result<Estimate> {
    let (real, generated) = pair(real, generated)?;
    let groups = groups(&real, &generated);
    let (real, generated) = (Grouped::new(&real, groups), Grouped::new(&generated, groups));
    let between = real.distances(&generated);
    let within = [real.own_distances(), generated.own_distances()];
    // Leaving group g out of both sides leaves a table without row g and without column g.
    let distance = |left_out: Option<usize>| {
        let mean = |sums: &[f64], rows: &Grouped, columns: &Grouped| {
            let kept = |group: &usize| Some(*group) != left_out;
            let row = |row: usize| -> f64 {
                (0..groups).filter(kept).map(|column| sums[row * groups + column]).sum()
            };
            let sum: f64 = (0..groups).filter(kept).map(row).sum();
            sum / (rows.len(left_out) as f64 * columns.len(left_out) as f64)
        };
        let apart = 2.0 * mean(&between, &real, &generated);
        let own = mean(&within[0], &real, &real) + mean(&within[1], &generated, &generated);
        // Below 0 by rounding only.
        (apart - own).max(0.0)
    };
    let left_out: Vec<f64> = (0..groups).map(|group| distance(Some(group))).collect();
    Ok(Estimate::jackknife(distance(None), &left_out).within(0.0, f64::INFINITY))
}

/// Both sets, each of at least two rows, so that leaving one out leaves one.
fn pair(real: ArrayView2<f32>, generated: ArrayView2<f32>) -> Result<(Points, Points)> {
    check(real, generated, 2)?;
    Ok((Points::new(real), Points::new(generated)))
}

/// Groups of rows that the jackknife leaves out: row i is in group i modulo their number.
fn groups(real: &Points, generated: &Points) -> usize {
    GROUPS.min(real.len()).min(generated.len())
}

/// Points by group.
struct Grouped<'a> {
    arch: Arch,
    points: &'a Points,
    /// The numbers of each group's points.
    members: Vec<Vec<usize>>,
    /// The same points in tiles.
    tiles: Vec<Vec<[f64; LANES]>>,
}

impl<'a> Grouped<'a> {
    fn new(points: &'a Points, groups: usize) -> Self {
        let members: Vec<Vec<usize>> =
            (0..groups).map(|group| (group..points.len()).step_by(groups).collect()).collect();
        let tiles = members.iter().map(|members| points.tiles(members)).collect();
        Self { arch: Arch::new(), points, members, tiles }
    }

    /// Points outside the group that is left out.
    fn len(&self, left_out: Option<usize>) -> usize {
        self.points.len() - left_out.map_or(0, |group| self.members[group].len())
    }

    /// The sums of the distances between the points of each group and those of each of `others`'
    /// groups, row after row.
    fn distances(&self, others: &Self) -> Vec<f64> {
        let groups = self.members.len();
        let block = |index: usize| self.sum(index / groups, others, index % groups);
        (0..groups * groups).into_par_iter().map(block).collect()
    }

    /// The same between the points' own groups: a symmetric table.
    fn own_distances(&self) -> Vec<f64> {
        let groups = self.members.len();
        let half = |own: usize| (0..=own).map(|other| self.sum(own, self, other)).collect();
        let half: Vec<Vec<f64>> = (0..groups).into_par_iter().map(half).collect();
        let whole = |own: usize| {
            let half = &half;
            (0..groups).map(move |other| half[own.max(other)][own.min(other)])
        };
        (0..groups).flat_map(whole).collect()
    }

    /// The sum of the distances between the points of one group and those of one of `others`'.
    fn sum(&self, own: usize, others: &Self, other: usize) -> f64 {
        self.arch.dispatch(SumDistances {
            points: self.members[own].iter().map(|&row| self.points.row(row)),
            columns: self.points.columns(),
            tiles: &others.tiles[other],
            others: others.members[other].len(),
        })
    }
}

/// The sum of the distances between `points` and the first `others` rows of `tiles`.
struct SumDistances<'a, P> {
    points: P,
    columns: usize,
    tiles: &'a [[f64; LANES]],
    others: usize,
}

impl<'a, P: Iterator<Item = &'a [f64]>> WithSimd for SumDistances<'_, P> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> f64 {
        let tiles = self.tiles.chunks_exact(self.columns);
        let mut sums = vec![[0.0; LANES]; tiles.len()];
        for point in self.points {
            for (sums, tile) in sums.iter_mut().zip(tiles.clone()) {
                let distances = squared_distances(tile, point.iter().copied());
                for (sum, distance) in sums.iter_mut().zip(distances) {
                    *sum += distance.sqrt();
                }
            }
        }
        sums.as_flattened()[..self.others].iter().sum()
    }
}

/// The sliced Wasserstein distance of order 1 between `real` and `generated` rows, both rows × the
/// same columns, in the data's units: the mean over [`DIRECTIONS`] random directions of the
/// Wasserstein distance between the rows' projections (Rabin et al. 2011; Bonneel et al. 2015).
///
/// Order 1 needs no second moments, so that an outlier moves it as little as it can. In one dimension
/// it is the Wasserstein distance itself; the sets may differ in size. The interval is that of a
/// jackknife over [`GROUPS`] groups of rows, for the same directions.
///
/// # Errors
/// Where a set has fewer than two rows, or a value is not finite.
///
/// # Panics
/// Where the numbers of columns differ.
pub fn sliced_wasserstein(
    real: ArrayView2<f32>,
    generated: ArrayView2<f32>,
    seed: u64,
) -> Result<Estimate> {
    let (real, generated) = pair(real, generated)?;
    let groups = groups(&real, &generated);
    let columns = real.row(0).len();
    let slices: Vec<[f64; GROUPS + 1]> = (0..DIRECTIONS)
        .into_par_iter()
        .map(|step| {
            let direction = direction(columns, &Generator::new(seed, Stream::Directions, step));
            wasserstein(&real, &generated, &direction, groups)
        })
        .collect();
    let mean = |index: usize| {
        slices.iter().map(|distances| distances[index]).sum::<f64>() / DIRECTIONS as f64
    };
    let left_out: Vec<f64> = (0..groups).map(mean).collect();
    Ok(Estimate::jackknife(mean(GROUPS), &left_out).within(0.0, f64::INFINITY))
}

/// A direction uniform on the sphere: a standard normal vector, normalised (Muller 1959).
fn direction(columns: usize, generator: &Generator) -> Vec<f64> {
    let mut normal = vec![0.0_f32; columns];
    generator.normal(&mut normal);
    let mut direction: Vec<f64> = normal.into_iter().map(f64::from).collect();
    let length = direction.iter().map(|value| value * value).sum::<f64>().sqrt();
    if length > 0.0 {
        direction.iter_mut().for_each(|value| *value /= length);
    } else {
        direction[0] = 1.0;
    }
    direction
}

/// The Wasserstein distance of order 1 between the projections, ∫ |F(x) − G(x)| dx (Vallender 1974),
/// where each of the groups is left out in turn, and last where none is.
fn wasserstein(
    real: &Points,
    generated: &Points,
    direction: &[f64],
    groups: usize,
) -> [f64; GROUPS + 1] {
    let projected = |points: &Points, side: usize| -> Vec<(f64, usize, usize)> {
        let project = |row: usize| -> f64 {
            points.row(row).iter().zip(direction).map(|(value, along)| value * along).sum()
        };
        (0..points.len()).map(|row| (project(row), side, row % groups)).collect()
    };
    let mut values = projected(real, 0);
    values.extend(projected(generated, 1));
    values.sort_unstable_by(|(a, ..), (b, ..)| a.total_cmp(b));
    // What one row adds to its side's distribution function. Groups that do not exist stay harmless.
    let steps = [real, generated].map(|points| {
        let n = points.len();
        let mut steps = [1.0 / n as f64; GROUPS + 1];
        for (group, step) in steps.iter_mut().enumerate().take(groups) {
            *step = 1.0 / (n - (group..n).step_by(groups).len()) as f64;
        }
        steps
    });
    let mut below = [[0.0; GROUPS + 1]; 2];
    let mut distances = [0.0; GROUPS + 1];
    let mut last = values[0].0;
    for (value, side, group) in values {
        let gap = value - last;
        last = value;
        for (index, distance) in distances.iter_mut().enumerate() {
            let apart = below[0][index] * steps[0][index] - below[1][index] * steps[1][index];
            *distance += apart.abs() * gap;
        }
        below[side].iter_mut().for_each(|count| *count += 1.0);
        below[side][group] -= 1.0;
    }
    distances
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, Axis, array};

    use super::*;

    fn normal(n: usize, columns: usize, step: u64) -> Array2<f32> {
        let mut values = vec![0.0; n * columns];
        Generator::new(3, Stream::MixtureRows, step).normal(&mut values);
        Array2::from_shape_vec((n, columns), values).unwrap()
    }

    /// The rows outside group g.
    fn without(rows: &Array2<f32>, group: usize) -> Array2<f32> {
        let kept: Vec<usize> = (0..rows.nrows()).filter(|row| row % GROUPS != group).collect();
        rows.select(Axis(0), &kept)
    }

    #[track_caller]
    fn assert_close(ours: f64, expected: f64) {
        assert!((ours - expected).abs() < 1e-12 * expected.abs().max(1.0), "{ours}, {expected}");
    }

    #[test]
    fn small_cases_by_hand() {
        let (real, generated) = (array![[0.0_f32], [1.0]], array![[0.0_f32], [2.0]]);
        // 2 · (0 + 2 + 1 + 1) / 4 − (1 + 1) / 4 − (2 + 2) / 4.
        assert_close(energy_distance(real.view(), generated.view()).unwrap().value, 0.5);
        // Quantiles of thirds against halves: 0 on [0, 1/2], 1 up to 2/3, 2 up to 1.
        let generated = array![[3.0_f32], [0.0], [0.0]];
        let distance = sliced_wasserstein(real.view(), generated.view(), 1).unwrap();
        assert_close(distance.value, 1.0 / 6.0 + 2.0 / 3.0);
    }

    /// Equal rows at a distance of 13, and equal sets.
    #[test]
    fn equal_rows_have_distances_without_an_interval() {
        let (zeros, away) = (Array2::zeros((30, 2)), array![[5.0_f32, 12.0], [5.0, 12.0]]);
        let energy = energy_distance(zeros.view(), away.view()).unwrap();
        let ends = [energy.value, energy.interval[0], energy.interval[1]];
        ends.into_iter().for_each(|end| assert_close(end, 26.0));
        let rows = normal(50, 2, 0);
        for (one, other) in [(&zeros, &zeros), (&rows, &rows)] {
            let energy = energy_distance(one.view(), other.view()).unwrap();
            let sliced = sliced_wasserstein(one.view(), other.view(), 1).unwrap();
            for end in [energy.value, energy.interval[1], sliced.value, sliced.interval[1]] {
                assert_close(end, 0.0);
            }
        }
    }

    /// Moved rows are at |v · θ| in each direction θ, so at |v| / 2 on average in three dimensions,
    /// whichever rows are left out.
    #[test]
    fn moved_rows_are_half_their_way_apart() {
        let rows = normal(100, 3, 0);
        let moved = &rows + &array![2.0_f32, -4.0, 4.0];
        let distance = sliced_wasserstein(rows.view(), moved.view(), 1).unwrap();
        // Three standard errors of the mean over the directions.
        assert!((distance.value - 3.0).abs() < 3.0 * 6.0 / (12.0 * DIRECTIONS as f64).sqrt());
        assert!(distance.interval.iter().all(|end| (end - distance.value).abs() < 1e-5));
    }

    #[test]
    fn intervals_are_those_of_leaving_rows_out() {
        let (real, generated) = (normal(130, 3, 0), normal(90, 3, 1) * 1.5 + 0.5);
        type Distance = fn(ArrayView2<f32>, ArrayView2<f32>) -> Result<Estimate>;
        let sliced: Distance = |real, generated| sliced_wasserstein(real, generated, 1);
        for distance in [energy_distance, sliced] {
            let left_out = |group| {
                let (real, generated) = (without(&real, group), without(&generated, group));
                distance(real.view(), generated.view()).unwrap().value
            };
            let ours = distance(real.view(), generated.view()).unwrap();
            let left_out: Vec<f64> = (0..GROUPS).map(left_out).collect();
            let expected = Estimate::jackknife(ours.value, &left_out);
            assert!(ours.interval[0] > 0.0);
            assert_close(ours.interval[0], expected.interval[0]);
            assert_close(ours.interval[1], expected.interval[1]);
        }
    }

    #[test]
    fn a_lone_row_is_an_error() {
        let (one, two) = (Array2::zeros((1, 2)), Array2::zeros((2, 2)));
        assert!(energy_distance(one.view(), two.view()).is_err());
        assert!(sliced_wasserstein(two.view(), one.view(), 1).is_err());
    }
}
