//! Failures planted in draws from a known mixture, to see whether the audit finds them.

use modescope::audit::ledger::{Ledger, Verdict, one_gaussian};
use modescope::config::MixtureSettings;
use modescope::data::Mixture;
use modescope::random::{Generator, Stream};
use ndarray::{Array2, Axis};
use rand::RngExt as _;

/// High-quality rows that a planted mode is expected to have, at least.
pub const LEAST_EXPECTED: f64 = 200.0;
/// Nearest mean, in standard deviations, that a mode may have to be moved or widened: nearer, the
/// rows that cross the border are the neighbour's.
pub const CLEARANCE: f64 = 6.0;
/// Longest bridge, in standard deviations: on longer ones too few rows are near a mean for the modes
/// to be captured, and under-weighted comes first.
pub const LONGEST_BRIDGE: f64 = 10.0;
/// Rows that the model is taken to be trained on.
pub const TRAINING_ROWS: usize = 1000;
/// Steps of the stream of a mixture's rows.
const TRAINING: u64 = 0;
const GENERATED: u64 = 100;

/// What is done to the draws.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Plant {
    /// Nothing.
    Fresh,
    /// 1000 training rows are given out again and again.
    Memorised,
    /// Up to three modes are left out.
    Dropped,
    /// One mode has this share of its rows.
    Kept(f64),
    /// One mode is moved by so many standard deviations in a random direction.
    Shifted(f64),
    /// The standard deviation of one mode is multiplied.
    Widened(f64),
    /// The rows of a mode and of its nearest neighbour are spread evenly between the two.
    Bridged,
    /// One Gaussian with the moments of both takes the place of a mode and its nearest neighbour.
    Blurred,
    /// One Gaussian about the mean of the data, with this share of its standard deviation.
    Collapsed(f64),
}

/// Where a failure is planted.
#[derive(Clone, Copy, Debug)]
pub struct Conditions {
    /// Means of the mixture are uniform in (−spread, spread).
    pub spread: f64,
    /// Whether planted modes keep the distances above from others.
    pub apart: bool,
    /// Rows to draw.
    pub rows: usize,
}

/// Rows, and what is right for each mode in which a failure was planted, where one verdict is.
pub struct Planted {
    pub rows: Array2<f32>,
    pub right: Vec<(usize, Option<Verdict>)>,
}

/// The mixture of the study: 10 modes in 3 dimensions, means uniform in ±`spread`, identity
/// covariances, random weights.
pub fn mixture(spread: f64, seed: u64) -> Mixture {
    let settings = MixtureSettings { spread, ..MixtureSettings::default() };
    Mixture::generate(&settings, seed).expect("a mixture")
}

/// Draws rows with a failure in them, of the mixture of `seed` that the ledger is of. Nothing where
/// it has no mode to plant it in.
pub fn plant(plant: Plant, conditions: Conditions, ledger: &Ledger, seed: u64) -> Option<Planted> {
    let shares = ledger.expected_high_quality().into_iter();
    let expected = shares.map(|share| share * conditions.rows as f64).collect();
    let site = Site { conditions, mixture: mixture(conditions.spread, seed), expected, seed };
    match plant {
        Plant::Fresh => Some(site.fresh()),
        Plant::Memorised => Some(site.memorised()),
        Plant::Dropped => site.dropped(),
        Plant::Kept(share) => site.kept(share),
        Plant::Shifted(distance) => site.shifted(distance),
        Plant::Widened(factor) => site.widened(factor),
        Plant::Bridged => site.bridged(),
        Plant::Blurred => site.blurred(),
        Plant::Collapsed(share) => Some(site.collapsed(share)),
    }
}

struct Site {
    conditions: Conditions,
    mixture: Mixture,
    /// High-quality rows expected of each mode.
    expected: Vec<f64>,
    seed: u64,
}

impl Site {
    fn fresh(&self) -> Planted {
        Planted { rows: self.draw(&self.mixture), right: self.all(Verdict::Strict) }
    }

    fn memorised(&self) -> Planted {
        let training = self.mixture.draw(TRAINING_ROWS, self.seed, TRAINING);
        let mut source = self.choices(1).draws();
        let chosen: Vec<usize> =
            (0..self.conditions.rows).map(|_| source.random_range(0..TRAINING_ROWS)).collect();
        let rows = training.rows().select(Axis(0), &chosen);
        Planted { rows, right: self.all(Verdict::Strict) }
    }

    fn dropped(&self) -> Option<Planted> {
        let sites: Vec<usize> = self.sites(0.0).into_iter().take(3).collect();
        let weights = (0..self.mixture.components())
            .map(|k| if sites.contains(&k) { 0.0 } else { self.mixture.weights()[k] });
        let changed = self.changed(Some(normalised(weights.collect())), |_, _| {});
        let rows = self.draw(&changed);
        (!sites.is_empty()).then(|| Planted { rows, right: each(&sites, Verdict::Missing) })
    }

    fn kept(&self, share: f64) -> Option<Planted> {
        let site = *self.sites(0.0).first()?;
        let own = self.mixture.weights()[site];
        let others = (1.0 - share * own) / (1.0 - own);
        let weights = self.mixture.weights().iter().enumerate();
        let weights = weights.map(|(k, w)| w * if k == site { share } else { others }).collect();
        let changed = self.changed(Some(weights), |_, _| {});
        let right = if share < 0.5 { Verdict::UnderWeighted } else { Verdict::Strict };
        Some(Planted { rows: self.draw(&changed), right: each(&[site], right) })
    }

    fn shifted(&self, distance: f64) -> Option<Planted> {
        let site = *self.sites(CLEARANCE).first()?;
        let mut normal = vec![0.0_f32; self.mixture.dimensions()];
        self.choices(2).normal(&mut normal);
        let length = normal.iter().map(|x| x * x).sum::<f32>().sqrt();
        let changed = self.changed(None, |means, _| {
            for (value, step) in means[site].iter_mut().zip(&normal) {
                *value += distance * f64::from(step / length);
            }
        });
        Some(Planted { rows: self.draw(&changed), right: each(&[site], Verdict::Shifted) })
    }

    fn widened(&self, factor: f64) -> Option<Planted> {
        let site = *self.sites(CLEARANCE).first()?;
        let changed = self.changed(None, |_, covariances| {
            covariances[site].iter_mut().flatten().for_each(|entry| *entry *= factor * factor);
        });
        let right = if factor > 1.0 { Verdict::Smeared } else { Verdict::Shrunk };
        Some(Planted { rows: self.draw(&changed), right: each(&[site], right) })
    }

    fn bridged(&self) -> Option<Planted> {
        let [site, other] = self.pair()?;
        let table = self.mixture.draw(self.conditions.rows, self.seed, GENERATED);
        let mut rows = table.rows().to_owned();
        let mut source = self.choices(3).draws();
        let means = self.mixture.means();
        for (mut row, &component) in rows.rows_mut().into_iter().zip(&table.labels()?.of_row) {
            let [from, to] = match component {
                k if k == site => [site, other],
                k if k == other => [other, site],
                _ => continue,
            };
            let way: f64 = source.random();
            for (i, value) in row.iter_mut().enumerate() {
                *value += (way * (means[to][i] - means[from][i])) as f32;
            }
        }
        Some(Planted { rows, right: each(&[site, other], Verdict::Merged) })
    }

    fn blurred(&self) -> Option<Planted> {
        let pair = self.pair()?;
        let weights = normalised(pair.map(|k| self.mixture.weights()[k]).to_vec());
        let part = |values: &dyn Fn(usize) -> f64| {
            pair.iter().zip(&weights).map(|(&k, w)| w * values(k)).sum::<f64>()
        };
        let (means, covariances) = (self.mixture.means(), self.mixture.covariances());
        let d = self.mixture.dimensions();
        let mean: Vec<f64> = (0..d).map(|i| part(&|k| means[k][i])).collect();
        let about = |k: usize, i: usize| means[k][i] - mean[i];
        let covariance: Vec<Vec<f64>> = (0..d)
            .map(|i| {
                let entry = |j: usize| part(&|k| covariances[k][i][j] + about(k, i) * about(k, j));
                (0..d).map(entry).collect()
            })
            .collect();
        let changed = self.changed(None, |means, covariances| {
            for k in pair {
                means[k].clone_from(&mean);
                covariances[k].clone_from(&covariance);
            }
        });
        Some(Planted { rows: self.draw(&changed), right: each(&pair, Verdict::Merged) })
    }

    fn collapsed(&self, share: f64) -> Planted {
        let table = self.mixture.draw(self.conditions.rows, self.seed, TRAINING);
        let all = one_gaussian(table.rows()).expect("a Gaussian");
        let covariance = all.covariances()[0].iter();
        let covariance =
            covariance.map(|row| row.iter().map(|x| x * share * share).collect()).collect();
        let blob = Mixture::new(vec![1.0], all.means().to_vec(), vec![covariance]).expect("a blob");
        let rows = self.draw(&blob);
        // What a mode with rows of the blob is called is no matter here.
        let assigned = self.mixture.assign(rows.view());
        let hit = |k: usize| assigned.iter().any(|row| row.component == k);
        let right = self.eligible().map(|k| (k, (!hit(k)).then_some(Verdict::Missing))).collect();
        Planted { rows, right }
    }

    fn draw(&self, mixture: &Mixture) -> Array2<f32> {
        mixture.draw(self.conditions.rows, self.seed, GENERATED).rows().to_owned()
    }

    fn choices(&self, step: u64) -> Generator {
        Generator::new(self.seed, Stream::Subset, step)
    }

    /// By the rule of the audit.
    fn eligible(&self) -> impl Iterator<Item = usize> {
        let large = |k: usize| {
            let weight = self.mixture.weights()[k];
            weight * TRAINING_ROWS as f64 >= 20.0
                && weight * self.conditions.rows as f64 >= 50.0
                && self.expected[k] >= 20.0
        };
        (0..self.mixture.components()).filter(move |&k| large(k))
    }

    fn all(&self, verdict: Verdict) -> Vec<(usize, Option<Verdict>)> {
        each(&self.eligible().collect::<Vec<_>>(), verdict)
    }

    /// Modes large enough to plant a failure in, in a random order, at least so far from any other
    /// where that is asked for.
    fn sites(&self, clearance: f64) -> Vec<usize> {
        let eligible: Vec<usize> = self.eligible().collect();
        let mut sites = self.choices(0).permutation(self.mixture.components());
        sites.retain(|&k| {
            let clear = self.distance(k, self.nearest(k)) >= clearance;
            eligible.contains(&k)
                && self.expected[k] >= LEAST_EXPECTED
                && (clear || !self.conditions.apart)
        });
        sites
    }

    /// A mode and its nearest neighbour, both large enough to plant a failure in.
    fn pair(&self) -> Option<[usize; 2]> {
        let sites = self.sites(0.0);
        let pairs = sites.iter().map(|&k| [k, self.nearest(k)]);
        pairs.into_iter().find(|&[k, other]| {
            let near = (CLEARANCE..=LONGEST_BRIDGE).contains(&self.distance(k, other));
            sites.contains(&other) && (near || !self.conditions.apart)
        })
    }

    /// In standard deviations: the covariances are identities.
    fn distance(&self, a: usize, b: usize) -> f64 {
        let means = self.mixture.means();
        means[a].iter().zip(&means[b]).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
    }

    fn nearest(&self, k: usize) -> usize {
        let others = (0..self.mixture.components()).filter(|&other| other != k);
        others.min_by(|&a, &b| self.distance(k, a).total_cmp(&self.distance(k, b))).unwrap_or(k)
    }

    /// The mixture with other weights, means or covariances.
    fn changed(
        &self,
        weights: Option<Vec<f64>>,
        change: impl FnOnce(&mut Vec<Vec<f64>>, &mut Vec<Vec<Vec<f64>>>),
    ) -> Mixture {
        let mut means = self.mixture.means().to_vec();
        let mut covariances = self.mixture.covariances().to_vec();
        change(&mut means, &mut covariances);
        let weights = weights.unwrap_or_else(|| self.mixture.weights().to_vec());
        Mixture::new(weights, means, covariances).expect("a mixture")
    }
}

fn each(modes: &[usize], verdict: Verdict) -> Vec<(usize, Option<Verdict>)> {
    modes.iter().map(|&k| (k, Some(verdict))).collect()
}

fn normalised(weights: Vec<f64>) -> Vec<f64> {
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / sum).collect()
}
