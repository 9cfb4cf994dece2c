//! JavaScript and TypeScript through the daemon: what a program prints is what node prints,
//! what fails says where, and nothing of one call is in the next.
//!
//! The programs lie in `tests/calls/javascript/`, each with what node 20 prints for it; where
//! there is a node, the control runs them again and compares.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use appliance_tests::daemon::{Answer, Daemon};
use serde_json::json;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/calls/javascript");

/// What a program says that it reads.
const STDIN_MARK: &str = "// stdin: ";

struct Case {
    path: PathBuf,
    code: String,
    stdin: String,
    printed: String,
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for entry in fs::read_dir(FOLDER).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|kind| kind == "out") {
            continue;
        }
        let code = fs::read_to_string(&path).unwrap();
        let lines = code
            .lines()
            .filter_map(|line| line.strip_prefix(STDIN_MARK));
        let stdin = lines.flat_map(|line| [line, "\n"]).collect();
        let printed = fs::read_to_string(path.with_extension("out")).unwrap();
        cases.push(Case {
            path,
            code,
            stdin,
            printed,
        });
    }
    assert!(cases.len() >= 15, "the programs are there");
    cases
}

fn language(path: &Path) -> &'static str {
    match path.extension().and_then(|kind| kind.to_str()) {
        Some("ts") => "typescript",
        _ => "javascript",
    }
}

fn javascript(daemon: &Daemon, code: &str) -> Answer {
    daemon.execute(&json!({"language": "javascript", "code": code}))
}

fn typescript(daemon: &Daemon, code: &str) -> Answer {
    daemon.execute(&json!({"language": "typescript", "code": code}))
}

#[test]
fn programs_print_what_they_print_in_node() {
    let daemon = Daemon::start();
    for case in cases() {
        let answer = daemon.execute(&json!({
            "language": language(&case.path), "code": case.code, "stdin": case.stdin,
        }));
        let name = case.path.display();
        assert_eq!(answer.text("stderr"), "", "{name}");
        assert_eq!(answer.text("stdout"), case.printed, "{name}");
        assert_eq!(answer.body["exit_code"], 0, "{name}");
    }
}

#[test]
fn control_the_same_programs_print_the_same_in_node() {
    if Command::new("node").arg("--version").output().is_err() {
        return;
    }
    for case in cases()
        .iter()
        .filter(|case| language(&case.path) == "javascript")
    {
        let folder = tempfile::tempdir().unwrap();
        // Where it imports from is where it lies.
        let program = folder.path().join(case.path.file_name().unwrap());
        std::fs::copy(&case.path, &program).unwrap();
        let mut node = Command::new("node")
            .arg(&program)
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = node.stdin.take().unwrap();
        // A program that reads nothing may be gone before.
        drop(stdin.write_all(case.stdin.as_bytes()));
        drop(stdin);
        let printed = node.wait_with_output().unwrap().stdout;
        let printed = String::from_utf8(printed).unwrap();
        assert_eq!(printed, case.printed, "{}", case.path.display());
    }
}

#[test]
fn an_error_that_nobody_catches_shows_its_line() {
    let daemon = Daemon::start();
    let code = "function f(x) {\n  throw new TypeError('bad ' + x);\n}\n\nf(42);";
    let answer = javascript(&daemon, code);
    answer.assert_ending("exited");
    assert_eq!(answer.body["exit_code"], 1);
    let said = answer.text("stderr");
    for part in [
        "/workspace/main.js:2\n  throw new TypeError('bad ' + x);\n",
        "TypeError: bad 42\n    at f (/workspace/main.js:2:",
        "at /workspace/main.js:5:",
    ] {
        assert!(said.contains(part), "`{part}` in {said}");
    }
    for (code, part) in [
        (
            "let a = 1;\nlet b = a +* 2;",
            "/workspace/main.js:2\nlet b = a +* 2;",
        ),
        (
            "Promise.reject(new RangeError('late'));",
            "RangeError: late",
        ),
        (
            "await null;\nthrow new Error('module')",
            "Error: module\n    at",
        ),
        (
            "setTimeout(() => { throw new Error('timer') }, 1)",
            "Error: timer",
        ),
        ("Promise.reject('text')", "'text'"),
        ("throw { some: 'object' }", "Uncaught { some: 'object' }"),
    ] {
        let answer = javascript(&daemon, code);
        assert_eq!(answer.body["exit_code"], 1, "{code}");
        let said = answer.text("stderr");
        assert!(said.contains(part), "`{part}` in {said}");
    }
}

#[test]
fn a_program_ends_with_its_own_status() {
    let daemon = Daemon::start();
    for (code, status) in [
        ("process.exit(7)", 7),
        ("process.exitCode = 3", 3),
        ("process.on('exit', () => { process.exitCode = 9 })", 9),
        ("await new Promise(() => {})", 13),
        ("process.on('uncaughtException', () => {}); throw 1", 0),
        ("try { null.x } catch { process.exit(4) }", 4),
        ("", 0),
    ] {
        let answer = javascript(&daemon, code);
        answer.assert_ending("exited");
        assert_eq!(answer.body["exit_code"], status, "{code}: {answer:?}");
    }
}

#[test]
fn what_a_sandbox_has_not_says_what_to_do() {
    let daemon = Daemon::start();
    for code in [
        "require('net')",
        "require('child_process')",
        "import 'http'",
        "require('left-pad')",
        "await import('worker_threads')",
    ] {
        let answer = javascript(&daemon, code);
        assert_eq!(answer.body["exit_code"], 1, "{code}");
        let said = answer.text("stderr");
        let wanted = "not available in this sandbox; run the code in a container profile";
        assert!(said.contains(wanted), "{code}: {said}");
    }
    let reaches = javascript(
        &daemon,
        "console.log(typeof std, typeof os, typeof scriptArgs, typeof fetch, typeof Worker,\
         Object.keys(process.env).length, require('fs').existsSync('/etc/passwd'))",
    );
    assert_eq!(
        reaches.text("stdout"),
        "undefined undefined undefined undefined undefined 0 false\n"
    );
}

#[test]
fn memory_time_and_depth_have_their_ends() {
    let daemon = Daemon::start();
    let full = javascript(
        &daemon,
        "const a = []; for (;;) a.push(new Array(10000).fill(1))",
    );
    full.assert_ending("out_of_memory");
    let caught = javascript(
        &daemon,
        "try { const a = []; for (;;) a.push(new Array(10000).fill(1)) } catch (e) { console.log(e.message) }",
    );
    assert_eq!(caught.text("stdout"), "out of memory\n");
    for code in [
        "for (;;);",
        "await new Promise((r) => setTimeout(r, 60000))",
        "/^(a+)+$/.test('a'.repeat(40) + 'b')",
        "for (;;) try { for (;;); } catch {}",
    ] {
        let request = json!({"language": "javascript", "code": code, "limits": {"wall_ms": 300}});
        daemon.execute(&request).assert_ending("timed_out");
    }
    for code in [
        "(function f() { f() })()",
        "let d = []; for (let i = 0; i < 1e5; i++) d = [d]; JSON.stringify(d)",
        "JSON.parse('['.repeat(1e6))",
        "eval('('.repeat(1e5))",
        "eval('(function(){'.repeat(1e5))",
        "const p = new Proxy({}, { get(t, k, r) { return r[k] } }); p.x",
    ] {
        let answer = javascript(&daemon, code);
        answer.assert_ending("exited");
        let said = answer.text("stderr");
        assert!(
            said.contains("RangeError") || said.contains("SyntaxError"),
            "{code}: {answer:?}"
        );
    }
    assert_eq!(
        javascript(&daemon, "console.log(6 * 7)").text("stdout"),
        "42\n"
    );
}

#[test]
fn nothing_of_one_call_is_in_the_next() {
    let daemon = Daemon::start();
    let code = "console.log(globalThis.mark, Array.prototype.mark, require('fs').readdirSync('/workspace').length,\
        require('fs').readdirSync('/tmp').length, require('fs').mark, Math.random(), crypto.randomUUID());\
        globalThis.mark = Array.prototype.mark = require('fs').mark = 'left';\
        require('fs').writeFileSync('/tmp/left', 'x'); require('fs').writeFileSync('left', 'x');\
        Object.prototype.toString = console.log = () => { throw 1 };";
    let mut chances = BTreeSet::new();
    for _ in 0..20 {
        let answer = javascript(&daemon, code);
        let printed = answer.text("stdout");
        let rest = printed.strip_prefix("undefined undefined 0 0 undefined ");
        let rest = rest.unwrap_or_else(|| panic!("a mark was found: {answer:?}"));
        assert!(chances.insert(rest.to_owned()), "the same random numbers");
    }
    // Control: within one call the marks do stay.
    let control = javascript(&daemon, "globalThis.mark = 1; console.log(globalThis.mark)");
    assert_eq!(control.text("stdout"), "1\n");
}

#[test]
fn typescript_keeps_its_lines() {
    let daemon = Daemon::start();
    let code = "interface A {\n  b: string;\n}\nconst a: A = { b: 'x' };\nconsole.log(a.b);\n(null as any).c;\n";
    let answer = typescript(&daemon, code);
    assert_eq!(answer.text("stdout"), "x\n");
    assert!(
        answer.text("stderr").starts_with("/workspace/main.ts:6\n"),
        "{answer:?}"
    );
    for (code, line, said) in [
        ("let a = 1;\nlet b: = 2;", 2, "SyntaxError"),
        ("\n@decorated class A {}", 2, "decorator cannot be erased"),
        (
            "namespace N { export const a = 1 }",
            1,
            "namespace with values",
        ),
    ] {
        let answer = typescript(&daemon, code);
        answer.assert_ending("exited");
        assert_eq!(answer.body["exit_code"], 1, "{code}");
        let report = answer.text("stderr");
        assert!(
            report.starts_with(&format!("/workspace/main.ts:{line}\n")),
            "{report}"
        );
        assert!(report.contains(said), "{report}");
    }
    // Control: as JavaScript the same text is an error.
    let control = javascript(&daemon, "const a: number = 1");
    assert_eq!(control.body["exit_code"], 1);
}
