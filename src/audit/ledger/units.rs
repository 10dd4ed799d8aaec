//! What places and widths of modes are measured in, column by column.

use ndarray::{Array1, ArrayView2, Axis};

use super::rows::{Group, Hidden, Shape};
use crate::audit::subset::subset;
use crate::data::{Mixture, mixed_deviations};

/// Rows that the widths of fitted modes are measured on at most.
const MOST_MEASURED: usize = 20_000;

/// The units that places and widths are measured in, given the variance within modes of each column: those
/// of the data, or, where modes are wide in some columns and narrow in others as if these had other units,
/// their standard deviation in each, so that no column hides another. A column in which modes have no width
/// does not count: its unit is infinite.
pub(super) fn units(within: &[f64]) -> Array1<f64> {
    let deviations: Vec<f64> = within.iter().map(|variance| variance.sqrt()).collect();
    if deviations.iter().all(|&own| own == 0.0) {
        return Array1::ones(within.len());
    }
    let own = mixed_deviations(&deviations).is_some();
    let unit = |deviation: f64| match deviation > 0.0 {
        true if own => deviation,
        true => 1.0,
        false => f64::INFINITY,
    };
    deviations.into_iter().map(unit).collect()
}

/// As [`units`], of a mixture that was fitted to `rows` (n × D) with what is `hidden` in them.
pub(super) fn units_of_fit(
    mixture: &Mixture,
    rows: ArrayView2<f32>,
    hidden: &Hidden,
) -> Array1<f64> {
    let rows = rows.select(Axis(0), &subset(rows.nrows(), MOST_MEASURED));
    let ones = Array1::ones(rows.ncols());
    let mut squares = Array1::zeros(rows.ncols());
    for group in Group::all(mixture, rows.view(), f64::INFINITY) {
        if let Some(shape) = Shape::new(group.rows.view(), &ones) {
            squares += &shape.squares();
        }
    }
    let within = squares / rows.nrows() as f64;
    let columns = || within.iter().enumerate();
    // What is hidden would be most of a smaller width, and hide what other columns show.
    let mut wide: Vec<f64> = columns()
        .map(|(column, &within)| if within > hidden.of(column) { within } else { 0.0 })
        .collect();
    if wide.iter().all(|&within| within == 0.0) {
        wide = columns().map(|(column, _)| hidden.of(column)).collect();
    }
    units(&wide)
}
