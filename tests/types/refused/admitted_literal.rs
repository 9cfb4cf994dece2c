//! What the executor takes cannot be written down.

use audit::DecisionReceipt;
use executor::Admitted;
use policy::Permit;

pub fn admit(permit: Permit, receipt: DecisionReceipt) -> Admitted {
    Admitted { permit, receipt } //~ private
}
