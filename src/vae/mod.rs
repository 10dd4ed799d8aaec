//! The variational autoencoder as burn modules, and its objective.
//!
//! Kingma and Welling, "Auto-Encoding Variational Bayes" (ICLR 2014). All tensors are in scaled
//! units; rows are the first axis.

mod generate;
mod layers;
mod likelihood;
mod near;
mod network;
mod objective;
mod ops;
mod prior;

pub(crate) use generate::check_samples;
pub use generate::{Latents, Model};
pub use network::{Posterior, Vae};
pub use objective::{Losses, losses};
pub use prior::{LearnedPrior, MixturePrior, VampPrior};

use burn::tensor::{Device, Tensor, TensorData};
use ndarray::{Array2, ArrayView2};

use crate::error::{Error, Result};

/// Copies rows to a device.
pub fn to_tensor(rows: ArrayView2<f32>, device: &Device) -> Tensor<2> {
    let values: Vec<f32> = rows.iter().copied().collect();
    Tensor::from_data(TensorData::new(values, [rows.nrows(), rows.ncols()]), device)
}

/// Copies a tensor back from its device.
///
/// # Errors
/// Where the device fails to give it back.
pub fn to_vec<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>> {
    let lost = |error: String| Error::device(format!("reading from the device: {error}"));
    let data = tensor.try_into_data().map_err(|error| lost(format!("{error:?}")))?;
    data.try_into_vec().map_err(|error| lost(format!("{error:?}")))
}

/// Copies a matrix back from its device.
///
/// # Errors
/// As [`to_vec`].
pub fn to_array(tensor: Tensor<2>) -> Result<Array2<f32>> {
    let [rows, columns] = tensor.dims();
    Array2::from_shape_vec((rows, columns), to_vec(tensor)?)
        .map_err(|error| Error::failed(format!("reading from the device: {error}")))
}
