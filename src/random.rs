//! The counter-based random generator and its named streams.
//!
//! Every draw of the program is a pure function of `(seed, stream, step, element)`, so
//! results depend neither on the number of threads nor on what was drawn before, and a resumed run
//! needs no generator state. The function is Philox4x32-10 of Salmon, Moraes, Dror and Shaw,
//! "Parallel random numbers: as easy as 1, 2, 3" (SC 2011).

mod normal;
mod shuffle;

pub use shuffle::Shuffle;

use std::convert::Infallible;

use normal::box_muller;
use pulp::{Arch, Simd, WithSimd};
use rand::TryRng;

const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
const ROUNDS: usize = 10;
/// Draws that are made side by side, for SIMD.
const LANES: usize = 16;

/// Philox4x32-10: one block of four random words from a counter and a key.
pub fn philox4x32(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    philox_lanes(counter.map(|word| [word]), key).map(|[word]| word)
}

/// The blocks of N counters side by side, for SIMD.
#[inline(always)]
fn philox_lanes<const N: usize>(mut words: [[u32; N]; 4], key: [u32; 2]) -> [[u32; N]; 4] {
    let [mut k0, mut k1] = key;
    for _ in 0..ROUNDS {
        let [first, second, third, fourth] = &mut words;
        for (((c0, c1), c2), c3) in first.iter_mut().zip(second).zip(third).zip(fourth) {
            let low = u64::from(*c0) * u64::from(MULTIPLIERS[0]);
            let high = u64::from(*c2) * u64::from(MULTIPLIERS[1]);
            *c0 = (high >> 32) as u32 ^ *c1 ^ k0;
            *c1 = high as u32;
            *c2 = (low >> 32) as u32 ^ *c3 ^ k1;
            *c3 = low as u32;
        }
        k0 = k0.wrapping_add(WEYL[0]);
        k1 = k1.wrapping_add(WEYL[1]);
    }
    words
}

/// What a draw is for. Streams never overlap, so adding one changes no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Stream {
    /// Initial weights; the step is the index of the parameter tensor.
    Weights = 1,
    /// Order of the rows; the step is the epoch.
    Shuffle = 2,
    /// Noise of the reparameterised posterior sample; the step is the epoch, an element is
    /// `position in the epoch × latent + unit`.
    PosteriorNoise = 3,
    /// Noise of the posterior sample on held-out rows.
    HeldOutNoise = 4,
    /// Draws from the prior when sampling.
    PriorDraw = 5,
    /// Observation noise when sampling.
    ObservationNoise = 6,
    /// Means, weights and covariances of a generated mixture.
    MixtureShape = 7,
    /// Rows of a generated mixture; the step tells the training, held-out and further sets apart.
    MixtureRows = 8,
    /// Which rows are held out.
    Split = 9,
    /// Seeds of the clustering restarts.
    Clustering = 10,
    /// Directions of the sliced Wasserstein distance; the step is the direction.
    Directions = 11,
    /// Counts drawn again for an interval; the step is the draw.
    Bootstrap = 12,
    /// Order of the rows in the two-sample test.
    TwoSample = 13,
    /// Reference sets of the gap statistic; the step is the set.
    GapReference = 14,
    /// Which rows a costly analysis looks at.
    Subset = 15,
    /// Latents of the importance-sampled likelihood; the step is the chunk.
    ImportanceDraw = 16,
    /// Posterior draws that are decoded; the step is the chunk.
    PosteriorDraw = 17,
    /// Observation noise on decoded posterior draws.
    PosteriorObservation = 18,
    /// Posterior draws that a prior is fitted to; the step is the chunk.
    PriorFit = 19,
    /// Seeds of further trainings on the same data; the step is the training.
    Restart = 20,
    /// Which rows of a table that memory does not hold are held out or looked at.
    StreamedRows = 21,
    /// Order of the parts of such a table; the step is the pass.
    Parts = 22,
    /// Seed of samples drawn after a run, which are to be others than its own.
    FurtherSamples = 23,
    /// The start of an iteration for eigenvalues.
    Eigenvalues = 24,
}

/// The generator of one stream at one step.
///
/// [`words`](Self::words), [`uniform`](Self::uniform) and [`normal`](Self::normal) address elements
/// directly; [`draws`](Self::draws) serves libraries that expect a sequence.
#[derive(Clone, Copy, Debug)]
pub struct Generator {
    key: [u32; 2],
    stream: u32,
    step: u64,
}

impl Generator {
    /// The generator for `seed`, `stream` and `step`.
    pub fn new(seed: u64, stream: Stream, step: u64) -> Self {
        Self { key: [seed as u32, (seed >> 32) as u32], stream: stream as u32, step }
    }

    /// The block of four random words with this index.
    pub fn words(&self, block: u32) -> [u32; 4] {
        self.words_of([block]).map(|[word]| word)
    }

    #[inline(always)]
    fn words_of<const N: usize>(&self, blocks: [u32; N]) -> [[u32; N]; 4] {
        let step = [self.step as u32, (self.step >> 32) as u32].map(|word| [word; N]);
        philox_lanes([blocks, step[0], step[1], [self.stream; N]], self.key)
    }

    /// A seed of 53 bits, which every reader of JSON and TOML keeps.
    pub fn seed(&self) -> u64 {
        let words = self.words(0);
        (u64::from(words[0]) << 21) | u64::from(words[1] >> 11)
    }

    /// Fills `out` with uniform draws from `[0, 1)` in steps of 2⁻²⁴; element `i` depends on `i`
    /// alone.
    pub fn uniform(&self, out: &mut [f32]) {
        for (block, chunk) in out.chunks_mut(4).enumerate() {
            for (value, word) in chunk.iter_mut().zip(self.words(block as u32)) {
                *value = unit(word);
            }
        }
    }

    /// Fills `out` with standard normal draws by the Box–Muller transform; element `i` depends on
    /// `i` alone.
    pub fn normal(&self, out: &mut [f32]) {
        self.normal_from(0, out);
    }

    /// As [`normal`](Self::normal), but `out` begins with element `first`. Elements repeat after 2³⁴: of one
    /// step nobody draws so many.
    pub fn normal_from(&self, first: usize, out: &mut [f32]) {
        let (mut block, skip) = ((first / 4) as u32, first % 4);
        let begun = if skip == 0 { 0 } else { (4 - skip).min(out.len()) };
        let (head, rest) = out.split_at_mut(begun);
        if begun > 0 {
            head.copy_from_slice(&self.normal_blocks([block])[0][skip..][..begun]);
            block = block.wrapping_add(1);
        }
        let (several, rest) = rest.as_chunks_mut::<{ 4 * LANES }>();
        if !several.is_empty() {
            // The same values whatever the SIMD: it rounds each operation as one at a time does.
            Arch::new().dispatch(
                #[inline(always)]
                || {
                    for out in several {
                        let blocks = std::array::from_fn(|lane| block.wrapping_add(lane as u32));
                        let draws: [[f32; 4]; LANES] = self.normal_blocks(blocks);
                        out.copy_from_slice(draws.as_flattened());
                        block = block.wrapping_add(LANES as u32);
                    }
                },
            );
        }
        for out in rest.chunks_mut(4) {
            out.copy_from_slice(&self.normal_blocks([block])[0][..out.len()]);
            block = block.wrapping_add(1);
        }
    }

    /// The four draws of each of these blocks.
    #[inline(always)]
    fn normal_blocks<const N: usize>(&self, blocks: [u32; N]) -> [[f32; 4]; N] {
        let words = self.words_of(blocks);
        let mut draws = [[0.0; 4]; N];
        for (lane, draws) in draws.iter_mut().enumerate() {
            let [a, b] = box_muller(words[0][lane], words[1][lane]);
            let [c, d] = box_muller(words[2][lane], words[3][lane]);
            *draws = [a, b, c, d];
        }
        draws
    }

    /// A random order of `0..n`: Fisher–Yates, every order equally likely up to 2⁻³² per swap.
    pub fn permutation(&self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        let mut draws = self.draws();
        for last in (1..n).rev() {
            let pick = (draws.next_word() as u64 * (last as u64 + 1)) >> 32;
            order.swap(last, pick as usize);
        }
        order
    }

    /// The same words as a sequence, for the `rand` crate's distributions.
    pub fn draws(&self) -> Draws {
        Draws { generator: *self, block: 0, words: [[0; 4]; LANES], used: 4 * LANES }
    }
}

/// The top 24 bits of a word as a number in `[0, 1)`.
#[inline(always)]
fn unit(word: u32) -> f32 {
    (word >> 8) as f32 * (1.0 / 16_777_216.0)
}

/// A [`Generator`] read word after word; see [`Generator::draws`].
#[derive(Clone, Debug)]
pub struct Draws {
    generator: Generator,
    /// The block after those that `words` holds.
    block: u32,
    words: [[u32; 4]; LANES],
    used: usize,
}

impl Draws {
    #[inline]
    fn next_word(&mut self) -> u32 {
        let words = self.words.as_flattened();
        if let Some(&word) = words.get(self.used) {
            self.used += 1;
            return word;
        }
        self.refill();
        self.used = 1;
        self.words[0][0]
    }

    #[cold]
    fn refill(&mut self) {
        let Self { generator, block, .. } = *self;
        let blocks = std::array::from_fn(|lane| block.wrapping_add(lane as u32));
        let words = Arch::new().dispatch(Words { generator, blocks });
        for (lane, block) in self.words.iter_mut().enumerate() {
            *block = words.map(|word| word[lane]);
        }
        self.block = block.wrapping_add(LANES as u32);
    }
}

/// The words of some blocks. Not a closure: in a cold function the compiler leaves its body out of line,
/// compiled without SIMD.
struct Words {
    generator: Generator,
    blocks: [u32; LANES],
}

impl WithSimd for Words {
    type Output = [[u32; LANES]; 4];

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Self::Output {
        self.generator.words_of(self.blocks)
    }
}

impl TryRng for Draws {
    type Error = Infallible;

    #[inline]
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.next_word())
    }

    #[inline]
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let low = u64::from(self.next_word());
        Ok(low | u64::from(self.next_word()) << 32)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(4) {
            let word = self.next_word().to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Known answers of Random123 1.14 (`tests/kat_vectors`, philox4x32 with 10 rounds).
    #[test]
    fn philox_gives_random123s_known_answers() {
        let zeros = philox4x32([0; 4], [0; 2]);
        assert_eq!(zeros, [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        let ones = philox4x32([u32::MAX; 4], [u32::MAX; 2]);
        assert_eq!(ones, [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        let pi = philox4x32(
            [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
            [0xa409_3822, 0x299f_31d0],
        );
        assert_eq!(pi, [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]);
    }

    #[test]
    fn normal_draws_have_the_moments_of_a_standard_normal() {
        let mut draws = vec![0.0; 200_000];
        Generator::new(7, Stream::PosteriorNoise, 3).normal(&mut draws);
        let n = draws.len() as f64;
        let moment = |p: i32| draws.iter().map(|&x| f64::from(x).powi(p)).sum::<f64>() / n;
        // Four standard errors of each sample moment.
        assert!(moment(1).abs() < 4.0 / n.sqrt());
        assert!((moment(2) - 1.0).abs() < 4.0 * (2.0 / n).sqrt());
        assert!(moment(3).abs() < 4.0 * (15.0 / n).sqrt());
        assert!((moment(4) - 3.0).abs() < 4.0 * (96.0 / n).sqrt());
    }

    #[test]
    fn an_element_depends_on_its_index_alone() {
        let generator = Generator::new(1, Stream::Weights, 0);
        let (mut short, mut long) = (vec![0.0; 5], vec![0.0; 50]);
        generator.normal(&mut short);
        generator.normal(&mut long);
        assert_eq!(short[..], long[..5]);
        generator.uniform(&mut short);
        generator.uniform(&mut long);
        assert_eq!(short[..], long[..5]);
    }

    #[test]
    fn draws_are_the_words_of_one_block_after_the_other() {
        let generator = Generator::new(5, Stream::MixtureRows, 2);
        let mut draws = generator.draws();
        let found: Vec<u32> = (0..150).map(|_| draws.next_word()).collect();
        let words: Vec<u32> = (0..38).flat_map(|block| generator.words(block)).collect();
        assert_eq!(found, words[..150]);
    }

    #[test]
    fn normal_draws_can_begin_anywhere() {
        let generator = Generator::new(3, Stream::PosteriorNoise, 1);
        // Block by block, as nothing is drawn side by side.
        let all: Vec<f32> = (0..80).flat_map(|b| generator.normal_blocks([b])[0]).collect();
        for (first, count) in [
            (0, 3),
            (1, 2),
            (3, 9),
            (5, 1),
            (8, 32),
            (7, 0),
            (0, 64),
            (1, 150),
            (3, 70),
            (5, 131),
            (2, 318),
            (64, 256),
        ] {
            let mut part = vec![0.0; count];
            generator.normal_from(first, &mut part);
            assert_eq!(part, all[first..first + count], "{count} from {first}");
        }
    }

    #[test]
    fn a_permutation_holds_every_row_once_and_differs_by_epoch() {
        let order = |epoch| Generator::new(1, Stream::Shuffle, epoch).permutation(1000);
        let mut sorted = order(0);
        assert_ne!(sorted, order(1));
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq(0..1000));
    }
}
