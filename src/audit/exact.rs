//! Rows that are equal in every column.

use std::hash::{Hash, Hasher};

use ndarray::ArrayView1;

/// A row as a key of a set: equal to another where all their values are. The two zeros are one value.
pub(super) struct Exact<'a>(pub(super) ArrayView1<'a, f32>);

impl Exact<'_> {
    fn bits(&self) -> impl Iterator<Item = u32> {
        // Adding zero makes one zero of the two.
        self.0.iter().map(|value| (value + 0.0).to_bits())
    }
}

impl PartialEq for Exact<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.bits().eq(other.bits())
    }
}

impl Eq for Exact<'_> {}

impl Hash for Exact<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.bits().for_each(|bits| state.write_u32(bits));
    }
}
