//! Adam, clipping and the moving average. Twin of `shaders/update.wgsl` and `shaders/norm.wgsl`.

use pulp::{Arch, Simd, WithSimd};

use super::layout::Layout;
use crate::config::TrainingSettings;
use crate::fused::{Adam, Update};
use crate::model::TrainingState;
use crate::product::Buffer;

/// What the optimiser keeps of a member.
#[derive(Clone, Debug)]
pub(super) struct Moments {
    first: Buffer,
    second: Buffer,
    average: Option<Buffer>,
}

impl Moments {
    pub(super) fn new(layout: &Layout, start: &TrainingState, averages: bool) -> Self {
        let average = start.average.as_ref().unwrap_or(&start.parameters.values);
        Self {
            first: layout.arrange(&start.first_moments),
            second: layout.arrange(&start.second_moments),
            average: averages.then(|| layout.arrange(average)),
        }
    }

    pub(super) fn first(&self) -> &Buffer {
        &self.first
    }

    pub(super) fn second(&self) -> &Buffer {
        &self.second
    }

    /// The averaged parameters, where there are any.
    pub(super) fn average(&self) -> Option<&Buffer> {
        self.average.as_ref()
    }
}

/// One step of Adam (Kingma and Ba, "Adam", ICLR 2015, algorithm 1) with this learning rate, after
/// shortening the gradient where the settings want that.
pub(super) fn update(
    arch: Arch,
    settings: &TrainingSettings,
    factors: Update,
    rate: f32,
    gradient: &Buffer,
    parameters: &mut Buffer,
    moments: &mut Moments,
) {
    let scale = settings.gradient_clip.map_or(1.0, |limit| {
        let square: f64 = gradient.iter().map(|&g| f64::from(g).powi(2)).sum();
        (limit / square.sqrt().max(f64::from(f32::MIN_POSITIVE))).min(1.0) as f32
    });
    let (first, second) = (&mut moments.first, &mut moments.second);
    let adam = Adam::new(settings);
    arch.dispatch(Descent { adam, factors, rate, scale, gradient, parameters, first, second });
    if let Some(average) = &mut moments.average {
        for (average, parameter) in average.iter_mut().zip(parameters.iter()) {
            *average += factors.average_share * (parameter - *average);
        }
    }
}

struct Descent<'a> {
    adam: Adam,
    factors: Update,
    rate: f32,
    /// What the gradient is multiplied by.
    scale: f32,
    gradient: &'a [f32],
    parameters: &'a mut [f32],
    first: &'a mut [f32],
    second: &'a mut [f32],
}

impl WithSimd for Descent<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Adam { first_decay, first_share, second_decay, second_share, epsilon } = self.adam;
        let step = self.rate * self.factors.first_correction;
        let values = self.parameters.iter_mut().zip(self.gradient);
        let moments = self.first.iter_mut().zip(self.second);
        for ((parameter, gradient), (first, second)) in values.zip(moments) {
            let gradient = gradient * self.scale;
            *first = flushed(first_decay * *first + first_share * gradient);
            *second = flushed(second_decay * *second + second_share * gradient * gradient);
            let deviation = (*second * self.factors.second_correction).sqrt();
            *parameter -= step * *first / (deviation + epsilon);
        }
    }
}

/// Zero in the place of a subnormal number, as GPUs may have it. The moments of a unit that no row
/// activates decay to such numbers, which processors compute with slowly.
#[inline(always)]
fn flushed(value: f32) -> f32 {
    if value.abs() < f32::MIN_POSITIVE { 0.0 } else { value }
}
