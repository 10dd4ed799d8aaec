//! Rows drawn from a mixture, some after the others.

use ndarray::Array2;
use rand_distr::{Distribution, StandardNormal};

use super::{Mixture, uniform};
use crate::data::{Labels, Table};
use crate::random::{Draws, Generator};

/// The rows of one draw from a [`Mixture`]: however many are taken at a time, they are the same.
#[derive(Debug)]
pub struct RowDraws<'a> {
    mixture: &'a Mixture,
    components: Components,
    source: Draws,
}

impl<'a> RowDraws<'a> {
    /// The column that names each row's component.
    pub const LABEL: &'static str = "component";

    pub(super) fn new(mixture: &'a Mixture, generator: Generator) -> Self {
        let components = Components::new(mixture.weights());
        Self { mixture, components, source: generator.draws() }
    }

    /// The names of the columns: `x0`, `x1`, ….
    pub fn columns(&self) -> Vec<String> {
        (0..self.mixture.dimensions()).map(|i| format!("x{i}")).collect()
    }

    /// The next rows, with their components as labels.
    pub fn table(&mut self, rows: usize) -> Table {
        let (values, of_row) = self.rows(rows);
        let names = (0..self.mixture.components()).map(|k| k.to_string()).collect();
        let labels = Labels { column: Self::LABEL.into(), names, of_row };
        Table::new(self.columns(), values, Some(labels)).expect("a valid mixture draws finite rows")
    }

    /// The next rows, n × D, and the component of each.
    pub fn rows(&mut self, rows: usize) -> (Array2<f32>, Vec<usize>) {
        let Self { mixture, components, source } = self;
        let mut values = Array2::zeros((rows, mixture.dimensions()));
        let mut of_row = Vec::with_capacity(rows);
        let mut normal = vec![0.0; mixture.dimensions()];
        for mut row in values.rows_mut() {
            let k = components.at(uniform(source));
            for normal in &mut normal {
                *normal = StandardNormal.sample(source);
            }
            let drawn = mixture.gaussians[k].transform(&normal);
            row.iter_mut().zip(drawn).for_each(|(value, drawn)| *value = drawn as f32);
            of_row.push(k);
        }
        (values, of_row)
    }
}

/// The components by their weights, to draw from: the search for one begins where the part of all weights
/// does that a point lies in (Chen and Asau, "On generating random variates from an empirical
/// distribution", AIIE Transactions 1974).
#[derive(Debug)]
struct Components {
    /// Sum of the weights up to each component's own.
    cumulative: Vec<f64>,
    /// The component at the beginning of each of [`PARTS`] equal parts of their sum.
    begins: Vec<usize>,
}

const PARTS: usize = 256;

impl Components {
    fn new(weights: &[f64]) -> Self {
        let sum = |sum: &mut f64, weight: &f64| {
            *sum += weight;
            Some(*sum)
        };
        let cumulative = weights.iter().scan(0.0, sum).collect();
        let mut components = Self { cumulative, begins: Vec::with_capacity(PARTS) };
        let mut k = 0;
        for part in 0..PARTS {
            k = components.from(k, part as f64 / PARTS as f64);
            components.begins.push(k);
        }
        components
    }

    /// The component at a share, in [0, 1), of all weights.
    fn at(&self, share: f64) -> usize {
        self.from(self.begins[(share * PARTS as f64) as usize], share)
    }

    /// As [`at`](Self::at), of component `k` and those after it.
    fn from(&self, mut k: usize, share: f64) -> usize {
        let last = self.cumulative.len() - 1;
        while k < last && self.cumulative[k] <= self.cumulative[last] * share {
            k += 1;
        }
        k
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_falls_to_the_component_that_a_search_finds() {
        let many: Vec<f64> = (0..1000).map(|i| f64::from(i % 7) * 1e-3).collect();
        for weights in [&[1.0][..], &[0.0, 0.25, 0.0, 0.5, 0.25, 0.0], &[1e-9, 1.0, 1e-9], &many] {
            let components = Components::new(weights);
            let (cumulative, last) = (&components.cumulative, weights.len() - 1);
            let total = cumulative[last];
            let ends = cumulative.iter().map(|sum| sum / total);
            let even = (0..4096).map(|i| f64::from(i) / 4096.0);
            for share in ends.chain(even).chain([1.0 - f64::EPSILON / 2.0]).filter(|&s| s < 1.0) {
                let point = total * share;
                let expected = cumulative.partition_point(|&sum| sum <= point).min(last);
                assert_eq!(components.at(share), expected, "{share}");
            }
        }
    }
}
