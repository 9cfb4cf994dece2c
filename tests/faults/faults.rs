//! `kill -9` at every step of a call: what was answered is kept, what was not is closed.
//!
//! The daemon kills itself or the worker at a named point (`LAZARET_FAULT`);
//! afterwards a daemon without the fault starts on the same state. The control
//! is that daemon's own call, which is answered, and each point's death: a
//! point that does not kill fails the test.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use appliance_tests::command::verify;
use appliance_tests::daemon::{Answer, Daemon, Options};
use appliance_tests::{ledger, process};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

/// What the ledger holds of a call whose daemon died at a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trace {
    /// Not yet recorded.
    Nothing,
    /// Recorded, and closed as interrupted by the next daemon.
    Interrupted,
    /// Recorded to its end.
    Complete,
}

/// Every point of a call, in order.
const POINTS: [(&str, Trace); 10] = [
    ("received", Trace::Nothing),
    ("parsed", Trace::Nothing),
    ("decided", Trace::Nothing),
    ("decision_recorded", Trace::Interrupted),
    ("admitted", Trace::Interrupted),
    ("worker_ready", Trace::Interrupted),
    ("request_sent", Trace::Interrupted),
    ("worker_answered", Trace::Interrupted),
    ("outcome_recorded", Trace::Complete),
    ("replying", Trace::Complete),
];

/// A worker whose daemon was killed must be gone by then.
const ORPHAN_WALL: Duration = Duration::from_secs(3);

fn options(state: &Path) -> Options {
    Options::default().state(state)
}

/// Answered calls are in the ledger, complete, with their own rows.
fn assert_kept(file: &Path, answers: &[Answer]) {
    for answer in answers {
        assert_eq!(answer.status, 200, "{answer:?}");
        let rows = ledger::of_call(file, answer.call_id());
        assert_eq!(rows.len(), 2, "an answered call is missing: {answer:?}");
        assert_eq!(rows[1]["seq"], answer.body["ledger"]["outcome"]);
        assert_eq!(rows[1]["data"]["ending"], answer.text("ending"));
    }
}

fn assert_gone(pids: &[i32]) {
    let deadline = Instant::now() + ORPHAN_WALL;
    while pids.iter().any(|pid| process::alive(*pid)) {
        assert!(
            Instant::now() < deadline,
            "a worker outlived its daemon: {pids:?}"
        );
        thread::sleep(Duration::from_millis(20));
    }
}

fn workers(daemon: &Daemon) -> Vec<i32> {
    process::descendants(daemon.pid())
        .iter()
        .map(|p| p.pid)
        .collect()
}

#[test]
fn the_daemon_is_killed_at_every_point() {
    for (point, trace) in POINTS {
        let state = tempfile::tempdir().unwrap();
        let file = state.path().join("ledger.db");
        let sound = Daemon::start_with(options(state.path()));
        let mut answers: Vec<Answer> = (0..3)
            .map(|n| sound.python(&format!("print({n})")))
            .collect();
        sound.kill();

        let doomed = Daemon::start_with(options(state.path()).fault(point));
        let pids = workers(&doomed);
        let lost = doomed.python("print('lost')");
        assert!(
            lost.broke.is_some(),
            "{point}: killed, so there is no answer: {lost:?}"
        );
        let status = doomed.wait(Duration::from_secs(5));
        assert!(
            status.is_some_and(|s| !s.success()),
            "{point}: the daemon killed itself"
        );
        assert_gone(&pids);

        let next = Daemon::start_with(options(state.path()));
        answers.push(next.python("print('next')"));
        let verified = next.stop_and_verify();
        assert_eq!(verified.code, 0, "{point}: {}", verified.out());
        assert_kept(&file, &answers);
        let (decisions, outcomes) = (
            ledger::of_kind(&file, "decision").len(),
            ledger::of_kind(&file, "outcome").len(),
        );
        let expected = answers.len() + usize::from(trace != Trace::Nothing);
        assert_eq!(
            (decisions, outcomes),
            (expected, expected),
            "{point}: every call is closed"
        );
        let interrupted = ledger::interrupted(&file).len();
        assert_eq!(
            interrupted,
            usize::from(trace == Trace::Interrupted),
            "{point}"
        );
    }
}

#[test]
fn the_worker_is_killed_at_every_point() {
    for (point, _) in POINTS {
        let state = tempfile::tempdir().unwrap();
        let file = state.path().join("ledger.db");
        let daemon = Daemon::start_with(options(state.path()).fault(&format!("{point}:worker")));
        let answers: Vec<Answer> = (0..3)
            // Long enough that the worker is still at it when it is killed.
            .map(|n| daemon.python(&format!("import time\ntime.sleep(0.3)\nprint({n})")))
            .collect();
        for answer in &answers {
            assert_eq!(
                answer.status, 200,
                "{point}: the caller is told: {answer:?}"
            );
            let ending = answer.text("ending");
            match point {
                "worker_ready" | "request_sent" => {
                    assert!(
                        ["killed", "launch_failed"].contains(&ending),
                        "{point}: {answer:?}"
                    );
                    assert_ne!(answer.body["exit_code"], 0, "{point}: {answer:?}");
                }
                "worker_answered" | "outcome_recorded" | "replying" => {
                    assert_eq!(ending, "exited", "{point}: {answer:?}");
                }
                // No worker belongs to the call yet: nothing, or a spare one, dies.
                _ => assert!(!ending.is_empty(), "{point}: {answer:?}"),
            }
        }
        let verified = daemon.stop_and_verify();
        assert_eq!(verified.code, 0, "{point}: {}", verified.out());
        assert_kept(&file, &answers);
        assert!(
            ledger::interrupted(&file).is_empty(),
            "{point}: the daemon lived"
        );
    }
}

/// Several calls at once, and the daemon killed from outside in the middle.
#[test]
fn the_daemon_is_killed_while_many_calls_run() {
    let state = tempfile::tempdir().unwrap();
    let file = state.path().join("ledger.db");
    let daemon = Daemon::start_with(options(state.path()));
    let mut answers = vec![daemon.python("print(1)")];
    let clients: Vec<_> = (0..4).map(|_| daemon.client()).collect();
    let callers: Vec<_> = clients
        .into_iter()
        .map(|client| {
            thread::spawn(move || {
                let quick = client.execute(&json!({"language": "python", "code": "print(2)"}));
                let slow = client
                    .execute(&json!({"language": "python", "code": "import time\ntime.sleep(5)"}));
                (quick, slow)
            })
        })
        .collect();
    thread::sleep(Duration::from_secs(2));
    let pids = workers(&daemon);
    assert!(!pids.is_empty(), "control: workers are there");
    daemon.kill();
    assert_gone(&pids);
    for caller in callers {
        let (quick, slow) = caller.join().unwrap();
        assert!(slow.broke.is_some(), "{slow:?}");
        answers.push(quick);
    }
    Daemon::start_with(options(state.path())).stop();
    assert_eq!(verify(&file).code, 0);
    assert_kept(&file, &answers);
    assert_eq!(
        ledger::interrupted(&file).len(),
        4,
        "each slow call is closed"
    );
}

#[test]
fn a_worker_is_killed_from_outside_in_the_middle_of_its_call() {
    let daemon = Daemon::start();
    daemon.assert_works();
    let client = daemon.client();
    let caller = thread::spawn(move || {
        client.execute(
            &json!({"language": "python", "code": "import time\ntime.sleep(8)\nprint('whole')"}),
        )
    });
    thread::sleep(Duration::from_secs(1));
    for pid in workers(&daemon) {
        // Killing the first of them may take others along.
        kill(Pid::from_raw(pid), Signal::SIGKILL).ok();
    }
    let answer = caller.join().unwrap();
    answer.assert_ending("killed");
    assert!(
        answer.took < Duration::from_secs(5),
        "at once: {:?}",
        answer.took
    );
    assert!(!answer.text("stdout").contains("whole"));
    daemon.assert_works();
}

#[test]
fn a_flipped_byte_a_missing_row_and_a_cut_file_are_found() {
    let state = tempfile::tempdir().unwrap();
    let daemon = Daemon::start_with(options(state.path()));
    let answer = daemon.python("print('a line that is in the ledger')");
    let file = daemon.ledger();
    assert_eq!(daemon.stop_and_verify().code, 0, "control: sound as it is");
    let sound = std::fs::read(&file).unwrap();
    for needle in [answer.call_id(), "a line that is in the ledger", "exited"] {
        let at = find(&sound, needle.as_bytes());
        let mut bad = sound.clone();
        bad[at] ^= 1;
        let copy = state.path().join("copy.db");
        std::fs::write(&copy, &bad).unwrap();
        let told = verify(&copy);
        assert_eq!(told.code, 1, "`{needle}`: {}{}", told.out(), told.err());
    }
    let copy = state.path().join("cut.db");
    std::fs::write(&copy, &sound[..sound.len() / 2]).unwrap();
    assert_ne!(verify(&copy).code, 0, "half a file");
    assert_eq!(verify(&state.path().join("none.db")).code, 2, "no file");
}

fn find(bytes: &[u8], needle: &[u8]) -> usize {
    let at = bytes
        .windows(needle.len())
        .position(|window| window == needle);
    at.unwrap_or(usize::MAX)
}

/// Two daemons on one state: the second says so, or both write a sound ledger.
#[test]
fn two_daemons_on_one_state_do_not_spoil_it() {
    let state = tempfile::tempdir().unwrap();
    let file = state.path().join("ledger.db");
    let first = Daemon::start_with(options(state.path()));
    let second = Daemon::try_start(options(state.path()));
    let mut answers = vec![first.python("print(1)")];
    if let Ok(second) = second {
        answers.push(second.python("print(2)"));
        answers.push(first.python("print(3)"));
        second.stop();
    }
    first.stop();
    assert_eq!(verify(&file).code, 0);
    assert_kept(&file, &answers);
}
