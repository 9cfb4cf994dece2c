//! Times, and the figures that are read off them.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// Times of one kind of act.
#[derive(Default)]
pub struct Sample {
    times: Vec<Duration>,
}

impl Sample {
    /// Adds one.
    pub fn add(&mut self, time: Duration) {
        self.times.push(time);
    }

    /// The nearest-rank quantile, in thousandths.
    pub fn quantile(&self, per_mille: usize) -> Duration {
        let mut sorted = self.times.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() * per_mille).div_ceil(1000);
        sorted
            .get(rank.saturating_sub(1))
            .copied()
            .unwrap_or_default()
    }
}

/// How long `act` takes; what it makes is dropped outside of that time.
pub fn time<T>(act: impl FnOnce() -> T) -> Duration {
    let started = Instant::now();
    let made = black_box(act());
    let took = started.elapsed();
    drop(made);
    took
}

/// Three digits and a unit.
pub fn show(time: Duration) -> String {
    let us = time.as_secs_f64() * 1e6;
    match us {
        us if us < 10.0 => format!("{us:.2} µs"),
        us if us < 1_000.0 => format!("{us:.0} µs"),
        us if us < 10_000.0 => format!("{:.2} ms", us / 1e3),
        us => format!("{:.0} ms", us / 1e3),
    }
}

/// How many times `one` fits into `other`.
pub fn ratio(other: Duration, one: Duration) -> String {
    let ratio = other.as_secs_f64() / one.as_secs_f64().max(1e-9);
    if ratio < 10.0 {
        format!("{ratio:.1}x")
    } else {
        format!("{ratio:.0}x")
    }
}

/// Whether a figure is within its target, in words.
pub fn met(figure: Duration, target: Duration) -> String {
    let word = if figure <= target { "met" } else { "MISSED" };
    format!("≤ {}: {word}", show(target))
}
