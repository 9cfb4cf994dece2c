//! Points at which the daemon can be made to die, so that tests can show what a
//! crash at each step of a call leaves behind.
//!
//! `LAZARET_FAULT=POINT` kills the daemon with SIGKILL when a call passes the
//! point; `LAZARET_FAULT=POINT:worker` kills the call's worker instead. Whoever
//! sets the daemon's environment can kill it anyway; nothing is loosened.

use std::sync::OnceLock;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// The variable.
pub const VARIABLE: &str = "LAZARET_FAULT";

/// A step of a call; each point lies right after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// The request was received.
    Received,
    /// The request was read and is well formed.
    Parsed,
    /// The policy has decided.
    Decided,
    /// The decision is durable.
    DecisionRecorded,
    /// The call may run.
    Admitted,
    /// A worker is ready for it.
    WorkerReady,
    /// The worker has the call.
    RequestSent,
    /// The worker has answered.
    WorkerAnswered,
    /// The outcome is durable.
    OutcomeRecorded,
    /// The answer is about to leave.
    Replying,
}

/// Every point, in the order of a call.
pub const POINTS: [(Point, &str); 10] = [
    (Point::Received, "received"),
    (Point::Parsed, "parsed"),
    (Point::Decided, "decided"),
    (Point::DecisionRecorded, "decision_recorded"),
    (Point::Admitted, "admitted"),
    (Point::WorkerReady, "worker_ready"),
    (Point::RequestSent, "request_sent"),
    (Point::WorkerAnswered, "worker_answered"),
    (Point::OutcomeRecorded, "outcome_recorded"),
    (Point::Replying, "replying"),
];

/// What dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    Daemon,
    Worker,
}

/// Check the variable before anything depends on it.
///
/// # Errors
/// When it names no point.
pub fn check() -> Result<(), String> {
    match std::env::var(VARIABLE) {
        Ok(text) if parse(&text).is_none() => {
            let names: Vec<&str> = POINTS.iter().map(|(_, name)| *name).collect();
            Err(format!(
                "{VARIABLE} is `{text}`; give one of {}, with `:worker` for the worker",
                names.join(", ")
            ))
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

/// A call passes `point`; `worker` is the process that it has by then.
pub(crate) fn pass(point: Point, worker: Option<u32>) {
    static SET: OnceLock<Option<(Point, Victim)>> = OnceLock::new();
    let set = SET.get_or_init(|| std::env::var(VARIABLE).ok().and_then(|text| parse(&text)));
    let Some((at, victim)) = set else { return };
    if *at != point {
        return;
    }
    match (victim, worker) {
        (Victim::Daemon, _) => die(std::process::id()),
        (Victim::Worker, Some(worker)) => die(worker),
        // Before it has a worker, a call has none to lose.
        (Victim::Worker, None) => {}
    }
}

fn parse(text: &str) -> Option<(Point, Victim)> {
    let (name, victim) = match text.strip_suffix(":worker") {
        Some(name) => (name, Victim::Worker),
        None => (text, Victim::Daemon),
    };
    let (point, _) = POINTS.iter().find(|(_, known)| *known == name)?;
    Some((*point, victim))
}

fn die(pid: u32) {
    let Ok(pid) = i32::try_from(pid) else { return };
    if let Err(error) = kill(Pid::from_raw(pid), Signal::SIGKILL) {
        tracing::warn!(%error, pid, "the fault point's victim could not be killed");
    }
}
