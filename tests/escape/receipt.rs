//! The receipt is true: its figures are those of `/proc`, read from outside.
//!
//! While a call sleeps, every process of the daemon is read; afterwards the
//! receipt's process must be among them, confined as it says and as the
//! profile asks. The control is the daemon itself, which is not confined.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use appliance_tests::daemon::{Answer, Daemon};
use appliance_tests::process;
use serde_json::{Value, json};

const NAMESPACES: [&str; 7] = ["user", "mnt", "pid", "net", "ipc", "uts", "cgroup"];

const CAPABILITIES: [&str; 5] = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"];

/// What `/proc` said of one process while the call ran.
struct Seen {
    status: BTreeMap<String, String>,
    namespaces: BTreeMap<&'static str, Option<u64>>,
    mounts: Vec<String>,
    files: Vec<String>,
}

fn see(pid: i32) -> Seen {
    Seen {
        status: process::status(pid),
        namespaces: NAMESPACES
            .iter()
            .map(|kind| (*kind, process::namespace(pid, kind)))
            .collect(),
        mounts: process::mounts(pid),
        files: process::open_files(pid),
    }
}

/// Runs a call that sleeps, and reads all processes of the daemon meanwhile.
fn call_and_look(daemon: &Daemon) -> (Answer, BTreeMap<i32, Seen>) {
    let client = daemon.client();
    let call = thread::spawn(move || {
        client
            .execute(&json!({"language": "python", "code": "import time\ntime.sleep(2)\nprint(1)"}))
    });
    thread::sleep(Duration::from_secs(1));
    let processes = process::descendants(daemon.pid());
    let seen = processes.iter().map(|p| (p.pid, see(p.pid))).collect();
    (call.join().unwrap(), seen)
}

fn number(text: &str) -> u64 {
    text.split_whitespace()
        .next()
        .and_then(|word| word.parse().ok())
        .unwrap()
}

#[test]
fn the_receipt_agrees_with_proc() {
    let daemon = Daemon::start();
    daemon.assert_works();
    let (answer, seen) = call_and_look(&daemon);
    answer.assert_ending("exited");
    let observed = &answer.body["receipt"]["observed"];
    let pid = i32::try_from(observed["pid"].as_u64().unwrap()).unwrap();
    let worker = seen
        .get(&pid)
        .unwrap_or_else(|| unreachable_pid(pid, &seen));
    let status = &worker.status;
    assert_eq!(observed["seccomp_mode"], number(&status["Seccomp"]));
    assert_eq!(
        observed["seccomp_filters"],
        number(&status["Seccomp_filters"])
    );
    assert_eq!(observed["no_new_privs"], status["NoNewPrivs"] == "1");
    assert_eq!(observed["threads"], number(&status["Threads"]));
    for set in CAPABILITIES {
        let bits = u64::from_str_radix(&status[set], 16).unwrap();
        assert_eq!(observed["capabilities"][set], bits, "{set}");
    }
    for (key, line) in [("uids", "Uid"), ("gids", "Gid"), ("pids", "NSpid")] {
        let numbers: Vec<u64> = status[line]
            .split_whitespace()
            .filter_map(|n| n.parse().ok())
            .collect();
        assert_eq!(observed[key], json!(numbers), "{line}");
    }
    for kind in NAMESPACES {
        assert_eq!(
            observed["namespaces"][kind].as_u64(),
            worker.namespaces[kind],
            "{kind}"
        );
    }
    let points: Vec<&str> = observed["mounts"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|m| m["point"].as_str())
        .collect();
    assert_eq!(points, worker.mounts);
}

/// What the receipt would have to say is what really is: not a copy of the plan.
#[test]
fn the_worker_is_confined_as_the_profile_asks() {
    let daemon = Daemon::start();
    daemon.assert_works();
    let (answer, seen) = call_and_look(&daemon);
    answer.assert_ending("exited");
    let pid = i32::try_from(answer.body["receipt"]["observed"]["pid"].as_u64().unwrap()).unwrap();
    let worker = &seen[&pid];
    assert_eq!(worker.status["Seccomp"], "2", "filters");
    assert_eq!(worker.status["NoNewPrivs"], "1");
    for set in CAPABILITIES {
        assert_eq!(number_hex(&worker.status[set]), 0, "{set}");
    }
    assert!(worker.status["NSpid"].split_whitespace().next_back() == Some("1"));
    for user in worker.status["Uid"].split_whitespace() {
        assert_ne!(user, "0", "never root of the host");
    }
    for kind in NAMESPACES {
        let own = process::namespace(daemon.pid(), kind);
        assert_ne!(worker.namespaces[kind], own, "{kind}: its own");
    }
    for point in &worker.mounts {
        assert!(
            ["/", "/workspace", "/tmp"].contains(&point.as_str()),
            "mount at `{point}`"
        );
    }
    for file in &worker.files {
        let harmless = [
            "pipe:",
            "socket:",
            "anon_inode:",
            "/workspace",
            "/tmp",
            "/dev/null",
            "/memfd:",
        ];
        // Its own table of pages, in which the kernel shows no addresses to a user like this.
        let own_pages = file.ends_with(&format!("/{pid}/pagemap"));
        assert!(
            own_pages || harmless.iter().any(|kind| file.starts_with(kind)),
            "open: `{file}`"
        );
    }
    let control = see(daemon.pid());
    assert_eq!(
        control.status["Seccomp"],
        process::status(1)["Seccomp"],
        "control: the daemon is not confined"
    );
    assert!(
        control.mounts.len() > worker.mounts.len(),
        "control: the daemon sees the host's mounts"
    );
}

#[test]
fn the_receipt_names_what_ran() {
    let daemon = Daemon::start();
    let receipt = daemon.python("print(1)").body["receipt"].clone();
    assert_eq!(receipt["backend"], "wasm");
    assert_eq!(receipt["profile"], "wasm-offline");
    assert_eq!(receipt["runtime"]["name"], "python");
    for digest in [
        "/profile_sha256",
        "/policy_sha256",
        "/runtime/module_sha256",
        "/runtime/artefact_sha256",
        "/reported/seccomp_digest",
    ] {
        let text = receipt
            .pointer(digest)
            .and_then(Value::as_str)
            .unwrap_or_default();
        assert_eq!(text.len(), 64, "{digest}: {receipt}");
    }
    assert_eq!(receipt["limits"]["wall_ms"], 10_000);
    assert!(receipt["reported"]["landlock_abi"].as_u64().unwrap() >= 2);
    let layers: Vec<&str> = receipt["layers"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    for layer in [
        "user_namespace",
        "mount_namespace",
        "pid_namespace",
        "net_namespace",
        "ipc_namespace",
        "uts_namespace",
        "empty_root",
        "rlimits",
        "no_capabilities",
        "no_new_privs",
        "landlock",
        "seccomp",
    ] {
        assert!(layers.contains(&layer), "`{layer}` in {layers:?}");
    }
    let asked = json!({"language": "python", "code": "print(1)", "limits": {"wall_ms": 1234}});
    assert_eq!(
        daemon.execute(&asked).body["receipt"]["limits"]["wall_ms"],
        1234
    );
}

/// No environment, argument or open file of the daemon tells a worker a secret.
#[test]
fn no_worker_knows_the_token() {
    let daemon = Daemon::start();
    daemon.assert_works();
    let token = daemon.client().token().to_owned();
    let processes = process::descendants(daemon.pid());
    assert!(!processes.is_empty(), "workers are there");
    for p in processes {
        let environment = std::fs::read(format!("/proc/{}/environ", p.pid)).unwrap_or_default();
        let text = String::from_utf8_lossy(&environment);
        assert!(
            !text.contains(&token) && !text.contains("HOME="),
            "{}: {text}",
            p.name
        );
        assert!(!p.arguments.iter().any(|argument| argument.contains(&token)));
        let state = daemon.state().to_string_lossy().into_owned();
        for file in process::open_files(p.pid) {
            assert!(!file.starts_with(&state), "{} has `{file}` open", p.name);
        }
    }
}

fn number_hex(text: &str) -> u64 {
    u64::from_str_radix(text, 16).unwrap()
}

fn unreachable_pid(pid: i32, seen: &BTreeMap<i32, Seen>) -> &Seen {
    let there: Vec<&i32> = seen.keys().collect();
    assert!(
        seen.contains_key(&pid),
        "process {pid} is none of the daemon's {there:?}"
    );
    &seen[&pid]
}
