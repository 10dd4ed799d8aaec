//! Every analysis of the audit, and all of it: 10 000 real and as many generated rows in 3
//! dimensions. What looks at neighbours also with 100 000 rows on each side, in 3 and 10 dimensions.
//!
//! `cargo bench --bench audit`; `scripts/audit_peers.py` holds the times against those of other
//! programs on the same rows.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use modescope::audit::bic::{MOST, choose_components};
use modescope::audit::clusters::{choose_k, fit};
use modescope::audit::distances::{energy_distance, sliced_wasserstein};
use modescope::audit::ledger::Ledger;
use modescope::audit::neighbours::neighbourhoods;
use modescope::audit::preflight::certify;
use modescope::audit::samples::{Options, Samples, audit};
use modescope::audit::two_sample::two_sample_accuracy;
use modescope::config::{AnalysisSettings, MixtureSettings};
use modescope::data::{Mixture, Table};
use ndarray::{Array2, s};

const ROWS: usize = 10_000;
const MANY_ROWS: usize = 100_000;
const SEED: u64 = 1;
/// Of the recipe `classic` in 3 dimensions: the smaller, the longer the certificate takes.
const WEIGHT_OF_THE_SQUARED_ERROR: f64 = 1.0 / 96.0;

/// Rows of `modescope mixture --seed 1`: real ones first, then as many generated ones.
struct Data {
    mixture: Mixture,
    real: Table,
    generated: Array2<f32>,
}

impl Data {
    fn new(rows: usize, dimensions: usize) -> Self {
        let settings = MixtureSettings { rows: 2 * rows, dimensions, ..MixtureSettings::default() };
        let mixture = Mixture::generate(&settings, SEED).expect("a mixture");
        let all = mixture.draw(2 * rows, SEED, 0);
        let real = all.rows().slice(s![..rows, ..]).to_owned();
        let real = Table::new(all.columns().to_vec(), real, None).expect("a table");
        let generated = all.rows().slice(s![rows.., ..]).to_owned();
        Self { mixture, real, generated }
    }

    /// The whole audit as `modescope audit` makes it.
    fn audit(&self, truth: Option<&Mixture>) {
        let samples = Samples { truth, ..Samples::new(&self.real, self.generated.view()) };
        let options = Options { seed: SEED, ..Options::default() };
        black_box(audit(samples, options, &|| ()).expect("an audit"));
    }
}

fn analyses(criterion: &mut Criterion) {
    let data = Data::new(ROWS, 3);
    let (real, generated) = (data.real.rows(), data.generated.view());
    let first = real.slice(s![..1000, ..]);
    let ledger = || Ledger::new(data.mixture.clone(), Vec::new(), ROWS, SEED);
    let built = ledger();
    let mut group = criterion.benchmark_group("audit");
    group.sample_size(10);
    let AnalysisSettings { max_clusters, restarts, .. } = AnalysisSettings::default();
    let mut bench = |name: &str, run: &dyn Fn()| {
        group.bench_function(name, |bencher| bencher.iter(run));
    };
    bench("mode ledger, built", &|| {
        black_box(ledger());
    });
    bench("mode ledger, judged", &|| {
        black_box(built.judge(generated));
    });
    bench("precision, recall, density, coverage", &|| {
        black_box(neighbourhoods(real, generated).expect("enough rows"));
    });
    bench("energy distance", &|| {
        black_box(energy_distance(real, generated).expect("enough rows"));
    });
    bench("sliced Wasserstein distance", &|| {
        black_box(sliced_wasserstein(real, generated, SEED).expect("enough rows"));
    });
    bench("two-sample accuracy", &|| {
        black_box(two_sample_accuracy(real, generated, SEED).expect("enough rows"));
    });
    bench("mixture by BIC", &|| {
        black_box(choose_components(real, MOST, SEED).expect("a fit"));
    });
    bench("choice of k, 1000 rows", &|| {
        black_box(choose_k(first, max_clusters, restarts, SEED, &|| ()).expect("a choice"));
    });
    bench("K-means and silhouettes", &|| {
        let ks: Vec<usize> = (2..=10).collect();
        black_box(fit(real, &ks, 10, SEED).expect("a fit"));
    });
    bench("pre-flight", &|| {
        black_box(certify(real, WEIGHT_OF_THE_SQUARED_ERROR).expect("a certificate"));
    });
    bench("all, mixture given", &|| data.audit(Some(&data.mixture)));
    bench("all, nothing given", &|| data.audit(None));
}

fn neighbours(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("neighbours");
    group.sample_size(10);
    for dimensions in [3, 10] {
        let data = Data::new(MANY_ROWS, dimensions);
        let (real, generated) = (data.real.rows(), data.generated.view());
        let name = |what: &str| format!("{what}, {MANY_ROWS} × {dimensions}");
        group.bench_function(name("precision, recall, density, coverage"), |bencher| {
            bencher.iter(|| black_box(neighbourhoods(real, generated).expect("enough rows")));
        });
        group.bench_function(name("two-sample accuracy"), |bencher| {
            let accuracy = || two_sample_accuracy(real, generated, SEED).expect("enough rows");
            bencher.iter(|| black_box(accuracy()));
        });
        group.bench_function(name("sliced Wasserstein distance"), |bencher| {
            let distance = || sliced_wasserstein(real, generated, SEED).expect("enough rows");
            bencher.iter(|| black_box(distance()));
        });
    }
}

criterion_group!(benches, analyses, neighbours);
criterion_main!(benches);
