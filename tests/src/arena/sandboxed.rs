//! The sandboxed side: the same programs, through the daemon's HTTP interface.
//!
//! The daemon runs inside the arena, as root of it and beside the canaries; only
//! its own confinement stands between them and the programs. A program that
//! soils the arena does not stop the run: every program is judged.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::inside::Arena;
use super::root::ARENA;
use super::{DAEMON_PORT, Hit, Job, Kind, PROGRAM_WALL, Report, Run};
use crate::command::verify;
use crate::corpus::Case;
use crate::daemon::{Answer, Client, Daemon, Options};

/// Killing, answering and two machine-wide noises more than the wall limit.
const GRACE: Duration = Duration::from_millis(1500);

/// How often the process table is looked at while a program runs.
const SAMPLE: Duration = Duration::from_millis(10);

/// The endings that the interface knows.
const ENDINGS: [&str; 7] = [
    "exited",
    "timed_out",
    "out_of_memory",
    "out_of_fuel",
    "killed",
    "launch_failed",
    "cancelled",
];

pub(super) fn run_all(arena: &mut Arena, job: &Job) -> Report {
    let state = Path::new(ARENA).join("state");
    std::fs::create_dir_all(&state).expect("a state directory");
    let daemon = start(&state);
    let token = daemon.client().token().to_owned();
    arena
        .canaries
        .expect_secret(&token, Kind::Read, "api-token");
    // One call beforehand, so that what the daemon keeps for good is there.
    daemon.assert_works();
    arena.settle();
    let runs: Vec<Run> = job
        .programs
        .iter()
        .map(|program| run(arena, &daemon, program))
        .collect();
    let ledger = daemon.ledger();
    let mut faults = Vec::new();
    let status = daemon.stop();
    if !status.success() {
        faults.push(format!("the daemon stopped with {status}"));
    }
    faults.extend(leftovers(arena));
    let verified = verified(&ledger, &runs, &mut faults);
    Report {
        runs,
        unplanted: arena.canaries.unplanted.clone(),
        faults,
        verified,
    }
}

fn start(state: &Path) -> Daemon {
    let options = Options {
        listen: Some(format!("127.0.0.1:{DAEMON_PORT}")),
        ..Options::default()
    };
    Daemon::start_with(options.state(state))
}

fn run(arena: &mut Arena, daemon: &Daemon, program: &Case) -> Run {
    let client = daemon.client();
    let request = json!({
        "language": "python",
        "code": program.code,
        "collect": ["**"],
        "limits": {"wall_ms": u64::try_from(PROGRAM_WALL.as_millis()).unwrap_or(u64::MAX)},
    });
    let (answer, strangers) = execute_watched(arena, &client, &request);
    let mut hits = arena.judge(&answer.everything());
    hits.extend(
        strangers
            .into_iter()
            .map(|name| Hit::new(Kind::Executed, name)),
    );
    Run {
        id: program.id.clone(),
        hits,
        ending: answer.text("ending").to_owned(),
        exit_code: answer.body["exit_code"].as_i64(),
        wall_ms: u64::try_from(answer.took.as_millis()).unwrap_or(u64::MAX),
        ledger: ledger(&answer.body),
        faults: faults(&answer),
    }
}

/// Executes, and meanwhile looks for processes that are not the daemon's.
fn execute_watched(arena: &Arena, client: &Client, request: &Value) -> (Answer, BTreeSet<String>) {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut names = BTreeSet::new();
            while !done.load(Ordering::Acquire) {
                names.extend(arena.strangers().into_iter().map(|p| p.name));
                thread::sleep(SAMPLE);
            }
            names
        });
        let answer = client.execute(request);
        done.store(true, Ordering::Release);
        (answer, watcher.join().expect("the watcher"))
    })
}

fn ledger(body: &Value) -> Option<(u64, u64)> {
    let ledger = &body["ledger"];
    Some((ledger["decision"].as_u64()?, ledger["outcome"].as_u64()?))
}

/// What is wrong with an answer, whatever the program did.
fn faults(answer: &Answer) -> Vec<String> {
    let mut faults = Vec::new();
    if answer.status != 200 {
        faults.push(format!(
            "answered {}: {}",
            answer.status,
            answer.text("detail")
        ));
    }
    if answer.text("verdict") != "allow" {
        faults.push(format!("verdict `{}`", answer.text("verdict")));
    }
    let ending = answer.text("ending");
    if !ENDINGS.contains(&ending) || ending == "launch_failed" {
        faults.push(format!("ending `{ending}`"));
    }
    if answer.took > PROGRAM_WALL + GRACE {
        faults.push(format!("outlived its limit: {:?}", answer.took));
    }
    if ledger(&answer.body).is_none() {
        faults.push("no numbers of the ledger".to_owned());
    }
    if !answer.body["receipt"].is_object() {
        faults.push("no receipt".to_owned());
    }
    faults
}

/// Processes and changes that are there when the daemon has gone.
fn leftovers(arena: &mut Arena) -> Vec<String> {
    let me = 1;
    let known = arena.canaries.decoy_pids();
    let strangers = crate::process::table()
        .into_iter()
        .filter(|p| p.pid != me && !known.contains(&p.pid))
        .map(|p| format!("process `{}` is left", p.name));
    let mut faults: Vec<String> = strangers.collect();
    faults.extend(
        arena
            .judge("")
            .iter()
            .map(|hit| format!("at the end: {hit}")),
    );
    faults
}

/// Every call has two rows of its own, and the verifier agrees.
fn verified(ledger: &Path, runs: &[Run], faults: &mut Vec<String>) -> Option<String> {
    let done = verify(ledger);
    if done.code != 0 {
        faults.push(format!("lazaret-verify: {}{}", done.out(), done.err()));
    }
    let mut rows = BTreeSet::new();
    for (decision, outcome) in runs.iter().filter_map(|run| run.ledger) {
        if decision >= outcome || !rows.insert(decision) || !rows.insert(outcome) {
            faults.push(format!(
                "rows {decision} and {outcome} are not a call's own"
            ));
        }
    }
    Some(done.out().trim().to_owned())
}
