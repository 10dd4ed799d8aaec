//! A graphics device that is lost in the middle of a training. Each test is a process of its own, because
//! nothing else can compute on the device afterwards.

use std::sync::Mutex;

use modescope::audit::findings::Findings;
use modescope::config::{Backend, Layers, Settings};
use modescope::device;
use modescope::error::{Kind, Result};
use modescope::history::read_history;
use modescope::run::{
    Context, Dataset, Existing, Facts, Plan, Progress, RunDir, Stage, Task, Watch, execute,
};

/// Destroys the device in the middle of a task, and keeps what is said and begun.
#[derive(Default)]
struct Saboteur {
    /// The task's name, and what is done of it then.
    destroy_at: Option<(&'static str, u64)>,
    notes: Mutex<Vec<String>>,
    tasks: Mutex<Vec<String>>,
}

struct Watched {
    destroy_at: Option<u64>,
}

impl Progress for Saboteur {
    fn note(&self, line: &str) {
        self.notes.lock().unwrap().push(line.into());
    }

    fn begin(&self, name: &str, _: u64) -> Box<dyn Task> {
        self.tasks.lock().unwrap().push(name.into());
        let destroy_at = self.destroy_at.filter(|(task, _)| *task == name).map(|(_, at)| at);
        let watched = Watched { destroy_at };
        watched.update(0, "");
        Box::new(watched)
    }
}

impl Task for Watched {
    fn update(&self, done: u64, _: &str) {
        if self.destroy_at.is_some_and(|at| done >= at) {
            device::wgpu_setup().unwrap().device.destroy();
        }
    }
}

struct Ended {
    result: Result<Plan>,
    notes: Vec<String>,
    tasks: Vec<String>,
    folder: tempfile::TempDir,
}

impl Ended {
    fn captured(&self) -> usize {
        let text = std::fs::read(self.folder.path().join(RunDir::AUDIT)).unwrap();
        serde_json::from_slice::<Findings>(&text).unwrap().samples.unwrap().counts.captured
    }
}

/// A run whose settings say `asked` and whose plan decided for `decided`.
fn run(
    asked: &str,
    engine: &str,
    decided: Backend,
    destroy_at: Option<(&'static str, u64)>,
) -> Ended {
    let folder = tempfile::tempdir().unwrap();
    let assignments = [
        &format!("backend={asked}"),
        &format!("engine={engine}"),
        "training.epochs=60",
        "safety.checkpoint_epochs=5",
        "samples=4000",
        "analysis.restarts=2",
        "analysis.max_clusters=4",
        "analysis.perplexities=[]",
    ]
    .map(String::from);
    let layers = Layers { assignments: &assignments, ..Layers::default() };
    let settings = Settings::resolve(&layers).unwrap();
    let dataset = Dataset::prepare(None, &settings, Watch::nobody()).unwrap();
    let chosen = device::open(decided).unwrap();
    let facts = Facts::new(&dataset, decided, chosen.adapter);
    let plan = Plan::resolve(settings, facts).unwrap();
    let dir = RunDir::create(folder.path(), Existing::Refuse).unwrap();
    let progress = Saboteur { destroy_at, ..Saboteur::default() };
    let context = Context {
        dir: &dir,
        plan: &plan,
        dataset: &dataset,
        device: &chosen.device,
        watch: Watch { progress: &progress, ..Watch::nobody() },
    };
    let result = execute(&context, Stage::Audit);
    let Saboteur { notes, tasks, .. } = progress;
    let (notes, tasks) = (notes.into_inner().unwrap(), tasks.into_inner().unwrap());
    Ended { result, notes, tasks, folder }
}

/// Runs an ignored test of this program alone.
fn alone(name: &str) {
    let program = std::env::current_exe().unwrap();
    let arguments = ["--ignored", "--exact", name, "--nocapture"];
    let output = std::process::Command::new(program).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("1 passed"), "{said}");
}

#[test]
fn a_device_lost_by_the_fused_engine_is_replaced_by_the_processor() {
    alone("fused_loses_the_device");
}

#[test]
fn a_device_lost_by_the_autodiff_engine_is_replaced_by_the_processor() {
    alone("autodiff_loses_the_device");
}

#[test]
fn what_is_trained_when_the_device_is_lost_is_not_trained_again() {
    alone("the_audit_loses_the_device");
}

#[test]
#[ignore = "run alone by what_is_trained_when_the_device_is_lost_is_not_trained_again"]
fn the_audit_loses_the_device() {
    let lost = run("auto", "fused", Backend::Wgpu, Some(("audit", 0)));
    assert_eq!(lost.result.unwrap().decided.backend, Backend::Cpu);
    assert_eq!(lost.tasks.iter().filter(|task| *task == "training").count(), 1, "{:?}", lost.tasks);
    assert!(lost.notes.iter().any(|note| note.contains("going on on the CPU")), "{:?}", lost.notes);
}

#[test]
#[ignore = "run alone by a_device_lost_by_the_fused_engine_is_replaced_by_the_processor"]
fn fused_loses_the_device() {
    lose_the_device("fused", 400);
}

#[test]
#[ignore = "run alone by a_device_lost_by_the_autodiff_engine_is_replaced_by_the_processor"]
fn autodiff_loses_the_device() {
    lose_the_device("autodiff", 200);
}

/// Where `auto` had chosen the device the run goes on on the processor; an explicit choice is an error.
fn lose_the_device(engine: &str, step: u64) {
    let on_cpu = run("cpu", engine, Backend::Cpu, None);
    on_cpu.result.as_ref().unwrap();

    let lost = run("auto", engine, Backend::Wgpu, Some(("training", step)));
    let plan = lost.result.as_ref().unwrap();
    assert_eq!(plan.decided.backend, Backend::Cpu);
    let said = |word: &str| lost.notes.iter().any(|note| note.contains(word));
    assert!(said("going on on the CPU") && said("training goes on in epoch "), "{:?}", lost.notes);
    assert!(Plan::read(lost.folder.path()).unwrap().difference(plan).unwrap().is_none());
    let history = read_history(&lost.folder.path().join(RunDir::HISTORY)).unwrap();
    assert!(history.iter().map(|record| record.epoch).eq(0..60));
    assert!(lost.captured().abs_diff(on_cpu.captured()) <= 1);

    // Lost before the first step.
    let begun = run("auto", engine, Backend::Wgpu, None);
    assert_eq!(begun.result.as_ref().unwrap().decided.backend, Backend::Cpu);
    assert_eq!(begun.captured(), on_cpu.captured());

    let refused = run("wgpu", engine, Backend::Wgpu, None);
    let error = refused.result.unwrap_err();
    assert_eq!(error.kind(), Kind::Device);
    assert!(error.remedy().unwrap().contains("--backend cpu"), "{error}");
}
