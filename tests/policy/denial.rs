//! What a policy denies does not run, and the caller learns why and what to do.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::path::PathBuf;

use appliance_tests::daemon::{Answer, Daemon, Options};
use appliance_tests::ledger;
use serde_json::{Value, json};
use tempfile::TempDir;

const ALLOW: &str = r#"
version = 1
name = "test"
[[rule]]
id = "contain-code"
effect = "allow"
run = "wasm-offline"
match = { tool = "execute_code", "arguments.language" = ["python"] }
reason = "code runs in the sandbox"
[[rule.test]]
call = { tool = "execute_code", arguments = { language = "python", code = "print(1)" } }
verdict = "allow"
"#;

fn rule(id: &str, effect: &str, needle: &str) -> String {
    format!(
        r#"
[[rule]]
id = "{id}"
effect = "{effect}"
match = {{ tool = "execute_code", "arguments.code" = {{ contains = "{needle}" }} }}
reason = "because of {needle}"
[[rule.test]]
call = {{ tool = "execute_code", arguments = {{ language = "python", code = "{needle}" }} }}
verdict = "{effect}"
"#
    )
}

/// A policy file beside a state directory.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new(policy: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("policy.toml"), policy).unwrap();
        Self { folder }
    }

    fn options(&self) -> Options {
        Options::default()
            .state(&self.folder.path().join("state"))
            .policy(&self.folder.path().join("policy.toml"))
    }

    fn ledger(&self) -> PathBuf {
        self.folder.path().join("state/ledger.db")
    }
}

/// The shape of a refusal.
fn assert_denied(answer: &Answer, verdict: &str, rule: Option<&str>) {
    answer.assert_problem(403);
    assert_eq!(answer.text("verdict"), verdict, "{answer:?}");
    let rules = answer.body["rules"].as_array().unwrap();
    let named = |rule: &Value, id: &str| rule == id || rule["id"] == id;
    if let Some(id) = rule {
        assert!(
            rules.iter().any(|rule| named(rule, id)),
            "names `{id}`: {answer:?}"
        );
    }
    let steps = answer.body["next_steps"].as_array().unwrap();
    assert!(
        !steps.is_empty() && steps.iter().all(Value::is_string),
        "{answer:?}"
    );
    assert!(
        answer.body["ledger"]["decision"].as_u64().is_some(),
        "{answer:?}"
    );
    for key in ["stdout", "ending", "receipt"] {
        assert!(
            answer.body.get(key).is_none_or(Value::is_null),
            "nothing ran: {answer:?}"
        );
    }
}

#[test]
fn deny_wins_over_allow_and_says_why() {
    let place = Place::new(&(ALLOW.to_owned() + &rule("no-eval", "deny", "eval(")));
    let daemon = Daemon::start_with(place.options());
    let answer = daemon.python("eval('1')");
    assert_denied(&answer, "deny", Some("no-eval"));
    assert!(
        answer.text("detail").contains("because of eval("),
        "{answer:?}"
    );
    daemon.assert_works();
    let decision = answer.body["ledger"]["decision"].clone();
    let verified = daemon.stop_and_verify();
    assert_eq!(verified.code, 0, "{}", verified.out());
    let rows = ledger::of_kind(&place.ledger(), "decision");
    let row = rows.iter().find(|row| row["seq"] == decision).unwrap();
    assert_eq!(row["data"]["verdict"], "deny");
    assert_eq!(row["data"]["rules"][0], "no-eval");
    let outcomes = ledger::of_kind(&place.ledger(), "outcome");
    assert_eq!(
        outcomes.len(),
        1,
        "only the call that was allowed has an outcome"
    );
}

#[test]
fn what_is_held_does_not_run() {
    let place = Place::new(&(ALLOW.to_owned() + &rule("ask", "hold", "delete")));
    let daemon = Daemon::start_with(place.options());
    assert_denied(&daemon.python("delete = 1"), "hold", Some("ask"));
    daemon.assert_works();
}

#[test]
fn no_rule_is_a_deny() {
    let place = Place::new(
        &ALLOW
            .replace(
                "\"arguments.language\" = [\"python\"]",
                "\"arguments.code\" = \"print(2)\"",
            )
            .replace("code = \"print(1)\"", "code = \"print(2)\""),
    );
    let daemon = Daemon::start_with(place.options());
    assert_denied(&daemon.python("print(1)"), "deny", None);
}

#[test]
fn limits_above_the_profile_are_denied_and_not_clipped() {
    let daemon = Daemon::start();
    for (limit, asked, most) in [
        ("wall_ms", 10_001_u64, 10_000_u64),
        ("wall_ms", i64::MAX as u64, 10_000),
        ("memory_bytes", 268_435_457, 268_435_456),
        ("output_bytes", 1_048_577, 1_048_576),
    ] {
        let request = |value: u64| json!({"language": "python", "code": "print(1)", "limits": {limit: value}});
        let answer = daemon.execute(&request(asked));
        assert_denied(&answer, "deny", None);
        let detail = answer.text("detail").replace(['_', ',', ' '], "");
        assert!(
            detail.contains(&asked.to_string()) && detail.contains(&most.to_string()),
            "both numbers: {answer:?}"
        );
        assert_eq!(
            daemon.execute(&request(most)).status,
            200,
            "control: {limit} at its most"
        );
    }
}

#[test]
fn a_profile_that_no_rule_grants_is_denied() {
    let daemon = Daemon::start();
    let request = |profile| json!({"language": "python", "code": "print(1)", "profile": profile});
    let answer = daemon.execute(&request("root"));
    assert_denied(&answer, "deny", None);
    assert!(answer.text("detail").contains("root"), "{answer:?}");
    assert_eq!(
        daemon.execute(&request("wasm-offline")).status,
        200,
        "control"
    );
}

#[test]
fn a_policy_that_is_wrong_does_not_start() {
    let broken = [
        ("no TOML", "version = = 1".to_owned(), ""),
        (
            "an unknown key",
            ALLOW.replace("reason =", "raeson ="),
            "raeson",
        ),
        (
            "a future version",
            ALLOW.replace("version = 1", "version = 2"),
            "version",
        ),
        (
            "an unknown profile",
            ALLOW.replace("wasm-offline", "no-such"),
            "no-such",
        ),
        (
            "an unknown effect",
            ALLOW.replace("\"allow\"\nrun", "\"permit\"\nrun"),
            "permit",
        ),
        (
            "a rule twice",
            ALLOW.to_owned()
                + ALLOW
                    .split_once("[[rule]]")
                    .map(|(_, r)| format!("[[rule]]{r}"))
                    .unwrap_or_default()
                    .as_str(),
            "contain-code",
        ),
        (
            "an example that fails",
            ALLOW.replace("verdict = \"allow\"", "verdict = \"deny\""),
            "contain-code",
        ),
        (
            "a pattern that is none",
            ALLOW.replace("[\"python\"]", "{ regex = \"(\" }"),
            "",
        ),
        ("an empty file", String::new(), ""),
    ];
    for (what, policy, word) in broken {
        let place = Place::new(&policy);
        let why = Daemon::try_start(place.options()).err();
        let why = why.unwrap_or_else(|| String::from("it started"));
        assert!(!why.is_empty() && why != "it started", "{what}: {why}");
        assert!(why.contains(word), "{what}: says `{word}`: {why}");
        assert!(!why.contains("panicked"), "{what}: {why}");
    }
    Daemon::start_with(Place::new(ALLOW).options()).assert_works();
}
