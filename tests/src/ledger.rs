//! The ledger, read with the library's own reader: what is in it for a call.
//!
//! Only facts that a test compares are taken out. The verifier is run as its
//! own program (see [`crate::command::verify`]), as a stranger would.

use std::path::Path;

use serde_json::Value;

/// How many records a test reads at most; the largest run writes under 2,000.
const RECORDS: usize = 10_000;

/// All records in order, each as its JSON.
///
/// # Panics
/// If the ledger cannot be read.
#[must_use]
pub fn records(path: &Path) -> Vec<Value> {
    let reader = audit::Reader::open(path).expect("open the ledger");
    let records = reader.tail(RECORDS).expect("read the ledger");
    let parse = |record: &audit::Record| serde_json::from_str(record.json()).expect("JSON");
    records.iter().map(parse).collect()
}

/// The records of `kind`.
#[must_use]
pub fn of_kind(path: &Path, kind: &str) -> Vec<Value> {
    let all = records(path).into_iter();
    all.filter(|record| record["kind"] == kind).collect()
}

/// The outcomes that closed a call of a daemon that died.
#[must_use]
pub fn interrupted(path: &Path) -> Vec<Value> {
    let outcomes = of_kind(path, "outcome").into_iter();
    outcomes
        .filter(|record| record["data"]["ending"] == "interrupted")
        .collect()
}

/// The records of one call: a decision, and an outcome if it has one.
#[must_use]
pub fn of_call(path: &Path, call_id: &str) -> Vec<Value> {
    let all = records(path).into_iter();
    all.filter(|record| record["data"]["call_id"] == call_id)
        .collect()
}
