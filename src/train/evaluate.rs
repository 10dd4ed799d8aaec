//! What is measured after each epoch, in evaluation mode.

use burn::tensor::{Device, Tensor};
use ndarray::{Array2, ArrayView2};

use crate::error::Result;
use crate::model::{ACTIVE_UNIT_VARIANCE, ModelCard};
use crate::random::{Generator, Stream};
use crate::vae::{Vae, to_tensor, to_vec};

/// Training rows that the count of active units looks at: enough for a variance.
const ACTIVITY_ROWS: usize = 256;
/// Rows evaluated at once, which bounds memory.
const CHUNK: usize = 4096;

/// The rows that every epoch's model is measured on, kept on the device.
pub(super) struct Evaluation<'a> {
    card: &'a ModelCard,
    rows: Tensor<2>,
    held_out: Option<Tensor<2>>,
}

/// A model as measured.
pub(super) struct Measured {
    /// Variance of the likelihood in scaled units, mean over the columns.
    pub variance: f64,
    pub active_units: usize,
    /// Nats a row in the data's own units.
    pub held_out_elbo: Option<f64>,
}

impl<'a> Evaluation<'a> {
    pub(super) fn new(
        card: &'a ModelCard,
        rows: ArrayView2<f32>,
        held_out: ArrayView2<f32>,
        device: &Device,
    ) -> Self {
        let first = rows.nrows().min(ACTIVITY_ROWS);
        Self {
            card,
            rows: to_tensor(rows.slice(ndarray::s![..first, ..]), device),
            held_out: (held_out.nrows() > 0).then(|| to_tensor(held_out, device)),
        }
    }

    pub(super) fn measure(&self, model: &Vae, epoch: usize) -> Result<Measured> {
        let log_sigma = model.log_sigma().map(to_vec).transpose()?.unwrap_or_default();
        let variances = self.card.architecture.likelihood_variances(&log_sigma);
        let held_out = self.held_out.as_ref();
        Ok(Measured {
            variance: self.card.architecture.mean_variance(&log_sigma),
            active_units: self.active_units(model)?,
            held_out_elbo: held_out
                .map(|rows| self.elbo(model, rows, &variances, epoch))
                .transpose()?,
        })
    }

    fn active_units(&self, model: &Vae) -> Result<usize> {
        let variances =
            to_vec(model.encode(self.rows.clone()).mean.var_bias(0).flatten::<1>(0, 1))?;
        Ok(variances.iter().filter(|&&variance| f64::from(variance) > ACTIVE_UNIT_VARIANCE).count())
    }

    /// The evidence lower bound by one posterior draw a row (Kingma and Welling 2014, eq. 7), under
    /// the prior of training.
    fn elbo(&self, model: &Vae, rows: &Tensor<2>, variances: &[f64], epoch: usize) -> Result<f64> {
        let [n, features] = rows.dims();
        let latent = self.card.architecture.latent;
        let mut noise = Array2::zeros((n, latent));
        if let Some(values) = noise.as_slice_mut() {
            Generator::new(self.card.seed, Stream::HeldOutNoise, epoch as u64).normal(values);
        }
        let (mut squares, mut kl) = (vec![0.0; features], 0.0);
        for start in (0..n).step_by(CHUNK) {
            let count = CHUNK.min(n - start);
            let x = rows.clone().narrow(0, start, count);
            let draws = to_tensor(noise.slice(ndarray::s![start..start + count, ..]), &x.device());
            let posterior = model.encode(x.clone());
            let z = posterior.sample(draws.clone());
            let square = (x - model.decode(z.clone())).square().sum_dim(0).flatten::<1>(0, 1);
            let terms = to_vec(Tensor::cat(vec![square, model.kl(&posterior, z, draws)], 0))?;
            squares.iter_mut().zip(&terms).for_each(|(sum, &square)| *sum += f64::from(square));
            kl += f64::from(terms[features]) * count as f64;
        }
        let n = n as f64;
        let of_column = |(square, variance): (&f64, &f64)| {
            -0.5 * (square / (variance * n) + (std::f64::consts::TAU * variance).ln())
        };
        let log_likelihood: f64 = squares.iter().zip(variances).map(of_column).sum();
        Ok(log_likelihood - kl / n - self.card.scaling.log_jacobian())
    }
}
