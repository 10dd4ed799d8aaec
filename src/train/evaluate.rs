//! What is measured after each epoch, in evaluation mode.

use burn::tensor::{Device, Tensor};
use ndarray::{Array2, ArrayView2};

use crate::error::Result;
use crate::model::{ACTIVE_UNIT_VARIANCE, ModelCard};
use crate::random::{Generator, Stream};
use crate::vae::{Vae, kl_standard_normal, to_tensor, to_vec};

/// Training rows that the count of active units looks at: enough for a variance.
const ACTIVITY_ROWS: usize = 1000;
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
    /// Variance of the likelihood in scaled units.
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
        let sigma = model.log_sigma().map(to_vec).transpose()?.map(|values| values[0].exp());
        let variance = self.card.likelihood_variance(sigma);
        let held_out = self.held_out.as_ref();
        Ok(Measured {
            variance,
            active_units: self.active_units(model)?,
            held_out_elbo: held_out
                .map(|rows| self.elbo(model, rows, variance, epoch))
                .transpose()?,
        })
    }

    fn active_units(&self, model: &Vae) -> Result<usize> {
        let variances =
            to_vec(model.encode(self.rows.clone()).mean.var_bias(0).flatten::<1>(0, 1))?;
        Ok(variances.iter().filter(|&&variance| f64::from(variance) > ACTIVE_UNIT_VARIANCE).count())
    }

    /// The evidence lower bound by one posterior draw a row (Kingma and Welling 2014, eq. 7).
    fn elbo(&self, model: &Vae, rows: &Tensor<2>, variance: f64, epoch: usize) -> Result<f64> {
        let [n, features] = rows.dims();
        let latent = self.card.architecture.latent;
        let mut noise = Array2::zeros((n, latent));
        if let Some(values) = noise.as_slice_mut() {
            Generator::new(self.card.seed, Stream::HeldOutNoise, epoch as u64).normal(values);
        }
        let (mut squares, mut kl) = (0.0, 0.0);
        for start in (0..n).step_by(CHUNK) {
            let count = CHUNK.min(n - start);
            let x = rows.clone().narrow(0, start, count);
            let draws = noise.slice(ndarray::s![start..start + count, ..]);
            let posterior = model.encode(x.clone());
            let z = posterior.sample(to_tensor(draws, &x.device()));
            let square = (x - model.decode(z)).square().sum();
            let terms = to_vec(Tensor::cat(vec![square, kl_standard_normal(&posterior)], 0))?;
            squares += f64::from(terms[0]);
            kl += f64::from(terms[1]) * count as f64;
        }
        let n = n as f64;
        let log_normaliser = 0.5 * features as f64 * (std::f64::consts::TAU * variance).ln();
        let log_likelihood = -squares / (2.0 * variance * n) - log_normaliser;
        Ok(log_likelihood - kl / n - self.card.scaling.log_jacobian())
    }
}
