//! The sample z and its KL divergence. Twin of `shaders/posterior.wgsl`.

use std::f32::consts::TAU;

use pulp::{Arch, Simd, WithSimd};

use super::block::{Block, PriorSums};
use super::layout::Layout;
use crate::config::PosteriorVariance;
use crate::fused::{MixturePrior, Network};
use crate::model::{LOG_VARIANCE_RANGE, PRIOR_LOG_VARIANCE_RANGE, SMALLEST_VARIANCE};
use crate::product::math::{exp, sigmoid};
use crate::product::{Buffer, Panels};

/// The variance of one latent unit's posterior.
pub(super) struct Variance {
    pub(super) log: f32,
    pub(super) variance: f32,
    /// ∂log / ∂head.
    pub(super) slope: f32,
}

impl Variance {
    /// What the encoder's head `h` means.
    pub(super) fn of(head: f32, kind: PosteriorVariance) -> Self {
        match kind {
            PosteriorVariance::Exp => {
                let (low, high) = LOG_VARIANCE_RANGE;
                let log = head.clamp(low, high);
                let inside = (low..=high).contains(&head);
                Self { log, variance: exp(log), slope: f32::from(inside) }
            }
            PosteriorVariance::Softplus => {
                let half = 0.5 * head;
                // ln(1 + eˣ) without overflow.
                let softplus = half.max(0.0) + (-half.abs()).exp().ln_1p();
                let variance = softplus.max(SMALLEST_VARIANCE);
                let slope =
                    if softplus < SMALLEST_VARIANCE { 0.0 } else { 0.5 * sigmoid(half) / variance };
                Self { log: variance.ln(), variance, slope }
            }
        }
    }
}

/// Components of the prior, filled up to whole registers with components of weight 0.
pub(super) fn padded_components(network: &Network) -> usize {
    network.prior.map_or(0, |prior| Panels::new(prior.components).columns())
}

/// A mixture prior as its densities need it, unit by unit and component after component.
#[derive(Clone, Debug)]
pub(super) struct MixtureTerms {
    components: usize,
    padded: usize,
    /// m, latent × padded.
    means: Buffer,
    /// e⁻ˢ for log-variances s, latent × padded.
    precisions: Buffer,
    /// 1 where s is within its range, 0 where it is held at an end; latent × padded.
    free: Buffer,
    /// ln w − ½ Σ s.
    constants: Buffer,
    /// w.
    weights: Buffer,
}

impl MixtureTerms {
    /// Room for the prior of this network; nothing for N(0, I).
    pub(super) fn new(network: &Network) -> Option<Self> {
        let (padded, prior) = (padded_components(network), network.prior?);
        let of_units = || Buffer::zeros(network.latent * padded);
        let mut constants = Buffer::zeros(padded);
        constants[prior.components..].fill(f32::MIN);
        Some(Self {
            components: prior.components,
            padded,
            means: of_units(),
            precisions: of_units(),
            free: of_units(),
            constants,
            weights: Buffer::zeros(padded),
        })
    }

    /// Takes in the parameters as they stand.
    pub(super) fn prepare(&mut self, network: &Network, layout: &Layout, parameters: &[f32]) {
        let (Some(prior), latent) = (network.prior, network.latent) else { return };
        let of = |flat, len| &parameters[layout.of_rest(flat)..][..len];
        let means = of(prior.means, self.components * latent);
        let log_variances = of(prior.log_variances, self.components * latent);
        let logits = of(prior.logits, self.components);
        let largest = logits.iter().copied().fold(f32::MIN, f32::max);
        let log_sum = logits.iter().map(|logit| exp(logit - largest)).sum::<f32>().ln();
        let (low, high) = PRIOR_LOG_VARIANCE_RANGE;
        for k in 0..self.components {
            let log_weight = logits[k] - largest - log_sum;
            self.weights[k] = exp(log_weight);
            self.constants[k] = log_weight;
            for unit in 0..latent {
                let s = log_variances[k * latent + unit];
                let place = unit * self.padded + k;
                self.means[place] = means[k * latent + unit];
                self.precisions[place] = exp(-s.clamp(low, high));
                self.free[place] = f32::from((low..=high).contains(&s));
                self.constants[k] -= 0.5 * s.clamp(low, high);
            }
        }
    }

    /// Sets the gradient of `share` × (the sum over the rows of −ln p(z)) with respect to the prior's
    /// parameters, given the `sums` of `rows` rows.
    pub(super) fn gradients(
        &self,
        prior: &MixturePrior,
        layout: &Layout,
        (sums, rows): (&PriorSums, usize),
        share: f32,
        gradient: &mut [f32],
    ) {
        let latent = self.means.len() / self.padded;
        for k in 0..self.components {
            let expected = rows as f32 * self.weights[k];
            gradient[layout.of_rest(prior.logits + k)] = share * (expected - sums.weights[k]);
            for unit in 0..latent {
                let (ours, flat) = (unit * self.padded + k, k * latent + unit);
                gradient[layout.of_rest(prior.means + flat)] = share * sums.means[ours];
                gradient[layout.of_rest(prior.log_variances + flat)] =
                    share * sums.log_variances[ours] * self.free[ours];
            }
        }
    }
}

/// ln p(z). Sets `slope` to −∂ln p/∂z and adds to `sums` what the parameters' gradients need.
struct LogDensity<'a> {
    prior: &'a MixtureTerms,
    z: &'a [f32],
    slope: &'a mut [f32],
    sums: &'a mut PriorSums,
}

impl WithSimd for LogDensity<'_> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> f32 {
        let Self { prior, z, slope, sums } = self;
        let n = prior.padded;
        let terms = &mut sums.terms[..n];
        terms.copy_from_slice(&prior.constants[..n]);
        for (z, (means, precisions)) in
            z.iter().zip(prior.means.chunks_exact(n).zip(prior.precisions.chunks_exact(n)))
        {
            for k in 0..n {
                let distance = z - means[k];
                terms[k] -= 0.5 * distance * distance * precisions[k];
            }
        }
        let largest = fold(terms, f32::MIN, larger);
        for term in &mut *terms {
            *term = exp(*term - largest);
        }
        let sum = fold(terms, 0.0, add);
        let (share, weights) = (1.0 / sum, &mut sums.weights[..n]);
        for k in 0..n {
            terms[k] *= share;
            weights[k] += terms[k];
        }
        let of_units = prior.means.chunks_exact(n).zip(prior.precisions.chunks_exact(n));
        let of_sums = sums.means.chunks_exact_mut(n).zip(sums.log_variances.chunks_exact_mut(n));
        for (((z, slope), (means, precisions)), (of_means, of_variances)) in
            z.iter().zip(slope).zip(of_units).zip(of_sums)
        {
            let mut slopes = [0.0; LANES];
            let columns = terms.chunks_exact(LANES).zip(means.chunks_exact(LANES)).zip(
                precisions.chunks_exact(LANES).zip(
                    of_means.chunks_exact_mut(LANES).zip(of_variances.chunks_exact_mut(LANES)),
                ),
            );
            for ((terms, means), (precisions, (of_means, of_variances))) in columns {
                for lane in 0..LANES {
                    let distance = z - means[lane];
                    let pull = terms[lane] * distance * precisions[lane];
                    slopes[lane] += pull;
                    of_means[lane] -= pull;
                    of_variances[lane] += 0.5 * (terms[lane] - pull * distance);
                }
            }
            *slope = slopes.iter().sum();
        }
        largest + sum.ln() - 0.5 * z.len() as f32 * TAU.ln()
    }
}

/// Values that sums are kept apart for, so that SIMD of any width gives the same sum.
const LANES: usize = 16;

/// Folds lane by lane, and then the lanes.
#[inline(always)]
fn fold(values: &[f32], start: f32, fold: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [start; LANES];
    for chunk in values.chunks_exact(LANES) {
        for lane in 0..LANES {
            lanes[lane] = fold(lanes[lane], chunk[lane]);
        }
    }
    lanes.into_iter().fold(start, fold)
}

#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

#[inline(always)]
fn add(a: f32, b: f32) -> f32 {
    a + b
}

/// z = μ + √v·ε for every row of the block, and the sum of its KL divergences: exact from N(0, I), by
/// the draw from a mixture. With a mixture, keeps the block's −∂ln p/∂z for the backward
/// pass.
pub(super) fn posterior(
    arch: Arch,
    network: &Network,
    prior: Option<&MixtureTerms>,
    block: &mut Block,
) {
    let latent = network.latent;
    block.kl = 0.0;
    block.prior.clear();
    let Some(output) = block.encoder.last() else { return };
    for row in 0..block.count {
        let (mean, head) = output.output.row(row, 2 * latent).split_at(latent);
        let noise = &block.noise[row * latent..][..latent];
        let z = block.latents.row_mut(row, latent);
        let (mut log_q, mut kl) = (0.0, 0.0);
        for unit in 0..latent {
            let Variance { log, variance, .. } =
                Variance::of(head[unit], network.posterior_variance);
            z[unit] = mean[unit] + exp(0.5 * log) * noise[unit];
            kl += 0.5 * (mean[unit] * mean[unit] + variance - log - 1.0);
            log_q -= 0.5 * (log + noise[unit] * noise[unit] + TAU.ln());
        }
        if let Some(prior) = prior {
            let slope = block.prior_slope.row_mut(row, latent);
            let sums = &mut block.prior;
            kl = log_q - arch.dispatch(LogDensity { prior, z, slope, sums });
        }
        block.kl += f64::from(kl);
    }
}
