//! How often a provider may be asked: a bucket of tokens that fills with time.
//!
//! Kept as one number, the time at which the bucket will be full (GCRA, ITU-T I.371), so
//! that nothing has to run in the background.

use serde::{Deserialize, Serialize};

/// Microseconds of a millisecond: the bucket is finer than the clock.
const MICROS: u64 = 1_000;

/// The numbers of a bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PermitRule {
    /// Calls in a minute.
    pub per_minute: u32,
    /// Calls that may come at once.
    pub burst: u32,
}

impl Default for PermitRule {
    fn default() -> Self {
        Self {
            per_minute: 60,
            burst: 10,
        }
    }
}

/// A bucket.
#[derive(Debug, Clone)]
pub struct Permits {
    /// Time that one permit takes to come back.
    each_us: u64,
    /// How far ahead of the clock the bucket may be.
    burst_us: u64,
    /// When it is full again.
    full_at_us: u64,
}

impl Permits {
    /// A full one.
    #[must_use]
    pub fn new(rule: &PermitRule) -> Self {
        let each_us = (60_000 * MICROS) / u64::from(rule.per_minute.max(1));
        Self {
            each_us,
            burst_us: each_us * u64::from(rule.burst.max(1)),
            full_at_us: 0,
        }
    }

    /// Take `cost` permits now, or learn how long to wait for them. More than a bucket
    /// holds are given when it is full.
    ///
    /// # Errors
    /// The milliseconds to wait.
    pub const fn take(&mut self, now_ms: u64, cost: u32) -> Result<(), u64> {
        let now_us = now_ms.saturating_mul(MICROS);
        let asked = self.each_us.saturating_mul(cost as u64);
        let cost_us = if asked < self.burst_us {
            asked
        } else {
            self.burst_us
        };
        let from = if self.full_at_us > now_us {
            self.full_at_us
        } else {
            now_us
        };
        let full_at_us = from.saturating_add(cost_us);
        let ahead = full_at_us - now_us;
        if ahead > self.burst_us {
            return Err((ahead - self.burst_us).div_ceil(MICROS));
        }
        self.full_at_us = full_at_us;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_burst_passes_and_then_one_at_a_time() {
        let mut permits = Permits::new(&PermitRule::default());
        let taken = (0..20).take_while(|_| permits.take(5, 1).is_ok()).count();
        assert_eq!(taken, 10);
        assert_eq!(permits.take(5, 1), Err(1_000));
        assert_eq!(permits.take(1_005, 1), Ok(()));
        assert_eq!(permits.take(1_005, 1), Err(1_000));
    }

    proptest! {
        /// In no window are there more than the burst and what came back in its time,
        /// and whoever waits as told is let in.
        #[test]
        fn the_rate_holds(
            steps in proptest::collection::vec((0_u64..5_000, 1_u32..4), 1..60),
            per_minute in 1_u32..2_000,
            burst in 4_u32..20,
        ) {
            let mut permits = Permits::new(&PermitRule { per_minute, burst });
            let mut now_ms = 0;
            let mut taken: Vec<(u64, u32)> = Vec::new();
            for (later, cost) in steps {
                now_ms += later;
                match permits.take(now_ms, cost) {
                    Ok(()) => taken.push((now_ms, cost)),
                    Err(wait) => {
                        prop_assert!(permits.clone().take(now_ms + wait - 1, cost).is_err());
                        prop_assert_eq!(permits.clone().take(now_ms + wait, cost), Ok(()));
                    }
                }
            }
            for (first, &(start, _)) in taken.iter().enumerate() {
                for (last, &(end, _)) in taken.iter().enumerate().skip(first) {
                    let count: u32 = taken[first..=last].iter().map(|&(_, cost)| cost).sum();
                    let came_back = (end - start) * 1_000 / permits.each_us + 1;
                    prop_assert!(u64::from(count) <= u64::from(burst) + came_back);
                }
            }
        }
    }
}
