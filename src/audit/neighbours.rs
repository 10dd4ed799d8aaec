//! Precision, recall, density and coverage: what the nearest neighbours say of generated rows.

use std::sync::atomic::{AtomicUsize, Ordering};

use ndarray::ArrayView2;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::estimate::Estimate;
use crate::error::Result;
use crate::knn::{LANES, Points, Tree, check};

/// The neighbour whose distance is the radius of a row's ball.
pub const NEAREST: usize = 5;

/// How generated rows lie among real ones. A row's ball reaches up to its fifth nearest neighbour
/// in its own set. Intervals take the rows as independent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Neighbourhoods {
    /// Share of the generated rows that lie in the ball of a real row. A collapsed model can have 1.
    pub precision: Estimate,
    /// Share of the real rows that lie in the ball of a generated row. Rows spread too far can have
    /// 1.
    pub recall: Estimate,
    /// Real balls that hold a generated row, on average, over five. About 1 for rows like the real
    /// ones, more where they crowd the densest places.
    pub density: Estimate,
    /// Share of the real rows whose ball holds a generated row: the modes that are lost lower it.
    pub coverage: Estimate,
}

/// Precision and recall (Kynkäänniemi et al. 2019, eq. 1 and 2), density and coverage (Naeem et al.
/// 2020) of `generated` rows against `real` ones, both rows × the same columns, by Euclidean distance
/// in the data's units.
///
/// Equal to the Python package `prdc` with `nearest_k` = [`NEAREST`]: a ball does not hold the rows
/// on its surface, so the ball of a row with five copies is empty.
///
/// # Errors
/// Where a set has not more rows than [`NEAREST`], so that balls have no radius, or a value is not
/// finite.
///
/// # Panics
/// Where the numbers of columns differ.
pub fn neighbourhoods(real: ArrayView2<f32>, generated: ArrayView2<f32>) -> Result<Neighbourhoods> {
    check(real, generated, NEAREST + 1)?;
    Ok(Balls::new(real).neighbourhoods(&Balls::new(generated)))
}

/// The share that is true.
fn share(rows: impl ExactSizeIterator<Item = bool>) -> Estimate {
    let n = rows.len();
    Estimate::share(rows.filter(|&is| is).count(), n)
}

/// Rows and the ball around each.
pub(super) struct Balls {
    squared_radii: Vec<f64>,
    /// The squared distance from each row to its nearest other.
    squared_gaps: Vec<f64>,
    tree: Tree,
}

impl Balls {
    /// `rows` are more than [`NEAREST`], and finite.
    pub(super) fn new(rows: ArrayView2<f32>) -> Self {
        let tree = Tree::new(&Points::new(rows));
        let distances = tree.of_rows(|leaf, found, distances| {
            // One more, because a row is its own nearest.
            tree.nearest(leaf, NEAREST + 1, |_, _| true, found);
            for ((distances, found), own) in distances.iter_mut().zip(found).zip(leaf.rows) {
                let others = found.iter().filter(|(_, row)| row != own);
                let nearest = others.map(|(squared, _)| *squared).fold(f64::INFINITY, f64::min);
                *distances = (found[NEAREST].0, nearest);
            }
        });
        let (squared_radii, squared_gaps) = distances.into_iter().unzip();
        Self { squared_radii, squared_gaps, tree }
    }

    /// Share of the `generated` rows that lie no nearer to a row of these, the real ones, than the nearest
    /// other of these does: authenticity (Alaa et al. 2022). Of rows that are drawn anew about
    /// half do, whatever their density, and of near copies none. Equal rows are copies.
    pub(super) fn authenticity(&self, generated: &Self) -> Estimate {
        let is_authentic = generated.tree.of_rows(|leaf, found, authentic: &mut [bool]| {
            self.tree.nearest(leaf, 1, |_, _| true, found);
            for (authentic, found) in authentic.iter_mut().zip(found) {
                let (squared, nearest) = found[0];
                *authentic = squared > 0.0 && squared >= self.squared_gaps[nearest];
            }
        });
        share(is_authentic.into_iter())
    }

    /// As [`neighbourhoods`], with these as the real rows.
    pub(super) fn neighbourhoods(&self, generated: &Self) -> Neighbourhoods {
        let (real_filled, generated_held) = self.hold(generated);
        let (_, real_held) = generated.hold(self);
        let shares: Vec<f64> =
            generated_held.iter().map(|&balls| balls as f64 / NEAREST as f64).collect();
        Neighbourhoods {
            precision: share(generated_held.iter().map(|&balls| balls > 0)),
            recall: share(real_held.iter().map(|&balls| balls > 0)),
            density: Estimate::mean(&shares),
            coverage: share(real_filled.into_iter()),
        }
    }

    /// For each ball whether it holds one of the `rows`, and for each of the `rows` how many balls
    /// hold it. A row is in few balls (Stone's lemma), unless there are many columns.
    fn hold(&self, rows: &Self) -> (Vec<bool>, Vec<usize>) {
        let held: Vec<AtomicUsize> = rows.squared_radii.iter().map(|_| 0.into()).collect();
        let filled = self.tree.of_rows(|leaf, (), filled: &mut [bool]| {
            let mut bounds = [0.0; LANES];
            for (bound, &row) in bounds.iter_mut().zip(leaf.rows) {
                *bound = self.squared_radii[row];
            }
            rows.tree.search(leaf, bounds, |lane, _, row| {
                held[row].fetch_add(1, Ordering::Relaxed);
                filled[lane] = true;
                bounds[lane]
            });
        });
        (filled, held.into_iter().map(AtomicUsize::into_inner).collect())
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;
    use crate::random::{Generator, Stream};

    fn values(figures: Neighbourhoods) -> [f64; 4] {
        let Neighbourhoods { precision, recall, density, coverage } = figures;
        [precision, recall, density, coverage].map(|estimate| {
            let [low, high] = estimate.interval;
            assert!(low <= estimate.value && estimate.value <= high, "{estimate:?}");
            estimate.value
        })
    }

    /// On the line the fifth neighbours of 0, …, 5 are at distances 5, 4, 3, 3, 4, 5.
    #[test]
    fn a_small_case_by_hand() {
        let real = array![[0.0_f32], [1.0], [2.0], [3.0], [4.0], [5.0]];
        let generated = array![[4.5_f32], [5.0], [7.0], [7.0], [7.0], [7.0], [7.0]];
        let figures = neighbourhoods(real.view(), generated.view()).unwrap();
        // All balls hold 4.5; those of 3, 4 and 5 hold 5, which is on the surface of the others; those
        // of 4 and 5 hold 7.
        let held = [6.0, 3.0, 2.0, 2.0, 2.0, 2.0, 2.0];
        // The generated balls are (2, 7), (3, 7) and (5, 9): they hold 3, 4 and 5.
        let expected = [1.0, 3.0 / 6.0, held.iter().sum::<f64>() / 7.0 / 5.0, 1.0];
        for (found, expected) in values(figures).into_iter().zip(expected) {
            assert!((found - expected).abs() < 1e-12, "{figures:?}");
        }
    }

    /// Each of 0, …, 5 has its neighbour at a distance of 1.
    #[test]
    fn rows_nearer_to_a_real_one_than_its_neighbour_are_not_authentic() {
        let real = array![[0.0_f32], [1.0], [2.0], [3.0], [4.0], [5.0]];
        let generated = array![[4.5_f32], [5.0], [5.25], [6.0], [7.0], [-2.0]];
        let authenticity = Balls::new(real.view()).authenticity(&Balls::new(generated.view()));
        assert_eq!(authenticity.value, 0.5);
    }

    /// In space: draws of the same Gaussian, narrower ones, and the rows themselves, moved by little.
    #[test]
    fn about_half_of_fresh_rows_are_authentic_and_no_near_copies() {
        let draw = |step, width: f32| {
            let mut values = vec![0.0; 6000];
            Generator::new(3, Stream::MixtureRows, step).normal(&mut values);
            Array2::from_shape_vec((2000, 3), values).unwrap() * width
        };
        let real = draw(0, 1.0);
        let balls = Balls::new(real.view());
        let of = |rows: Array2<f32>| balls.authenticity(&Balls::new(rows.view())).value;
        assert!((0.4..0.6).contains(&of(draw(1, 1.0))), "{}", of(draw(1, 1.0)));
        assert!((0.4..0.6).contains(&of(draw(1, 0.7))), "{}", of(draw(1, 0.7)));
        assert!(of(&real + &draw(1, 1e-3)) < 0.02);
    }

    #[test]
    fn equal_rows_have_empty_balls() {
        let (one, other) = (Array2::<f32>::zeros((10_000, 3)), Array2::<f32>::ones((10_000, 3)));
        for (real, generated) in [(&one, &one), (&one, &other)] {
            let figures = neighbourhoods(real.view(), generated.view()).unwrap();
            assert_eq!(values(figures), [0.0; 4]);
        }
        let mut few = vec![0.0; 30_000];
        Generator::new(1, Stream::MixtureRows, 0).uniform(&mut few);
        let few = few.into_iter().map(|u| (2.0 * u).floor()).collect();
        let few = Array2::from_shape_vec((10_000, 3), few).unwrap();
        assert_eq!(values(neighbourhoods(few.view(), few.view()).unwrap()), [0.0; 4]);
    }

    #[test]
    fn too_few_rows_are_an_error() {
        let rows = Array2::<f32>::zeros((6, 2));
        let error = neighbourhoods(rows.view(), rows.slice(ndarray::s![..5, ..])).unwrap_err();
        assert_eq!(error.message(), "5 generated rows are too few to compare: it takes 6");
    }
}
