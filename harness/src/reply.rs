//! Answers that may leave: each is made from the durable record of what it says.

use audit::{DecisionReceipt, OutcomeReceipt};
use executor::Outcome;
use policy::{CallId, Refusal, Remaining};

/// The answer to a call that ran. It cannot be made before its outcome is on the
/// disk.
#[derive(Debug)]
pub struct Reply {
    outcome: Outcome,
    recorded: OutcomeReceipt,
    judged: Judged,
}

/// What the policy had to say of a call that ran.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) generation: u64,
    pub(crate) policy_digest: [u8; 32],
    pub(crate) remaining: Vec<Remaining>,
    pub(crate) redacted: usize,
}

impl Reply {
    pub(crate) fn new(
        outcome: Outcome,
        recorded: OutcomeReceipt,
        judged: Judged,
    ) -> Self {
        Self {
            outcome,
            recorded,
            judged,
        }
    }

    /// The generation of the policy that decided.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.judged.generation
    }

    /// The digest of the policy that decided.
    #[must_use]
    pub fn policy_digest(&self) -> [u8; 32] {
        self.judged.policy_digest
    }

    /// What remains of the budgets that count the call.
    #[must_use]
    pub fn remaining(&self) -> &[Remaining] {
        &self.judged.remaining
    }

    /// Places of the output from which something was taken out.
    #[must_use]
    pub fn redacted(&self) -> usize {
        self.judged.redacted
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
