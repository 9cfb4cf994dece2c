//! A permit runs with the durable record of its own decision and of no other.

use audit::{DecisionEntry, DecisionReceipt, Ledger};
use executor::{Admitted, NotAdmitted};
use policy::{CallId, Permit, Policy, Profiles, ToolCall, decide, shipped};
use serde_json::{Value, json};

const ID: [u8; 16] = [1; 16];

fn permit() -> Permit {
    let profiles = Profiles::load(shipped::PROFILES.iter().map(|p| (p.file, p.text))).unwrap();
    let policy = Policy::load(shipped::CONTAIN.file, shipped::CONTAIN.text, &profiles).unwrap();
    let arguments = json!({"language": "python", "code": "1"});
    let call = ToolCall::new("execute_code", arguments, "ann", None).unwrap();
    decide(&policy, CallId::from_bytes(ID), call)
        .into_permit()
        .unwrap()
}

fn recorded(ledger: &Ledger, call_id: [u8; 16], verdict: &str) -> DecisionReceipt {
    let entry = DecisionEntry {
        call_id,
        principal: "ann".to_owned(),
        session: None,
        tool: "execute_code".to_owned(),
        arguments: b"{}".to_vec(),
        verdict: verdict.to_owned(),
        rules: Vec::new(),
        reason: "a test".to_owned(),
        policy_digest: [7; 32],
        policy_generation: 1,
        profile: None,
        runtime: None,
        limits: Value::Null,
    };
    ledger.decision(entry).unwrap()
}

/// Joins the permit to the record of a decision, in a ledger that has no other.
fn admit(call_id: [u8; 16], verdict: &str) -> Option<NotAdmitted> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let ledger = Ledger::open(&folder.path().join("ledger.db")).unwrap();
    Admitted::new(permit(), recorded(&ledger, call_id, verdict)).err()
}

#[test]
fn a_receipt_of_another_call_or_verdict_admits_nothing() {
    assert!(matches!(
        admit([2; 16], "allow"),
        Some(NotAdmitted::OtherCall)
    ));
    for verdict in ["hold", "deny"] {
        let refused = admit(ID, verdict);
        assert!(
            matches!(refused, Some(NotAdmitted::OtherVerdict)),
            "{verdict}"
        );
    }
    assert!(admit(ID, "allow").is_none(), "control: its own record does");
}
