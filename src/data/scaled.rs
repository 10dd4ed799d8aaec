//! Rows in units of their own spread.

use ndarray::{Array1, Array2, ArrayView2, Axis};

use crate::error::{Error, Result};

/// Rows with their mean subtracted and divided by one root-mean-square deviation for all columns.
///
/// Distances keep their ratios, and the absolute tolerances and floors of the fitting algorithms mean
/// the same for data of any unit and any offset.
pub(crate) struct Scaled {
    /// The scaled rows, n × columns.
    pub rows: Array2<f64>,
    /// The mean that was subtracted from each column.
    pub mean: Array1<f64>,
    /// What every value was divided by: 1 where all rows are equal.
    pub scale: f64,
}

impl Scaled {
    /// Scales `rows`, n × columns.
    ///
    /// # Errors
    /// Where there is no value at all, or one that is not finite.
    pub fn new(rows: ArrayView2<f32>) -> Result<Self> {
        if let Some(((row, column), _)) = rows.indexed_iter().find(|(_, value)| !value.is_finite())
        {
            let place = format!("row {}, column {}", row + 1, column + 1);
            return Err(Error::input(format!("{place}: not a finite number")));
        }
        let mut rows = rows.mapv(f64::from);
        let Some(mean) = rows.mean_axis(Axis(0)).filter(|mean| !mean.is_empty()) else {
            return Err(Error::input("there are no rows to analyse"));
        };
        rows -= &mean;
        let rms = (rows.iter().map(|value| value * value).sum::<f64>() / rows.len() as f64).sqrt();
        let scale = if rms > 0.0 { rms } else { 1.0 };
        rows /= scale;
        Ok(Self { rows, mean, scale })
    }

    /// Points of the scaled space (k × columns) in the units of the data.
    pub fn unscale(&self, points: &Array2<f64>) -> Array2<f64> {
        points * self.scale + &self.mean
    }
}
