//! What `decide` promises, one promise a test.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod support;

use policy::{Policy, Refusal, Verdict};
use serde_json::{Value, json};
use support::{judge, load};

const ALLOW: &str = r#"
[[rule]]
id = "allow-code"
effect = "allow"
run = "wasm-offline"
match = { tool = "execute_code" }
reason = "sandboxed"
"#;

const ALLOW_WIDE: &str = r#"
[[rule]]
id = "a-wide"
effect = "allow"
run = "wide"
match = { tool = "execute_code" }
reason = "sandboxed wide"
"#;

fn rule(id: &str, effect: &str, matches: &str) -> String {
    format!(
        "[[rule]]\nid = \"{id}\"\neffect = \"{effect}\"\nmatch = {matches}\nreason = \"because of {id}\"\n"
    )
}

fn python(extra: Value) -> Value {
    let mut arguments = json!({"language": "python", "code": "print(1)"});
    arguments
        .as_object_mut()
        .unwrap()
        .extend(extra.as_object().unwrap().clone());
    json!({"tool": "execute_code", "arguments": arguments})
}

fn denied_with(policy: &Policy, call: &Value, reason: &str, step: &str) {
    let decision = judge(policy, call);
    assert_eq!(decision.verdict(), Verdict::Deny, "{call}");
    assert_eq!(decision.reason(), reason);
    assert_eq!(decision.next_steps(), [step]);
}

#[test]
fn an_allow_gives_a_permit_with_resolved_authority() {
    let policy = load(ALLOW).unwrap();
    let decision = judge(&policy, &python(json!({})));
    assert_eq!(decision.verdict(), Verdict::Allow);
    assert_eq!(decision.reason(), "sandboxed");
    assert!(decision.next_steps().is_empty());
    assert_eq!(
        decision
            .rules()
            .iter()
            .map(|hit| hit.id())
            .collect::<Vec<_>>(),
        ["allow-code"]
    );
    let permit = decision.into_permit().unwrap();
    assert_eq!(permit.call_id().as_bytes(), &[7; 16]);
    assert_eq!(permit.call().tool(), "execute_code");
    assert_eq!(permit.grant().profile().name(), "wasm-offline");
    assert_eq!(permit.grant().runtime(), "python");
    assert_eq!(permit.grant().limits(), permit.grant().profile().limits());
}

#[test]
fn no_rule_is_a_deny() {
    let policy = load("").unwrap();
    denied_with(
        &policy,
        &python(json!({})),
        "no allow rule covers this call",
        "add an allow rule that covers the call; `lazaret policy explain` shows which one comes nearest",
    );
    assert!(judge(&policy, &python(json!({}))).rules().is_empty());
}

#[test]
fn deny_beats_hold_beats_allow() {
    let hold = rule(
        "hold-it",
        "hold",
        "{ \"arguments.code\" = { contains = \"h\" } }",
    );
    let deny = rule(
        "deny-it",
        "deny",
        "{ \"arguments.code\" = { contains = \"d\" } }",
    );
    let policy = load(&format!("{ALLOW}{hold}{deny}")).unwrap();
    let verdict = |code: &str| judge(&policy, &python(json!({"code": code}))).verdict();
    assert_eq!(verdict("x"), Verdict::Allow);
    assert_eq!(verdict("h"), Verdict::Hold);
    assert_eq!(verdict("d"), Verdict::Deny);
    assert_eq!(verdict("hd"), Verdict::Deny);
    let both = judge(&policy, &python(json!({"code": "hd"})));
    assert_eq!(
        both.rules().iter().map(|hit| hit.id()).collect::<Vec<_>>(),
        ["deny-it", "hold-it", "allow-code"]
    );
    assert_eq!(both.reason(), "because of deny-it");
}

#[test]
fn refusals_keep_the_decision() {
    let policy = load(&format!(
        "{ALLOW}{}",
        rule("hold-it", "hold", "{ tool = \"execute_code\" }")
    ))
    .unwrap();
    match judge(&policy, &python(json!({})))
        .into_permit()
        .unwrap_err()
    {
        Refusal::Held(decision) => {
            assert_eq!(decision.reason(), "because of hold-it");
            assert!(decision.grant().is_none());
        }
        Refusal::Denied(_) => panic!("held calls are not denied"),
    }
    let refusal = judge(&load("").unwrap(), &python(json!({})))
        .into_permit()
        .unwrap_err();
    assert!(matches!(refusal, Refusal::Denied(_)));
    assert_eq!(refusal.verdict(), Verdict::Deny);
}

/// Otherwise adding a hold would loosen the deny of an uncovered call.
#[test]
fn a_hold_without_an_allow_is_a_deny() {
    let policy = load(&rule("hold-it", "hold", "{ tool = \"execute_code\" }")).unwrap();
    assert_eq!(judge(&policy, &python(json!({}))).verdict(), Verdict::Deny);
}

#[test]
fn what_is_not_known_never_helps_a_call() {
    let number = python(json!({"code": 5}));
    let allow = "[[rule]]\nid = \"a\"\neffect = \"allow\"\nrun = \"wide\"\nreason = \"r\"\nmatch = { tool = \"execute_code\", \"arguments.code\" = { prefix = \"p\" } }";
    assert_eq!(
        judge(&load(allow).unwrap(), &number).verdict(),
        Verdict::Deny
    );
    for effect in ["hold", "deny"] {
        let policy = load(&rule(
            "strict",
            effect,
            "{ tool = \"execute_code\", \"arguments.code\" = { prefix = \"p\" } }",
        ))
        .unwrap();
        assert_eq!(judge(&policy, &number).rules()[0].id(), "strict");
    }
    let policy = load(&rule(
        "other",
        "deny",
        "{ tool = \"other\", \"arguments.code\" = { prefix = \"p\" } }",
    ))
    .unwrap();
    assert!(
        judge(&policy, &number).rules().is_empty(),
        "another tool is known to be another"
    );
}

#[test]
fn unknown_exceptions_never_help_a_call() {
    let number = python(json!({"note": 5}));
    let unless = "unless = { \"arguments.note\" = { prefix = \"ok\" } }";
    let deny = format!(
        "{}{unless}",
        rule("strict", "deny", "{ tool = \"execute_code\" }")
    );
    assert_eq!(judge(&load(&deny).unwrap(), &number).rules().len(), 1);
    assert!(
        judge(&load(&deny).unwrap(), &python(json!({"note": "ok"})))
            .rules()
            .is_empty()
    );
    let allow = format!("{ALLOW}{unless}");
    assert!(judge(&load(&allow).unwrap(), &number).rules().is_empty());
    assert_eq!(
        judge(&load(&allow).unwrap(), &python(json!({}))).verdict(),
        Verdict::Allow
    );
}

#[test]
fn the_profile_with_least_authority_is_chosen() {
    let policy = load(&format!("{ALLOW_WIDE}{ALLOW}")).unwrap();
    let chosen = |extra: Value| {
        judge(&policy, &python(extra))
            .grant()
            .unwrap()
            .profile()
            .name()
            .to_owned()
    };
    assert_eq!(chosen(json!({})), "wasm-offline");
    assert_eq!(chosen(json!({"profile": "wide"})), "wide");
    denied_with(
        &policy,
        &python(json!({"profile": "host"})),
        "profile `host` is not one that the matching rules run this call in; they name `wasm-offline`, `wide`",
        "ask for `wasm-offline`, `wide`, or leave `profile` out",
    );
}

/// Otherwise adding an allow with a smaller profile would deny what ran before.
#[test]
fn a_profile_that_does_not_fit_is_passed_over() {
    let policy = load(&format!("{ALLOW_WIDE}{ALLOW}")).unwrap();
    let fitting = |extra: Value| judge(&policy, &python(extra)).grant().unwrap().clone();
    assert_eq!(fitting(json!({"language": "lua"})).runtime(), "lua-5");
    let long = fitting(json!({"limits": {"wall_ms": 20_000}}));
    assert_eq!(
        (long.profile().name(), long.limits().wall_ms),
        ("wide", 20_000)
    );
    denied_with(
        &policy,
        &python(json!({"limits": {"wall_ms": 60_001}})),
        "`limits.wall_ms` asks for 60001, and profile `wide` gives at most 60000",
        "ask for at most 60000 in `limits.wall_ms`, or leave it out",
    );
    denied_with(
        &policy,
        &python(json!({"profile": "wasm-offline", "limits": {"wall_ms": 20_000}})),
        "`limits.wall_ms` asks for 20000, and profile `wasm-offline` gives at most 10000",
        "ask for at most 10000 in `limits.wall_ms`, or leave it out",
    );
}

#[test]
fn a_profile_that_exists_but_is_not_offered_is_denied() {
    let decision = judge(&load(ALLOW).unwrap(), &python(json!({"profile": "wide"})));
    assert_eq!(decision.verdict(), Verdict::Deny);
}

#[test]
fn a_language_without_runtime_is_denied_by_name() {
    let policy = load(ALLOW).unwrap();
    denied_with(
        &policy,
        &python(json!({"language": "ruby"})),
        "profile `wasm-offline` has no runtime for the language `ruby`; it has `javascript`, `python`, `typescript`",
        "use one of `javascript`, `python`, `typescript`",
    );
    denied_with(
        &policy,
        &json!({"tool": "execute_code", "arguments": {"code": "1"}}),
        "the call names no `language`",
        "set `language` to one of `javascript`, `python`, `typescript`",
    );
}

#[test]
fn limits_are_lowered_but_never_cut() {
    let policy = load(ALLOW).unwrap();
    let granted = judge(
        &policy,
        &python(json!({"limits": {"wall_ms": 5, "memory_bytes": 268_435_456}})),
    );
    assert_eq!(granted.grant().unwrap().limits().wall_ms, 5);
    assert_eq!(granted.grant().unwrap().limits().output_bytes, 1_048_576);
    denied_with(
        &policy,
        &python(json!({"limits": {"wall_ms": 10_001}})),
        "`limits.wall_ms` asks for 10001, and profile `wasm-offline` gives at most 10000",
        "ask for at most 10000 in `limits.wall_ms`, or leave it out",
    );
}

#[test]
fn limits_that_are_none_are_denied() {
    let policy = load(ALLOW).unwrap();
    for value in [
        json!(0),
        json!(-1),
        json!(1.5),
        json!("5"),
        json!(null),
        json!(9_223_372_036_854_775_808_u64),
        json!(u64::MAX),
        json!([1]),
        json!(1.0),
    ] {
        for key in ["wall_ms", "memory_bytes", "output_bytes"] {
            let decision = judge(&policy, &python(json!({"limits": {key: value}})));
            assert_eq!(decision.verdict(), Verdict::Deny, "{key} {value}");
            assert!(
                decision.reason().contains("not a positive integer"),
                "{}",
                decision.reason()
            );
        }
    }
    denied_with(
        &policy,
        &python(json!({"limits": {"file_bytes": 1}})),
        "`file_bytes` is not a limit that a call can ask for",
        "ask for `wall_ms`, `memory_bytes` or `output_bytes`",
    );
    denied_with(
        &policy,
        &python(json!({"limits": []})),
        "`limits` is an array, not an object",
        "send `limits` as an object",
    );
}

#[test]
fn reserved_keys_of_another_type_are_denied() {
    let policy = load(ALLOW).unwrap();
    for key in ["language", "profile", "code"] {
        for value in [json!(1), json!(null), json!(["python"]), json!({})] {
            let decision = judge(&policy, &python(json!({key: value})));
            assert_eq!(decision.verdict(), Verdict::Deny, "{key} {value}");
        }
    }
}

#[test]
fn code_over_the_profile_is_denied() {
    let policy = load(ALLOW).unwrap();
    let code = |bytes: usize| python(json!({"code": "#".repeat(bytes)}));
    assert_eq!(judge(&policy, &code(1_048_576)).verdict(), Verdict::Allow);
    denied_with(
        &policy,
        &code(1_048_577),
        "`code` has 1048577 bytes, and profile `wasm-offline` takes at most 1048576",
        "send at most 1048576 bytes of code, and the rest as a file",
    );
}

#[test]
fn a_tool_that_no_sandbox_runs_is_denied() {
    let policy = load(&ALLOW.replace("\"execute_code\"", "{ glob = \"*\" }")).unwrap();
    denied_with(
        &policy,
        &json!({"tool": "run_command", "arguments": {"command": "ls"}}),
        "profile `wasm-offline` does not run the tool `run_command`; it runs `execute_code`",
        "use a tool of `execute_code`",
    );
}

#[test]
fn rules_see_principal_and_session() {
    let deny = rule("no-guests", "deny", "{ principal = \"anonymous\" }");
    let policy = load(&format!("{ALLOW}{deny}")).unwrap();
    let mut call = python(json!({}));
    assert_eq!(judge(&policy, &call).verdict(), Verdict::Deny);
    call["principal"] = json!("ann");
    assert_eq!(judge(&policy, &call).verdict(), Verdict::Allow);
    let deny = rule("no-session", "deny", "{ session = { exists = false } }");
    let policy = load(&format!("{ALLOW}{deny}")).unwrap();
    assert_eq!(judge(&policy, &call).verdict(), Verdict::Deny);
    call["session"] = json!("s1");
    assert_eq!(judge(&policy, &call).verdict(), Verdict::Allow);
}
