//! Whole corpora in containers: benign programs give their right answers, hostile ones touch nothing
//! of the host.
//!
//! Containers are made by Docker beside the daemon, so the host itself is what is watched: every
//! place that the programs aim at, the ports that they call, the daemon's secrets. That the
//! programs do harm where nothing holds them is shown natively in an arena by `redcode`; that the
//! watch sees harm is shown here. `LAZARET_WHOLE_CORPUS=1` takes every program.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::net::TcpStream;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use appliance_tests::arena::Aims;
use appliance_tests::command::verify;
use appliance_tests::containers::{PROFILES, can_run, containers_of, options, with};
use appliance_tests::corpus::{self, Case};
use appliance_tests::daemon::{Answer, Client, Daemon};
use appliance_tests::process::own_memory_bytes;
use appliance_tests::redcode::{HostWatch, Proof, subset};
use serde_json::json;

/// Clients at once: the processors of the smallest machine that this runs on.
const CLIENTS: usize = 2;

/// Programs of each category in the subset.
const EACH: usize = 1;

/// Benign programs in the subset: one of so many.
const ONE_OF: usize = 4;

/// What a hostile program gets.
const WALL_MS: u64 = 5_000;

/// Making, ending and removing a container beside the program's own time, on a busy machine.
const GRACE: Duration = Duration::from_secs(25);

/// What the daemon may have grown by: its allocator keeps some.
const GROWTH_BYTES: u64 = 48 << 20;

/// Runs all cases with some clients at once.
fn run(
    client: &Client,
    cases: &[Case],
    one: impl Fn(&Client, &Case) -> Vec<String> + Sync,
) -> Vec<String> {
    let next = AtomicUsize::new(0);
    let faults = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let found = one(client, case);
                    faults.lock().unwrap().extend(
                        found
                            .into_iter()
                            .map(|fault| format!("{}: {fault}", case.id)),
                    );
                }
            });
        }
    });
    faults.into_inner().unwrap()
}

#[test]
fn humaneval_programs_pass_in_gvisor_and_on_the_hosts_kernel() {
    if !can_run() {
        return;
    }
    let Some(all) = corpus::load("humaneval") else {
        return;
    };
    let cases = match std::env::var_os("LAZARET_WHOLE_CORPUS") {
        Some(_) => all,
        None => all.into_iter().step_by(ONE_OF).collect(),
    };
    assert!(!cases.is_empty());
    let state = tempfile::tempdir().unwrap();
    let daemon = Daemon::start_with(options(state.path()));
    for profile in PROFILES {
        let faults = run(&daemon.client(), &cases, |client, case| {
            let answer = with(client, profile, "python", &case.code, json!({}));
            let passed = answer.text("stdout") == "passed\n" && answer.body["exit_code"] == 0;
            if passed {
                Vec::new()
            } else {
                vec![format!("{answer:?}")]
            }
        });
        assert!(faults.is_empty(), "{profile}: {}", faults.join("\n"));
    }
    daemon.stop();
    assert!(containers_of(state.path()).is_empty());
}

#[test]
fn hostile_shell_programs_touch_nothing_of_the_host() {
    hostile("redcode-exec-shell", "bash");
}

#[test]
fn hostile_python_programs_touch_nothing_of_the_host() {
    hostile("redcode-exec-python", "python");
}

fn hostile(name: &str, language: &str) {
    if !can_run() {
        return;
    }
    let Some(all) = corpus::load(name) else {
        return;
    };
    let cases = match std::env::var_os("LAZARET_WHOLE_CORPUS") {
        Some(_) => all,
        None => subset(&all, EACH),
    };
    let watch = HostWatch::start(
        Aims::of(cases.iter().map(|case| case.code.as_str())),
        Proof::Places,
    );
    let state = tempfile::tempdir().unwrap();
    let mut options = options(state.path());
    options
        .environment
        .push(("CANARY".to_owned(), watch.marker().to_owned()));
    let daemon = Daemon::start_with(options);
    let token = daemon.client().token().to_owned();
    let secrets = [watch.marker(), token.as_str()];
    for profile in PROFILES {
        // What the daemon keeps for good is there after the first call.
        drop(with(&daemon.client(), profile, language, "1", json!({})));
        let before_bytes = own_memory_bytes(daemon.pid());
        let faults = run(&daemon.client(), &cases, |client, case| {
            one(client, profile, language, case, &secrets)
        });
        assert!(faults.is_empty(), "{profile}: {}", faults.join("\n"));
        let traces = watch.traces();
        assert!(traces.is_empty(), "{profile}: {}", traces.join("\n"));
        let grown = own_memory_bytes(daemon.pid()).saturating_sub(before_bytes);
        assert!(
            grown < GROWTH_BYTES,
            "{profile}: the daemon has grown by {grown} bytes"
        );
        println!("{profile}: {} programs, no trace on the host", cases.len());
    }
    let ledger = daemon.ledger();
    assert!(daemon.stop().success());
    assert!(
        containers_of(state.path()).is_empty(),
        "no container is left"
    );
    assert_eq!(verify(&ledger).code, 0);
}

fn one(
    client: &Client,
    profile: &str,
    language: &str,
    case: &Case,
    secrets: &[&str],
) -> Vec<String> {
    let started = Instant::now();
    let more = json!({"collect": ["**"], "limits": {"wall_ms": WALL_MS}});
    let answer = with(client, profile, language, &case.code, more);
    let mut faults = wrong(&answer);
    let said = answer.everything();
    faults.extend(
        secrets
            .iter()
            .filter(|secret| said.contains(**secret))
            .map(|_| "a secret was read".to_owned()),
    );
    if started.elapsed() > Duration::from_millis(WALL_MS) + GRACE {
        faults.push(format!("outlived its limit: {:?}", started.elapsed()));
    }
    faults
}

/// What is wrong with an answer, whatever the program did.
fn wrong(answer: &Answer) -> Vec<String> {
    let ending = answer.text("ending");
    let known = ["exited", "timed_out", "out_of_memory", "killed"];
    let checks = [
        (
            answer.status == 200,
            format!("answered {}: {}", answer.status, answer.text("detail")),
        ),
        (
            known.contains(&ending),
            format!("ending `{ending}`: {}", answer.text("detail")),
        ),
        (
            answer.body["receipt"]["backend"] == "container",
            "no receipt of a container".to_owned(),
        ),
    ];
    checks
        .into_iter()
        .filter(|(holds, _)| !holds)
        .map(|(_, fault)| fault)
        .collect()
}

/// What the tests above rest on: a change and a call on this host are seen.
#[test]
fn control_the_watch_sees_what_happens_on_the_host() {
    // Not in /tmp, which changes by itself and is not looked at.
    let folder = tempfile::tempdir_in("/var/tmp").unwrap();
    let file = folder.path().join("aimed-at");
    std::fs::write(&file, "before").unwrap();
    let mut aims = Aims::of(std::iter::empty());
    aims.files.insert(path(&file));
    aims.folders.insert(path(folder.path()));
    aims.ports.insert(45_671);
    let watch = HostWatch::start(aims, Proof::Places);
    assert_eq!(watch.traces(), Vec::<String>::new());
    drop(TcpStream::connect(("127.0.0.1", 45_671)).unwrap());
    assert_eq!(watch.traces().len(), 1, "a call");
    std::fs::write(&file, "after").unwrap();
    std::fs::write(folder.path().join("new"), "").unwrap();
    assert_eq!(watch.traces().len(), 2, "a change and a new file");
}

fn path(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}
