//! An axis: its range and its ticks.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

/// What stands along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scale {
    /// Numbers.
    Linear,
    /// Whole numbers.
    Whole,
    /// Logarithms; positions on the axis are log₁₀ of the values.
    Log,
    /// Nothing: the values have no unit.
    Bare,
}

/// A range with a name, in positions on the axis.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    pub name: String,
    pub lo: f64,
    pub hi: f64,
    pub scale: Scale,
}

/// Values past this are left out like infinite ones: the squares of their spans would be infinite.
const LARGEST: f64 = 1e100;

/// Whether a value can be drawn.
pub(super) fn drawable(value: f64) -> bool {
    value.abs() < LARGEST
}

/// The share of the values at each end that is left out where tails are long.
const TAIL: f64 = 0.005;
/// Tails are long where values span so many times as much as without them.
const LONG: f64 = 3.0;

/// The ends of values, and whether the last half percent at each end lies beyond them, as it does where
/// tails are long. Values that cannot be drawn do not count; nothing where there are no others.
pub(super) fn ends(values: impl IntoIterator<Item = f64>) -> Option<([f64; 2], bool)> {
    let mut values: Vec<f64> = values.into_iter().filter(|value| drawable(*value)).collect();
    values.sort_by(f64::total_cmp);
    let without = |tail: usize| Some([*values.get(tail)?, values[values.len() - 1 - tail]]);
    let (whole, cut) = (without(0)?, without((TAIL * values.len() as f64) as usize)?);
    let span = |[low, high]: [f64; 2]| high - low;
    match span(cut) > 0.0 && span(whole) > LONG * span(cut) {
        true => Some((cut, true)),
        false => Some((whole, false)),
    }
}

impl Axis {
    /// A linear axis over values, with a little space at both ends. Values that cannot be drawn do
    /// not count; a constant gets room around it.
    pub fn over(name: impl Into<String>, values: impl IntoIterator<Item = f64>) -> Self {
        Self::with_scale(name, values, Scale::Linear)
    }

    /// As [`over`](Self::over), without ticks.
    pub fn bare(name: impl Into<String>, values: impl IntoIterator<Item = f64>) -> Self {
        Self::with_scale(name, values, Scale::Bare)
    }

    /// As [`over`](Self::over), with ticks at whole numbers only.
    pub fn whole(name: impl Into<String>, values: impl IntoIterator<Item = f64>) -> Self {
        Self::with_scale(name, values, Scale::Whole)
    }

    /// Logarithmic where all values are positive and span more than a decade, else linear.
    pub fn log_if_wide(name: impl Into<String>, values: &[f64]) -> Self {
        let linear = Self::over("", values.iter().copied());
        let smallest = values.iter().copied().filter(|v| drawable(*v)).fold(f64::MAX, f64::min);
        if smallest > 0.0 && linear.hi / smallest > 10.0 {
            Self::with_scale(name, values.iter().map(|v| v.log10()), Scale::Log)
        } else {
            Self { name: name.into(), ..linear }
        }
    }

    fn with_scale(
        name: impl Into<String>,
        values: impl IntoIterator<Item = f64>,
        scale: Scale,
    ) -> Self {
        let (mut lo, mut hi) = values
            .into_iter()
            .filter(|v| drawable(*v))
            .fold((f64::MAX, f64::MIN), |(lo, hi), v| (lo.min(v), hi.max(v)));
        if lo > hi {
            (lo, hi) = (0.0, 0.0);
        }
        let size = lo.abs().max(hi.abs());
        let space = if hi - lo <= 1e-6 * size { (1e-3 * size).max(0.5) } else { 0.04 * (hi - lo) };
        Self { name: name.into(), lo: lo - space, hi: hi + space, scale }
    }

    /// Whether a position lies on the axis.
    pub fn holds(&self, position: f64) -> bool {
        (self.lo..=self.hi).contains(&position)
    }

    /// Length of the axis.
    pub fn span(&self) -> f64 {
        self.hi - self.lo
    }

    /// The same axis over `span` positions about the same middle.
    pub fn spanning(&self, span: f64) -> Self {
        let middle = self.lo + self.span() / 2.0;
        Self { lo: middle - span / 2.0, hi: middle + span / 2.0, ..self.clone() }
    }

    /// Where a value lies.
    pub fn position(&self, value: f64) -> f64 {
        if self.scale == Scale::Log { value.log10() } else { value }
    }

    /// Positions and labels of about `count` ticks at round numbers.
    pub fn ticks(&self, count: usize) -> Vec<(f64, String)> {
        match self.scale {
            Scale::Bare => Vec::new(),
            Scale::Log => self.log_ticks(count),
            Scale::Linear => self.ticks_every(round_step(self.span() / count.max(1) as f64)),
            Scale::Whole => {
                self.ticks_every(round_step(self.span() / count.max(1) as f64).max(1.0))
            }
        }
    }

    fn ticks_every(&self, step: f64) -> Vec<(f64, String)> {
        let (first, last) = ((self.lo / step).ceil(), (self.hi / step).floor());
        let largest = self.lo.abs().max(self.hi.abs());
        let count = (last - first).clamp(0.0, 50.0) as usize;
        (0..=count)
            .map(|i| (first + i as f64) * step)
            .filter(|at| (self.lo..=self.hi).contains(at))
            .map(|at| (at, label(at, step, largest)))
            .collect()
    }

    fn log_ticks(&self, count: usize) -> Vec<(f64, String)> {
        let decades = self.span();
        let steps: &[f64] = if decades < 1.5 {
            &[1.0, 2.0, 5.0]
        } else if decades < 2.5 {
            &[1.0, 3.0]
        } else {
            &[1.0]
        };
        let stride = (decades / count.max(1) as f64).round().max(1.0) as i32;
        (self.lo.floor() as i32..=self.hi.ceil() as i32)
            .filter(|decade| decade % stride == 0)
            .flat_map(|decade| steps.iter().map(move |step| step * 10f64.powi(decade)))
            .filter(|value| (self.lo..=self.hi).contains(&value.log10()))
            .map(|value| (value.log10(), label(value, value, value)))
            .collect()
    }
}

/// An axis with its ticks chosen, as a coordinate of plotters.
#[derive(Clone)]
pub(super) struct Ticked {
    lo: f64,
    hi: f64,
    ticks: Vec<(f64, String)>,
}

impl Ticked {
    /// An axis with about `count` ticks.
    pub fn new(axis: &Axis, count: usize) -> Self {
        Self { lo: axis.lo, hi: axis.hi, ticks: axis.ticks(count) }
    }
}

impl Ranged for Ticked {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        let along = (value - self.lo) / (self.hi - self.lo);
        from + (along * f64::from(to - from)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() {
            return Vec::new();
        }
        self.ticks.iter().map(|(at, _)| *at).collect()
    }

    fn range(&self) -> Range<f64> {
        self.lo..self.hi
    }
}

impl ValueFormatter<f64> for Ticked {
    fn format_ext(&self, value: &f64) -> String {
        let tick = self.ticks.iter().find(|(at, _)| at == value);
        tick.map(|(_, text)| text.clone()).unwrap_or_default()
    }
}

/// The smallest of 1, 2, 5, 10 times a power of ten that is not much below `step`.
fn round_step(step: f64) -> f64 {
    let power = 10f64.powf(step.log10().floor());
    [1.0, 2.0, 5.0]
        .map(|m| m * power)
        .into_iter()
        .find(|s| *s >= step * 0.7)
        .unwrap_or(10.0 * power)
}

/// A number to three digits.
pub(super) fn rounded(value: f64) -> String {
    let size = value.abs().max(f64::MIN_POSITIVE);
    label(value, 10f64.powf(size.log10().floor() - 2.0), size)
}

/// A number as a tick shows it: with the decimals `step` needs, in powers of ten where `largest`,
/// the largest number on the axis, is large or small.
fn label(value: f64, step: f64, largest: f64) -> String {
    let digit = step.log10().floor() as i32;
    let exponent = largest.log10().floor() as i32;
    let text = if value.abs() < step * 1e-6 {
        "0".to_string()
    } else if (-2..5).contains(&exponent) {
        format!("{value:.*}", (-digit).max(0) as usize)
    } else {
        let decimals = (exponent - digit).max(0) as usize;
        format!("{:.*}e{exponent}", decimals, value / 10f64.powi(exponent))
    };
    text.replace('-', "−")
}
