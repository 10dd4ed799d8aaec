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
//! use modescope::config::{AnalysisSettings, MixtureSettings};
//! use modescope::data::Mixture;
//! use ndarray::ArrayView2;
//!
//! # fn main() -> modescope::error::Result<()> {
//! let truth = Mixture::generate(&MixtureSettings::default(), 1)?;
//! let (real, generated) = (truth.draw(400, 1, 0), truth.draw(2000, 1, 1));
//! let samples = Samples {
//!     real: &real,
//!     held_out: ArrayView2::from_shape((0, 3), &[]).unwrap(),
//!     generated: generated.rows(),
//!     truth: Some(&truth),
//! };
//! let options = Options::new(&AnalysisSettings::default(), 1);
//! let findings = audit(samples, options, &|| ())?.into_findings();
//! assert!(findings.answer().starts_with("Yes"));
//! # Ok(())
//! # }
//! ```

#![deny(unsafe_code)]
#![warn(missing_docs)]

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
