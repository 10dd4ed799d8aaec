//! How far the values of a column reach, and whether single precision keeps them apart.

use super::rows::Number;

/// Parts of a column's reach of which rounding may take one from a value at most.
const PARTS: f64 = 2048.0;

/// How far the values of a column reach, as they stand in the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) low: f64,
    pub(super) high: f64,
    /// The most that rounding took from or gave to a value.
    rounding: f64,
}

impl Default for Span {
    fn default() -> Self {
        Self { low: f64::INFINITY, high: f64::NEG_INFINITY, rounding: 0.0 }
    }
}

impl Span {
    pub(super) fn take(&mut self, Number { kept, written }: Number) {
        self.low = self.low.min(written);
        self.high = self.high.max(written);
        self.rounding = self.rounding.max((f64::from(kept) - written).abs());
    }

    /// Makes it that of another's values too.
    pub(super) fn extend(&mut self, other: &Self) {
        self.low = self.low.min(other.low);
        self.high = self.high.max(other.high);
        self.rounding = self.rounding.max(other.rounding);
    }

    /// Whether rounding leaves too little of what tells the values apart.
    pub(super) fn is_lost(&self) -> bool {
        self.low < self.high && self.rounding * PARTS > self.high - self.low
    }
}
