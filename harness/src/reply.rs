//! Answers that may leave: each is made from the durable record of what it says.

use audit::{DecisionReceipt, OutcomeReceipt};
use executor::Outcome;
use policy::{CallId, Refusal};

/// The answer to a call that ran. It cannot be made before its outcome is on the
/// disk.
#[derive(Debug)]
pub struct Reply {
    outcome: Outcome,
    recorded: OutcomeReceipt,
}

impl Reply {
    pub(crate) fn new(outcome: Outcome, recorded: OutcomeReceipt) -> Self {
        Self { outcome, recorded }
    }

    /// What became of the call.
    #[must_use]
    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// The call.
    #[must_use]
    pub fn call_id(&self) -> CallId {
        CallId::from_bytes(self.recorded.call_id())
    }

    /// Number of the decision in the ledger.
    #[must_use]
    pub fn decision_seq(&self) -> u64 {
        self.recorded.decision_seq()
    }

    /// Number of the outcome in the ledger.
    #[must_use]
    pub fn outcome_seq(&self) -> u64 {
        self.recorded.seq()
    }
}

/// The answer to a call that does not run. It cannot be made before its decision
/// is on the disk.
#[derive(Debug)]
pub struct Denial {
    refusal: Refusal,
    recorded: DecisionReceipt,
}

impl Denial {
    pub(crate) fn new(refusal: Refusal, recorded: DecisionReceipt) -> Self {
        Self { refusal, recorded }
    }

    /// The decision that refuses.
    pub fn refusal(&self) -> &Refusal {
        &self.refusal
    }

    /// Number of the decision in the ledger.
    #[must_use]
    pub fn decision_seq(&self) -> u64 {
        self.recorded.seq()
    }
}
