//! One decision that is used for two calls.

use audit::DecisionReceipt;
use executor::Admitted;
use policy::Permit;

pub fn twice(permit: Permit, receipt: DecisionReceipt) {
    let _first = Admitted::new(permit, receipt);
    let _second = Admitted::new(permit, receipt); //~ E0382: use of moved value
}
