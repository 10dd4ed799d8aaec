//! Which rows are held out, and which rows each training step sees.

use crate::random::{Generator, Stream};

/// Divides `0..rows` at random into training and held-out rows. Both are in random order, so the
/// first so many of either are a fair sample, whatever the order of the file.
///
/// `round(rows · held_out)` rows are held out: at least 1 where `held_out` > 0 and there are 3 rows
/// or more, and never so many that fewer than 2 are left to train on.
pub fn split(rows: usize, held_out: f64, seed: u64) -> (Vec<usize>, Vec<usize>) {
    let count = if held_out > 0.0 && rows >= 3 {
        ((rows as f64 * held_out).round() as usize).clamp(1, rows - 2)
    } else {
        0
    };
    let mut held_out = Generator::new(seed, Stream::Split, 0).permutation(rows);
    let training = held_out.split_off(count);
    (training, held_out)
}

/// The order in which an epoch visits `0..rows`.
pub fn epoch_order(rows: usize, seed: u64, epoch: u64) -> Vec<usize> {
    let mut order = vec![0; rows];
    Generator::new(seed, Stream::Shuffle, epoch).shuffle(rows).fill(0, &mut order);
    order.into_iter().map(|row| row as usize).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_split_holds_every_row_once_in_no_order() {
        let (training, held_out) = split(1000, 0.1, 3);
        assert_eq!((training.len(), held_out.len()), (900, 100));
        assert!(!training.is_sorted() && !held_out.is_sorted());
        let mut all = [training, held_out].concat();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..1000));
    }

    #[test]
    fn a_split_rounds_and_leaves_a_row_on_each_side() {
        let sizes = |rows, share| {
            let (training, held_out) = split(rows, share, 1);
            (training.len(), held_out.len())
        };
        assert_eq!(sizes(15, 0.1), (13, 2));
        assert_eq!(sizes(14, 0.1), (13, 1));
        assert_eq!(sizes(3, 0.1), (2, 1));
        assert_eq!(sizes(2, 0.9), (2, 0));
        assert_eq!(sizes(3, 0.9), (2, 1));
        assert_eq!(sizes(1, 0.5), (1, 0));
        assert_eq!(sizes(0, 0.5), (0, 0));
        assert_eq!(sizes(100, 0.0), (100, 0));
    }

    #[test]
    fn a_split_depends_on_the_seed_alone_and_favours_no_row() {
        assert_eq!(split(50, 0.2, 9), split(50, 0.2, 9));
        let mut times = [0_u32; 20];
        for seed in 0..2000 {
            split(20, 0.25, seed).1.into_iter().for_each(|row| times[row] += 1);
        }
        // 500 expected, standard deviation √(2000 · ¼ · ¾) = 19.4.
        assert!(times.iter().all(|&n| n.abs_diff(500) < 90), "{times:?}");
    }

    #[test]
    fn an_epoch_visits_every_row_once_in_an_order_of_its_own() {
        let mut order = epoch_order(100, 1, 0);
        assert_ne!(order, epoch_order(100, 1, 1));
        assert_ne!(order, epoch_order(100, 2, 0));
        order.sort_unstable();
        assert!(order.into_iter().eq(0..100));
        assert!(epoch_order(0, 1, 0).is_empty());
    }
}
