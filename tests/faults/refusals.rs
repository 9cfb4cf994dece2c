//! What the appliance refuses to do, and says: run with less than a profile asks,
//! run what was changed, run unrecorded, take more than it can hold.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use appliance_tests::command::{Finished, finish, program, verify};
use appliance_tests::daemon::{Daemon, Options};
use appliance_tests::ledger;
use serde_json::{Value, json};

/// The shipped profile under another name, asking for a Landlock that no kernel has.
const SHIPPED: &str = include_str!("../../profiles/wasm-offline.toml");

const POLICY: &str = r#"
version = 1
name = "future"
[[rule]]
id = "code"
effect = "allow"
run = "future"
match = { tool = "execute_code" }
reason = "code runs in the sandbox of the future"
[[rule.test]]
call = { tool = "execute_code", arguments = { language = "python", code = "1" } }
verdict = "allow"
"#;

/// A directory with a profile `future` that asks for this Landlock, and its policy.
fn future(dir: &Path, min_abi: u32) -> (PathBuf, PathBuf) {
    let profiles = dir.join("profiles");
    fs::create_dir(&profiles).unwrap();
    let text = SHIPPED
        .replace("name = \"wasm-offline\"", "name = \"future\"")
        .replace("rank = 10", "rank = 90")
        .replace("min_abi = 2", &format!("min_abi = {min_abi}"));
    assert!(text.contains(&format!("min_abi = {min_abi}")) && text.contains("rank = 90"));
    fs::write(profiles.join("future.toml"), text).unwrap();
    let policy = dir.join("policy.toml");
    fs::write(&policy, POLICY).unwrap();
    (profiles, policy)
}

fn lazaret(state: &Path, profiles: &Path, arguments: &[&str]) -> Finished {
    let mut command = Command::new(program("lazaret"));
    command.args(arguments).arg("--state").arg(state);
    finish(command.env("LAZARET_PROFILES", profiles), b"")
}

#[test]
fn a_layer_that_the_host_lacks_is_named_by_run_serve_and_doctor() {
    for (min_abi, there) in [(1, true), (99, false)] {
        let dir = tempfile::tempdir().unwrap();
        let (profiles, policy) = future(dir.path(), min_abi);
        let state = dir.path().join("state");
        let policy = policy.to_str().unwrap();

        let ran = lazaret(
            &state,
            &profiles,
            &["run", "--policy", policy, "-c", "print(1)"],
        );
        let doctor = lazaret(&state, &profiles, &["doctor"]);
        let mut options = Options::default();
        let profiles = profiles.to_str().unwrap().to_owned();
        options
            .environment
            .push(("LAZARET_PROFILES".into(), profiles));
        let served = Daemon::try_start(options).err();

        let line = doctor
            .out()
            .lines()
            .find(|l| l.contains("profile future"))
            .unwrap()
            .to_owned();
        if there {
            assert_eq!((ran.code, ran.out().as_str()), (0, "1\n"), "{}", ran.err());
            assert!(line.starts_with("yes"), "{line}");
            assert_eq!(served, None);
            continue;
        }
        assert_eq!((ran.code, ran.out().as_str()), (125, ""), "nothing ran");
        let served = served.unwrap();
        for said in [ran.err(), line.clone(), served] {
            assert!(said.contains("landlock") && said.contains("99"), "{said}");
        }
        assert!(line.starts_with("NO"), "{line}");
        assert_eq!(doctor.code, 1);
        let outcome = &ledger::of_kind(&state.join("ledger.db"), "outcome")[0];
        assert_eq!(outcome["data"]["ending"], "launch_failed");
    }
}

#[test]
fn an_artefact_that_was_changed_is_not_run() {
    let dir = tempfile::tempdir().unwrap();
    let (built, mine) = (built_runtimes().join("python"), dir.path().join("python"));
    fs::create_dir(&mine).unwrap();
    let other = "javascript";
    std::os::unix::fs::symlink(built_runtimes().join(other), dir.path().join(other)).unwrap();
    let mut artefact = None;
    for entry in fs::read_dir(built).unwrap() {
        let entry = entry.unwrap();
        let copy = mine.join(entry.file_name());
        if entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), &copy).unwrap();
        }
        if copy.extension().is_some_and(|kind| kind == "cwasm") {
            artefact = Some(copy);
        }
    }
    let run = || {
        let mut command = Command::new(program("lazaret"));
        command
            .args(["run", "-c", "print(1)", "--state"])
            .arg(dir.path().join("state"));
        finish(command.env("LAZARET_RUNTIMES", dir.path()), b"")
    };
    assert_eq!(run().out(), "1\n", "control: the copy runs");
    let artefact = artefact.unwrap();
    let mut bytes = fs::read(&artefact).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&artefact, bytes).unwrap();
    let ran = run();
    assert_eq!((ran.code, ran.out().as_str()), (125, ""));
    assert!(
        ran.err().contains("SHA-256") && ran.err().contains("runtime build"),
        "{}",
        ran.err()
    );
}

/// Where the runtime of the other tests lies, as `lazaret` finds it.
fn built_runtimes() -> PathBuf {
    if let Some(set) = std::env::var_os("LAZARET_RUNTIMES") {
        return set.into();
    }
    let set = |name| std::env::var_os(name).map(PathBuf::from);
    if let Some(state) = set("XDG_STATE_HOME") {
        return state.join("lazaret/runtimes");
    }
    match nix::unistd::geteuid().is_root() {
        true => "/var/lib/lazaret/runtimes".into(),
        false => set("HOME").unwrap().join(".local/state/lazaret/runtimes"),
    }
}

#[test]
fn a_daemon_whose_ledger_is_gone_runs_nothing_and_says_so() {
    let daemon = Daemon::start();
    daemon.assert_works();
    fs::remove_file(daemon.ledger()).unwrap();
    let answer = daemon.python("print('unrecorded')");
    answer.assert_problem(503);
    assert!(!answer.everything().contains("unrecorded"));
    for path in ["/health/ready", "/health"] {
        let health = daemon.client().get(path);
        assert_eq!(health.status, 503, "{path}");
        assert!(
            health.everything().contains("ledger"),
            "{}",
            health.everything()
        );
    }
    assert_eq!(daemon.client().get("/health/live").status, 200);
}

#[test]
fn more_than_the_queue_takes_is_told_to_come_again() {
    let mut options = Options::default();
    for (name, value) in [("LAZARET_MAX_RUNNING", "1"), ("LAZARET_MAX_WAITING", "0")] {
        options.environment.push((name.into(), value.into()));
    }
    let daemon = Daemon::start_with(options);
    let client = daemon.client();
    let first = thread::spawn(move || {
        client.execute(&json!({"language": "python", "code": "import time\ntime.sleep(3)"}))
    });
    let deadline = Instant::now() + Duration::from_secs(20);
    while daemon.client().get("/health").body["workers"]["running"] != 1 {
        assert!(Instant::now() < deadline, "the one worker was never busy");
        thread::sleep(Duration::from_millis(20));
    }
    let refused = daemon.python("print(1)");
    refused.assert_problem(503);
    assert!(refused.text("detail").contains("try again"));
    first.join().unwrap().assert_ending("exited");
    daemon.assert_works();
}

#[test]
fn memory_below_what_the_interpreter_holds_runs_nothing() {
    let daemon = Daemon::start();
    let request = |bytes: u64| json!({"language": "python", "code": "print('ran')", "limits": {"memory_bytes": bytes}});
    let answer = daemon.execute(&request(1 << 20));
    answer.assert_ending("out_of_memory");
    assert_eq!(answer.text("stdout"), "");
    let control = daemon.execute(&request(64 << 20));
    assert_eq!(control.text("stdout"), "ran\n");
}

#[test]
fn a_file_that_cannot_be_handed_out_is_named() {
    let daemon = Daemon::start();
    let code = "import os\nopen('a\\nb', 'w')\nopen('plain', 'w')\n\
                d = '/'.join('d' * 1 for _ in range(20))\nos.makedirs(d)\nopen(d + '/deep', 'w')";
    let answer = daemon.execute(&json!({"language": "python", "code": code, "collect": ["**"]}));
    answer.assert_ending("exited");
    let paths = |key: &str| -> Vec<String> {
        let list = answer.body[key].as_array().unwrap();
        list.iter()
            .map(|one| one["path"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(paths("files"), ["plain"]);
    assert_eq!(
        paths("files_left_out").len(),
        2,
        "{:?}",
        answer.body["files_left_out"]
    );
}

#[test]
fn files_that_cannot_be_collected_take_nothing_from_the_outcome() {
    let daemon = Daemon::start();
    let code = "import os\nprint('said')\nn = 'n' * 250\nfor k in range(2):\n    os.makedirs(f't{k}')\n    \
                os.chdir(f't{k}')\n    for _ in range(12):\n        os.mkdir(n)\n        os.chdir(n)\n    os.chdir('/workspace')\n\
                os.rename('t0', 't1/' + '/'.join([n] * 12) + '/c')";
    let answer = daemon.execute(&json!({"language": "python", "code": code, "collect": ["**"]}));
    assert_eq!(answer.text("stdout"), "said\n", "{answer:?}");
    answer.assert_ending("exited");
    daemon.assert_works();
}

#[test]
fn a_stop_keeps_the_outcomes_of_calls_whose_clients_have_left() {
    use std::io::Write;
    use std::net::TcpStream;

    let daemon = Daemon::start();
    let (client, path) = (daemon.client(), daemon.ledger());
    let address = client.address().trim_start_matches("http://").to_owned();
    let body = json!({"language": "python", "code": "import time\ntime.sleep(2)"}).to_string();
    for _ in 0..4 {
        let mut socket = TcpStream::connect(&address).unwrap();
        write!(
            socket,
            "POST /v1/execute HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            client.token(),
            body.len()
        )
        .unwrap();
        // Long enough for the decision, far too short for the outcome.
        thread::sleep(Duration::from_millis(300));
    }
    let kept = tempfile::tempdir().unwrap();
    assert!(daemon_stopped_with_copy(daemon, &path, kept.path()));
    let copy = kept.path().join("ledger.db");
    let verified = verify(&copy);
    assert_eq!(verified.code, 0, "{}", verified.err());
    let decisions = ledger::of_kind(&copy, "decision").len();
    let outcomes: Vec<Value> = ledger::of_kind(&copy, "outcome");
    assert_eq!((decisions, outcomes.len()), (4, 4));
}

/// Stop by SIGTERM, and copy the ledger out of the temporary state directory before
/// it goes.
fn daemon_stopped_with_copy(daemon: Daemon, ledger: &Path, to: &Path) -> bool {
    let pid = nix::unistd::Pid::from_raw(daemon.pid());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    let mut daemon = daemon;
    let deadline = Instant::now() + Duration::from_secs(20);
    while daemon.is_running() && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(50));
    }
    fs::copy(ledger, to.join("ledger.db")).is_ok()
}
