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
    /// Sum of the weights up to each component's own.
    cumulative: Vec<f64>,
    source: Draws,
}

impl<'a> RowDraws<'a> {
    /// The column that names each row's component.
    pub const LABEL: &'static str = "component";

    pub(super) fn new(mixture: &'a Mixture, generator: Generator) -> Self {
        let sum = |sum: &mut f64, weight: &f64| {
            *sum += weight;
            Some(*sum)
        };
        let cumulative = mixture.weights().iter().scan(0.0, sum).collect();
        Self { mixture, cumulative, source: generator.draws() }
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
        let Self { mixture, cumulative, source } = self;
        let last = mixture.components() - 1;
        let total = cumulative[last];
        let mut values = Array2::zeros((rows, mixture.dimensions()));
        let mut of_row = Vec::with_capacity(rows);
        let mut normal = vec![0.0; mixture.dimensions()];
        for mut row in values.rows_mut() {
            let point = total * uniform(source);
            let k = cumulative.partition_point(|&sum| sum <= point).min(last);
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
