//! Progress bars on a terminal, plain lines elsewhere.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, MultiProgress, ProgressBar, ProgressStyle};

use super::output::{Output, say};
use crate::run::{Progress, Silent, Task};

/// Seconds between two plain lines of one task.
const LINE_INTERVAL: Duration = Duration::from_secs(5);
// The number after `per_sec` is its decimals. A width for `eta` would also cut the message short.
const BAR: &str =
    "{prefix:>22} {bar:24.cyan/dim} {percent:>3}%  {per_sec:1}  {eta} left  {wide_msg}";
/// Where the end is not known.
const COUNT: &str = "{prefix:>22} {spinner:.cyan} {human_pos}  {per_sec:1}  {wide_msg}";

/// How this process shows progress.
pub enum Display {
    /// Not at all.
    Quiet,
    /// Bars that redraw themselves.
    Bars(MultiProgress),
    /// One line now and then.
    Lines,
}

impl Display {
    pub fn new(output: &Output) -> Self {
        match (output.is_quiet(), output.is_terminal()) {
            (true, _) => Display::Quiet,
            (false, true) => Display::Bars(MultiProgress::new()),
            (false, false) => Display::Lines,
        }
    }
}

impl Progress for Display {
    fn note(&self, line: &str) {
        match self {
            Display::Quiet => {}
            // A bar that is being drawn would be torn by a line written past it.
            Display::Bars(bars) => bars.suspend(|| say(line)),
            Display::Lines => say(line),
        }
    }

    fn begin(&self, name: &str, total: u64) -> Box<dyn Task> {
        match self {
            Display::Quiet => Box::new(Silent),
            Display::Bars(bars) => {
                let template = if total > 0 { BAR } else { COUNT };
                let style = ProgressStyle::with_template(template)
                    .unwrap_or_else(|_| ProgressStyle::default_bar())
                    .progress_chars("━━╌");
                let bar = bars.add(ProgressBar::new(total).with_style(style));
                bar.set_prefix(name.to_owned());
                Box::new(Bar(bar))
            }
            Display::Lines => Box::new(Lines::new(name, total)),
        }
    }
}

struct Bar(ProgressBar);

impl Task for Bar {
    fn update(&self, done: u64, message: &str) {
        self.0.set_position(done);
        if self.0.message() != message {
            self.0.set_message(message.to_owned());
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if self.0.position() == self.0.length().unwrap_or_default() {
            self.0.finish();
        } else {
            self.0.abandon();
        }
    }
}

/// Prints where a task stands every few seconds and when it ends.
struct Lines {
    name: String,
    total: u64,
    start: Instant,
    state: Mutex<State>,
}

struct State {
    last_line: Instant,
    done: u64,
    message: String,
}

impl Lines {
    fn new(name: &str, total: u64) -> Self {
        let start = Instant::now();
        let state = State { last_line: start, done: 0, message: String::new() };
        Self { name: name.into(), total, start, state: Mutex::new(state) }
    }

    fn print(&self, state: &State) {
        let elapsed = self.start.elapsed();
        let rate = state.done as f64 / elapsed.as_secs_f64().max(1e-9);
        let seconds = (self.total - state.done.min(self.total)) as f64 / rate.max(1e-9);
        // An estimate beyond what a duration holds is forever.
        let left = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
        let (name, done, total, message) = (&self.name, state.done, self.total, &state.message);
        let time = match done < total {
            true => format!("{} left", HumanDuration(left)),
            false => format!("{:.1} s", elapsed.as_secs_f64()),
        };
        let line = match total {
            0 => format!("{name}: {done} ({rate:.1}/s, {:.1} s) {message}", elapsed.as_secs_f64()),
            _ => format!("{name}: {done}/{total} ({rate:.1}/s, {time}) {message}"),
        };
        say(line.trim_end());
    }
}

impl Task for Lines {
    fn update(&self, done: u64, message: &str) {
        // A poisoned lock only means that another thread panicked while printing.
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // Parallel workers may report out of order.
        state.done = state.done.max(done);
        message.clone_into(&mut state.message);
        if state.last_line.elapsed() >= LINE_INTERVAL && (done < self.total || self.total == 0) {
            state.last_line = Instant::now();
            self.print(&state);
        }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        let state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // Work that never began has nothing to say.
        if state.done > 0 {
            self.print(&state);
        }
    }
}
