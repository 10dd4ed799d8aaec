//! `run --live`: the page on this machine that shows a run while it goes on and becomes its report.

#[path = "common/browser.rs"]
mod browser;
mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use browser::{Open, WEBGL};
use common::{Place, QUICK, two_groups};
use serde_json::{Value, json};

/// Far above what any step here takes.
const HANGS: Duration = Duration::from_secs(120);
const INJECTION: &str = "</script><img src=x onerror=alert(1)>";

/// A run that goes on, and where its page is; it is killed where a test leaves it.
struct Running {
    child: Child,
    address: String,
}

impl Running {
    fn start(place: &Place, line: &str) -> Self {
        let mut command = place.command(&format!("run --live {line}"));
        let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        let address = lines.find_map(|line| Some(line.strip_prefix("live: ")?.to_owned()));
        // What is left must be read, or the run would wait for it.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address: address.expect("an address") }
    }

    /// What the page of this name says.
    fn ask(&self, name: &str) -> Vec<u8> {
        let (host, path) = self.address.strip_prefix("http://").unwrap().split_once('/').unwrap();
        let mut stream = TcpStream::connect(host).unwrap();
        let head =
            format!("GET /{path}{name} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        answer.split_off(end + 4)
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&self.ask(name)).unwrap()
    }

    /// The first state that `is_there`, asked for as often as a page asks.
    fn state(&self, is_there: impl Fn(&Value) -> bool) -> Value {
        let begin = Instant::now();
        loop {
            let state = self.json("state");
            if is_there(&state) {
                return state;
            }
            assert!(begin.elapsed() < HANGS, "{state}");
        }
    }

    fn wait(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Losses, samples and latents come as they form; then the report is where the page was. Being looked
/// at changes nothing of a run.
#[test]
fn a_run_shows_itself_and_leaves_what_it_would_have_left_unseen() {
    let place = Place::new();
    let quick = QUICK.replace("--epochs 3", "--epochs 2000");
    let running = Running::start(&place, &format!("--out seen {quick}"));
    let page = String::from_utf8(running.ask("")).unwrap();
    assert!(page.contains("What the model is learning"), "{page}");

    running.ask("state");
    let state = running.state(|state| state["pictures"].as_u64().unwrap() > 0);
    assert_eq!(state["finished"], false);
    let names = ["epoch", "loss", "reconstruction", "kl", "sigma", "active_units", "held_out_elbo"];
    for name in names {
        assert!(state["epoch"][name].is_number(), "{name}: {state}");
    }
    let pictures = running.json("pictures");
    assert!(pictures["curves"].as_str().unwrap().starts_with("<svg"), "{pictures}");
    let charts = &pictures["charts"];
    let size = |points: &Value| {
        let columns = points["columns"].as_array().unwrap();
        [columns.len(), columns[0].as_array().unwrap().len()]
    };
    assert_eq!(size(&charts["real"]), [3, 120]);
    assert_eq!(size(&charts["generated"]), [3, 120]);
    assert_eq!(size(&charts["latent"]["means"]), [2, 120]);

    running.state(|state| state["finished"] == true);
    assert!(running.ask("") == place.read("seen/report.html").as_bytes(), "another page");
    assert!(running.wait().success());

    place.succeed(&format!("run --out unseen {quick}"));
    let bytes = |run: &str, name: &str| std::fs::read(place.path(run).join(name)).unwrap();
    for name in ["samples.csv", "latents.csv", "audit.json", "model.safetensors"] {
        assert!(bytes("seen", name) == bytes("unseen", name), "{name} is another");
    }
    assert_eq!(common::history(&place, "seen"), common::history(&place, "unseen"));
}

/// The training on more rows, which answers a question, is not the run's.
#[test]
fn epochs_of_another_training_are_not_shown_as_those_of_the_run() {
    let place = Place::new();
    place.succeed(&format!("run --out run {QUICK} --full --set analysis.more_rows=4000"));
    std::fs::remove_file(place.path("run/more_rows.json")).unwrap();
    let running = Running::start(&place, "--resume --out run");
    let mut seen = Vec::new();
    let mut watch = |state: &Value| {
        let tasks = state["tasks"].as_array().unwrap();
        seen.extend(tasks.iter().map(|task| task["name"].as_str().unwrap().to_owned()));
        assert!(state["epoch"].is_null(), "{state}");
        state["finished"] == true
    };
    while !watch(&running.json("state")) {}
    assert!(running.wait().success());
    assert!(seen.iter().any(|name| name == "training on more rows"), "{seen:?}");
}

#[test]
fn the_page_draws_what_comes_and_everyone_can_use_it() {
    let place = Place::new();
    place.write("my.csv", two_groups(&["a", "b", INJECTION, "c"], 200));
    let endless = QUICK.replace("--epochs 3", "--epochs 10000000");
    let page = Open::empty(1200, WEBGL, true);
    let mut running = Running::start(&place, &format!("my.csv --labels kind {endless}"));
    page.go(&running.address);
    page.wait_for("document.querySelectorAll('.view.drawn').length === 2");
    page.wait_for("document.querySelector('#curves svg') !== null");
    page.wait_for("document.getElementById('notes').innerText.includes('pre-flight')");
    assert!(page.coloured_pixels(".view[data-view=rows] .chart") > 500);
    let epoch = "Number(document.querySelector('[data-figure=epoch]').textContent)";
    page.wait_for(&format!("{epoch} > 0"));
    let shown = page.value("[...document.querySelectorAll('.tasks li')].map((e) => e.innerText)");
    assert!(shown[0].as_str().unwrap().contains("training"), "{shown}");

    // Newer rows leave the view as it was turned, and a choice as it was made.
    let chart = "document.querySelector('.view[data-view=rows] .chart')";
    page.script(&format!("{chart}.focus()"));
    page.press("ArrowRight");
    let eye = format!("{chart}.layout.scene.camera.eye");
    let turned = page.value(&eye);
    let samples = format!("{chart}.data.findLast(({{ name }}) => name === 'generated').x[0]");
    for _ in 0..2 {
        let before = page.value(&samples);
        page.wait_for(&format!("{samples} !== {before}"));
        assert_eq!(page.value(&eye), turned);
    }

    // Under a hand that turns it a view stays as it is.
    let rows = ".view[data-view=rows] .chart";
    page.script(&format!("document.querySelector('{rows}').scrollIntoView()"));
    page.grab(rows);
    let held = page.value(&samples);
    let epoch_now = page.value(epoch);
    page.wait_for(&format!("{epoch} > {epoch_now} + 200"));
    assert_eq!(page.value(&samples), held);
    page.let_go(rows);
    page.wait_for(&format!("{samples} !== {held}"));
    assert_ne!(page.value(&eye), turned);

    browser::everyone_can_use(&page);
    let strangers: Vec<_> =
        page.requests().into_iter().filter(|url| !url.starts_with(&running.address)).collect();
    assert_eq!(strangers, [""; 0]);
    assert_eq!(page.value("document.querySelectorAll('img, script[src], link').length"), 0);
    assert_eq!(page.value("document.getElementById('ended').hidden"), true);

    running.child.kill().unwrap();
    page.wait_for("!document.getElementById('ended').hidden");
}

#[test]
fn the_report_takes_the_place_of_the_page() {
    let place = Place::new();
    let long = QUICK.replace("--epochs 3", "--epochs 5000");
    let page = Open::empty(1200, WEBGL, true);
    let running = Running::start(&place, &format!("--out run {long}"));
    page.go(&running.address);
    page.wait_for("document.querySelectorAll('.view.drawn').length === 2");
    page.wait_for("document.querySelector('h1').innerText === 'Did the model learn the data?'");
    page.wait_for("document.querySelectorAll('.view.drawn').length === 3");
    assert!(running.wait().success());
    assert_eq!(page.errors(), [""; 0]);
    let title = "document.querySelector('.verdict') !== null";
    assert_eq!(page.value(title), json!(true));
}
