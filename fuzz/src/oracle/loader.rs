//! Any text ends in a policy that obeys its own tests, or in messages for a person.

use policy::{Context, LoadError, Policy, ToolCall, Verdict, explain, test_policy};
use serde_json::json;

use super::{judge, load, profiles};

/// Any text.
pub fn loads_or_says_why(text: &str) {
    match load(text) {
        Ok(policy) => is_sound(&policy, text),
        Err(error) => says_why(&error),
    }
}

fn says_why(error: &LoadError) {
    assert!(!error.problems().is_empty());
    for problem in error.problems() {
        let line = problem.to_string();
        assert!(!line.is_empty() && !line.contains('\n'), "{line}");
        assert!(
            problem.report().starts_with("error: "),
            "{}",
            problem.report()
        );
        assert!(problem.line() >= 1);
    }
}

fn is_sound(policy: &Policy, text: &str) {
    let again = load(text).expect("what loads once loads again");
    assert_eq!(policy.digest(), again.digest());
    let report = test_policy("t.toml", text, profiles(), &mut |_| Err(String::new()))
        .expect("what loads compiles");
    assert!(report.passes(), "a policy that fails its tests was loaded");
    assert!(report.to_junit().starts_with("<?xml"));
    for warning in policy.warnings() {
        assert!(!warning.to_string().contains('\n'), "{warning}");
        assert!(!warning.report().is_empty());
    }
    for call in probes() {
        let decision = judge(policy, &Context::default(), &call);
        let explanation = explain(policy, &call);
        assert_eq!(explanation.verdict, decision.verdict());
        assert_eq!(
            decision.grant().is_some(),
            decision.verdict() == Verdict::Allow
        );
        if decision.rules().is_empty() {
            assert_eq!(decision.verdict(), Verdict::Deny, "no rule is a deny");
        }
    }
}

/// Calls that policies near the shipped ones have an opinion on.
fn probes() -> Vec<ToolCall> {
    let calls = [
        (
            "execute_code",
            json!({"language": "python", "code": "print(1)"}),
        ),
        (
            "execute_code",
            json!({"language": "python", "limits": {"wall_ms": 5}, "a": ["a", 1, null]}),
        ),
        ("run_command", json!({"command": "ls"})),
        ("a", json!({"a": "a", "b": {"er": "a"}, "n": 1})),
    ];
    let call = |(tool, arguments)| ToolCall::new(tool, arguments, "ann", Some("s"));
    calls
        .into_iter()
        .map(|c| call(c).expect("probes are calls"))
        .collect()
}
