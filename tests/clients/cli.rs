//! The command line, used as a person and as a script use it.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::process::Command;
use std::thread;
use std::time::Duration;

use appliance_tests::command::{Finished, Lazaret, finish, program, verify};
use appliance_tests::ledger;
use serde_json::{Value, json};

const POLICY: &str = r#"
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
[[rule]]
id = "no-eval"
effect = "deny"
match = { tool = "execute_code", "arguments.code" = { contains = "eval(" } }
reason = "eval is not wanted here"
[[rule.test]]
call = { tool = "execute_code", arguments = { language = "python", code = "eval('1')" } }
verdict = "deny"
"#;

fn lazaret(arguments: &[&str]) -> Finished {
    finish(
        Command::new(program("lazaret"))
            .args(arguments)
            .env("NO_COLOR", "1"),
        b"",
    )
}

#[test]
fn exit_codes_tell_the_endings_apart() {
    let cli = Lazaret::new();
    let policy = cli.state().join("policy.toml");
    std::fs::write(&policy, POLICY).unwrap();
    let policy = policy.to_str().unwrap().to_owned();
    let code = |arguments: &[&str]| cli.run(arguments).code;
    assert_eq!(code(&["-c", "print(1)"]), 0);
    assert_eq!(
        code(&["-c", "import sys; sys.exit(7)"]),
        7,
        "the guest's own"
    );
    assert_eq!(code(&["-c", "1/0"]), 1, "the guest's own");
    assert_eq!(
        code(&["--wall", "1s", "-c", "while True: pass"]),
        124,
        "timed out"
    );
    assert_eq!(code(&["/no/such/file.py"]), 125, "Lazaret itself failed");
    assert_eq!(
        code(&["--policy", &policy, "-c", "eval('1')"]),
        126,
        "denied"
    );
    assert_eq!(
        code(&["-c", "x = bytearray(3 << 29)"]),
        137,
        "killed for memory"
    );
    assert_eq!(
        code(&["--policy", &policy, "-c", "print(1)"]),
        0,
        "control of the policy"
    );
    assert_eq!(verify(&cli.ledger()).code, 0);
}

#[test]
fn streams_are_the_guests_own_byte_for_byte() {
    let cli = Lazaret::new();
    let code = "import sys\nsys.stdout.buffer.write(bytes(range(256)) * 3)\nsys.stderr.buffer.write(b'\\xffe\\x00')";
    let done = cli.run(&["-c", code]);
    let all: Vec<u8> = (0..=255).collect();
    assert_eq!(done.stdout, all.repeat(3));
    assert_eq!(done.stderr, b"\xffe\0", "nothing of ours beside it");
    assert_eq!(done.code, 0);
}

#[test]
fn code_comes_from_a_flag_a_file_or_standard_input() {
    let cli = Lazaret::new();
    let file = cli.state().join("program.py");
    std::fs::write(&file, "import sys\nprint('file', sys.argv[1:])").unwrap();
    assert_eq!(cli.run(&["-c", "print('flag')"]).out(), "flag\n");
    assert_eq!(
        cli.run(&[file.to_str().unwrap(), "--", "-x", "a b"]).out(),
        "file ['-x', 'a b']\n"
    );
    assert_eq!(cli.run_with(&["-"], b"print('piped')").out(), "piped\n");
    assert_eq!(
        cli.run(&["-l", "python", "-c", "print('named')"]).out(),
        "named\n"
    );
}

#[test]
fn standard_input_of_the_program() {
    let cli = Lazaret::new();
    let input = cli.state().join("input");
    std::fs::write(&input, b"from\0a file\xff").unwrap();
    let code = "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read())";
    let done = cli.run(&["--stdin", input.to_str().unwrap(), "-c", code]);
    assert_eq!(done.stdout, b"from\0a file\xff", "{}", done.err());
}

#[test]
fn files_in_and_out() {
    let cli = Lazaret::new();
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("sales.csv");
    std::fs::write(&input, "a,1\nb,2\n").unwrap();
    let out = folder.path().join("out");
    let code = "import csv, os\nrows = list(csv.reader(open('data/in.csv')))\nos.makedirs('res')\n\
                open('res/sum.txt', 'w').write(str(sum(int(r[1]) for r in rows)))\nprint(open('sales.csv').read())";
    let input = input.to_str().unwrap();
    let done = cli.run(&[
        "--file",
        &format!("{input}:data/in.csv"),
        "--file",
        input,
        "--out",
        out.to_str().unwrap(),
        "-c",
        code,
    ]);
    assert_eq!(done.code, 0, "{}", done.err());
    assert_eq!(
        std::fs::read_to_string(out.join("res/sum.txt")).unwrap(),
        "3"
    );
}

/// A guest chooses the names of what comes out; the host's files are not among them.
#[test]
fn what_comes_out_stays_in_the_folder_it_is_for() {
    let cli = Lazaret::new();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    std::fs::create_dir(&out).unwrap();
    std::fs::write(folder.path().join("victim"), "sound").unwrap();
    // A link that lies there already must not carry the guest's bytes elsewhere.
    std::os::unix::fs::symlink(folder.path().join("victim"), out.join("link")).unwrap();
    std::os::unix::fs::symlink(folder.path(), out.join("up")).unwrap();
    let code = "import os\nopen('link', 'w').write('bad')\nos.makedirs('up')\nopen('up/victim', 'w').write('bad')\n\
                open('plain', 'w').write('good')";
    let done = cli.run(&["--out", out.to_str().unwrap(), "-c", code]);
    assert_eq!(
        std::fs::read_to_string(folder.path().join("victim")).unwrap(),
        "sound",
        "{}",
        done.err()
    );
    let clean = folder.path().join("clean");
    let control = cli.run(&[
        "--out",
        clean.to_str().unwrap(),
        "-c",
        "open('plain', 'w').write('good')",
    ]);
    assert_eq!(control.code, 0, "{}", control.err());
    assert_eq!(
        std::fs::read_to_string(clean.join("plain")).unwrap(),
        "good",
        "control"
    );
}

#[test]
fn json_is_the_answer_of_the_interface() {
    let cli = Lazaret::new();
    let done = cli.run(&["--json", "-c", "print('x')\nraise SystemExit(3)"]);
    let answer = done.json();
    assert_eq!(done.code, 3);
    assert_eq!(answer["stdout"], "x\n");
    assert_eq!(answer["exit_code"], 3);
    assert_eq!(answer["ending"], "exited");
    assert!(
        answer["receipt"]["layers"].is_array() && answer["ledger"]["outcome"].is_u64(),
        "{answer}"
    );
}

#[test]
fn limits_in_human_units() {
    let cli = Lazaret::new();
    let receipt = |arguments: &[&str]| {
        let all = [arguments, &["--json", "-c", "print(1)"]].concat();
        cli.run(&all).json()["receipt"]["limits"].clone()
    };
    assert_eq!(receipt(&["--wall", "1500ms"])["wall_ms"], 1500);
    assert_eq!(receipt(&["--wall", "2s"])["wall_ms"], 2000);
    assert_eq!(receipt(&["--memory", "128MiB"])["memory_bytes"], 128 << 20);
    for wrong in ["0", "-1s", "soon", "10", "1e9s", ""] {
        let done = cli.run(&["--wall", wrong, "-c", "print(1)"]);
        assert!(
            done.code != 0 && done.stdout.is_empty(),
            "--wall {wrong}: {}",
            done.err()
        );
    }
    let above = cli.run(&["--wall", "1h", "-c", "print(1)"]);
    assert_eq!(above.code, 126, "denied and not clipped: {}", above.err());
}

#[test]
fn wrong_use_is_told_in_one_line_and_runs_nothing() {
    let cli = Lazaret::new();
    for arguments in [
        &["-c", "print(1)", "file.py"][..],
        &["/no/such/file.py"],
        &["--file", "/no/such/file", "-c", "print(1)"],
        &["--file", "/etc/hostname:../x", "-c", "print(1)"],
        &["--file", "/etc/hostname:/etc/x", "-c", "print(1)"],
        &["--stdin", "/no/such/file", "-c", "print(1)"],
        &["--policy", "/no/such/policy.toml", "-c", "print(1)"],
        &["-l", "cobol", "-c", "print(1)"],
        &["--no-such-flag"],
    ] {
        let done = cli.run(arguments);
        assert!(
            [125, 126, 2].contains(&done.code),
            "{arguments:?}: {} {}",
            done.code,
            done.err()
        );
        assert!(
            done.stdout.is_empty() && !done.stderr.is_empty(),
            "{arguments:?}"
        );
        assert!(
            !done.err().contains("panicked"),
            "{arguments:?}: {}",
            done.err()
        );
    }
}

#[test]
fn two_at_once_on_one_state_share_a_sound_ledger() {
    let cli = Lazaret::new();
    thread::scope(|scope| {
        for number in 0..4 {
            let cli = &cli;
            scope.spawn(move || {
                for _ in 0..3 {
                    let done = cli.run(&["-c", &format!("print({number})")]);
                    assert_eq!(done.out(), format!("{number}\n"), "{}", done.err());
                }
            });
        }
    });
    assert_eq!(verify(&cli.ledger()).code, 0);
    assert_eq!(ledger::of_kind(&cli.ledger(), "outcome").len(), 12);
    assert!(
        ledger::interrupted(&cli.ledger()).is_empty(),
        "nobody closes a neighbour's call"
    );
}

#[test]
fn ctrl_c_ends_the_call_and_records_it() {
    use nix::sys::signal::{Signal, kill};
    let cli = Lazaret::new();
    let mut command = cli.command(&["run"]);
    let mut child = command
        .args(["-c", "import time; time.sleep(9)"])
        .spawn()
        .unwrap();
    thread::sleep(Duration::from_secs(2));
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    kill(pid, Signal::SIGINT).unwrap();
    let status = appliance_tests::command::wait_within(&mut child, Duration::from_secs(4));
    assert!(
        status.is_some_and(|status| !status.success()),
        "ended at once: {status:?}"
    );
    assert_eq!(cli.run(&["-c", "print(1)"]).code, 0);
    assert_eq!(verify(&cli.ledger()).code, 0);
    let (decisions, outcomes) = (
        ledger::of_kind(&cli.ledger(), "decision").len(),
        ledger::of_kind(&cli.ledger(), "outcome").len(),
    );
    assert_eq!(
        (decisions, outcomes),
        (2, 2),
        "cancelled or interrupted, but closed"
    );
}

#[test]
fn a_runtime_that_is_missing_is_said_with_its_remedy() {
    let cli = Lazaret::new();
    let empty = tempfile::tempdir().unwrap();
    let mut command = cli.command(&["run"]);
    command
        .args(["-c", "print(1)"])
        .env("LAZARET_RUNTIMES", empty.path());
    let done = finish(&mut command, b"");
    assert_eq!(done.code, 125, "{}", done.err());
    assert!(
        done.err().contains("lazaret runtime build"),
        "says what to do: {}",
        done.err()
    );
    assert!(done.stdout.is_empty());
}

#[test]
fn policy_check_tells_good_from_bad() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("p.toml");
    let check = |text: &str| {
        std::fs::write(&file, text).unwrap();
        lazaret(&["policy", "check", file.to_str().unwrap()])
    };
    let good = check(POLICY);
    assert_eq!(good.code, 0, "{}", good.err());
    for (bad, word) in [
        (
            POLICY.replace("verdict = \"deny\"", "verdict = \"allow\""),
            "no-eval",
        ),
        (POLICY.replace("effect", "efect"), "efect"),
        ("not toml".to_owned(), "p.toml"),
    ] {
        let told = check(&bad);
        assert_ne!(told.code, 0);
        let said = told.out() + &told.err();
        assert!(said.contains(word) && !said.contains("panicked"), "{said}");
    }
    assert_ne!(lazaret(&["policy", "check", "/no/such/file"]).code, 0);
}

#[test]
fn policy_explain_says_which_rule_and_why() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("p.toml"), POLICY).unwrap();
    let explain = |call: &Value| {
        std::fs::write(path("call.json"), call.to_string()).unwrap();
        lazaret(&[
            "policy",
            "explain",
            "--policy",
            &path("p.toml"),
            &path("call.json"),
        ])
    };
    let call = |code: &str| json!({"tool": "execute_code", "arguments": {"language": "python", "code": code}});
    let denied = explain(&call("eval('1')"));
    assert!(
        denied.out().contains("no-eval") && denied.out().contains("deny"),
        "{}",
        denied.out()
    );
    assert!(
        denied.out().contains("eval is not wanted here"),
        "{}",
        denied.out()
    );
    let allowed = explain(&call("print(1)"));
    assert!(
        allowed.out().contains("contain-code") && allowed.out().contains("allow"),
        "{}",
        allowed.out()
    );
    assert_eq!(allowed.code, 0, "{}", allowed.err());
    let broken = explain(&json!({"tool": 1}));
    assert!(
        broken.code != 0 && !broken.err().contains("panicked"),
        "{}",
        broken.err()
    );
}

#[test]
fn audit_shows_and_verifies() {
    let cli = Lazaret::new();
    let answer = cli.run(&["--json", "-c", "print('seen')"]).json();
    let id = answer["call_id"].as_str().unwrap().to_owned();
    let tail = finish(&mut cli.command(&["audit", "tail"]), b"");
    assert!(
        tail.code == 0 && tail.out().contains(id.get(..8).unwrap()),
        "{}{}",
        tail.out(),
        tail.err()
    );
    for row in ["decision", "outcome"] {
        let number = answer["ledger"][row].to_string();
        let shown = finish(&mut cli.command(&["audit", "show", &number]), b"");
        assert_eq!(shown.code, 0, "{}", shown.err());
        assert!(
            shown.out().contains(row) && shown.out().contains(&id),
            "{}",
            shown.out()
        );
    }
    let verified = finish(&mut cli.command(&["audit", "verify"]), b"");
    assert_eq!(verified.code, 0, "{}", verified.err());
    assert_ne!(
        finish(&mut cli.command(&["audit", "show", "999999"]), b"").code,
        0
    );
}

#[test]
fn the_other_commands_answer() {
    let cli = Lazaret::new();
    for arguments in [
        &["--help"][..],
        &["--version"],
        &["run", "--help"],
        &["serve", "--help"],
        &["policy", "--help"],
        &["audit", "--help"],
        &["runtime", "--help"],
        &["profile", "--help"],
        &["doctor", "--help"],
    ] {
        let done = lazaret(arguments);
        assert!(
            done.code == 0 && !done.stdout.is_empty(),
            "{arguments:?}: {}",
            done.err()
        );
        assert!(
            !done.out().contains('\u{1b}'),
            "{arguments:?}: no colour into a pipe"
        );
    }
    let profile = lazaret(&["profile", "show", "wasm-offline"]);
    assert!(
        profile.code == 0 && profile.out().contains("landlock"),
        "{}",
        profile.err()
    );
    assert_ne!(lazaret(&["profile", "show", "no-such"]).code, 0);
    let list = finish(&mut cli.command(&["runtime", "list"]), b"");
    assert!(
        list.code == 0 && list.out().contains("python"),
        "{}{}",
        list.out(),
        list.err()
    );
    let doctor = lazaret(&["doctor"]);
    for layer in ["landlock", "seccomp", "user_namespace"] {
        assert!(
            doctor.out().contains(layer),
            "{layer}: {}{}",
            doctor.out(),
            doctor.err()
        );
    }
}
