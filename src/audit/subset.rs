//! Which rows an analysis looks at that is too costly for all of them.

use crate::random::{Generator, Stream};

/// The ascending indices of at most `at_most` of `n` rows: all, or a random choice that is the same
/// for every seed of the run.
///
/// Neither the first rows nor every tenth one would do: rows may be sorted or take turns by mode.
pub fn subset(n: usize, at_most: usize) -> Vec<usize> {
    if n <= at_most {
        return (0..n).collect();
    }
    let mut rows = Generator::new(0, Stream::Subset, 0).permutation(n);
    rows.truncate(at_most);
    rows.sort_unstable();
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subset_is_all_rows_or_a_spread_of_them() {
        assert_eq!(subset(4, 4), [0, 1, 2, 3]);
        let some = subset(1000, 100);
        assert_eq!(some.len(), 100);
        assert!(some.windows(2).all(|pair| pair[0] < pair[1]));
        // 50 of 100 with a standard deviation of 4.7.
        let early = some.iter().filter(|&&row| row < 500).count();
        assert!((31..=69).contains(&early), "{early}");
    }
}
