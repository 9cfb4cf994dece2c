//! What the shipped policies make of real commands: the part of the confusion table that must
//! hold. The whole table: `cargo run -p policy --example decide_corpora`.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use policy::{CallId, Decision, Kind, Policy, ToolCall, Verdict, decide};
use serde_json::{Value, json};
use support::pack;

/// The code of each case of a corpus.
fn codes(name: &str) -> Option<Vec<String>> {
    let cases = support::corpora::cases(name)?;
    Some(cases.into_iter().map(|case| case.code).collect())
}

fn judged(policy: &Policy, tool: &str, arguments: Value) -> Decision {
    let call = ToolCall::new(tool, arguments, "agent", Some("s")).unwrap();
    decide(policy, CallId::from_bytes([0; 16]), call)
}

/// Attacks and benign commands alike: nobody is asked, and nothing gets authority beyond a sandbox
/// without a network.
#[test]
fn contain_asks_nobody_and_gives_nothing() {
    let policy = pack("contain");
    for corpus in ["agent-commands", "tldr-commands", "redcode-exec-shell"] {
        for command in codes(corpus).unwrap_or_default() {
            let decision = judged(&policy, "run_command", json!({"command": command}));
            assert_eq!(
                decision.verdict(),
                Verdict::Allow,
                "{command}: {}",
                decision.reason()
            );
            let profile = decision.grant().unwrap().profile().name().to_owned();
            assert_eq!(profile, "container-offline", "{command}");
        }
    }
    for code in codes("redcode-exec-python").unwrap_or_default() {
        let decision = judged(
            &policy,
            "execute_code",
            json!({"language": "python", "code": code}),
        );
        assert_eq!(decision.verdict(), Verdict::Allow);
        assert_eq!(decision.grant().unwrap().profile().name(), "wasm-offline");
    }
}

/// What `shell-readonly` lets through changes nothing: no command in it writes, deletes, connects
/// or is one of those that attacks live by.
#[test]
fn readonly_lets_nothing_through_that_changes_something() {
    const CHANGING: &[&str] = &[
        "rm", "mv", "cp", "dd", "chmod", "chown", "kill", "pkill", "killall", "curl", "wget", "nc",
        "ssh", "scp", "tee", "mkdir", "rmdir", "touch", "ln", "sudo", "su", "crontab", "mkfs",
        "python", "python3", "perl", "eval", "source", "useradd", "usermod", "passwd", "apt-get",
    ];
    const EFFECTS: &[&str] = &[
        "writes",
        "deletes",
        "connects",
        "loads",
        "reads-environment",
    ];
    let policy = pack("shell-readonly");
    let mut allowed = 0;
    for corpus in ["agent-commands", "redcode-exec-shell"] {
        for command in codes(corpus).unwrap_or_default() {
            let decision = judged(&policy, "run_command", json!({"command": command}));
            if decision.verdict() != Verdict::Allow {
                continue;
            }
            allowed += 1;
            for atom in decision.facts().atoms(Kind::Command) {
                let name = atom.get("name").and_then(Value::as_str).unwrap();
                assert!(!CHANGING.contains(&name), "{name} in {command}");
                let effects = atom.get("effects").and_then(Value::as_array).unwrap();
                let harmless = |effect: &Value| !EFFECTS.contains(&effect.as_str().unwrap());
                assert!(effects.iter().all(harmless), "{effects:?} in {command}");
            }
            for file in decision.facts().atoms(Kind::Redirect) {
                let target = file.get("target").and_then(Value::as_str).unwrap_or("?");
                let reads = file.get("mode").and_then(Value::as_str) == Some("read");
                assert!(
                    reads || target.starts_with("/dev/"),
                    "{target} in {command}"
                );
            }
        }
    }
    // The control: it does let commands through.
    assert!(
        allowed > 1_000 || codes("agent-commands").is_none(),
        "{allowed}"
    );
}
