//! The audit: which modes of the data generated rows hold, which are lost, and why.
//!
//! [`samples::audit`] judges the rows of any generator: it finds the modes ([`mod@reference`]), counts
//! them ([`ledger`]), and measures distances ([`metrics`]) and clusters ([`structure`]). Where the
//! model is at hand, [`latent`] and [`cause`] say why a mode was lost. [`findings`] is what
//! `audit.json` holds, [`markdown`] and [`words`] put it into words.
//!
//! Works on plain arrays, so it serves any generator.
//!
//! Everything here is a pure function of its arguments: seeds are given, sums run in a fixed order,
//! and the number of threads never changes a result.

pub mod answers;
mod beside;
pub mod bic;
pub mod cause;
pub mod clusters;
pub mod distances;
pub mod divergence;
pub mod eigen;
pub mod em;
pub mod estimate;
mod exact;
pub mod findings;
pub mod hdbscan;
pub mod k_rules;
pub mod kmeans;
pub mod latent;
pub mod ledger;
mod lloyd;
pub mod markdown;
pub mod metrics;
pub mod neighbours;
pub mod overfitting;
pub mod preflight;
pub mod reference;
pub mod repeated;
pub mod samples;
pub mod silhouette;
pub mod spread;
pub mod structure;
pub mod subset;
pub mod two_sample;
pub mod words;
