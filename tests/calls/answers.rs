//! What one call answers: the shape that clients rely on, files, streams, who may call.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::thread;
use std::time::Duration;

use appliance_tests::daemon::{Answer, Daemon, Options};
use appliance_tests::{ledger, sha256_hex};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

fn keys(value: &Value) -> BTreeSet<&str> {
    value
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, _)| key.as_str())
        .collect()
}

fn file<'a>(answer: &'a Answer, path: &str) -> &'a Value {
    let files = answer.body["files"].as_array().unwrap();
    files
        .iter()
        .find(|file| file["path"] == path)
        .unwrap_or(&Value::Null)
}

#[test]
fn an_answer_has_every_field_of_the_interface() {
    let daemon = Daemon::start();
    let answer =
        daemon.python("print('hi')\nimport sys\nprint('oh', file=sys.stderr)\nsys.exit(3)");
    answer.assert_ending("exited");
    for key in [
        "call_id",
        "verdict",
        "ending",
        "exit_code",
        "stdout",
        "stderr",
        "truncated",
        "files",
        "usage",
        "receipt",
        "ledger",
    ] {
        assert!(
            keys(&answer.body).contains(key),
            "`{key}` in {:?}",
            answer.body
        );
    }
    assert_eq!(answer.text("stdout"), "hi\n");
    assert_eq!(answer.text("stderr"), "oh\n");
    assert_eq!(answer.body["exit_code"], 3);
    assert_eq!(
        answer.body["truncated"],
        json!({"stdout": false, "stderr": false})
    );
    for key in ["wall_us", "cpu_us", "memory_peak_bytes"] {
        assert!(
            answer.body["usage"][key].as_u64().unwrap() > 0,
            "`{key}` is measured"
        );
    }
    assert!(answer.content_type.starts_with("application/json"));
    let id = answer.call_id();
    assert_eq!(
        (id.len(), id.get(14..15).unwrap()),
        (36, "7"),
        "a time-ordered identifier: {id}"
    );
}

#[test]
fn files_go_in_and_only_those_asked_for_come_out() {
    let daemon = Daemon::start();
    let bytes: Vec<u8> = (0..=255).collect();
    let code = "import os\nos.makedirs('out/deep')\n\
                open('out/a.csv', 'w').write(open('in/text.csv').read().upper())\n\
                open('out/b.bin', 'wb').write(open('raw.bin', 'rb').read()[::-1])\n\
                open('out/deep/c.csv', 'w').write('c')\nopen('other.csv', 'w').write('no')";
    let answer = daemon.execute(&json!({
        "language": "python", "code": code, "collect": ["out/*.csv", "out/*.bin"],
        "files": [{"path": "in/text.csv", "content": "a,b\n"},
                  {"path": "raw.bin", "content_base64": BASE64.encode(&bytes)}],
    }));
    answer.assert_ending("exited");
    assert_eq!(answer.body["exit_code"], 0, "{answer:?}");
    let csv = file(&answer, "out/a.csv");
    assert_eq!(csv["content_base64"], BASE64.encode("A,B\n"));
    assert_eq!(csv["bytes"], 4);
    assert_eq!(csv["sha256"], sha256_hex(b"A,B\n"));
    let reversed: Vec<u8> = bytes.into_iter().rev().collect();
    assert_eq!(file(&answer, "out/b.bin")["sha256"], sha256_hex(&reversed));
    assert!(file(&answer, "other.csv").is_null(), "was not asked for");
    assert!(
        file(&answer, "out/deep/c.csv").is_null(),
        "`*` does not cross a `/`"
    );
}

#[test]
fn collecting_follows_no_link_and_never_leaves_the_workspace() {
    let daemon = Daemon::start();
    let code = "import os\n\
        for name, to in [('passwd', '/etc/passwd'), ('up', '../../etc'), ('self', '/proc/self/environ'), ('ok', 'real')]:\n\
        \x20   try:\n        os.symlink(to, name)\n    except OSError as e:\n        print(name, e)\n\
        open('real', 'w').write('mine')";
    for pattern in [
        "**",
        "*",
        "../**",
        "/etc/*",
        "up/*",
        "/workspace/../etc/passwd",
    ] {
        let answer =
            daemon.execute(&json!({"language": "python", "code": code, "collect": [pattern]}));
        if answer.status != 200 {
            answer.assert_problem(answer.status);
            assert!((400..500).contains(&answer.status), "{answer:?}");
            continue;
        }
        assert!(
            !answer.everything().contains("root:"),
            "`{pattern}`: {answer:?}"
        );
        let files = answer.body["files"].as_array().unwrap();
        let paths: Vec<&str> = files
            .iter()
            .filter_map(|file| file["path"].as_str())
            .collect();
        assert!(
            paths.iter().all(|path| *path == "real"),
            "only plain files: {paths:?}"
        );
    }
    let control = daemon.execute(&json!({"language": "python", "code": code, "collect": ["*"]}));
    assert_eq!(
        file(&control, "real")["sha256"],
        sha256_hex(b"mine"),
        "control: files do come"
    );
}

#[test]
fn standard_input_and_arguments_arrive_as_they_are() {
    let daemon = Daemon::start();
    let arguments = ["--help", "", "a b", "$(id)", "é\u{202e}\n", "-c", "'\""];
    let input = "first\r\nsecond\t\u{0}\u{1F980} no newline at the end";
    let answer = daemon.execute(&json!({
        "language": "python", "stdin": input, "args": arguments,
        "code": "import sys, json\nprint(json.dumps([sys.argv[1:], sys.stdin.buffer.read().decode()]))",
    }));
    answer.assert_ending("exited");
    let seen: Value = serde_json::from_str(answer.text("stdout")).unwrap();
    assert_eq!(seen, json!([arguments, input]));
}

#[test]
fn no_standard_input_is_an_empty_one() {
    let daemon = Daemon::start();
    let answer = daemon.python("import sys\nprint(repr(sys.stdin.read()))");
    assert_eq!(answer.text("stdout"), "''\n");
    assert!(
        answer.took < Duration::from_secs(3),
        "nobody waits for input: {answer:?}"
    );
}

#[test]
fn output_that_is_no_utf8_is_an_answer_all_the_same() {
    let daemon = Daemon::start();
    let answer = daemon.python("import sys\nsys.stdout.buffer.write(b'ok \\xff\\xfe\\x00 end')");
    answer.assert_ending("exited");
    let text = answer.text("stdout");
    assert!(
        text.starts_with("ok ") && text.ends_with(" end"),
        "{text:?}"
    );
}

#[test]
fn errors_of_the_program_are_its_own() {
    let daemon = Daemon::start();
    for (code, stderr) in [
        ("1 / 0", "ZeroDivisionError"),
        ("def f(:", "SyntaxError"),
        ("import no_such_module", "ModuleNotFoundError"),
        ("def f(): f()\nf()", "RecursionError"),
        ("raise SystemExit('bye')", "bye"),
    ] {
        let answer = daemon.python(code);
        answer.assert_ending("exited");
        assert_eq!(answer.body["exit_code"], 1, "`{code}`: {answer:?}");
        assert!(
            answer.text("stderr").contains(stderr),
            "`{code}`: {answer:?}"
        );
    }
    daemon.assert_works();
}

#[test]
fn every_call_has_its_own_rows_in_the_ledger() {
    let state = tempfile::tempdir().unwrap();
    let daemon = Daemon::start_with(Options::default().state(state.path()));
    let answers: Vec<Answer> = (0..5)
        .map(|n| daemon.python(&format!("print({n})")))
        .collect();
    let ledger = daemon.ledger();
    let verified = daemon.stop_and_verify();
    assert_eq!(verified.code, 0, "{}", verified.out());
    for answer in &answers {
        let rows = ledger::of_call(&ledger, answer.call_id());
        let kinds: Vec<&Value> = rows.iter().map(|row| &row["kind"]).collect();
        assert_eq!(kinds, ["decision", "outcome"], "{rows:?}");
        assert_eq!(rows[0]["seq"], answer.body["ledger"]["decision"]);
        assert_eq!(rows[1]["seq"], answer.body["ledger"]["outcome"]);
        assert_eq!(rows[1]["data"]["decision_seq"], rows[0]["seq"]);
        assert_eq!(rows[1]["data"]["ending"], "exited");
        assert_eq!(
            rows[1]["data"]["receipt"], answer.body["receipt"],
            "the receipt as answered"
        );
    }
}

#[test]
fn only_who_has_the_token_is_heard() {
    let daemon = Daemon::start();
    let request = json!({"language": "python", "code": "print(1)"});
    daemon
        .client()
        .execute_without_token(&request)
        .assert_problem(401);
    let token = daemon.client().token().to_owned();
    let wrong = [
        String::new(),
        "x".to_owned(),
        token.get(1..).unwrap().to_owned(),
        format!("{token}x"),
        token.to_uppercase() + "A",
    ];
    for token in wrong {
        let answer = daemon.client().with_token(&token).execute(&request);
        answer.assert_problem(401);
        assert!(!answer.everything().contains(daemon.client().token()));
    }
    assert_eq!(
        daemon.execute(&request).status,
        200,
        "control: the right token is"
    );
}

#[test]
fn the_token_is_made_once_and_for_its_owner_only() {
    let state = tempfile::tempdir().unwrap();
    let token = || std::fs::read_to_string(state.path().join("api-token")).unwrap();
    Daemon::start_with(Options::default().state(state.path())).stop();
    let first = token();
    let mode = state
        .path()
        .join("api-token")
        .metadata()
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o7777, 0o600);
    assert!(first.trim().len() >= 32, "long enough not to be guessed");
    Daemon::start_with(Options::default().state(state.path())).stop();
    assert_eq!(first, token(), "a second start keeps it");
    Daemon::start().stop();
    let other = Daemon::start();
    assert_ne!(
        first.trim(),
        other.client().token(),
        "another state has another"
    );
}

#[test]
fn health_and_the_description_of_the_interface_are_there() {
    let daemon = Daemon::start();
    for path in ["/health/live", "/health/ready"] {
        assert_eq!(daemon.client().get(path).status, 200, "{path}");
    }
    let description = daemon.client().get("/openapi.json");
    assert_eq!(description.status, 200);
    let paths = keys(&description.body["paths"]);
    for path in ["/v1/execute", "/health/live", "/health/ready"] {
        assert!(paths.contains(path), "`{path}` is described: {paths:?}");
    }
}

#[test]
fn unknown_paths_and_methods_are_problems() {
    let daemon = Daemon::start();
    daemon.client().get("/no/such/path").assert_problem(404);
    daemon.client().get("/v1/execute").assert_problem(405);
    daemon
        .client()
        .post_bytes("/v1/execute/../execute", b"{}")
        .assert_problem(404);
}

/// SIGTERM lets a call that runs finish: its answer is durable and arrives.
#[test]
fn a_clean_stop_loses_no_answer() {
    let state = tempfile::tempdir().unwrap();
    let daemon = Daemon::start_with(Options::default().state(state.path()));
    let client = daemon.client();
    let caller = thread::spawn(move || {
        client.execute(&json!({
            "language": "python", "code": "import time\ntime.sleep(1.5)\nprint('done')",
        }))
    });
    thread::sleep(Duration::from_millis(700));
    let ledger = daemon.ledger();
    let verified = daemon.stop_and_verify();
    let answer = caller.join().unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(
        ["exited", "cancelled"].contains(&answer.text("ending")),
        "finished or cancelled: {answer:?}"
    );
    assert_eq!(verified.code, 0, "{}", verified.out());
    assert!(
        ledger::interrupted(&ledger).is_empty(),
        "a clean stop interrupts nothing"
    );
    assert_eq!(ledger::of_call(&ledger, answer.call_id()).len(), 2);
}
