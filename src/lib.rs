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
//!
//! # A whole run
//!
//! ```no_run
//! use std::path::Path;
//!
//! use modescope::config::{Layers, Settings};
//! use modescope::run::{Existing, Prepared, Stage, Watch};
//!
//! # fn main() -> modescope::error::Result<()> {
//! let settings = Settings::resolve(&Layers::default())?;
//! let data = Some(Path::new("my.csv"));
//! let run = Prepared::new(data, settings, None, Stage::Report, Watch::nobody())?;
//! let dir = run.claim(Path::new("runs/mine"), Existing::Refuse, Watch::nobody())?;
//! run.execute(&dir, Watch::nobody())?;
//! # Ok(())
//! # }
//! ```
//!
//! # Samples of any generator
//!
//! ```
//! use modescope::audit::samples::{Options, Samples, audit};
//! use modescope::config::MixtureSettings;
//! use modescope::data::{Mixture, Table};
//! use modescope::ndarray::Array2;
//!
//! # fn main() -> modescope::error::Result<()> {
//! // Rows may come from anywhere; the mixture that they were drawn from need not be known.
//! let truth = Mixture::generate(&MixtureSettings::default(), 1)?;
//! let drawn = |rows, step| -> Array2<f32> { truth.draw(rows, 1, step).rows().to_owned() };
//! let real = Table::new(["x", "y", "z"].map(String::from).into(), drawn(400, 0), None)?;
//! let generated = drawn(2000, 1);
//! let samples = Samples { truth: Some(&truth), ..Samples::new(&real, generated.view()) };
//! let findings = audit(samples, Options::default(), &|| ())?.into_findings();
//! assert!(findings.answer().starts_with("Yes"));
//! # Ok(())
//! # }
//! ```

#![deny(unsafe_code)]
#![warn(missing_docs)]

/// Its tensors and devices are in the signatures of models and trainers.
pub use burn;
/// Its arrays are what rows come in.
pub use ndarray;

pub mod audit;
pub mod cli;
pub mod config;
pub mod data;
pub mod device;
pub mod error;
mod files;
pub mod fused;
pub mod history;
mod input;
mod knn;
pub mod model;
pub mod plot;
mod product;
pub mod random;
pub mod report;
pub mod run;
mod server;
#[cfg(test)]
mod shaders;
pub mod train;
pub mod tsne;
pub mod vae;
pub mod workload;
