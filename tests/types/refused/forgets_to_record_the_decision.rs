//! A permitted call that is run before its decision is on the disk.

use audit::{AppendError, DecisionReceipt};
use executor::Admitted;
use policy::Permit;

pub fn unrecorded(permit: Permit, receipt: Result<DecisionReceipt, AppendError>) {
    let _admitted = Admitted::new(permit, receipt); //~ E0308: mismatched types
}
