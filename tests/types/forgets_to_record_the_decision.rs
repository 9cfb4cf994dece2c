//! A permitted call that is run before its decision is on the disk.

use audit::{AppendError, DecisionReceipt};
use executor::Admitted;
use policy::Permit;

fn admit(permit: Permit) -> Admitted {
    let receipt = loop {};
    Admitted { permit, receipt }
}

fn forge() -> DecisionReceipt {
    DecisionReceipt { seq: 1, call_id: [0; 16], record_hash: [0; 32], verdict: audit::Verdict::Allow }
}

fn unrecorded(permit: Permit, receipt: Result<DecisionReceipt, AppendError>) {
    let _admitted = Admitted::new(permit, receipt);
}

fn main() {
    let _all = (admit, forge, unrecorded);
}
