//! What a policy counts over calls, and what it takes out of their output, seen by a caller.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::process::Command;
use std::time::Duration;

use appliance_tests::command::{finish, program};
use appliance_tests::daemon::{Answer, Daemon, Options};
use serde_json::{Value, json};

const POLICY: &str = r#"
version = 1
name = "sessions"

[[budget]]
id = "two-a-turn"
per = "turn"
most = { calls = 2 }
reason = "two calls a turn are enough"

[[budget]]
id = "output"
per = "session"
most = { output_bytes = 3000 }
effect = "hold"
reason = "somebody looks before a session prints more"

[[rule]]
id = "code"
effect = "allow"
run = "wasm-offline"
match = { tool = "execute_code" }
obligations = { redact = { secrets = true, patterns = ['EMP-\d{6}'] } }
reason = "contained"

[[rule]]
id = "vault"
effect = "deny"
match = { "arguments.code" = { contains = "vault" } }
taint = ["asked-for-the-vault"]
reason = "the vault is closed"

[[rule]]
id = "afterwards"
effect = "deny"
match = { "session.label.asked-for-the-vault.count" = { min = 1 } }
reason = "whoever asked for the vault gets nothing more"
"#;

/// What was counted is written every second.
const KEPT_WITHIN: Duration = Duration::from_millis(2_500);

/// A key of the form that detectors know, made up.
const KEY: &str = "AKIAQYLPMN5HHHFPZAM2";

fn daemon(folder: &tempfile::TempDir) -> Daemon {
    let file = folder.path().join("policy.toml");
    std::fs::write(&file, POLICY).unwrap();
    Daemon::start_with(
        Options::default()
            .state(&folder.path().join("state"))
            .policy(&file),
    )
}

fn call(daemon: &Daemon, session: &str, turn: &str, code: &str) -> Answer {
    daemon.execute(&json!({"language": "python", "code": code, "session": session, "turn": turn}))
}

fn left(answer: &Answer, budget: &str, what: &str) -> Value {
    let budgets = answer.body["budgets"].as_array().unwrap();
    let found = budgets.iter().find(|one| one["budget"] == budget);
    found.map_or(Value::Null, |one| one[what].clone())
}

#[test]
fn budgets_count_and_say_what_remains() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = daemon(&folder);
    let first = call(&daemon, "s", "1", "print(1)");
    first.assert_ending("exited");
    assert_eq!(left(&first, "two-a-turn", "calls"), 1);
    assert_eq!(left(&first, "output", "output_bytes"), 3000);
    call(&daemon, "s", "1", "print(1)").assert_ending("exited");

    let third = call(&daemon, "s", "1", "print(1)");
    third.assert_problem(403);
    assert_eq!(third.body["verdict"], "deny");
    assert_eq!(third.body["rules"][0]["id"], "two-a-turn");

    // Another turn, and another session, have their own.
    call(&daemon, "s", "2", "print('x' * 4000)").assert_ending("exited");
    call(&daemon, "t", "1", "print(1)").assert_ending("exited");
    let held = call(&daemon, "s", "3", "print(1)");
    held.assert_problem(403);
    assert_eq!(held.body["verdict"], "hold");

    // Without a session nothing is counted per turn.
    for _ in 0..3 {
        daemon.python("print(1)").assert_ending("exited");
    }
    assert!(daemon.stop_and_verify().out().contains("holds"));
}

#[test]
fn a_label_outlasts_the_call_that_put_it_there() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = daemon(&folder);
    call(&daemon, "s", "1", "print('open the vault')").assert_problem(403);
    let after = call(&daemon, "s", "2", "print(1)");
    after.assert_problem(403);
    assert_eq!(after.body["rules"][0]["id"], "afterwards");
    call(&daemon, "t", "1", "print(1)").assert_ending("exited");
}

#[test]
fn budgets_and_labels_outlive_the_daemon() {
    let folder = tempfile::tempdir().unwrap();
    let first = daemon(&folder);
    call(&first, "s", "1", "print(1)").assert_ending("exited");
    call(&first, "s", "1", "print(1)").assert_ending("exited");
    first.stop();

    // Stopped: everything is there. Killed: all but what the last second counted.
    let second = daemon(&folder);
    call(&second, "s", "1", "print(1)").assert_problem(403);
    call(&second, "t", "1", "print('open the vault')").assert_problem(403);
    std::thread::sleep(KEPT_WITHIN);
    second.kill();

    let third = daemon(&folder);
    let after = call(&third, "t", "2", "print(1)");
    after.assert_problem(403);
    assert_eq!(after.body["rules"][0]["id"], "afterwards");
    call(&third, "u", "1", "print(1)").assert_ending("exited");
    third.stop();

    let counts = folder.path().join("state/counts.json");
    std::fs::write(&counts, "{").unwrap();
    let refused = finish(
        Command::new(program("lazaret"))
            .args(["serve", "--listen", "127.0.0.1:0", "--state"])
            .arg(folder.path().join("state")),
        b"",
    );
    assert_eq!(refused.code, 125, "{}", refused.err());
    assert!(
        refused.err().contains("counts.json") && refused.err().contains("move it away"),
        "{}",
        refused.err()
    );
}

#[test]
fn what_is_redacted_is_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = daemon(&folder);
    // The key is put together inside, so that it does not stand in the call.
    let (start, end) = KEY.split_at(8);
    let code = format!("print('key', '{start}' + '{end}', 'EMP-' + '123456', 'kept')");
    let answer = call(&daemon, "s", "1", &code);
    answer.assert_ending("exited");
    let printed = answer.text("stdout").to_owned();
    assert!(
        printed.starts_with("key ") && printed.contains("kept"),
        "{printed}"
    );
    assert!(
        !printed.contains(KEY) && !printed.contains("123456"),
        "{printed}"
    );
    assert!(
        answer.body["redacted"].as_u64().unwrap() >= 2,
        "{}",
        answer.body
    );

    // The control: a policy that takes nothing out shows both.
    let open = Daemon::start();
    assert_eq!(
        open.python(&code).text("stdout"),
        format!("key {KEY} EMP-123456 kept\n")
    );

    let ledger = daemon.ledger();
    assert!(daemon.stop_and_verify().out().contains("holds"));
    let mut kept = std::fs::read(&ledger).unwrap();
    let wal = ledger.with_extension("db-wal");
    kept.extend(std::fs::read(wal).unwrap_or_default());
    let holds = |text: &str| {
        kept.windows(text.len())
            .any(|bytes| bytes == text.as_bytes())
    };
    assert!(!holds(KEY) && !holds("EMP-123456"));
    assert!(holds("kept"));
}

#[test]
fn a_session_is_a_name() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = daemon(&folder);
    for bad in [
        json!(""),
        json!(7),
        json!("a\nb"),
        json!("x".repeat(257)),
        json!(null),
    ] {
        let request = json!({"language": "python", "code": "1", "session": bad});
        daemon.execute(&request).assert_problem(400);
    }
    daemon.assert_works();
}
