//! Durations, and the figures that are read off them.

use std::time::Duration;

/// Durations of one kind of act.
#[derive(Default)]
pub(super) struct Sample {
    times: Vec<Duration>,
}

impl Sample {
    pub(super) fn add(&mut self, time: Duration) {
        self.times.push(time);
    }

    pub(super) fn extend(&mut self, other: Self) {
        self.times.extend(other.times);
    }

    pub(super) fn len(&self) -> usize {
        self.times.len()
    }

    /// The nearest-rank quantile, in thousandths: the smallest time that at least
    /// so many of all are not above.
    pub(super) fn quantile(&self, per_mille: usize) -> Option<Duration> {
        let mut sorted = self.times.clone();
        sorted.sort_unstable();
        let rank = sorted.len().saturating_mul(per_mille).div_ceil(1000);
        sorted.get(rank.saturating_sub(1)).copied()
    }
}

/// Milliseconds, with as many digits as mean something.
pub(super) fn milliseconds(time: Option<Duration>) -> String {
    time.map_or_else(
        || "-".to_owned(),
        |time| format!("{:.2} ms", time.as_secs_f64() * 1e3),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(milliseconds: impl IntoIterator<Item = u64>) -> Sample {
        Sample {
            times: milliseconds
                .into_iter()
                .map(Duration::from_millis)
                .collect(),
        }
    }

    #[test]
    fn quantiles_are_by_nearest_rank() {
        let hundred = sample((1..=100).rev());
        assert_eq!(hundred.quantile(500), Some(Duration::from_millis(50)));
        assert_eq!(hundred.quantile(990), Some(Duration::from_millis(99)));
        assert_eq!(hundred.quantile(999), Some(Duration::from_millis(100)));
        assert_eq!(sample([7]).quantile(500), Some(Duration::from_millis(7)));
        assert_eq!(sample([]).quantile(500), None);
    }
}
