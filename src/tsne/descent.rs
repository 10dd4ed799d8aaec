//! Gradient descent of t-SNE's Kullback–Leibler divergence.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::affinities::Affinities;
use super::kernel;
use super::repulsion::Repulsion;

/// Neighbours side by side.
const LANES: usize = 8;
/// Epochs that are enough for most tables.
pub const EPOCHS: usize = 1000;
/// Barnes–Hut's accuracy, see [`Repulsion::new`].
const THETA: f32 = 0.5;
/// The accuracy of the divergence that is told at the end.
const FINAL_THETA: f32 = 0.1;
/// How much attraction is exaggerated at first.
const EXAGGERATION: f32 = 12.0;
/// Least learning rate: scikit-learn's.
const LEAST_RATE: f32 = 50.0;
const EARLY_MOMENTUM: f32 = 0.5;
const LATE_MOMENTUM: f32 = 0.8;
/// How the rate of a coordinate grows where it still goes downhill, how it shrinks where it goes
/// uphill, and its least (Jacobs 1988).
const GAIN_STEP: f32 = 0.2;
const GAIN_DECAY: f32 = 0.8;
const LEAST_GAIN: f32 = 0.01;

/// A point of the layout in motion.
#[derive(Clone, Copy)]
struct Point {
    velocity: [f32; 2],
    gains: [f32; 2],
}

/// How an epoch moves.
#[derive(Clone, Copy)]
struct Phase {
    exaggeration: f32,
    momentum: f32,
    rate: f32,
}

/// The layout that the descent from `start` ends at, and its divergence in nats. The learning rate is
/// rows over exaggeration (Belkina et al. 2019), of a gradient with its factor 4, which they leave out.
pub(super) fn descend(
    affinities: &Affinities,
    start: Vec<[f32; 2]>,
    epochs: usize,
    mut progress: impl FnMut(usize),
) -> (Vec<[f32; 2]>, f64) {
    let rate = |exaggeration: f32| (start.len() as f32 / exaggeration).max(LEAST_RATE);
    let early =
        Phase { exaggeration: EXAGGERATION, momentum: EARLY_MOMENTUM, rate: rate(EXAGGERATION) };
    let late = Phase { exaggeration: 1.0, momentum: LATE_MOMENTUM, rate: rate(1.0) };
    let (arch, mut done) = (Arch::new(), 0);
    let mut repulsion = Repulsion::new(start.len(), THETA);
    let (mut layout, mut next) = (start.clone(), start);
    for (phase, epochs) in [(early, epochs / 4), (late, epochs - epochs / 4)] {
        // Each phase starts from rest, as scikit-learn's does.
        let mut points = vec![Point { velocity: [0.0; 2], gains: [1.0; 2] }; layout.len()];
        for _ in 0..epochs {
            let kernels = repulsion.update(&layout) as f32;
            let moving = points.par_iter_mut().zip(&mut next).enumerate().with_min_len(64);
            moving.for_each(|(row, (point, next))| {
                let (columns, shares) = affinities.of_row(row);
                let (layout, own) = (&layout[..], layout[row]);
                let pull = arch.dispatch(Attraction { layout, own, columns, shares });
                let push = repulsion.force(row);
                for axis in 0..2 {
                    let gradient = 4.0 * (phase.exaggeration * pull[axis] - push[axis] / kernels);
                    next[axis] = own[axis] + point.step(axis, gradient, phase);
                }
            });
            std::mem::swap(&mut layout, &mut next);
            centre(&mut layout);
            done += 1;
            progress(done);
        }
    }
    let kernels = Repulsion::new(layout.len(), FINAL_THETA).update(&layout);
    let divergence = divergence(affinities, &layout, kernels);
    (layout, divergence)
}

impl Point {
    /// How far it goes along an axis.
    fn step(&mut self, axis: usize, gradient: f32, phase: Phase) -> f32 {
        let (velocity, gain) = (&mut self.velocity[axis], &mut self.gains[axis]);
        let uphill = (gradient > 0.0) == (*velocity > 0.0);
        // A coin that a processor cannot foresee, so both are computed.
        let (shrunk, grown) = ((*gain * GAIN_DECAY).max(LEAST_GAIN), *gain + GAIN_STEP);
        *gain = std::hint::select_unpredictable(uphill, shrunk, grown);
        *velocity = phase.momentum * *velocity - phase.rate * *gain * gradient;
        *velocity
    }
}

/// The attraction Σⱼ pᵢⱼ k (yᵢ − yⱼ) of a row, several neighbours side by side.
struct Attraction<'a> {
    layout: &'a [[f32; 2]],
    own: [f32; 2],
    columns: &'a [u32],
    shares: &'a [f32],
}

impl WithSimd for Attraction<'_> {
    type Output = [f32; 2];

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> [f32; 2] {
        let mut sums = [[0.0; LANES]; 2];
        let (columns, last_columns) = self.columns.as_chunks::<LANES>();
        let (shares, last_shares) = self.shares.as_chunks::<LANES>();
        for (columns, shares) in columns.iter().zip(shares) {
            let mut others = [[0.0; 2]; LANES];
            for (other, &column) in others.iter_mut().zip(columns) {
                *other = self.layout[column as usize];
            }
            for lane in 0..LANES {
                let (kernel, [dx, dy]) = kernel(self.own, others[lane]);
                sums[0][lane] += shares[lane] * kernel * dx;
                sums[1][lane] += shares[lane] * kernel * dy;
            }
        }
        let mut sums = sums.map(|lanes| lanes.iter().sum());
        for (&column, share) in last_columns.iter().zip(last_shares) {
            let (kernel, [dx, dy]) = kernel(self.own, self.layout[column as usize]);
            sums[0] += share * kernel * dx;
            sums[1] += share * kernel * dy;
        }
        sums
    }
}

fn centre(layout: &mut [[f32; 2]]) {
    let mut sum = [0.0_f64; 2];
    for point in &*layout {
        sum[0] += f64::from(point[0]);
        sum[1] += f64::from(point[1]);
    }
    let mean = sum.map(|sum| (sum / layout.len() as f64) as f32);
    for point in layout {
        point[0] -= mean[0];
        point[1] -= mean[1];
    }
}

/// KL(P ‖ Q) of a layout whose kernels sum to `kernels` over all pairs.
fn divergence(affinities: &Affinities, layout: &[[f32; 2]], kernels: f64) -> f64 {
    let of_row = |row: usize| {
        let (columns, shares) = affinities.of_row(row);
        let of_pair = |(&column, &share): (&u32, &f32)| {
            let (kernel, _) = kernel(layout[row], layout[column as usize]);
            let (p, q) = (f64::from(share), f64::from(kernel) / kernels);
            if p > 0.0 { p * (p / q).ln() } else { 0.0 }
        };
        columns.iter().zip(shares).map(of_pair).sum::<f64>()
    };
    let rows = (0..layout.len()).into_par_iter().with_min_len(256);
    let of_rows: Vec<f64> = rows.map(of_row).collect();
    of_rows.iter().sum()
}
