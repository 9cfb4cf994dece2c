//! An answer that leaves before its outcome is on the disk.

use audit::OutcomeReceipt;
use executor::Outcome;
use harness::Reply;

pub fn build(outcome: Outcome, recorded: OutcomeReceipt) -> Reply {
    Reply { outcome, recorded } //~ private fields
}
