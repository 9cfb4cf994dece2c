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

/// One request of a container: what was asked about it, and how it ended.
#[derive(Debug, Clone)]
pub struct Request {
    /// The number of its decision.
    pub seq: u64,
    /// `allow`, `hold` or `deny`.
    pub verdict: String,
    /// The rules that took effect.
    pub rules: Vec<String>,
    /// Why.
    pub reason: String,
    /// What rules were asked about; `call` is the call that it belongs to.
    pub arguments: Value,
    /// The record of its end, if it has one.
    pub outcome: Option<Value>,
}

impl Request {
    /// The text of an argument, or an empty one.
    #[must_use]
    pub fn text(&self, key: &str) -> &str {
        self.arguments[key].as_str().unwrap_or_default()
    }
}

/// The requests that containers made, in the order of their decisions.
///
/// # Panics
/// If the ledger cannot be read.
#[must_use]
pub fn requests(path: &Path) -> Vec<Request> {
    let reader = audit::Reader::open(path).expect("open the ledger");
    let records = reader.tail(RECORDS).expect("read the ledger");
    let outcomes = of_kind(path, "outcome");
    let read = |record: &audit::Record| {
        let audit::Data::Decision(decision) = record.data() else {
            return None;
        };
        if decision.tool != "http_request" {
            return None;
        }
        let named = record.data().bodies().into_iter().next()?;
        let body = reader.body(record.seq(), &named).expect("read a body")?;
        let outcome = |outcome: &&Value| outcome["data"]["decision_seq"] == record.seq();
        Some(Request {
            seq: record.seq(),
            verdict: word(decision.verdict).to_owned(),
            rules: decision.rules.clone(),
            reason: decision.reason.kept().cloned().unwrap_or_default(),
            arguments: serde_json::from_slice(&body).expect("JSON"),
            outcome: outcomes.iter().find(outcome).cloned(),
        })
    };
    records.iter().filter_map(read).collect()
}

fn word(verdict: audit::Verdict) -> &'static str {
    match verdict {
        audit::Verdict::Allow => "allow",
        audit::Verdict::Hold => "hold",
        audit::Verdict::Deny => "deny",
    }
}
