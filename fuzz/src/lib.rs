//! What the targets share with the tests.

#[path = "../../tests/common/readers.rs"]
mod readers;

pub use readers::call;
