//! One iteration of EM, and the merging of components.

use ndarray::{Array2, ArrayView1, Axis, Zip, s};
use pulp::Arch;
use rayon::prelude::*;

use super::Covariance;
use super::exponentials::Exponentials;
use crate::data::Gaussian;

/// Moments that are summed at once.
const STRIP: usize = 128;
/// Blocks that one thread takes at once.
const BLOCKS: usize = 4;

/// The parameters of a mixture of K components in D dimensions, in scaled units.
#[derive(Clone, Debug)]
pub struct Components {
    /// K.
    pub(super) weights: Vec<f64>,
    /// K × D.
    pub(super) means: Vec<Vec<f64>>,
    /// K × D × D.
    pub(super) covariances: Vec<Vec<Vec<f64>>>,
}

/// For every component (row) the sum over the data's rows of its responsibility times x_i·x_j, for
/// every pair (i, j) of `pairs` (column). x_0 is 1, and x_1 is the data's first column.
pub(super) struct Sums {
    pairs: Vec<(usize, usize)>,
    values: Array2<f64>,
}

/// The pairs that covariances of this kind are estimated from, (i, 0) before every other (i, j).
fn pairs(covariance: Covariance, columns: usize) -> Vec<(usize, usize)> {
    let with = |i: usize| match covariance {
        Covariance::Full => (0..=i).collect(),
        _ if i == 0 => vec![0],
        _ => vec![0, i],
    };
    (0..=columns).flat_map(|i| with(i).into_iter().map(move |j| (i, j))).collect()
}

impl Components {
    /// Equal components of one `variance` at `centroids`, K × D.
    pub(super) fn at(centroids: &Array2<f64>, variance: f64) -> Self {
        let (k, columns) = centroids.dim();
        let mut shape = vec![vec![0.0; columns]; columns];
        (0..columns).for_each(|i| shape[i][i] = variance);
        Self {
            weights: vec![1.0 / k as f64; k],
            means: centroids.outer_iter().map(|centroid| centroid.to_vec()).collect(),
            covariances: vec![shape; k],
        }
    }

    /// The log-likelihood of the rows in `blocks`, and the sums that the next parameters follow
    /// from; nothing where a covariance is not positive definite.
    pub(super) fn expect(
        &self,
        blocks: &[Array2<f64>],
        covariance: Covariance,
    ) -> Option<(f64, Sums)> {
        let gaussians = self.means.iter().zip(&self.covariances);
        let gaussians: Vec<Gaussian> =
            gaussians.map(|(mean, shape)| Gaussian::new(mean, shape)).collect::<Option<_>>()?;
        let pairs = pairs(covariance, self.means[0].len());
        let arch = Arch::new();
        let of_block = |block: &Array2<f64>| {
            let (log_likelihood, responsibilities) = self.responsibilities(arch, &gaussians, block);
            (log_likelihood, moments(&responsibilities, block, &pairs))
        };
        let parts: Vec<(f64, Array2<f64>)> =
            blocks.par_iter().with_min_len(BLOCKS).map(of_block).collect();
        let mut log_likelihood = 0.0;
        let mut values = Array2::zeros((self.weights.len(), pairs.len()));
        for (part, sums) in parts {
            log_likelihood += part;
            values += &sums;
        }
        Some((log_likelihood, Sums { pairs, values }))
    }

    /// The log-likelihood of the m rows of a block, and each component's responsibility for each of
    /// them, K × m.
    fn responsibilities(
        &self,
        arch: Arch,
        gaussians: &[Gaussian],
        block: &Array2<f64>,
    ) -> (f64, Array2<f64>) {
        let m = block.ncols();
        let columns = block.slice(s![1.., ..]);
        let mut scratch = Array2::zeros(columns.dim());
        let mut terms = Array2::zeros((gaussians.len(), m));
        let mut largest = vec![f64::NEG_INFINITY; m];
        for ((gaussian, weight), mut terms) in
            gaussians.iter().zip(&self.weights).zip(terms.rows_mut())
        {
            let terms = terms.as_slice_mut().expect("a row of a fresh array is contiguous");
            gaussian.squared_distances(columns, &mut scratch, terms);
            let constant = weight.ln() + gaussian.log_normaliser();
            for (term, largest) in terms.iter_mut().zip(&mut largest) {
                *term = constant - 0.5 * *term;
                *largest = largest.max(*term);
            }
        }
        let mut total = vec![0.0; m];
        for mut terms in terms.rows_mut() {
            let terms = terms.as_slice_mut().expect("a row of a fresh array is contiguous");
            arch.dispatch(Exponentials { terms, largest: &largest, total: &mut total });
        }
        let mut log_likelihood = 0.0;
        for (total, largest) in total.iter_mut().zip(&largest) {
            log_likelihood += largest + total.ln();
            *total = total.recip();
        }
        for mut terms in terms.rows_mut() {
            terms.iter_mut().zip(&total).for_each(|(term, inverse)| *term *= inverse);
        }
        (log_likelihood, terms)
    }

    /// The likeliest components for these sums, whose variances then have `floor` (one value a column)
    /// added; nothing where a component has no rows.
    pub(super) fn maximise(sums: Sums, floor: &[f64], covariance: Covariance) -> Option<Self> {
        let rows: f64 = sums.values.column(0).sum();
        let mut found = Self { weights: vec![], means: vec![], covariances: vec![] };
        for values in sums.values.axis_iter(Axis(0)) {
            let own = values[0];
            if own.is_nan() || own <= f64::EPSILON * rows {
                return None;
            }
            let (mean, mut shape) = centred(&sums.pairs, values, floor.len());
            // Rounding may leave the scatter of equal rows just below nothing.
            (0..floor.len()).for_each(|i| shape[i][i] = shape[i][i].max(0.0));
            restrict(&mut shape, covariance);
            // Afterwards, so that what the steps of one column hide makes no other one wide.
            add(&mut shape, floor.iter().copied());
            found.weights.push(own / rows);
            found.means.push(mean);
            found.covariances.push(shape);
        }
        Some(found)
    }

    /// The mixtures in which two components have become one with their weight, mean and covariance,
    /// likeliest first, at most `wanted`.
    ///
    /// The likeliest have the least bound on the divergence from this mixture (Runnalls 2007,
    /// "Kullback–Leibler approach to Gaussian mixture reduction"). Components of weight below
    /// `lightest` go before any other. The `floor` in the variances is no part of what is taken
    /// together.
    pub(super) fn merged(
        &self,
        covariance: Covariance,
        floor: &[f64],
        lightest: f64,
        wanted: usize,
    ) -> Vec<Self> {
        let normaliser = |mean: &[f64], shape: &[Vec<f64>]| {
            Gaussian::new(mean, shape).map_or(f64::NEG_INFINITY, |g| g.log_normaliser())
        };
        let weighted =
            |i: usize| self.weights[i] * normaliser(&self.means[i], &self.covariances[i]);
        let weighted: Vec<f64> = (0..self.weights.len()).map(weighted).collect();
        let mut candidates = Vec::new();
        for i in 0..weighted.len() {
            for j in 0..i {
                let (weight, mean, shape) = self.union(i, j, covariance, floor);
                let loss = weighted[i] + weighted[j] - weight * normaliser(&mean, &shape);
                let heavy = self.weights[i].min(self.weights[j]) >= lightest;
                candidates.push((heavy, loss, i, j));
            }
        }
        candidates.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let merge = |&(_, _, i, j): &(bool, f64, usize, usize)| {
            let mut merged = self.clone();
            (merged.weights[j], merged.means[j], merged.covariances[j]) =
                self.union(i, j, covariance, floor);
            merged.weights.remove(i);
            merged.means.remove(i);
            merged.covariances.remove(i);
            merged
        };
        candidates.iter().take(wanted).map(merge).collect()
    }

    /// Weight, mean and covariance of components i and j taken together.
    fn union(
        &self,
        i: usize,
        j: usize,
        covariance: Covariance,
        floor: &[f64],
    ) -> (f64, Vec<f64>, Vec<Vec<f64>>) {
        let weight = self.weights[i] + self.weights[j];
        let (a, b) = (self.weights[i] / weight, self.weights[j] / weight);
        let (first, second) = (&self.means[i], &self.means[j]);
        let mean = first.iter().zip(second).map(|(x, y)| a * x + b * y).collect();
        let apart: Vec<f64> = first.iter().zip(second).map(|(x, y)| x - y).collect();
        let mut shape = self.covariances[i].clone();
        for (r, row) in shape.iter_mut().enumerate() {
            for (c, value) in row.iter_mut().enumerate() {
                let within = a * *value + b * self.covariances[j][r][c];
                *value = within + a * b * apart[r] * apart[c];
            }
        }
        add(&mut shape, floor.iter().map(|floor| -floor));
        restrict(&mut shape, covariance);
        add(&mut shape, floor.iter().copied());
        (weight, mean, shape)
    }
}

/// Adds to the variances of a covariance.
fn add(shape: &mut [Vec<f64>], variances: impl Iterator<Item = f64>) {
    shape.iter_mut().enumerate().zip(variances).for_each(|((i, row), more)| row[i] += more);
}

/// Σ over the rows of a block of responsibility × x_i·x_j, K × pairs.
fn moments(
    responsibilities: &Array2<f64>,
    block: &Array2<f64>,
    pairs: &[(usize, usize)],
) -> Array2<f64> {
    let mut sums = Array2::zeros((responsibilities.nrows(), pairs.len()));
    let mut products = Array2::zeros((STRIP.min(pairs.len()), block.ncols()));
    for (strip, mut sums) in pairs.chunks(STRIP).zip(sums.axis_chunks_iter_mut(Axis(1), STRIP)) {
        for (mut product, &(i, j)) in products.rows_mut().into_iter().zip(strip) {
            let (x, y) = (block.row(i), block.row(j));
            Zip::from(&mut product).and(x).and(y).for_each(|product, x, y| *product = x * y);
        }
        sums.assign(&responsibilities.dot(&products.slice(s![..strip.len(), ..]).t()));
    }
    sums
}

/// Mean and covariance of a component from its sums.
fn centred(
    pairs: &[(usize, usize)],
    values: ArrayView1<f64>,
    columns: usize,
) -> (Vec<f64>, Vec<Vec<f64>>) {
    let mut mean = vec![0.0; columns];
    let mut shape = vec![vec![0.0; columns]; columns];
    for (&(i, j), value) in pairs.iter().zip(values).skip(1) {
        let moment = value / values[0];
        if j == 0 {
            mean[i - 1] = moment;
        } else {
            // The rows are centred and scaled, so little is lost by taking the mean out here.
            let (i, j) = (i - 1, j - 1);
            shape[i][j] = moment - mean[i] * mean[j];
            shape[j][i] = shape[i][j];
        }
    }
    (mean, shape)
}

/// The likeliest covariance of a kind for one of any kind.
fn restrict(shape: &mut [Vec<f64>], covariance: Covariance) {
    if covariance == Covariance::Full {
        return;
    }
    let columns = shape.len();
    let mean = (0..columns).map(|i| shape[i][i]).sum::<f64>() / columns as f64;
    for (i, row) in shape.iter_mut().enumerate() {
        let variance = if covariance == Covariance::Spherical { mean } else { row[i] };
        row.fill(0.0);
        row[i] = variance;
    }
}
