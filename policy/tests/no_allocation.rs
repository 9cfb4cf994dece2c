//! A simple call is decided without an allocation.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use policy::{CallId, Context, Verdict, decide_inspected};
use serde_json::json;

#[test]
fn deciding_a_simple_call_allocates_nothing() {
    let rules: String = (0..1_000)
        .map(|id| format!(
            "[[rule]]\nid = \"r{id}\"\neffect = \"allow\"\nrun = \"wide\"\nreason = \"r\"\nmatch = {{ tool = \"execute_code\", \"arguments.project\" = \"p{id}\" }}\n\
             [[rule]]\nid = \"d{id}\"\neffect = \"deny\"\nreason = \"r\"\nmatch = {{ \"arguments.path\" = {{ prefix = \"/srv/{id}/\" }} }}\n"
        ))
        .collect();
    let policy = support::load(&rules).unwrap();
    let call = support::call(
        &json!({"tool": "execute_code", "arguments": {"language": "python", "code": "1", "project": "p7", "path": "/home/a", "limits": {"wall_ms": 5}}}),
    );
    let inspection = policy.inspect(call);
    let context = Context::default();
    let mut decision = None;
    let counted = allocation_counter::measure(|| {
        let id = CallId::from_bytes([0; 16]);
        decision = Some(decide_inspected(&policy, &context, id, inspection));
    });
    assert_eq!(decision.unwrap().verdict(), Verdict::Allow);
    assert_eq!(counted.count_total, 0);
}
