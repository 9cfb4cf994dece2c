//! `lazaret mcp` by the official client, in both revisions of the protocol that clients speak.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::path::Path;
use std::process::Command;

use appliance_tests::clients;
use appliance_tests::command::{Finished, finish, program};
use appliance_tests::ledger;
use serde_json::{Value, json};

/// The handshake of 2025-11-25, and the revision without one.
const MODES: [&str; 2] = ["legacy", "2026-07-28"];

const POLICY: &str = r#"
version = 1
name = "test"
[[rule]]
id = "contain-code"
effect = "allow"
run = "wasm-offline"
match = { tool = "execute_code" }
reason = "code runs in the sandbox"
[[rule]]
id = "no-eval"
effect = "deny"
match = { tool = "execute_code", "arguments.code" = { contains = "eval(" } }
reason = "eval is not wanted here"
"#;

/// What the client was told, with the ledger beside it.
struct Told {
    tools: Vec<String>,
    results: Vec<Value>,
    state: tempfile::TempDir,
}

/// Sends the calls through the client; nothing where the client cannot be had.
fn ask(mode: &str, calls: &[Value]) -> Option<Told> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/python");
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let python = clients::python(&here.join("mcp.txt"), scratch)?;
    let state = tempfile::tempdir_in(scratch).unwrap();
    let policy = state.path().join("policy.toml");
    std::fs::write(&policy, POLICY).unwrap();
    let lines: String = calls.iter().map(|call| format!("{call}\n")).collect();
    let finished = finish(
        Command::new(python)
            .arg(here.join("mcp_client.py"))
            .arg(mode)
            .arg(program("lazaret"))
            .args(["mcp", "--state"])
            .arg(state.path())
            .arg("--policy")
            .arg(&policy),
        lines.as_bytes(),
    );
    assert_eq!(finished.code, 0, "{}", finished.err());
    let said: Value = finished.json();
    let tools = said["tools"].as_array().unwrap().iter();
    Some(Told {
        tools: tools
            .map(|tool| tool.as_str().unwrap().to_owned())
            .collect(),
        results: said["results"].as_array().unwrap().clone(),
        state,
    })
}

fn python(code: &str) -> Value {
    json!({ "tool": "execute_code", "arguments": { "language": "python", "code": code } })
}

#[test]
fn the_official_client_runs_code_in_both_revisions() {
    let make = "import pathlib\npathlib.Path('a.png').write_bytes(b'\\x89PNG')\nprint(open('in.txt').read())";
    let calls = [
        python("print(6 * 7)"),
        python("import sys; sys.exit(3)"),
        python("eval('1')"),
        json!({ "tool": "execute_code", "arguments": {
            "language": "python", "code": make, "collect": ["*.png"],
            "files": [{ "path": "in.txt", "content": "given" }],
        }}),
        json!({ "tool": "execute_code", "arguments": { "language": "javascript", "code": "console.log(6 * 7)" } }),
        json!({ "tool": "execute_code", "arguments": { "language": "python" } }),
        json!({ "tool": "read_file", "arguments": {} }),
    ];
    for mode in MODES {
        let Some(told) = ask(mode, &calls) else {
            return;
        };
        assert!(told.tools.contains(&"execute_code".to_owned()), "{mode}");
        let [answer, failed, denied, made, javascript, malformed, unknown] = &told.results[..]
        else {
            unreachable!("seven calls have seven results: {:?}", told.results);
        };
        assert_eq!(answer["text"], "42\n", "{mode}: {answer}");
        assert_eq!(answer["error"], false, "{mode}");
        assert_eq!(answer["structured"]["exit_code"], 0, "{mode}");
        assert_eq!(failed["text"], "[ended with status 3]", "{mode}");
        assert_eq!(failed["error"], true, "{mode}");
        let text = denied["text"].as_str().unwrap();
        assert!(
            text.starts_with("deny: eval is not wanted here (rules: no-eval"),
            "{mode}: {text}"
        );
        assert_eq!(denied["structured"]["verdict"], "deny", "{mode}");
        assert_eq!(made["text"], "given\n[file a.png, 4 bytes]", "{mode}");
        assert_eq!(made["images"], json!(["image/png"]), "{mode}");
        assert_eq!(javascript["text"], "42\n", "{mode}: {javascript}");
        assert!(
            malformed["text"].as_str().unwrap().contains("code"),
            "{mode}: {malformed}"
        );
        let unknown = unknown["protocol_error"].as_str().unwrap();
        assert!(unknown.contains("no tool `read_file`"), "{mode}: {unknown}");
        // The one way of all calls: four that ran, one that was refused.
        let records = |kind| ledger::of_kind(&told.state.path().join("ledger.db"), kind).len();
        assert_eq!((records("decision"), records("outcome")), (5, 4), "{mode}");
    }
}

fn serve(input: &[u8]) -> Finished {
    let state = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    finish(
        Command::new(program("lazaret"))
            .args(["mcp", "--state"])
            .arg(state.path()),
        input,
    )
}

#[test]
fn who_does_not_speak_the_protocol_is_told_so() {
    let finished = serve(b"");
    assert_eq!(finished.code, 125, "{}", finished.err());
    let said = finished.err();
    assert!(
        said.starts_with("lazaret: the client did not begin"),
        "{said}"
    );
    assert_eq!(said.lines().count(), 1, "{said}");
}
