//! The rooms of modescope that read files: they know no burn.

#![allow(dead_code, unused_imports)] // What rooms share with those that are not here.

#[path = "../../src"]
mod rooms {
    pub mod config;
    pub mod data;
    pub mod error;
    pub mod files;
    pub mod input;
    pub mod model;
    pub mod random;
}

pub use rooms::*;
