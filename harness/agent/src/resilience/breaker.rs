//! The circuit breaker: a provider that keeps failing is left alone for a while.
//!
//! ```text
//!          5 failures in a row               60 s
//!  Closed ────────────────────► Open ──────────────────► HalfOpen ── 2 successes ─► Closed
//!                                ▲                          │
//!                                └───────── a failure ──────┘
//! ```

use serde::{Deserialize, Serialize};

/// The numbers of a breaker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BreakerRule {
    /// Failures in a row that open it.
    pub failures: u32,
    /// Successes in a row that close it again.
    pub successes: u32,
    /// How long it stays open.
    pub open_ms: u64,
    /// How long a call may take before it counts as failed.
    pub call_wall_ms: u64,
}

impl Default for BreakerRule {
    fn default() -> Self {
        Self {
            failures: 5,
            successes: 2,
            open_ms: 60_000,
            call_wall_ms: 30_000,
        }
    }
}

/// Where a breaker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum BreakerState {
    /// Calls pass.
    Closed {
        /// Failures in a row.
        failures: u32,
    },
    /// No call passes.
    Open {
        /// Until when.
        until_ms: u64,
    },
    /// One call at a time passes, to see.
    HalfOpen {
        /// Successes in a row.
        successes: u32,
        /// A call is on its way.
        trying: bool,
    },
}

impl BreakerState {
    /// The word for it in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed { .. } => "closed",
            Self::Open { .. } => "open",
            Self::HalfOpen { .. } => "half_open",
        }
    }
}

/// What a breaker has seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Calls that went well.
    pub successes: u64,
    /// Calls that did not.
    pub failures: u64,
    /// Calls that it did not let pass.
    pub refused: u64,
    /// Changes of its state.
    pub transitions: u64,
    /// When the last call failed.
    pub last_failure_ms: Option<u64>,
}

/// A breaker.
#[derive(Debug, Clone)]
pub struct Breaker {
    rule: BreakerRule,
    state: BreakerState,
    counts: Counts,
}

impl Breaker {
    /// A closed one.
    #[must_use]
    pub const fn new(rule: BreakerRule) -> Self {
        let counts = Counts {
            successes: 0,
            failures: 0,
            refused: 0,
            transitions: 0,
            last_failure_ms: None,
        };
        Self {
            rule,
            state: BreakerState::Closed { failures: 0 },
            counts,
        }
    }

    /// May a call be made now? One that may has to be told of later, by
    /// [`Self::succeeded`], [`Self::failed`] or [`Self::abandoned`].
    pub fn admit(&mut self, now_ms: u64) -> bool {
        if let BreakerState::Open { until_ms } = self.state
            && now_ms >= until_ms
        {
            self.turn(BreakerState::HalfOpen {
                successes: 0,
                trying: false,
            });
        }
        let admitted = match &mut self.state {
            BreakerState::Closed { .. } => true,
            BreakerState::Open { .. } => false,
            BreakerState::HalfOpen { trying, .. } => !std::mem::replace(trying, true),
        };
        self.counts.refused += u64::from(!admitted);
        admitted
    }

    /// A call went well.
    pub fn succeeded(&mut self) {
        self.counts.successes += 1;
        match self.state {
            BreakerState::Closed { .. } => self.state = BreakerState::Closed { failures: 0 },
            BreakerState::HalfOpen { successes, .. } if successes + 1 >= self.rule.successes => {
                self.turn(BreakerState::Closed { failures: 0 });
            }
            BreakerState::HalfOpen { successes, .. } => {
                self.state = BreakerState::HalfOpen {
                    successes: successes + 1,
                    trying: false,
                };
            }
            // Made before it opened.
            BreakerState::Open { .. } => {}
        }
    }

    /// A call failed in a way that says that the provider is ill.
    pub fn failed(&mut self, now_ms: u64) {
        self.counts.failures += 1;
        self.counts.last_failure_ms = Some(now_ms);
        let open = BreakerState::Open {
            until_ms: now_ms.saturating_add(self.rule.open_ms),
        };
        match self.state {
            BreakerState::Closed { failures } if failures + 1 < self.rule.failures => {
                self.state = BreakerState::Closed {
                    failures: failures + 1,
                };
            }
            BreakerState::Closed { .. } | BreakerState::HalfOpen { .. } => self.turn(open),
            BreakerState::Open { .. } => {}
        }
    }

    /// A call ended in a way that says nothing of the provider.
    pub fn abandoned(&mut self) {
        if let BreakerState::HalfOpen { trying, .. } = &mut self.state {
            *trying = false;
        }
    }

    fn turn(&mut self, state: BreakerState) {
        self.state = state;
        self.counts.transitions += 1;
    }

    /// Where it stands.
    #[must_use]
    pub const fn state(&self) -> BreakerState {
        self.state
    }

    /// What it has seen.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Debug, Clone)]
    enum Act {
        Later(u64),
        Call(Option<bool>),
    }

    fn acts() -> impl Strategy<Value = Vec<Act>> {
        let act = prop_oneof![
            (0_u64..40_000).prop_map(Act::Later),
            any::<bool>().prop_map(|good| Act::Call(Some(good))),
            Just(Act::Call(None)),
        ];
        proptest::collection::vec(act, 0..80)
    }

    /// The breaker as a list of what happened: slow, and plain to read.
    #[derive(Default)]
    struct Model {
        /// Outcomes since the last change of state.
        since: Vec<bool>,
        opened_ms: Option<u64>,
        half: bool,
    }

    impl Model {
        fn admits(&mut self, now_ms: u64) -> bool {
            if self
                .opened_ms
                .is_some_and(|opened| now_ms >= opened + 60_000)
            {
                (self.opened_ms, self.half) = (None, true);
                self.since.clear();
            }
            self.opened_ms.is_none()
        }

        fn told(&mut self, good: bool, now_ms: u64) {
            self.since.push(good);
            let in_row = |wanted| {
                self.since
                    .iter()
                    .rev()
                    .take_while(|&&each| each == wanted)
                    .count()
            };
            if !good && (self.half || in_row(false) >= 5) {
                (self.opened_ms, self.half) = (Some(now_ms), false);
                self.since.clear();
            } else if self.half && in_row(true) >= 2 {
                self.half = false;
                self.since.clear();
            }
        }
    }

    proptest! {
        #[test]
        fn a_breaker_is_its_model(acts in acts()) {
            let (mut breaker, mut model) = (Breaker::new(BreakerRule::default()), Model::default());
            let mut now_ms = 0;
            for act in acts {
                match act {
                    Act::Later(ms) => now_ms += ms,
                    Act::Call(outcome) => {
                        let admitted = breaker.admit(now_ms);
                        prop_assert_eq!(admitted, model.admits(now_ms));
                        match outcome {
                            _ if !admitted => {}
                            None => breaker.abandoned(),
                            Some(true) => breaker.succeeded(),
                            Some(false) => breaker.failed(now_ms),
                        }
                        if let (true, Some(good)) = (admitted, outcome) {
                            model.told(good, now_ms);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn half_open_lets_one_call_pass_at_a_time() {
        let mut breaker = Breaker::new(BreakerRule::default());
        (0..5).for_each(|_| breaker.failed(1_000));
        assert!(!breaker.admit(60_999));
        assert!(breaker.admit(61_000));
        assert!(!breaker.admit(61_000), "one is on its way");
        breaker.succeeded();
        assert!(breaker.admit(61_001));
        breaker.succeeded();
        assert_eq!(breaker.state().as_str(), "closed");
        let counts = breaker.counts();
        assert_eq!(
            (counts.transitions, counts.refused, counts.failures),
            (3, 2, 5)
        );
        assert_eq!(counts.last_failure_ms, Some(1_000));
    }
}
