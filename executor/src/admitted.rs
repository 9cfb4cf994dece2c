//! The proof that a call was permitted and that its decision is on the disk.

use audit::DecisionReceipt;
use policy::Permit;

/// A call that may run. Nothing else is taken by a backend.
#[derive(Debug)]
pub struct Admitted {
    permit: Permit,
    receipt: DecisionReceipt,
}

/// The receipt does not belong to the permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAdmitted {
    /// The receipt is of another call.
    #[error("the recorded decision is that of another call; record this call's own decision first")]
    OtherCall,
    /// The record says something other than that the call may run.
    #[error("the recorded verdict does not allow the call; record the decision that was made")]
    OtherVerdict,
}

impl Admitted {
    /// Join a permit and the durable record of its decision.
    ///
    /// # Errors
    /// When the record is that of another call, or does not allow it.
    pub fn new(permit: Permit, receipt: DecisionReceipt) -> Result<Self, NotAdmitted> {
        if receipt.call_id() != *permit.call_id().as_bytes() {
            return Err(NotAdmitted::OtherCall);
        }
        match receipt.verdict() {
            audit::Verdict::Allow => Ok(Self { permit, receipt }),
            audit::Verdict::Hold | audit::Verdict::Deny => Err(NotAdmitted::OtherVerdict),
        }
    }

    /// The permit.
    pub fn permit(&self) -> &Permit {
        &self.permit
    }

    /// The number of the decision in the ledger.
    #[must_use]
    pub fn decision_seq(&self) -> u64 {
        self.receipt.seq()
    }
}
