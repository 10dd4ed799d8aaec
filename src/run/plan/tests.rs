use super::*;

pub(in crate::run) fn facts(rows: usize) -> Facts {
    let file =
        Source::File { path: "my.csv".into(), hash: "00".into(), dropped: 0, constant: vec![] };
    Facts {
        source: file,
        columns: 3,
        training_rows: rows,
        rows_at_once: rows,
        rows_to_analyse: rows,
        held_out_rows: 0,
        backend: Backend::Cpu,
        adapter: None,
    }
}

#[test]
fn the_default_batch_shrinks_and_says_so_an_explicit_one_is_refused() {
    let plan = Plan::resolve(Settings::default(), facts(20)).unwrap();
    assert_eq!(plan.decided.batch, 20);
    assert!(plan.notes[0].starts_with("batch size 20"), "{:?}", plan.notes);
    let mut settings = Settings::default();
    settings.training.batch = Some(21);
    let error = Plan::resolve(settings, facts(20)).unwrap_err();
    assert_eq!(error.message(), "setting training.batch is 21, but there are 20 rows to train on");
}

#[test]
fn epochs_are_as_many_as_make_the_steps() {
    let epochs = |rows| Plan::resolve(Settings::default(), facts(rows)).unwrap().decided.epochs;
    assert_eq!([1000, 20_000, 600_000, 1_000_000].map(epochs), [313, 16, 1, 1]);
    // Of few rows, enough steps but no more passes than they bear.
    assert_eq!([20, 100, 300, 800].map(epochs), [2000, 500, 400, 400]);
    let mut settings = Settings::default();
    settings.training.epochs = Some(7);
    let of_few = Plan::resolve(settings.clone(), facts(1000)).unwrap();
    assert_eq!(of_few.decided.epochs, 7);
    // A longer training is the default one, or twice this one.
    assert_eq!(of_few.longer(), "--epochs 313");
    settings.training.epochs = Some(313);
    let longer = |settings| Plan::resolve(settings, facts(1000)).unwrap().longer();
    assert_eq!(longer(settings.clone()), "--epochs 626");
    (settings.training.epochs, settings.training.rows) = (None, Some(6400));
    assert_eq!(longer(settings.clone()), "--rows 64000");
    settings.training.rows = Some(64_000);
    assert_eq!(longer(settings), "--rows 128000");
}

#[test]
fn training_may_end_within_a_pass() {
    let mut settings = Settings::default();
    settings.training.rows = Some(2_500);
    let plan = Plan::resolve(settings.clone(), facts(1000)).unwrap();
    assert_eq!((plan.decided.epochs, plan.rows_to_visit()), (3, 2_500));
    // The batch is that of as many rows as are visited.
    settings.training.rows = Some(1_280_000);
    let plan = Plan::resolve(settings, facts(1_000_000_000)).unwrap();
    assert_eq!((plan.decided.batch, plan.decided.epochs), (128, 1));
    let plan = Plan::resolve(Settings::default(), facts(1000)).unwrap();
    assert_eq!(plan.rows_to_visit(), 313_000);
}

#[test]
fn many_rows_come_in_larger_batches_of_as_many_steps() {
    let batch = |rows| Plan::resolve(Settings::default(), facts(rows)).unwrap().decided.batch;
    let rows = [31, 1000, 639_999, 640_000, 1_279_999, 5_000_000, 1_000_000_000];
    assert_eq!(rows.map(batch), [31, 32, 32, 64, 64, 256, 8192]);
    let in_blocks = Facts { rows_at_once: 1000, ..facts(50_000_000) };
    let plan = Plan::resolve(Settings::default(), in_blocks).unwrap();
    assert_eq!(plan.decided.batch, 1000);
}

#[test]
fn perplexities_that_the_rows_do_not_allow_are_left_out_aloud() {
    let plan = Plan::resolve(Settings::default(), facts(60)).unwrap();
    assert_eq!(plan.decided.perplexities, [5.0]);
    let notes: Vec<String> = plan.perplexity_notes().collect();
    assert!(notes[0].contains("perplexity 30 left out: it needs more than 91 rows"), "{notes:?}");
}

#[test]
fn early_stopping_without_held_out_rows_is_refused() {
    let mut settings = Settings::default();
    settings.training.patience = Some(5);
    assert!(Plan::resolve(settings, facts(60)).unwrap_err().message().contains("held-out"));
}

#[test]
fn a_plan_survives_its_file_and_differences_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let plan = Plan::resolve(Settings::default(), facts(1000)).unwrap();
    plan.write(folder.path()).unwrap();
    let read = Plan::read(folder.path()).unwrap();
    assert_eq!(plan.difference(&read).unwrap(), None);
    let settings = Settings { seed: 2, ..Settings::default() };
    let other = Plan::resolve(settings, facts(1000)).unwrap();
    assert_eq!(other.difference(&read).unwrap().as_deref(), Some("seed is 2, not 1"));
    let mut elsewhere = plan.clone();
    elsewhere.settings.backend = BackendChoice::Cpu;
    elsewhere.decided.backend = Backend::Ndarray;
    assert_eq!(elsewhere.difference(&read).unwrap(), None);
    let mut safer = plan.clone();
    safer.settings.safety.checkpoints_kept = 9;
    assert_eq!(safer.difference(&read).unwrap(), None);
    let settings = Settings { samples: 7, ..Settings::default() };
    let third = Plan::resolve(settings, facts(900)).unwrap();
    assert_eq!(third.difference(&read).unwrap().unwrap(), "samples is 7, not 10000");
    let fewer = Plan::resolve(Settings::default(), facts(900)).unwrap();
    assert_eq!(
        fewer.difference(&read).unwrap().unwrap(),
        "run.epochs is 345, not 313, run.training_rows is 900, not 1000"
    );
    let differences = Plan::differences(&[&plan, &other, &third]).unwrap();
    let difference = |key: &str, values: [&str; 3]| (key.into(), values.map(String::from).into());
    assert_eq!(
        differences,
        [
            difference("samples", ["10000", "10000", "7"]),
            difference("seed", ["1", "2", "1"]),
            difference("run.epochs", ["313", "313", "345"]),
            difference("run.training_rows", ["1000", "1000", "900"]),
        ]
    );
}
