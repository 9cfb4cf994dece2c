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
    decided_by: (u64, [u8; 32]),
}

impl Reply {
    pub(crate) fn new(
        outcome: Outcome,
        recorded: OutcomeReceipt,
        decided_by: (u64, [u8; 32]),
    ) -> Self {
        Self {
            outcome,
            recorded,
            decided_by,
        }
    }

    /// The generation of the policy that decided.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.decided_by.0
    }

    /// The digest of the policy that decided.
    #[must_use]
    pub fn policy_digest(&self) -> [u8; 32] {
        self.decided_by.1
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
    generation: u64,
}

impl Denial {
    pub(crate) fn new(refusal: Refusal, recorded: DecisionReceipt, generation: u64) -> Self {
        Self {
            refusal,
            recorded,
            generation,
        }
    }

    /// The generation of the policy that decided.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
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
