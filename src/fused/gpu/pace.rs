//! How many steps a submission has.

use std::time::{Duration, Instant};

/// What a submission should take: long enough that the host's share does not show, far below what
/// makes drivers give a device up as lost, and short enough for an interrupt.
const AIM: Duration = Duration::from_millis(20);

/// The number of steps of the next submission, from how long the last ones took.
#[derive(Debug)]
pub(super) struct Pace {
    steps: usize,
    /// When the device was last seen to finish something.
    finished: Option<Instant>,
}

impl Default for Pace {
    /// One step at first: nothing is known of its time.
    fn default() -> Self {
        Self { steps: 1, finished: None }
    }
}

impl Pace {
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// A submission of `count` steps has just ended; it began when it was submitted, or when the one
    /// before it ended.
    pub fn finished(&mut self, count: usize, submitted: Instant) {
        let now = Instant::now();
        let began = self.finished.map_or(submitted, |finished| finished.max(submitted));
        self.finished = Some(now);
        self.steps = next(count, now - began);
    }
}

/// As many steps as fill the aim, but at most twice as many as were measured.
fn next(count: usize, time: Duration) -> usize {
    let fitting = AIM.as_nanos() * count as u128 / time.as_nanos().max(1);
    fitting.clamp(1, 2 * count as u128) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn submissions_grow_to_their_aim_and_shrink_at_once() {
        let milliseconds = Duration::from_millis;
        assert_eq!(next(1, milliseconds(2)), 2);
        assert_eq!(next(8, milliseconds(16)), 10);
        assert_eq!(next(10, milliseconds(100)), 2);
        assert_eq!(next(1, milliseconds(500)), 1);
    }
}
