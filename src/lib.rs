//! modescope trains a variational autoencoder on numeric data, on any GPU through wgpu or on the
//! CPU, draws samples from it, and says which modes of the data it learned, which it lost and why.
//!
//! Data flows one way through the rooms of this crate, in the order of a run:
//!
//! ```text
//! data ──► vae + train ──► sample ──► audit ──► plot ──► report
//!              ▲                        ▲
//!    device, model, fused          knn, tsne
//! ```
//!
//! [`run`] strings them together into stages that write one run folder; [`cli`] is the command
//! line over it.

#![deny(unsafe_code)]
#![warn(missing_docs)]

pub mod audit;
pub mod cli;
pub mod config;
pub mod data;
pub mod device;
pub mod error;
pub mod files;
pub mod fused;
pub mod history;
pub mod input;
mod knn;
pub mod model;
pub mod plot;
mod product;
pub mod random;
pub mod report;
pub mod run;
pub mod server;
#[cfg(test)]
mod shaders;
pub mod train;
pub mod tsne;
pub mod vae;
pub mod workload;
