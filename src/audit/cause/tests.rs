use super::*;
use crate::audit::bic::BicChoice;
use crate::audit::clusters::KChoice;
use crate::audit::em::Covariance;
use crate::audit::estimate::Estimate;
use crate::audit::hdbscan::DensityClusters;
use crate::audit::latent::{LatentDiagnosis, LatentSummary};
use crate::audit::ledger::{Counts, EligibleCounts, Judged};
use crate::config::{KlReduction, Likelihood, ModelSettings, TrainingSettings};
use crate::model::Objective;

/// A mode with half of the weight, with a ratio and how far its interval reaches to both sides.
fn mode(verdict: Verdict, ratio: f64, reach: f64) -> Mode {
    Mode {
        id: 0,
        name: None,
        weight: 0.5,
        expected: 500.0,
        found: (500.0 * ratio) as usize,
        assigned: 500,
        ratio: Some(ratio),
        ratio_ci: Some([ratio - reach, ratio + reach]),
        mean_shift: Some(0.1),
        spread_ratio: Some(1.0),
        mean_shift_ci: Some([0.05, 0.15]),
        spread_ratio_ci: Some([0.9, 1.1]),
        verdict,
        borderline: false,
        or: None,
        may_be_strict: verdict == Verdict::Strict,
        merged_with: None,
    }
}

/// The mode, or one that may be strict.
fn or_strict(mode: Mode) -> Mode {
    Mode { or: Some(Verdict::Strict), may_be_strict: true, borderline: true, ..mode }
}

fn judged(mode: Mode) -> Judged {
    let eligible_only = EligibleCounts { modes: 1, captured: 1, strict: 0, missing: 0 };
    Judged {
        rows: 1000,
        counts: Counts { modes: 1, captured: 1, strict: 0, missing: 0, eligible_only },
        high_quality: Estimate::share(900, 1000),
        modes: vec![mode],
    }
}

/// So many active units of those with these divergences. The loss acts by a variance of 0.5, and the
/// largest of the data is 2.
fn latent(active_units: usize, kl_per_unit: &[f64]) -> LatentDiagnosis {
    LatentDiagnosis {
        summary: LatentSummary {
            active_units,
            mean_variance: vec![0.0; kl_per_unit.len()],
            kl_per_unit: kl_per_unit.to_vec(),
            information_per_unit: kl_per_unit.to_vec(),
        },
        likelihood_variance: 0.5,
        implied_variance: 0.5,
        eigenvalues: vec![2.0, 1.0],
        prior_hole: None,
        clusters: KChoice {
            fits: vec![],
            gaps: vec![],
            by_silhouette: 1,
            by_calinski_harabasz: 1,
            by_gap: 1,
            by_elbow: 1,
            mini_batch_by_silhouette: 1,
        },
        mixture: BicChoice { rows: 1000, fits: vec![], best: 1, covariance: Covariance::Full },
        density: DensityClusters {
            clusters: 0,
            noise_share: 1.0,
            min_cluster_size: 20,
            rows: 1000,
        },
    }
}

/// A mode with variances 1 and 4.
fn gaussian(covariance: f64) -> Gaussian {
    Gaussian::new(&[5.0, -3.0], &[vec![1.0, covariance], vec![covariance, 4.0]]).unwrap()
}

/// What is known of a model.
struct Model {
    /// Of its mode's two columns.
    covariance: f64,
    latent: LatentDiagnosis,
    posterior: Mode,
    noise: Option<Vec<f64>>,
    bounds: Vec<f64>,
    likelihood: Likelihood,
    beta: f64,
    kl_reduction: KlReduction,
    steps: usize,
    thrown_off: Option<&'static str>,
    overfitted: bool,
    impatient: bool,
    recipe: Option<&'static str>,
    refitted: bool,
    one_scale: bool,
    /// The mode in the same samples with noise, where it was left out.
    with_noise: Option<Mode>,
}

impl Model {
    /// Nothing points anywhere: two units of two active, a mode that is shifted from the posterior
    /// too, noise of a tenth of the mode, and no history.
    fn unsuspicious() -> Self {
        Self {
            covariance: 0.0,
            latent: latent(2, &[1.0, 2.0]),
            posterior: mode(Verdict::Shifted, 1.0, 0.05),
            noise: Some(vec![0.1, 0.2]),
            bounds: vec![],
            likelihood: Likelihood::LearnedSigma,
            beta: 1.0,
            kl_reduction: KlReduction::Mean,
            steps: 2000,
            thrown_off: None,
            overfitted: false,
            impatient: false,
            recipe: None,
            refitted: false,
            one_scale: false,
            with_noise: None,
        }
    }

    fn cause(&self, mode: &Mode) -> Cause {
        let posterior = judged(self.posterior.clone());
        let with_noise = self.with_noise.clone().map(judged);
        let model = ModelSettings {
            likelihood: self.likelihood,
            sigma: 0.5,
            refit_prior: self.refitted,
            ..ModelSettings::default()
        };
        let training = TrainingSettings {
            beta: self.beta,
            kl_reduction: self.kl_reduction,
            ..TrainingSettings::default()
        };
        let evidence = ModelEvidence {
            latent: &self.latent,
            posterior: &posterior,
            with_noise: with_noise.as_ref(),
            one_scale: self.one_scale,
            noise: self.noise.as_deref(),
            bounds: &self.bounds,
            model: &model,
            objective: Objective::new(&training, 32),
            training: &training,
            steps: self.steps,
            thrown_off: self.thrown_off,
            longer: "--epochs 626",
            overfitted: self.overfitted,
            impatient: self.impatient,
            recipe: self.recipe,
        };
        of_mode(mode, &gaussian(self.covariance), [1000, 1000], Some(&evidence)).unwrap()
    }

    fn kind(&self, mode: &Mode) -> CauseKind {
        self.cause(mode).kind
    }
}

/// A bound that rises by `slope` every epoch.
fn rising(epochs: usize, slope: f64) -> Vec<f64> {
    (0..epochs).map(|epoch| epoch as f64 * slope - 7.0).collect()
}

fn missing() -> Mode {
    mode(Verdict::Missing, 0.1, 0.05)
}

fn shifted() -> Mode {
    mode(Verdict::Shifted, 1.0, 0.05)
}

#[test]
fn what_is_or_may_be_strict_has_no_cause() {
    let strict = mode(Verdict::Strict, 1.0, 0.05);
    for mode in [strict, or_strict(shifted())] {
        assert_eq!(of_mode(&mode, &gaussian(0.0), [1000, 1000], None), None);
    }
}

#[test]
fn a_posterior_that_says_nothing_has_collapsed() {
    for (active, kl, expected) in [
        (0, [0.04, 0.05], CauseKind::Collapse),
        (1, [0.04, 0.05], CauseKind::CannotTell),
        (0, [0.04, 0.06], CauseKind::CannotTell),
    ] {
        let model = Model { latent: latent(active, &kl), ..Model::unsuspicious() };
        assert_eq!(model.kind(&shifted()), expected, "{active} {kl:?}");
    }
    let mut model = Model { latent: latent(0, &[0.001, 0.0]), ..Model::unsuspicious() };
    let cause = model.cause(&shifted());
    assert_eq!(
        cause.evidence,
        "0 of 2 latent units active, 1.0e-3 nats of information a row; the loss acts by a variance of 0.500, \
         below the largest of the data (2.000 in scaled units), so the loss would reward telling the \
         rows apart"
    );
    // A smaller β would reward nothing that is not rewarded now.
    assert!(cause.remedy.unwrap().starts_with("Try another training.learning_rate, wider layers"));
    model.likelihood = Likelihood::FixedSigma;
    let learned = "Try --set model.likelihood=learned-sigma";
    assert_eq!(model.cause(&shifted()).remedy.unwrap(), format!("{learned}."));
    model.likelihood = Likelihood::MeanSquaredError;
    let unit = "--set training.beta=1";
    assert_eq!(model.cause(&shifted()).remedy.unwrap(), format!("{learned} {unit}."));
    (model.likelihood, model.beta) = (Likelihood::LearnedSigma, 20.0);
    assert_eq!(model.cause(&shifted()).remedy.unwrap(), format!("Try {unit}."));
    model.beta = 1.0;
    model.recipe = Some("calm");
    model.latent.implied_variance = 48.0;
    let cause = model.cause(&shifted());
    assert!(cause.evidence.contains("48.000, above the largest of the data"), "{cause:?}");
    assert!(cause.evidence.ends_with("the loss does not reward telling the rows apart"));
    assert_eq!(cause.remedy.unwrap(), "Try --recipe calm.");
}

#[test]
fn a_mode_that_only_the_posterior_reaches_is_in_a_hole_of_the_prior() {
    use Verdict::{Shifted, UnderWeighted};
    for (prior, posterior, expected) in [
        (missing(), mode(Shifted, 0.9, 0.05), CauseKind::PriorHole),
        // The intervals overlap, and then they touch.
        (mode(UnderWeighted, 0.45, 0.1), mode(Shifted, 0.55, 0.1), CauseKind::CannotTell),
        (mode(UnderWeighted, 0.25, 0.25), mode(Shifted, 0.75, 0.25), CauseKind::CannotTell),
        // Captured by both, and right from the posterior alone.
        (mode(Shifted, 1.0, 0.01), mode(Verdict::Strict, 1.0, 0.01), CauseKind::PriorHole),
        (mode(Shifted, 1.0, 0.01), or_strict(shifted()), CauseKind::CannotTell),
        (
            mode(Verdict::OverWeighted, 2.5, 0.01),
            mode(Verdict::Strict, 1.0, 0.01),
            CauseKind::CannotTell,
        ),
        // Both capture it, or neither does.
        (mode(Shifted, 0.6, 0.01), mode(Shifted, 1.0, 0.01), CauseKind::CannotTell),
        (missing(), mode(UnderWeighted, 0.4, 0.05), CauseKind::CannotTell),
        (Mode { ratio_ci: None, ..missing() }, shifted(), CauseKind::CannotTell),
    ] {
        let model = Model { posterior, ..Model::unsuspicious() };
        assert_eq!(model.kind(&prior), expected, "{prior:?} {:?}", model.posterior);
    }
    let model = Model { posterior: mode(Shifted, 0.9, 0.05), ..Model::unsuspicious() };
    assert_eq!(
        model.cause(&missing()).evidence,
        "decoded posterior draws reach it at 0.90 of its weight, decoded prior draws at 0.10"
    );
}

/// Noise of f times the mode's standard deviation in every column is f times as wide.
#[test]
fn noise_as_wide_as_the_mode_smooths_it_over() {
    let noise = |times: f64| Some(vec![times, 2.0 * times]);
    let strict = mode(Verdict::Strict, 1.0, 0.05);
    for (times, posterior, expected) in [
        (1.5, shifted(), CauseKind::OverSmoothing),
        (1.0, shifted(), CauseKind::OverSmoothing),
        (0.99, shifted(), CauseKind::CannotTell),
        (1.5, strict.clone(), CauseKind::PriorHole),
        (1.5, or_strict(shifted()), CauseKind::OverSmoothing),
        (
            1.5,
            Mode { borderline: true, or: Some(Verdict::Shifted), ..strict },
            CauseKind::PriorHole,
        ),
    ] {
        let model = Model { noise: noise(times), posterior, ..Model::unsuspicious() };
        assert_eq!(model.kind(&shifted()), expected, "{times} {:?}", model.posterior);
    }
    // √((3² + 1²) / 2), columns apart.
    let model = Model { noise: Some(vec![3.0, 2.0]), ..Model::unsuspicious() };
    let cause = model.cause(&shifted());
    assert_eq!(
        cause.evidence,
        "along the mode's own axes the observation noise is 2.2 times as wide as the mode itself"
    );
    // In one column it is three times as wide as the mode, in the other once.
    let per_column = "Try --set model.likelihood=learned-sigma-per-column.";
    assert_eq!(cause.remedy.unwrap(), per_column);
    // A heavy KL divergence comes before that, and scales before all.
    let heavy = Model { beta: 3.0, ..model };
    assert_eq!(heavy.cause(&shifted()).remedy.unwrap(), "Try --set training.beta=1.");
    let summed = Model { beta: 1.0, kl_reduction: KlReduction::Sum, ..heavy };
    let mean = "Try --set training.beta=1 --set training.kl_reduction=mean.";
    assert_eq!(summed.cause(&shifted()).remedy.unwrap(), mean);
    let model = Model { noise: Some(vec![3.0, 6.0]), ..Model::unsuspicious() };
    // As many latent units as columns are enough.
    let larger = "Train longer (--epochs 626), or with wider layers (model.hidden)";
    assert_eq!(model.cause(&shifted()).remedy.unwrap(), format!("{larger}."));
    let narrow = Model { latent: latent(1, &[1.0]), ..model };
    let units = format!("{larger} or more latent units (model.latent).");
    assert_eq!(narrow.cause(&shifted()).remedy.unwrap(), units);
    let model = Model { recipe: Some("calm"), ..narrow };
    assert_eq!(model.cause(&shifted()).remedy.unwrap(), "Try --recipe calm.");
    // Scales come first where they differ: no more epochs would help.
    let model = Model { one_scale: true, ..model };
    assert_eq!(model.cause(&shifted()).remedy.unwrap(), "Try --set data.scaling=z-score.");
    // A constant column is no room to spare.
    let model = Model { noise: Some(vec![1.3, 0.0]), ..Model::unsuspicious() };
    assert_eq!(model.kind(&shifted()), CauseKind::OverSmoothing);
    // Noise of a tenth of each column is 0.1 / √(1 − ρ²) times as wide where the columns correlate by ρ.
    let correlated = |covariance| Model { covariance, ..Model::unsuspicious() };
    assert_eq!(correlated(1.8).kind(&shifted()), CauseKind::CannotTell);
    let cause = correlated(1.999).cause(&shifted());
    assert!(
        cause.evidence.ends_with("the observation noise is 3.2 times as wide as the mode itself")
    );
    // A unit lies idle, so more of them do not help.
    let idle = latent(0, &[1.0]);
    let model = Model { latent: idle, noise: Some(vec![1.3, 2.6]), ..Model::unsuspicious() };
    assert_eq!(model.cause(&shifted()).remedy.unwrap(), format!("{larger}."));
}

#[test]
fn what_the_posterior_blurs_too_is_smoothed_over_by_the_decoder() {
    use Verdict::{Merged, OverWeighted, Shrunk, Smeared};
    let of = |verdict| mode(verdict, 1.0, 0.05);
    let noise = Some(vec![0.1, 0.2]);
    for (found, posterior, noise, evidence) in [
        (Merged, Merged, &noise, Some("from decoded posterior draws too it is merged")),
        (Smeared, Merged, &None, Some("from decoded posterior draws too it is merged")),
        (Merged, Smeared, &noise, Some("from decoded posterior draws too it is smeared")),
        (OverWeighted, Merged, &noise, None),
        (Shrunk, Shrunk, &None, None),
        (Shrunk, Shrunk, &noise, None),
    ] {
        let posterior = of(posterior);
        let model = Model { posterior, noise: noise.clone(), ..Model::unsuspicious() };
        let cause = model.cause(&of(found));
        match evidence {
            Some(evidence) => {
                assert_eq!((cause.kind, &cause.evidence[..]), (CauseKind::OverSmoothing, evidence));
            }
            None => assert_eq!(cause.kind, CauseKind::CannotTell, "{found} {:?}", model.posterior),
        }
    }
}

/// What no training changes comes before what a longer one might.
#[test]
fn a_noise_that_was_given_is_to_be_given_otherwise() {
    let given = |likelihood, noise| {
        let model = Model { likelihood, noise, steps: 10, ..Model::unsuspicious() };
        let cause = model.cause(&mode(Verdict::Shrunk, 1.0, 0.05));
        (cause.kind, cause.remedy.unwrap())
    };
    let wide = given(Likelihood::FixedSigma, Some(vec![2.0, 4.0]));
    let learned = "Try --set model.likelihood=learned-sigma";
    let remedy = format!("{learned}, or a model.sigma below 0.25.");
    assert_eq!(wide, (CauseKind::OverSmoothing, remedy));
    let remedy = format!("{learned} --set training.beta=1.");
    assert_eq!(given(Likelihood::MeanSquaredError, None), (CauseKind::OverSmoothing, remedy));
    let narrow = given(Likelihood::FixedSigma, Some(vec![0.5, 1.0]));
    assert_eq!(narrow.0, CauseKind::StillLearning);
    // What the decoder has right from the posterior is not its noise's fault.
    let hole = Model {
        likelihood: Likelihood::FixedSigma,
        noise: Some(vec![1.1, 2.2]),
        posterior: mode(Verdict::Strict, 1.0, 0.05),
        ..Model::unsuspicious()
    };
    assert_eq!(hole.kind(&shifted()), CauseKind::PriorHole);
}

#[test]
fn a_training_that_was_thrown_off_comes_first() {
    let how = "the held-out bound was best around epoch 45";
    let mut model = Model { thrown_off: Some(how), ..Model::unsuspicious() };
    model.latent = latent(0, &[0.0, 0.0]);
    let cause = model.cause(&missing());
    assert_eq!((cause.kind, cause.evidence.as_str()), (CauseKind::ThrownOff, how));
    assert_eq!(
        cause.remedy.unwrap(),
        "Try a training.learning_rate below 0.001, or --set training.gradient_clip=1."
    );
}

/// A slope s over two tails of n epochs is a rise of n·s with an error of s·√((n + 1) / 6).
#[test]
fn a_bound_that_rises_to_the_end_is_still_learning() {
    let noisy = (0..100)
        .map(|epoch| f64::from(epoch / 90) * 0.1 + if epoch % 2 == 0 { 0.5 } else { -0.5 })
        .collect();
    let plateau = rising(100, 0.1).into_iter().map(|bound| bound.min(0.0)).collect();
    for (bounds, expected) in [
        (rising(100, 0.01), CauseKind::StillLearning),
        (rising(30, 0.01), CauseKind::StillLearning),
        (rising(29, 0.01), CauseKind::CannotTell),
        (rising(100, 0.001), CauseKind::CannotTell),
        (rising(100, -0.01), CauseKind::CannotTell),
        (noisy, CauseKind::CannotTell),
        (plateau, CauseKind::CannotTell),
        (vec![], CauseKind::CannotTell),
    ] {
        let model = Model { bounds, ..Model::unsuspicious() };
        assert_eq!(model.kind(&shifted()), expected, "{:?}", model.bounds);
    }
    let model = Model { bounds: rising(100, 0.01), ..Model::unsuspicious() };
    let cause = model.cause(&shifted());
    assert!(cause.evidence.contains("rose by 0.100 ± 0.014 nats a row"), "{}", cause.evidence);
    assert_eq!(cause.remedy.unwrap(), "Train longer (--epochs 626).");
}

/// A rate that falls to nothing ends in a flat bound, however short the training.
#[test]
fn few_steps_are_too_few_whatever_the_bound() {
    let mut model = Model {
        steps: 1999,
        posterior: mode(Verdict::Merged, 1.0, 0.05),
        latent: latent(0, &[0.001, 0.0]),
        ..Model::unsuspicious()
    };
    let cause = model.cause(&shifted());
    assert_eq!(cause.kind, CauseKind::StillLearning);
    assert_eq!(cause.evidence, "training took 1999 steps, and modes take some 2000 to settle");
    assert_eq!(cause.remedy.unwrap(), "Train longer (--epochs 626).");
    // It may be why a mode is not strict that may be.
    assert_eq!(model.kind(&or_strict(shifted())), CauseKind::StillLearning);
    let stopped = Model { impatient: true, steps: 10, ..Model::unsuspicious() };
    assert_eq!(stopped.cause(&shifted()).remedy.unwrap(), "Try a larger training.patience.");
    // What the loss rewards may come yet, what it does not never will.
    model.latent.implied_variance = 2.0;
    assert_eq!(model.kind(&shifted()), CauseKind::Collapse);
    model.latent = latent(2, &[1.0, 2.0]);
    model.overfitted = true;
    assert_eq!(model.kind(&shifted()), CauseKind::OverSmoothing);
    model.steps = 2000;
    model.overfitted = false;
    assert_eq!(model.kind(&shifted()), CauseKind::OverSmoothing);
}

/// More steps and wider layers make that worse, whatever the cause.
#[test]
fn a_model_that_overfitted_is_not_to_be_trained_longer() {
    let rows = Some("Try more training rows.");
    let overfitted = || Model { overfitted: true, ..Model::unsuspicious() };
    let smooth = Model { noise: Some(vec![2.0, 4.0]), ..overfitted() };
    assert_eq!(smooth.cause(&shifted()).remedy.as_deref(), rows);
    let posterior = mode(Verdict::Strict, 1.0, 0.05);
    let hole = Model { posterior, refitted: true, ..overfitted() };
    assert_eq!(hole.cause(&missing()).remedy.as_deref(), rows);
    let hole = Model { refitted: false, recipe: Some("calm"), ..hole };
    assert!(hole.cause(&missing()).remedy.unwrap().contains("--recipe calm"));
    let rising = Model { bounds: rising(100, 0.01), ..overfitted() };
    let cause = rising.cause(&shifted());
    assert_eq!(cause.kind, CauseKind::CannotTell);
    assert!(cause.evidence.contains("and the held-out bound rose by 0.100"), "{cause:?}");
}

#[test]
fn too_few_rows_come_before_what_the_model_is() {
    let small = mode(Verdict::TooSmall, 0.0, 0.0);
    for ([real, generated], remedy) in [
        ([30, 1000], "Give more real rows."),
        ([40, 60], "Draw more samples."),
        ([30, 60], "Give more real rows, and draw more samples."),
    ] {
        let cause = of_mode(&small, &gaussian(0.0), [real, generated], None).unwrap();
        assert_eq!((cause.kind, cause.remedy.as_deref()), (CauseKind::TooFewPoints, Some(remedy)));
        let rows = format!("about {} real rows and {} generated ones", real / 2, generated / 2);
        assert!(cause.evidence.starts_with(&rows), "{}", cause.evidence);
    }
    let collapsed = Model { latent: latent(0, &[0.0, 0.0]), ..Model::unsuspicious() };
    assert_eq!(collapsed.kind(&small), CauseKind::TooFewPoints);
    // Also where nothing speaks against the mode.
    assert_eq!(Model::unsuspicious().kind(&or_strict(small)), CauseKind::TooFewPoints);
}

#[test]
fn without_evidence_no_cause_is_named() {
    let cause = of_mode(&missing(), &gaussian(0.0), [1000, 1000], None).unwrap();
    assert_eq!((cause.kind, cause.remedy), (CauseKind::CannotTell, None));
    let cause = Model::unsuspicious().cause(&shifted());
    assert_eq!(cause.kind, CauseKind::CannotTell);
    assert_eq!(
        cause.evidence,
        "from decoded posterior draws it is shifted, 2 units are active, and the held-out bound was \
         not seen to rise"
    );
    assert!(cause.remedy.unwrap().starts_with("Try other seeds (--seed)"));
}

#[test]
fn noise_that_was_left_out_is_named_where_it_makes_the_mode_right() {
    let strict = Some(mode(Verdict::Strict, 1.0, 0.05));
    let model = Model { with_noise: strict, noise: None, ..Model::unsuspicious() };
    let cause = model.cause(&mode(Verdict::Shrunk, 1.0, 0.05));
    assert_eq!(cause.kind, CauseKind::NoNoise);
    assert!(cause.remedy.unwrap().contains("--mean"));
    // With it the mode is wrong, too, but has a width.
    let model = Model { with_noise: Some(shifted()), ..model };
    assert_eq!(model.kind(&mode(Verdict::Shrunk, 1.0, 0.05)), CauseKind::NoNoise);
    assert_ne!(model.kind(&shifted()), CauseKind::NoNoise);
}

#[test]
fn a_prior_that_was_refitted_is_not_told_to_be() {
    let captured = mode(Verdict::Strict, 1.0, 0.05);
    for (recipe, refitted, words) in [
        (Some("calm"), false, "--recipe calm"),
        (None, false, "model.refit_prior"),
        (None, true, "--epochs"),
        (Some("calm"), true, "--epochs"),
    ] {
        let posterior = captured.clone();
        let model = Model { posterior, recipe, refitted, ..Model::unsuspicious() };
        let cause = model.cause(&missing());
        assert_eq!(cause.kind, CauseKind::PriorHole);
        assert!(cause.remedy.unwrap().contains(words), "{recipe:?} {refitted}");
    }
}

/// Every sign at once, then one less each time.
#[test]
fn the_most_telling_cause_is_named() {
    let mut model = Model {
        latent: latent(0, &[0.0, 0.0]),
        posterior: shifted(),
        noise: Some(vec![2.0, 4.0]),
        bounds: rising(100, 0.01),
        ..Model::unsuspicious()
    };
    assert_eq!(model.kind(&missing()), CauseKind::Collapse);
    model.latent = latent(2, &[1.0, 2.0]);
    assert_eq!(model.kind(&missing()), CauseKind::PriorHole);
    model.posterior = missing();
    assert_eq!(model.kind(&missing()), CauseKind::StillLearning);
    model.bounds.clear();
    assert_eq!(model.kind(&missing()), CauseKind::OverSmoothing);
    model.noise = Some(vec![0.1, 0.2]);
    assert_eq!(model.kind(&missing()), CauseKind::CannotTell);
}

#[test]
fn a_model_has_the_cause_of_most_of_its_modes() {
    use CauseKind::{Collapse, OverSmoothing, PriorHole, TooFewPoints};
    let found = |kinds: &[CauseKind]| {
        let causes: Vec<Cause> = kinds
            .iter()
            .enumerate()
            .map(|(id, &kind)| Cause { kind, evidence: format!("mode {id}"), remedy: None })
            .collect();
        of_model(&causes).map(|cause| (cause.kind, cause.evidence))
    };
    let of = |kind, evidence: &str| Some((kind, evidence.to_owned()));
    let few = [TooFewPoints; 3];
    assert_eq!(found(&few), None);
    assert_eq!(found(&[]), None);
    assert_eq!(
        found(&[&few[..], &[PriorHole, OverSmoothing, OverSmoothing]].concat()),
        of(OverSmoothing, "2 of 3 modes that are not as in the data; for one of them: mode 4")
    );
    assert_eq!(
        found(&[PriorHole, OverSmoothing]),
        of(PriorHole, "1 of 2 modes that are not as in the data; for one of them: mode 0")
    );
    assert_eq!(found(&[Collapse, Collapse]), of(Collapse, "mode 0"));
}
