//! t-SNE: rows laid out in the plane so that near rows stay near (van der Maaten and Hinton 2008).

mod affinities;
mod descent;
mod repulsion;

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, aview1};

use self::affinities::Affinities;
use self::descent::descend;
use crate::data::Scaled;
use crate::error::{Error, Result};
use crate::knn::{Points, Tree};

pub use self::descent::EPOCHS;

/// Standard deviation of the starting layout along its first axis.
const START_SPREAD: f64 = 1e-4;
/// Width of the jitter of the starting layout.
const JITTER: f64 = 0.01 * START_SPREAD;
/// Products with the covariance that find one principal axis of the start.
const POWER_STEPS: usize = 50;

/// Rows laid out in the plane.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedding {
    /// One point a row, n × 2.
    pub points: Array2<f32>,
    /// The Kullback–Leibler divergence that was minimised, in nats; layouts of the same rows at the
    /// same perplexity compare by it.
    pub kl_divergence: f64,
    /// The perplexity: about how many neighbours each row keeps near. Small shows fine
    /// structure and invents clumps in noise; large shows the layout of groups.
    pub perplexity: f64,
}

/// Lays `rows` (n × columns) out in the plane by Barnes–Hut t-SNE (van der Maaten 2014).
///
/// `perplexity` is at least 1 and below (n − 1) / 3. `epochs` is the length of the descent, usually
/// [`EPOCHS`]: a quarter of it with attraction exaggerated twelvefold, the rest without.
/// `progress` is called with the number of epochs done after each one.
///
/// The start is the two principal axes, scaled to a standard deviation of 10⁻⁴ (Kobak and Berens
/// 2019), with a hundredth of that as fixed jitter that tells equal rows apart. Nothing is drawn at
/// random and every sum has its order, so the same arguments give the same bytes on any number of
/// threads. Memory grows as n times the perplexity, and so does time, with the search for neighbours on
/// top: n log n in few columns, up to n² in many.
///
/// # Errors
/// Where there are fewer than 5 rows, a value is not finite, or the perplexity is out of its range;
/// the message names the largest that the rows allow.
pub fn embed(
    rows: ArrayView2<f32>,
    perplexity: f64,
    epochs: usize,
    progress: impl FnMut(usize),
) -> Result<Embedding> {
    check(rows.nrows(), perplexity)?;
    // Near rows one after the other: what the descent reads of them is then mostly in the cache.
    let (order, rows) = {
        let rows = Scaled::new(rows)?.rows;
        let order = Tree::new(&Points::new(rows.view())).into_order();
        let rows = rows.select(Axis(0), &order);
        (order, rows)
    };
    let affinities = Affinities::new(&rows, perplexity)?;
    let (layout, kl_divergence) = descend(&affinities, start(&rows), epochs, progress);
    let mut points = Array2::zeros((rows.nrows(), 2));
    for (row, place) in order.into_iter().zip(layout) {
        points.row_mut(row).assign(&aview1(&place));
    }
    Ok(Embedding { points, kl_divergence, perplexity })
}

/// Student's kernel 1 / (1 + the squared distance) between two places, and their differences.
#[inline(always)]
fn kernel(a: [f32; 2], b: [f32; 2]) -> (f32, [f32; 2]) {
    let [dx, dy] = [a[0] - b[0], a[1] - b[1]];
    (1.0 / (1.0 + dx * dx + dy * dy), [dx, dy])
}

/// Whether so many rows have the neighbours, three times the perplexity, that their affinities take.
pub fn allows(rows: usize, perplexity: f64) -> bool {
    3.0 * perplexity < rows as f64 - 1.0
}

/// Refuses what bhtsne would panic at.
fn check(n: usize, perplexity: f64) -> Result<()> {
    if n < 5 {
        return Err(Error::input(format!("t-SNE needs at least 5 rows, and there are {n}"))
            .help("embed a larger table"));
    }
    if perplexity >= 1.0 && allows(n, perplexity) {
        return Ok(());
    }
    // The largest perplexity with one decimal that is below the limit.
    let largest = (((n - 1) as f64 / 0.3).ceil() - 1.0) / 10.0;
    Err(Error::input(format!("{n} rows cannot be embedded at perplexity {perplexity}"))
        .help(format!("choose a perplexity from 1 to {largest}")))
}

/// The starting layout: the first two principal axes of centred rows, and the jitter.
fn start(rows: &Array2<f64>) -> Vec<[f32; 2]> {
    let mut left = rows.clone();
    let mut layout = Array2::zeros((rows.nrows(), 2));
    for mut scores in layout.axis_iter_mut(Axis(1)) {
        let axis = principal_axis(&left);
        scores.assign(&left.dot(&axis));
        for (mut row, &score) in left.axis_iter_mut(Axis(0)).zip(&scores) {
            row.scaled_add(-score, &axis);
        }
    }
    let spread = layout.column(0).std(0.0);
    if spread > 0.0 {
        layout *= START_SPREAD / spread;
    }
    // Roberts' R2 sequence: multiples of the powers of 1 / 1.3247… (the plastic number) modulo 1
    // fill the square evenly.
    let steps = [0.754_877_666_246_692_8, 0.569_840_290_998_053_3];
    let jitter =
        |row: usize, axis: usize| JITTER * ((steps[axis] * (row + 1) as f64).fract() - 0.5);
    let place = |(row, scores): (usize, ArrayView1<f64>)| {
        [0, 1].map(|axis| (scores[axis] + jitter(row, axis)) as f32)
    };
    layout.rows().into_iter().enumerate().map(place).collect()
}

/// The direction in which centred rows vary most, by the power method from the longest row; zero
/// where all rows are.
fn principal_axis(rows: &Array2<f64>) -> Array1<f64> {
    let squared = |row: ArrayView1<f64>| row.dot(&row);
    let longest = rows.rows().into_iter().max_by(|a, b| squared(*a).total_cmp(&squared(*b)));
    let mut axis = longest.map_or_else(|| Array1::zeros(rows.ncols()), |row| row.to_owned());
    for _ in 0..POWER_STEPS {
        axis = rows.t().dot(&rows.dot(&axis));
        let length = squared(axis.view()).sqrt();
        if length == 0.0 {
            break;
        }
        axis /= length;
    }
    axis
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Generator, Stream};
    use ndarray::array;

    /// Noise in 3-D about three corners that are 15 standard deviations apart, in turn.
    fn groups(n: usize) -> Array2<f32> {
        let mut noise = vec![0.0; 3 * n];
        Generator::new(5, Stream::MixtureRows, 0).normal(&mut noise);
        Array2::from_shape_fn((n, 3), |(row, column)| {
            noise[3 * row + column] + if row % 3 == column { 10.6 } else { 0.0 }
        })
    }

    fn embedded(rows: &Array2<f32>, perplexity: f64, epochs: usize) -> Embedding {
        let embedding = embed(rows.view(), perplexity, epochs, |_| ()).unwrap();
        assert_eq!(embedding.points.dim(), (rows.nrows(), 2));
        assert!(embedding.points.iter().all(|value| value.is_finite()));
        assert!(embedding.kl_divergence.is_finite());
        embedding
    }

    /// The other rows from near to far, for each row.
    fn ranking(rows: &Array2<f64>) -> Vec<Vec<usize>> {
        let squared = |a: ArrayView1<f64>, b: ArrayView1<f64>| {
            a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>()
        };
        let from = |row: usize| {
            let mut others: Vec<usize> = (0..rows.nrows()).filter(|&other| other != row).collect();
            let distance = |other: usize| squared(rows.row(row), rows.row(other));
            others.sort_by(|&a, &b| distance(a).total_cmp(&distance(b)));
            others
        };
        (0..rows.nrows()).map(from).collect()
    }

    /// Trustworthiness of Venna and Kaski 2001: 1 where the k nearest in the layout were all near.
    fn trustworthiness(rows: &Array2<f64>, layout: &Array2<f64>, k: usize) -> f64 {
        let n = rows.nrows();
        let mut penalty = 0;
        for (before, after) in ranking(rows).iter().zip(ranking(layout)) {
            for near in &after[..k] {
                let rank = 1 + before.iter().position(|other| other == near).unwrap();
                penalty += rank.saturating_sub(k);
            }
        }
        1.0 - 2.0 * penalty as f64 / (n * k * (2 * n - 3 * k - 1)) as f64
    }

    #[test]
    fn groups_stay_together_and_neighbours_near() {
        let rows = groups(150);
        let layout = embedded(&rows, 15.0, EPOCHS).points.mapv(f64::from);
        let nearest = ranking(&layout).into_iter().map(|near| near[0]).enumerate();
        assert!(nearest.filter(|(row, near)| near % 3 == row % 3).count() > 148);
        assert!(trustworthiness(&rows.mapv(f64::from), &layout, 8) >= 0.95);
    }

    #[test]
    fn the_same_rows_give_the_same_bytes_on_any_number_of_threads() {
        let rows = groups(700);
        let bits = || -> Vec<u32> {
            embedded(&rows, 5.0, 100).points.iter().map(|value| value.to_bits()).collect()
        };
        let on = |threads| {
            rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(bits)
        };
        let alone = on(1);
        assert_eq!(alone, on(1));
        assert_eq!(alone, on(3));
    }

    #[test]
    fn progress_counts_the_epochs() {
        let mut seen = Vec::new();
        embed(groups(20).view(), 3.0, 10, |epoch| seen.push(epoch)).unwrap();
        assert!(seen.into_iter().eq(1..=10));
    }

    #[test]
    fn repeated_equal_and_one_column_rows_are_laid_out() {
        embedded(&Array2::from_elem((30, 3), 0.7), 5.0, EPOCHS);
        let twice = groups(60);
        let twice = Array2::from_shape_fn((60, 3), |(row, column)| twice[[row / 2, column]]);
        embedded(&twice, 5.0, EPOCHS);
        embedded(&groups(40).slice_move(ndarray::s![.., ..1]), 5.0, EPOCHS);
        embedded(&groups(5), 1.3, EPOCHS);
        embedded(&(groups(30) * 1e-30), 5.0, 50);
        embedded(&(groups(30) * 1e30), 5.0, 50);
    }

    #[test]
    fn what_cannot_be_embedded_is_refused_with_the_largest_perplexity() {
        let refused = |rows: &Array2<f32>, perplexity| {
            embed(rows.view(), perplexity, 10, |_| ()).unwrap_err()
        };
        let error = refused(&groups(50), 30.0);
        assert_eq!(error.message(), "50 rows cannot be embedded at perplexity 30");
        assert_eq!(error.remedy(), Some("choose a perplexity from 1 to 16.3"));
        embedded(&groups(50), 16.3, 1);
        // 3 · 16 is not below 48.
        assert_eq!(refused(&groups(49), 16.0).remedy(), Some("choose a perplexity from 1 to 15.9"));
        embedded(&groups(49), 15.9, 1);
        for perplexity in [0.5, -1.0, f64::NAN, f64::INFINITY] {
            refused(&groups(50), perplexity);
        }
        refused(&groups(4), 1.0);
        refused(&Array2::zeros((0, 2)), 1.0);
        let broken = array![[0.0_f32], [1.0], [f32::INFINITY], [2.0], [3.0], [4.0]];
        assert_eq!(refused(&broken, 1.0).message(), "row 3, column 1: not a finite number");
    }

    #[test]
    fn the_start_is_the_principal_plane() {
        // Variances 4, 1 and 0 along the columns in a changed order.
        let rows = array![[0.0, 1.0, 2.0], [0.0, -1.0, 2.0], [0.0, 1.0, -2.0], [0.0, -1.0, -2.0]];
        let layout = Array2::from(start(&rows)).mapv(f64::from);
        let size = |axis| layout.column(axis).mapv(f64::abs) / START_SPREAD;
        assert!(size(0).iter().all(|length| (length - 1.0).abs() < 0.01));
        assert!(size(1).iter().all(|length| (length - 0.5).abs() < 0.01));
    }
}
