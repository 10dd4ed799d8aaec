use super::*;
use crate::audit::estimate::Estimate;
use crate::audit::findings::{Findings, OfModel};
use crate::audit::ledger::{Counts, EligibleCounts};
use crate::audit::metrics::Metric;
use crate::audit::overfitting::Overfitting;
use crate::audit::samples::{Options, Samples, audit};
use crate::data::Mixture;

/// The audit of draws of two modes on a line against the mixture that they are from.
fn perfect() -> SamplesAudit {
    let (means, covariances) = (vec![vec![0.0], vec![20.0]], vec![vec![vec![1.0]]; 2]);
    let truth = Mixture::new(vec![0.5, 0.5], means, covariances).unwrap();
    let [real, generated] = [1, 2].map(|step| truth.draw(300, 7, step));
    let samples = Samples { truth: Some(&truth), ..Samples::new(&real, generated.rows()) };
    let options = Options { max_clusters: 3, restarts: 1, rows: 100, seed: 1 };
    audit(samples, options, &|| ()).unwrap().audit
}

/// So many modes of two, all large enough to judge.
fn counts(captured: usize, strict: usize) -> Counts {
    let missing = 2 - captured;
    let eligible_only = EligibleCounts { modes: 2, captured, strict, missing };
    Counts { modes: 2, captured, strict, missing, eligible_only }
}

fn cause(kind: CauseKind, remedy: Option<&str>) -> Cause {
    Cause { kind, evidence: "evidence".into(), remedy: remedy.map(str::to_owned) }
}

#[test]
fn draws_of_the_truth_are_captured_as_they_are() {
    let audit = perfect();
    assert_eq!(headline(&audit, None), "2 of 2 modes captured, as they are in the data.");
    assert_eq!(
        reference(&audit),
        "The 2 modes are the components of the given mixture; they are held against 300 fresh draws \
         of the given mixture."
    );
    let mut one = audit;
    one.reference.k = 1;
    assert_eq!(
        reference(&one),
        "The one mode is the component of the given mixture; it is held against 300 fresh draws of the \
         given mixture."
    );
}

#[test]
fn samples_stand_as_their_modes_do() {
    let audit = perfect();
    for (strict, standing) in [(2, Standing::Good), (1, Standing::Fair), (0, Standing::Bad)] {
        let mut audit = SamplesAudit { counts: counts(2, strict), ..audit.clone() };
        audit.modes.iter_mut().for_each(|mode| mode.mode.may_be_strict = strict > 0);
        assert_eq!(overall(&audit), standing);
    }
    let mut doubted = audit.clone();
    doubted.reference.trusted = false;
    assert_eq!(overall(&doubted), Standing::Unknown);
    // Most of the data is in a mode that is too small to judge.
    let mut small = SamplesAudit { counts: counts(2, 1), ..audit.clone() };
    small.counts.eligible_only.modes = 1;
    small.modes[1].mode.verdict = Verdict::TooSmall;
    for (weight, standing) in [(0.49, Standing::Unknown), (0.51, Standing::Good)] {
        small.modes[0].mode.weight = weight;
        assert_eq!(overall(&small), standing);
    }
}

#[test]
fn verdicts_that_the_noise_leaves_open_are_neither_yes_nor_no() {
    let mut open = SamplesAudit { counts: counts(2, 0), ..perfect() };
    for audited in &mut open.modes {
        audited.mode.verdict = Verdict::Shifted;
        (audited.mode.borderline, audited.mode.may_be_strict) = (true, true);
    }
    assert_eq!(overall(&open), Standing::Unknown);
    let smooth = cause(CauseKind::OverSmoothing, Some("Try more epochs."));
    let line = "2 of 2 modes captured, 0 of them as they are in the data; 2 may be.";
    assert_eq!(headline(&open, Some(&smooth)), line);
    // Where many rows lie near no mode it is not the modes' noise alone that is open.
    let mut beside = open.clone();
    beside.metrics.high_quality =
        Metric { generated: Estimate::share(4500, 10_000), real: Estimate::share(9973, 10_000) };
    assert_eq!(overall(&beside), Standing::Fair);
    beside.modes.iter_mut().for_each(|audited| audited.mode.ratio = Some(0.45));
    beside.counts = counts(0, 0);
    assert_eq!(overall(&beside), Standing::Bad);
    // One of them is shifted beyond doubt.
    open.modes[0].mode.may_be_strict = false;
    assert_eq!(overall(&open), Standing::Fair);
    let line = "2 of 2 modes captured, 0 of them as they are in the data; 1 may be: the decoder";
    assert!(headline(&open, Some(&smooth)).starts_with(line), "{}", headline(&open, Some(&smooth)));
    // What is not captured is none of them.
    open.modes[1].mode.ratio = Some(0.45);
    open.counts = counts(1, 0);
    assert!(!headline(&open, None).contains("may be"), "{}", headline(&open, None));
}

#[test]
fn a_model_that_overfitted_is_no_yes() {
    let standing = |overfitting: Option<Overfitting>| {
        let of_model = OfModel { overfitting, ..OfModel::default() };
        let findings = Findings::new(Some(perfect()), of_model, Vec::new());
        (findings.learned, findings.verdict)
    };
    let captured = "2 of 2 modes captured, as they are in the data.";
    assert_eq!(standing(None), (Standing::Good, captured.to_owned()));
    let fell = Overfitting { epoch: 31, best: -24.6, last: -161.9 };
    let and = format!("{captured} After epoch 31 the model overfitted.");
    assert_eq!(standing(Some(fell)), (Standing::Fair, and));
}

/// What the modes do not show is said beside them, and is no yes.
#[test]
fn rows_near_no_mode_and_rows_that_a_classifier_knows_are_no_yes() {
    // Generated rows of 10 000 near a mode, and of 1000 that a classifier knows.
    let found = |near: usize, known: usize| {
        let mut audit = perfect();
        audit.metrics.high_quality = Metric {
            generated: Estimate::share(near, 10_000),
            real: Estimate::share(9973, 10_000),
        };
        audit.metrics.c2st_accuracy =
            Metric { generated: Estimate::share(known, 1000), real: Estimate::share(152, 300) };
        let findings = Findings::new(Some(audit), OfModel::default(), vec![]);
        (findings.learned, findings.verdict)
    };
    let all = "2 of 2 modes captured, as they are in the data.";
    let [astray, told] = [
        "20% of the generated rows lie near no mode, of fresh real ones 0%.",
        "A classifier tells the generated rows from real ones all the same (accuracy 0.80).",
    ]
    .map(|words| (Standing::Fair, format!("{all} {words}")));
    let fine = (Standing::Good, all.to_owned());
    assert_eq!(found(8000, 500), astray);
    assert_eq!(found(9973, 800), told);
    assert_eq!(found(9850, 600), fine);
}

#[test]
fn a_headline_says_what_takes_from_its_certainty() {
    let mut audit = perfect();
    let all = "2 of 2 modes captured, as they are in the data";
    audit.modes[0].mode.borderline = true;
    assert_eq!(headline(&audit, None), format!("{all}; 1 of them borderline."));
    audit.modes[1].mode.borderline = true;
    assert_eq!(headline(&audit, None), format!("{all}; 2 of them borderline."));
    audit.reference.kind = Kind::Labels;
    assert_eq!(headline(&audit, None), format!("{all}; 2 of them borderline."));
    audit.reference.checked = 0;
    let unchecked = format!("{all}; 2 of them borderline; too few rows to check the modes.");
    assert_eq!(headline(&audit, None), unchecked);
}

#[test]
fn every_headline_is_a_sentence() {
    let audit = perfect();
    let [collapse, hole, unknown] = [
        cause(CauseKind::Collapse, Some("Try --recipe calm.")),
        cause(CauseKind::PriorHole, None),
        cause(CauseKind::CannotTell, Some("Try other seeds (--seed).")),
    ];
    // What the rows and the floor capture and hold as in the data, and the cause.
    for ([found, floor], cause, expected) in [
        (
            [counts(0, 0), counts(0, 0)],
            Some(&collapse),
            "0 of 2 modes captured: the posterior collapsed; one Gaussian does as well. Try --recipe \
             calm.",
        ),
        (
            [counts(1, 0), counts(0, 0)],
            Some(&collapse),
            "0 of 2 modes captured as they are in the data: the posterior collapsed. Try --recipe \
             calm.",
        ),
        (
            [counts(2, 0), counts(1, 0)],
            Some(&hole),
            "2 of 2 modes captured, 0 of them as they are in the data: the prior has holes.",
        ),
        (
            [counts(2, 1), counts(2, 0)],
            None,
            "2 of 2 modes captured, 1 of them as they are in the data.",
        ),
        (
            [counts(1, 1), counts(0, 0)],
            Some(&unknown),
            "1 of 2 modes captured, as they are in the data.",
        ),
        (
            [counts(2, 0), counts(2, 0)],
            None,
            "2 of 2 modes captured, 0 of them as they are in the data; one Gaussian does as well.",
        ),
        (
            [counts(1, 0), counts(2, 0)],
            None,
            "1 of 2 modes captured, 0 of them as they are in the data; one Gaussian does better.",
        ),
        // Nothing is better than all of them, whatever one Gaussian does.
        ([counts(2, 2), counts(2, 2)], None, "2 of 2 modes captured, as they are in the data."),
    ] {
        let mut audit = audit.clone();
        (audit.counts, audit.floor.counts) = (found, floor);
        assert_eq!(headline(&audit, cause), expected);
    }
}

#[test]
fn a_headline_names_the_missing_modes_where_no_cause_is_known() {
    let mut audit = perfect();
    (audit.counts, audit.floor.counts) = (counts(1, 1), counts(0, 0));
    audit.modes[1].mode.verdict = Verdict::Missing;
    let all = "1 of 2 modes captured, as they are in the data";
    assert_eq!(headline(&audit, None), format!("{all}; missing: mode 1."));
    let unknown = cause(CauseKind::CannotTell, None);
    assert_eq!(headline(&audit, Some(&unknown)), format!("{all}; missing: mode 1."));
    let hole = cause(CauseKind::PriorHole, Some("Wait."));
    assert_eq!(headline(&audit, Some(&hole)), format!("{all}: the prior has holes. Wait."));
    let names = ["dogs", "cats"].into_iter();
    audit.modes.iter_mut().zip(names).for_each(|(mode, name)| mode.mode.name = Some(name.into()));
    assert_eq!(headline(&audit, None), format!("{all}; missing: \"cats\"."));
    // Ten are named, eleven are not.
    audit.modes.extend(vec![audit.modes[1].clone(); 9]);
    let cats = ["\"cats\""; 10].join(", ");
    assert_eq!(headline(&audit, None), format!("{all}; missing: {cats}."));
    audit.modes.push(audit.modes[1].clone());
    assert_eq!(headline(&audit, None), format!("{all}."));
    audit.modes.truncate(2);
    audit.modes[1].mode.verdict = Verdict::UnderWeighted;
    assert_eq!(headline(&audit, None), format!("{all}; under-weighted: \"cats\"."));
}

#[test]
fn a_headline_says_what_cannot_be_judged() {
    let mut audit = perfect();
    let two = audit.counts.eligible_only;
    audit.counts = counts(1, 1);
    audit.counts.eligible_only.modes = 1;
    audit.modes[1].mode.verdict = Verdict::TooSmall;
    assert_eq!(
        headline(&audit, None),
        "The one mode that the data show was captured, as it is in the data (1 of 2 too small to \
         judge)."
    );
    audit.counts.eligible_only.strict = 0;
    assert_eq!(
        headline(&audit, None),
        "1 of 1 mode captured, but not as it is in the data (1 of 2 too small to judge)."
    );
    audit.counts.eligible_only.captured = 0;
    audit.floor.counts.eligible_only = EligibleCounts { captured: 1, ..two };
    assert_eq!(
        headline(&audit, None),
        "0 of 1 mode captured (1 of 2 too small to judge); one Gaussian does better."
    );
    audit.counts.eligible_only.modes = 0;
    assert_eq!(
        headline(&audit, None),
        "No mode can be judged: each takes 20 real rows and 50 generated ones, 20 of them of high \
         quality that no other mode hides, and the 2 here have fewer."
    );
    audit.reference.doubt = Some("all real rows are equal".into());
    assert_eq!(headline(&audit, None), "The audit cannot judge: all real rows are equal.");
    assert_eq!(standing(&audit, &audit.modes[0]), Standing::Good);
    audit.reference.trusted = false;
    assert_eq!(standing(&audit, &audit.modes[0]), Standing::Unknown);
}

#[test]
fn k_means_counts_modes_that_stand_apart() {
    let mut audit = perfect();
    let rest = " Of the rules of K-means the gap statistic alone can say 1. BIC, which can too, chooses \
                among Gaussian mixtures with full, diagonal and spherical covariances; mini-batch \
                K-means is judged by the silhouette.";
    let apart = "K-means can count the modes here: each stands at least 6 standard deviations from the \
         others.";
    assert_eq!(counting(&audit), format!("{apart}{rest}"));
    audit.reference.close = 2;
    let close = "K-means does not count the modes here: 2 of 2 stand less than 6 standard deviations \
                 from another, and to K-means such modes are one. Compare the rows of this table with \
                 each other, not with the number of modes.";
    assert_eq!(counting(&audit), format!("{close}{rest}"));
    // It was asked for 3 clusters at most, and never for one.
    audit.counts.modes = 4;
    let most = "K-means was asked for 3 clusters at most, and there are 4 modes. Compare the rows of \
                this table with each other, not with the number of modes.";
    assert_eq!(counting(&audit), format!("{most}{rest}"));
    audit.counts.modes = 1;
    let one = "K-means cannot count the modes here: there is one, and it looks for two clusters or \
               more.";
    assert_eq!(counting(&audit), format!("{one}{rest}"));
}

#[test]
fn cells_hold_any_figure() {
    let mut audit = perfect();
    let mode = &mut audit.modes[1].mode;
    (mode.expected, mode.found) = (149.6, 120);
    (mode.ratio, mode.ratio_ci) = (Some(0.8), Some([0.7, 0.912]));
    (mode.mean_shift, mode.spread_ratio) = (Some(1000.0), Some(1e30));
    (mode.verdict, mode.merged_with) = (Verdict::Merged, Some(0));
    mode.or = Some(Verdict::Strict);
    assert_eq!(
        cells(&audit, &audit.modes[1]),
        [
            "1",
            "0.500",
            "150",
            "120",
            "0.80 [0.70, 0.91]",
            "1000.00σ",
            "> 1000",
            "merged with 0, or strict"
        ]
    );
    audit.modes[0].mode.name = Some("cats".into());
    let mode = &mut audit.modes[1].mode;
    mode.name = Some("dogs".into());
    (mode.ratio, mode.spread_ratio) = (None, None);
    (mode.mean_shift, mode.or) = (Some(f64::INFINITY), None);
    let found = cells(&audit, &audit.modes[1]);
    assert_eq!(found[0], "dogs");
    assert_eq!(found[4..], ["–", "> 1000σ", "–", "merged with cats"]);
    audit.modes[1].mode.mean_shift = None;
    assert_eq!(cells(&audit, &audit.modes[1])[5], "–");
}

/// 20 rows where 150 are expected, and 74 or 75 more that no other mode is nearer to.
#[test]
fn a_mode_that_is_there_but_blurred_is_not_as_one_that_is_not() {
    let mut audit = perfect();
    for (assigned, shift, words) in [
        (94, 0.9, "missing"),
        (95, 0.9, "missing (75 rows near by)"),
        // Of one column: all of them stand on one side.
        (95, 1.1, "missing"),
    ] {
        let mode = &mut audit.modes[1].mode;
        (mode.expected, mode.found, mode.assigned) = (150.0, 20, assigned);
        mode.mean_shift = Some(shift);
        (mode.verdict, mode.or) = (Verdict::Missing, None);
        assert_eq!(cells(&audit, &audit.modes[1])[7], words);
    }
}

#[test]
fn modes_that_share_a_cause_share_a_sentence() {
    let mut audit = perfect();
    assert!(causes(&audit).is_empty());
    for mode in &mut audit.modes {
        mode.mode.verdict = Verdict::Missing;
        mode.cause = Some(cause(CauseKind::PriorHole, Some("Wait.")));
    }
    assert_eq!(causes(&audit), ["0 (missing), 1 (missing): the prior has holes; evidence. Wait."]);
    audit.modes[1].cause = Some(cause(CauseKind::CannotTell, None));
    assert_eq!(
        causes(&audit),
        [
            "0 (missing): the prior has holes; evidence. Wait.",
            "1 (missing): the evidence does not say why; evidence."
        ]
    );
}

/// What a verdict hangs on is shown as wide as it is uncertain, and nothing else.
#[test]
fn a_borderline_figure_is_shown_by_its_interval() {
    let mut audit = perfect();
    let mode = &mut audit.modes[0];
    mode.mode.mean_shift = Some(0.004);
    mode.mode.mean_shift_ci = Some([0.0, 0.61]);
    let shown = |audit: &SamplesAudit| {
        let [.., shift, spread, _] = cells(audit, &audit.modes[0]);
        (shift, spread.contains('–'))
    };
    assert_eq!(shown(&audit), ("0.00σ".to_owned(), false));
    audit.modes[0].mode.borderline = true;
    assert_eq!(shown(&audit), ("0.00–0.61σ".to_owned(), false));
    audit.modes[0].mode.mean_shift_ci = Some([0.0, 0.41]);
    audit.modes[0].mode.spread_ratio_ci = Some([0.4, 0.6]);
    assert_eq!(shown(&audit), ("0.00σ".to_owned(), true));
}

/// What the modes alone would call lost, or as in the data, other figures contradict.
#[test]
fn modes_that_other_figures_contradict_are_no_answer() {
    let found = |counts: Counts, floor: Counts, known: usize| {
        let mut audit = perfect();
        (audit.counts, audit.floor.counts) = (counts, floor);
        audit.modes.iter_mut().for_each(|mode| mode.mode.may_be_strict = counts.strict > 0);
        audit.metrics.c2st_accuracy =
            Metric { generated: Estimate::share(known, 1000), real: Estimate::share(152, 300) };
        let findings = Findings::new(Some(audit), OfModel::default(), vec![]);
        (findings.learned, findings.verdict)
    };
    let (learned, verdict) = found(counts(1, 0), counts(0, 0), 500);
    assert_eq!(learned, Standing::Unknown);
    assert!(verdict.contains("Yet a classifier does not tell the generated rows"), "{verdict}");
    let (learned, verdict) = found(counts(1, 0), counts(0, 0), 900);
    assert_eq!(learned, Standing::Bad);
    assert!(!verdict.contains("classifier"), "{verdict}");
    let (learned, verdict) = found(counts(2, 2), counts(2, 2), 500);
    assert_eq!(learned, Standing::Fair);
    assert!(
        verdict
            .ends_with("One Gaussian passes for these modes too, so they tell little of the data.")
    );
}

#[test]
fn values_that_no_real_row_has_are_said() {
    let mut audit = perfect();
    assert_eq!(impossible(&audit), Vec::<String>::new());
    let column = &mut audit.structure.columns[0];
    (column.real_negative, column.generated_negative) = (0.0, 0.064);
    (column.real_whole, column.generated_whole) = (1.0, 0.5);
    let name = &audit.reference.columns[0];
    let said = [
        format!("Never below 0 in the real rows, but in generated ones: {name} (6.4%)."),
        format!("Whole numbers in every real row, but not in generated ones: {name}."),
    ];
    assert_eq!(impossible(&audit), said);
    let findings = Findings::new(Some(audit), OfModel::default(), vec![]);
    assert_eq!(findings.notes, said);
}

#[test]
fn near_copies_are_no_yes() {
    let mut audit = perfect();
    audit.metrics.authenticity =
        Metric { generated: Estimate::share(30, 1000), real: Estimate::share(150, 300) };
    let findings = Findings::new(Some(audit), OfModel::default(), vec![]);
    assert_eq!(findings.learned, Standing::Fair);
    assert!(
        findings
            .verdict
            .contains("97% of the generated rows lie nearer to a real row than any other")
    );
}
