//! What training does on the reference mixture: `classic` collapses, `standard` does not, `calibrated`
//! catches every mode.

use std::path::Path;

use modescope::audit::cause::CauseKind;
use modescope::audit::findings::Findings;
use modescope::config::{Backend, Layers, Settings};
use modescope::data::{Scaling, Table};
use modescope::device;
use modescope::history::{EpochRecord, read_history};
use modescope::model::SavedModel;
use modescope::run::{Dataset, Existing, Prepared, RunDir, Stage, Watch};
use modescope::vae::{Vae, to_array, to_tensor};
use ndarray::{Array2, ArrayView2, Axis};

/// A finished run of the main job, with an analysis just large enough for a report.
struct Run {
    _folder: tempfile::TempDir,
    dataset: Dataset,
    history: Vec<EpochRecord>,
    findings: Findings,
    report: String,
    saved: SavedModel,
}

fn run(recipe: &str, seed: u64) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let assignments: Vec<String> = [
        format!("seed={seed}"),
        "backend=cpu".into(),
        "samples=1000".into(),
        "analysis.restarts=2".into(),
        "analysis.max_clusters=4".into(),
        "analysis.perplexities=[]".into(),
    ]
    .into();
    let layers = Layers { recipe: Some(recipe), assignments: &assignments, ..Layers::default() };
    let settings = Settings::resolve(&layers).unwrap();
    let run = Prepared::new(None, settings, None, Stage::Report, Watch::nobody()).unwrap();
    let dir = run.claim(folder.path(), Existing::Refuse, Watch::nobody()).unwrap();
    run.execute(&dir, Watch::nobody()).unwrap();
    let text = |path: &Path| std::fs::read_to_string(path).unwrap();
    Run {
        history: read_history(&dir.file(RunDir::HISTORY)).unwrap(),
        findings: dir.read_json(RunDir::AUDIT).unwrap(),
        report: text(&dir.file(RunDir::REPORT)),
        saved: SavedModel::load(folder.path()).unwrap(),
        dataset: run.dataset,
        _folder: folder,
    }
}

/// Mean over the columns of the population variance.
fn variance_per_dimension(rows: ArrayView2<f32>) -> f64 {
    rows.mapv(f64::from).var_axis(Axis(0), 0.0).mean().unwrap()
}

#[test]
fn classic_collapses_on_every_seed_and_the_report_says_so() {
    for seed in 1..=5 {
        let run = run("classic", seed);
        let scaling: &Scaling = &run.saved.card.scaling;
        let variance = variance_per_dimension(scaling.apply(run.dataset.training.rows()).view());
        let last = run.history.last().unwrap();
        assert!(
            (last.loss / variance - 1.0).abs() < 0.05,
            "seed {seed}: loss {}, variance {variance}",
            last.loss
        );
        let (audit, latent) =
            (run.findings.samples.as_ref().unwrap(), run.findings.latent.as_ref().unwrap());
        assert_eq!(latent.summary.active_units, 0, "seed {seed}");
        assert!(last.kl < 1e-3, "seed {seed}: KL {}", last.kl);
        let spread = audit.structure.spread_ratio.unwrap();
        assert!(spread < 0.15, "seed {seed}: {spread}");
        // No mode is as in the data, though nearly every row lies near one, and it was foreseen.
        assert_eq!(audit.counts.strict, 0, "seed {seed}");
        let quality = audit.metrics.high_quality.generated.value;
        assert!(quality > 0.99, "seed {seed}: {quality}");
        let cause = run.findings.cause.as_ref().unwrap();
        assert_eq!(cause.kind, CauseKind::Collapse, "seed {seed}");
        let preflight = run.findings.preflight.as_ref().unwrap();
        assert!(preflight.certificate.collapse_is_optimal, "seed {seed}");
        assert!(
            run.report.contains("modes captured") && run.report.contains("posterior collapsed")
        );
        // The reference's loss table stands beside ours.
        assert!(run.report.contains("0.654027") && run.report.contains("0.051320"));
        assert!(run.report.contains(&format!("{:.6}", last.loss)));
    }
}

/// The negative evidence lower bound of held-out rows in nats a row, in the data's own units, under
/// a Gaussian likelihood whose σ is fitted to the training residuals: one likelihood for models
/// that were trained with different ones.
fn held_out_loss(run: &Run) -> f64 {
    let device = device::open(Backend::Cpu).unwrap().device;
    let vae = Vae::new(&run.saved.parameters, &device);
    let scaling = &run.saved.card.scaling;
    let squares_and_kl = |table: &Table| {
        let x = to_tensor(scaling.apply(table.rows()).view(), &device);
        let posterior = vae.encode(x);
        let mut noise = Array2::zeros((table.len(), run.saved.card.architecture.latent));
        let stream = modescope::random::Stream::HeldOutNoise;
        let generator = modescope::random::Generator::new(99, stream, 0);
        generator.normal(noise.as_slice_mut().unwrap());
        let z = posterior.sample(to_tensor(noise.view(), &device));
        let decoded = scaling.invert(to_array(vae.decode(z)).unwrap().view());
        let squares = (&decoded - &table.rows()).mapv(|r| f64::from(r).powi(2)).sum();
        let (mean, variance, log_variance) = (
            to_array(posterior.mean).unwrap().mapv(f64::from),
            to_array(posterior.variance).unwrap().mapv(f64::from),
            to_array(posterior.log_variance).unwrap().mapv(f64::from),
        );
        let kl = 0.5 * (mean.mapv(|m| m * m) + variance - log_variance - 1.0).sum();
        (squares / table.len() as f64, kl / table.len() as f64)
    };
    let dimensions = run.dataset.table.width() as f64;
    let variance = squares_and_kl(&run.dataset.training).0 / dimensions;
    let (squares, kl) = squares_and_kl(&run.dataset.held_out);
    0.5 * dimensions * (std::f64::consts::TAU * variance).ln() + squares / (2.0 * variance) + kl
}

#[test]
fn standard_uses_its_latent_space_and_beats_classic_on_the_same_likelihood() {
    let (standard, classic) = (run("standard", 1), run("classic", 1));
    let latent = standard.findings.latent.as_ref().unwrap();
    assert_eq!(latent.summary.active_units, 2);
    assert!(!standard.findings.preflight.as_ref().unwrap().certificate.collapse_is_optimal);
    let (better, worse) = (held_out_loss(&standard), held_out_loss(&classic));
    assert!(better < worse - 0.1, "standard {better}, classic {worse}");
    // The history's own bound agrees where the likelihood is the recipe's.
    let recorded = -standard.history.last().unwrap().held_out_elbo.unwrap();
    assert!((recorded - better).abs() < 0.1, "recorded {recorded}, here {better}");
}

/// Every mode that the data show, as it is in them, and a held-out likelihood near the truth's, on a
/// seed whose weights leave no mode too small.
#[test]
fn calibrated_catches_every_mode() {
    let run = run("calibrated", 2);
    let audit = run.findings.samples.as_ref().unwrap();
    let judged = audit.counts.eligible_only;
    assert!(judged.modes >= 8 && judged.strict == judged.modes, "{}", run.findings.verdict);
    assert!(run.findings.verdict.contains("as they are in the data"), "{}", run.findings.verdict);
    assert_eq!(run.findings.cause.as_ref().map(|cause| cause.kind), None);
    let gap = audit.metrics.nll_gap.as_ref().unwrap().generated.value;
    assert!(gap < 0.1, "{gap}");
    // 1000 rows have room for 40 components.
    let modescope::model::Prior::Mixture(prior) = &run.saved.card.prior else { panic!("refitted") };
    assert_eq!(prior.components(), 40);
    // Without the noise the same latents give modes that are too narrow. Not all: as many latent units
    // as columns give a mode some width of their own.
    let mean = audit.other_noise.as_ref().unwrap();
    assert!(mean.counts.strict < audit.counts.strict, "{} strict", mean.counts.strict);
}
