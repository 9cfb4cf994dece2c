//! Did the clock jump? The wall clock is compared with one that only goes on.
//!
//! Times of records come from the wall clock, which people and networks set.
//! When it leaves the steady clock by more than [`MAX_DRIFT`], the writer says
//! so in a record, and who reads the times knows. A machine that slept shows
//! as a jump too. It never corrects a time.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::store::now_us;

/// Time services slew a clock by some milliseconds a second; nothing gentle moves it by more than
/// this between two records.
const MAX_DRIFT: Duration = Duration::from_secs(2);

/// Both clocks at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    wall_us: u64,
    steady: Instant,
}

/// A jump of the wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Jump {
    expected_us: u64,
    found_us: u64,
}

impl Jump {
    pub(crate) fn detail(self) -> Value {
        json!({ "expected_us": self.expected_us, "found_us": self.found_us })
    }
}

impl Clock {
    pub(crate) fn now() -> Self {
        Self {
            wall_us: now_us(),
            steady: Instant::now(),
        }
    }

    /// The jump since the last look, if there was one.
    pub(crate) fn jump(&mut self) -> Option<Jump> {
        self.look(Self::now())
    }

    fn look(&mut self, now: Self) -> Option<Jump> {
        let passed = now.steady.saturating_duration_since(self.steady);
        let passed_us = u64::try_from(passed.as_micros()).unwrap_or(u64::MAX);
        let expected_us = self.wall_us.saturating_add(passed_us);
        let found_us = now.wall_us;
        *self = now;
        let drift = Duration::from_micros(expected_us.abs_diff(found_us));
        (drift > MAX_DRIFT).then_some(Jump {
            expected_us,
            found_us,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jump_either_way_is_seen_once_and_a_drift_is_not() {
        let start = Clock::now();
        let mut clock = start;
        let mut at = |wall_s: u64, steady_s| {
            clock.look(Clock {
                wall_us: start.wall_us + wall_s * 1_000_000,
                steady: start.steady + Duration::from_secs(steady_s),
            })
        };
        assert_eq!(at(10, 10), None);
        assert_eq!(at(21, 20), None);
        assert!(at(3600, 30).is_some(), "forward");
        assert_eq!(at(3610, 40), None, "once");
        let back = at(20, 50);
        assert!(back.is_some_and(|jump| jump.found_us < jump.expected_us));
    }
}
