//! What generated rows and latents look like: clusters and the choice of k, mixtures by BIC, latent
//! units and spread. Works on plain arrays, so it serves any generator.
//!
//! Everything here is a pure function of its arguments: seeds are given, sums run in a fixed order,
//! and the number of threads never changes a result.

pub mod answers;
pub mod bic;
pub mod clusters;
pub mod counts;
pub mod findings;
pub mod kmeans;
pub mod latent;
pub(crate) mod scaled;
pub mod silhouette;
pub mod spread;
