use ndarray::{Array2, array};

use super::*;
use crate::audit::words::Standing;
use crate::data::Labels;
use crate::random::{Generator, Stream};

/// Gaussians with unit covariances at these places of the plane, with these weights.
fn mixture(modes: &[(f64, [f64; 2])]) -> Mixture {
    let unit = vec![vec![1.0, 0.0], vec![0.0, 1.0]];
    let (weights, means) = modes.iter().map(|(weight, mean)| (*weight, mean.to_vec())).unzip();
    Mixture::new(weights, means, vec![unit; modes.len()]).unwrap()
}

fn two() -> Mixture {
    mixture(&[(0.5, [0.0, 0.0]), (0.5, [20.0, 0.0])])
}

fn table(rows: Array2<f32>, labels: Option<Labels>) -> Table {
    Table::new(vec!["a".into(), "b".into()], rows, labels).unwrap()
}

/// Rows of a mixture without their labels.
fn draw(mixture: &Mixture, rows: usize, step: u64) -> Table {
    table(mixture.draw(rows, 7, step).rows().to_owned(), None)
}

fn audited(real: &Table, generated: &Table, truth: Option<&Mixture>) -> SamplesAudit {
    let samples = Samples { truth, ..Samples::new(real, generated.rows()) };
    let options = Options { max_clusters: 3, restarts: 1, rows: 200, seed: 1 };
    audit(samples, options, &|| ()).unwrap().audit
}

/// What the audit says against its reference, which is not trusted exactly where it says something.
fn doubt_of(real: &Table, truth: Option<&Mixture>) -> Option<String> {
    let reference = audited(real, &draw(&two(), 400, 2), truth).reference;
    assert_eq!(reference.trusted, reference.doubt.is_none());
    reference.doubt
}

#[test]
fn the_mixture_that_drew_the_rows_is_trusted() {
    let (truth, real) = (two(), draw(&two(), 400, 1));
    assert_eq!(doubt_of(&real, Some(&truth)), None);
    let found = audited(&real, &draw(&truth, 400, 2), Some(&truth));
    assert_eq!((found.counts.strict, found.ceiling.counts.strict), (2, 2));
    assert_eq!((found.reference.checked, found.reference.close), (2, 0));
    // A Gaussian over both modes has its rows between and beyond them.
    assert_eq!(found.floor.counts.strict, 0);
}

#[test]
fn a_mixture_that_did_not_draw_the_rows_is_not() {
    let real = draw(&two(), 400, 1);
    let elsewhere = mixture(&[(0.5, [0.0, 9.0]), (0.5, [20.0, 9.0])]);
    assert_eq!(
        doubt_of(&real, Some(&elsewhere)).unwrap(),
        "only 0% of the real rows lie near a component of the given mixture, so they were not drawn \
         from it"
    );
    let more = mixture(&[(0.4, [0.0, 0.0]), (0.4, [20.0, 0.0]), (0.2, [0.0, 20.0])]);
    assert_eq!(
        doubt_of(&real, Some(&more)).unwrap(),
        "the real rows themselves lack mode 2 of the given mixture, so they were not drawn from it"
    );
}

#[test]
fn rows_that_are_all_equal_have_no_modes() {
    let same = table(Array2::from_elem((200, 2), 1.5), None);
    assert_eq!(
        doubt_of(&same, None).unwrap(),
        "all real rows are equal, so there are no modes to tell apart"
    );
}

/// Of 80 rows 40 are kept out of the fit, and each mode has 20 of them.
#[test]
fn a_fit_is_trusted_only_where_enough_rows_were_kept_out_of_it() {
    assert_eq!(
        doubt_of(&draw(&two(), 80, 1), None).unwrap(),
        "40 real rows kept out of the fit are too few to check that its modes are there, which takes \
         50 rows of a mode; give more real rows, labels, or the mixture itself"
    );
    let found = audited(&draw(&two(), 400, 1), &draw(&two(), 400, 2), None);
    assert_eq!(found.reference.doubt, None);
    assert_eq!((found.reference.k, found.reference.checked), (2, 2));
    assert_eq!((found.reference.real_rows, found.reference.fresh_rows), (200, 200));
    assert_eq!((found.baseline, found.counts.strict), (None, 2));
}

/// Labels need no such check, but their Gaussians must fit the other half: that of rows as far out as
/// e⁹ does not.
#[test]
fn labels_are_trusted_where_they_are_gaussians() {
    let drawn = two().draw(600, 7, 1);
    let few = drawn.select(&(0..80).collect::<Vec<_>>());
    for real in [&drawn, &few] {
        let real = table(real.rows().to_owned(), real.labels().cloned());
        assert_eq!(doubt_of(&real, None), None);
    }
    let mut rows = drawn.rows().to_owned();
    rows.mapv_inplace(|value| (3.0 * value.min(3.0)).exp());
    let skewed = table(rows, drawn.labels().cloned());
    let doubt = doubt_of(&skewed, None).unwrap();
    assert!(doubt.starts_with("real rows kept out of the fit do not pass: mode "), "{doubt}");
}

/// Of 1200 generated rows 300 are compared, so another order compares others: two estimates of one
/// figure, whose intervals meet. Of 300 all are, so that only the folds of the classifier change.
#[test]
fn the_order_of_generated_rows_does_not_matter() {
    let (truth, real) = (two(), draw(&two(), 300, 1));
    let uneven = mixture(&[(0.9, [0.0, 0.5]), (0.1, [20.0, 0.0])]);
    for rows in [300, 1200] {
        let generated = draw(&uneven, rows, 2);
        let order = Generator::new(3, Stream::Subset, 9).permutation(rows);
        let [first, second] = [generated.clone(), generated.select(&order)]
            .map(|generated| audited(&real, &generated, Some(&truth)));
        assert_eq!(first.counts, second.counts);
        assert_eq!(first.reference, second.reference);
        let figures = |audit: &SamplesAudit| {
            [audit.metrics.coverage.generated, audit.metrics.c2st_accuracy.generated]
        };
        let (first, second) = (figures(&first), figures(&second));
        if rows == 300 {
            assert_eq!(first[0], second[0]);
        }
        for (first, second) in first.into_iter().zip(second) {
            let ([low, high], [other_low, other_high]) = (first.interval, second.interval);
            assert!(low <= other_high && other_low <= high, "{first:?} {second:?}");
        }
    }
}

/// The real rows given out again, those that the reference was not fitted to too.
#[test]
fn copies_quality_and_moments_are_of_all_rows() {
    let real = draw(&two(), 400, 1);
    let found = audited(&real, &real, None);
    assert_eq!((found.metrics.rows, found.structure.generated_rows), (200, 200));
    assert_eq!(found.metrics.copies.generated, Estimate::share(400, 400));
    assert_eq!(found.metrics.copies.real, Estimate::share(0, 200));
    let near = found.modes.iter().map(|mode| mode.mode.found).sum();
    assert_eq!(found.metrics.high_quality.generated, Estimate::share(near, 400));
    assert_eq!(found.structure.spread_ratio, Some(1.0));
    let mean = real.rows().column(0).iter().copied().map(f64::from).sum::<f64>() / 400.0;
    assert!((found.structure.columns[0].real_mean - mean).abs() < 1e-12);
    assert_eq!(found.structure.columns[0].generated_mean, found.structure.columns[0].real_mean);
}

/// Of 200 labelled rows a half is fitted, ten of a label, in 300 columns: another half of the same rows lies
/// far outside.
#[test]
fn labels_with_too_few_rows_for_their_columns_are_not_judged_by() {
    let mut noise = vec![0.0; 400 * 300];
    Generator::new(3, Stream::MixtureRows, 0).normal(&mut noise);
    let rows = Array2::from_shape_vec((400, 300), noise).unwrap();
    let (real, generated) = rows.view().split_at(ndarray::Axis(0), 200);
    let labels = Labels {
        column: "kind".into(),
        names: (0..10).map(|label| label.to_string()).collect(),
        of_row: (0..200).map(|row| row % 10).collect(),
    };
    let columns: Vec<String> = (0..300).map(|column| format!("x{column}")).collect();
    let real = Table::new(columns, real.to_owned(), Some(labels)).unwrap();
    let samples = Samples::new(&real, generated);
    let options = Options { max_clusters: 2, restarts: 1, rows: 50, seed: 1 };
    let reference = audit(samples, options, &|| ()).unwrap().audit.reference;
    let doubt = reference.doubt.unwrap();
    assert!(doubt.contains("so the 100 that were fitted are too few for 10 modes"), "{doubt}");
}

/// Rows of two Gaussians, of which a tenth are one and the same row between them.
#[test]
fn a_row_that_repeats_is_judged_apart() {
    let with = |step: u64, copies: usize| {
        let drawn = draw(&two(), 2000, step);
        let mut rows = drawn.rows().to_owned();
        rows.rows_mut().into_iter().take(copies).for_each(|mut row| row.assign(&array![10.0, 5.0]));
        table(rows, None)
    };
    let real = with(1, 200);
    let fresh = audited(&real, &with(2, 200), None);
    assert_eq!(fresh.counts.strict, 2);
    let repeated = fresh.repeated.unwrap();
    assert_eq!((repeated.rows.as_slice(), repeated.copies), ([vec![10.0, 5.0]].as_slice(), 0.1));
    assert!(!repeated.are_lost());
    // The modes of what has none of them, or far too many, are as they are in the data.
    for copies in [0, 600] {
        let lost = audited(&real, &with(2, copies), None);
        assert_eq!(lost.counts.strict, 2);
        assert!(lost.repeated.clone().unwrap().are_lost());
        let findings = Findings::new(Some(lost), OfModel::default(), Vec::new());
        assert_eq!(findings.learned, Standing::Fair);
        assert!(findings.verdict.contains("10.0% of the real rows are one row over and over"));
    }
    // Of a generator that knows nothing else every mode is missing.
    let lost = audited(&real, &with(2, 2000), None);
    assert_eq!((lost.counts.missing, lost.repeated.as_ref().unwrap().are_lost()), (2, true));
    // Where the real rows are hardly anything else, that is what is judged.
    assert_eq!(audited(&with(1, 1990), &with(2, 1990), None).repeated, None);
    // Copies of everything are none of one row.
    let twice = draw(&two(), 40, 1);
    let many: Vec<usize> = (0..1000).map(|row| row % 40).collect();
    assert_eq!(audited(&twice.select(&many), &with(2, 0), None).repeated, None);
}
