//! What a model is, whoever computes it: its shapes, the layout of its parameters in one flat vector, and
//! how it is written and read.
//!
//! Everything that trains or evaluates a model reads this room; it knows nothing of how.

mod architecture;
mod card;
mod parameters;
mod saved;
mod state;
mod tensor_file;

pub use architecture::{
    Architecture, LOG_VARIANCE_RANGE, PRIOR_LOG_VARIANCE_RANGE, Role, SMALLEST_VARIANCE, TensorSpec,
};
pub use card::{ModelCard, Objective, Prior};
pub use parameters::Parameters;
pub use saved::SavedModel;
pub use state::TrainingState;
pub use tensor_file::TensorFile;

/// A latent unit is active where the variance over the data of its posterior mean exceeds this
/// (Burda, Grosse and Salakhutdinov, "Importance Weighted Autoencoders", ICLR 2016).
pub const ACTIVE_UNIT_VARIANCE: f64 = 0.01;
