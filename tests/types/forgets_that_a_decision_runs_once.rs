//! One decision that is used for two calls.

use audit::DecisionReceipt;
use executor::Admitted;
use policy::Permit;

fn twice(permit: Permit, receipt: DecisionReceipt) {
    let _first = Admitted::new(permit.clone(), receipt);
    let _second = Admitted::new(permit, receipt);
}

fn main() {
    let _twice = twice;
}
