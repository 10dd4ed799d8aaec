//! A random order without a table.

use pulp::Arch;

use super::{Generator, LANES};

/// Rounds of a [`Shuffle`].
const SHUFFLE_ROUNDS: usize = 32;

/// A bijection of `0..rows`: the swap-or-not shuffle of Hoang, Morris and Rogaway, "An Enciphering
/// Scheme Based on a Card Shuffle" (CRYPTO 2012), with 32 rounds whose coins come from a hash in
/// place of a cipher. It needs no table, so a GPU finds the row of any place by itself.
#[derive(Clone, Debug)]
pub struct Shuffle {
    rows: u32,
    /// Offset of the pairing and key of the coins, for each round.
    rounds: [[u32; 2]; SHUFFLE_ROUNDS],
}

impl Shuffle {
    /// The row at `place`, which must be below the number of rows.
    pub fn row(&self, place: usize) -> usize {
        let [row] = self.rows_at([place as u32]);
        row as usize
    }

    /// Sets `out` to the rows at the places from `first`, all of which must be below their number.
    pub fn fill(&self, first: usize, out: &mut [u32]) {
        let last = self.rows.saturating_sub(1);
        Arch::new().dispatch(
            #[inline(always)]
            || {
                for (chunk, out) in out.chunks_mut(LANES).enumerate() {
                    let first = (first + chunk * LANES) as u32;
                    let places = std::array::from_fn(|lane| last.min(first + lane as u32));
                    let rows: [u32; LANES] = self.rows_at(places);
                    out.copy_from_slice(&rows[..out.len()]);
                }
            },
        );
    }

    #[inline(always)]
    fn rows_at<const N: usize>(&self, places: [u32; N]) -> [u32; N] {
        let mut rows = places;
        for [offset, key] in self.rounds {
            for row in &mut rows {
                // Both of a pair see the same partner sum, so both swap or neither.
                let sum = offset + (self.rows - *row);
                let partner = if sum < self.rows { sum } else { sum - self.rows };
                let swaps = hash((*row).max(partner) ^ key) >> 31 == 1;
                *row = if swaps { partner } else { *row };
            }
        }
        rows
    }
}

/// A hash of 32 bits to 32 bits that passes avalanche tests: "lowbias32" of Wellons, "Prospecting for
/// Hash Functions" (2018).
#[inline(always)]
fn hash(mut word: u32) -> u32 {
    word ^= word >> 16;
    word = word.wrapping_mul(0x7FEB_352D);
    word ^= word >> 15;
    word = word.wrapping_mul(0x846C_A68B);
    word ^ (word >> 16)
}

impl Generator {
    /// A random order of `0..rows` that is computed place by place.
    ///
    /// # Panics
    /// Where there are more than 2³¹ rows.
    pub fn shuffle(&self, rows: usize) -> Shuffle {
        assert!(rows <= 1 << 31, "a shuffle of {rows} rows");
        let rows = rows as u32;
        let mut rounds = [[0; 2]; SHUFFLE_ROUNDS];
        for (block, pair) in rounds.chunks_exact_mut(2).enumerate() {
            let words = self.words(block as u32);
            let offset = |word: u32| ((u64::from(word) * u64::from(rows)) >> 32) as u32;
            pair[0] = [offset(words[0]), words[1]];
            pair[1] = [offset(words[2]), words[3]];
        }
        Shuffle { rows, rounds }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Stream;

    #[test]
    fn a_shuffle_is_a_bijection_for_every_number_of_rows() {
        for rows in (1..200).chain([1000, 4097]) {
            let shuffle = Generator::new(1, Stream::Shuffle, rows as u64).shuffle(rows);
            let mut found: Vec<usize> = (0..rows).map(|place| shuffle.row(place)).collect();
            let mut filled = vec![0; rows - rows / 3];
            shuffle.fill(rows / 3, &mut filled);
            let filled = filled.into_iter().map(|row| row as usize);
            assert!(filled.eq(found[rows / 3..].iter().copied()), "{rows} rows");
            found.sort_unstable();
            assert!(found.into_iter().eq(0..rows), "{rows} rows");
        }
    }

    /// χ² of how often each row comes to each place.
    #[test]
    fn a_shuffle_favours_no_row_at_any_place() {
        const ROWS: usize = 13;
        const TIMES: u64 = 13_000;
        let mut counts = [[0_u32; ROWS]; ROWS];
        let mut neighbours = 0;
        for epoch in 0..TIMES {
            let shuffle = Generator::new(5, Stream::Shuffle, epoch).shuffle(ROWS);
            let order: Vec<usize> = (0..ROWS).map(|place| shuffle.row(place)).collect();
            order.iter().zip(&mut counts).for_each(|(&row, counts)| counts[row] += 1);
            neighbours += order.windows(2).filter(|pair| pair[1] == pair[0] + 1).count();
        }
        let expected = TIMES as f64 / ROWS as f64;
        let chi2: f64 = counts
            .as_flattened()
            .iter()
            .map(|&n| (f64::from(n) - expected).powi(2) / expected)
            .sum();
        // (13 − 1)² degrees of freedom: mean 144, standard deviation √288 = 17.
        assert!((chi2 - 144.0).abs() < 4.0 * 17.0, "{chi2}");
        // A row is followed by its successor (n − 1)/n times an order, with variance near 1.
        let mean = neighbours as f64 / TIMES as f64;
        assert!((mean - 12.0 / 13.0).abs() < 4.0 / (TIMES as f64).sqrt(), "{mean}");
    }
}
