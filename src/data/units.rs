//! Columns of different units, made comparable.

use ndarray::{Array2, ArrayView2};

use super::{Mixture, Scaling, mixed_spreads};
use crate::config::ScalingKind;
use crate::error::Result;

/// What columns are measured in where rows are compared: their own units, or, where these differ, the
/// standard deviation of each, so that no column hides another.
#[derive(Clone, Debug)]
pub struct Units(Option<Scaling>);

impl Units {
    /// Those of `rows` (n × columns), where [`mixed_spreads`] decides whether columns have different ones.
    pub fn of(rows: ArrayView2<f32>) -> Self {
        Self(mixed_spreads(rows).map(|_| Scaling::fit(ScalingKind::ZScore, rows)))
    }

    /// Whether each column is measured in its standard deviation.
    pub fn are_standardised(&self) -> bool {
        self.0.is_some()
    }

    /// Rows in these units.
    ///
    /// # Panics
    /// Where they have another number of columns.
    pub fn apply(&self, rows: ArrayView2<f32>) -> Array2<f32> {
        self.0.as_ref().map_or_else(|| rows.to_owned(), |scaling| scaling.apply(rows))
    }

    /// What a column is divided by.
    pub fn scale(&self, column: usize) -> f64 {
        self.0.as_ref().map_or(1.0, |scaling| f64::from(scaling.scale[column]))
    }

    /// A mixture of rows in these units, in those of the data.
    ///
    /// # Errors
    /// Where a value is beyond what a [`Mixture`] may hold.
    pub fn restore(&self, mixture: Mixture) -> Result<Mixture> {
        let Some(Scaling { shift, .. }) = &self.0 else { return Ok(mixture) };
        let mean = |mean: &Vec<f64>| {
            let columns = mean.iter().zip(shift).enumerate();
            columns.map(|(i, (x, &shift))| x * self.scale(i) + f64::from(shift)).collect()
        };
        let row = |(i, row): (usize, &Vec<f64>)| {
            let columns = row.iter().enumerate();
            columns.map(|(j, value)| value * self.scale(i) * self.scale(j)).collect()
        };
        let covariance = |rows: &Vec<Vec<f64>>| rows.iter().enumerate().map(row).collect();
        Mixture::new(
            mixture.weights().to_vec(),
            mixture.means().iter().map(mean).collect(),
            mixture.covariances().iter().map(covariance).collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn a_mixture_is_restored_where_its_rows_came_from() {
        // Means 3 and 1000, deviations 1 and 100.
        let rows = array![[2.0, 900.0], [4.0, 900.0], [2.0, 1100.0], [4.0, 1100.0_f32]];
        let units = Units::of(rows.view());
        assert!(units.are_standardised());
        assert_eq!(units.apply(rows.view()).row(1).to_vec(), [1.0, -1.0]);
        let unit = vec![vec![1.0, 0.5], vec![0.5, 1.0]];
        let mixture = Mixture::new(vec![1.0], vec![vec![1.0, -1.0]], vec![unit]).unwrap();
        let restored = units.restore(mixture).unwrap();
        assert_eq!(restored.means()[0], [4.0, 900.0]);
        assert_eq!(restored.covariances()[0], [[1.0, 50.0], [50.0, 10_000.0]]);
        let alike = Units::of(rows.slice(ndarray::s![.., ..1]));
        assert!(!alike.are_standardised());
        assert_eq!(alike.apply(rows.view()), rows);
    }
}
