//! Benign programs give their right answers: all of HumanEval through the daemon.
//!
//! Several clients at a time, because that is how agents work; an answer that
//! belongs to another call would fail its own program's check.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use appliance_tests::command::verify;
use appliance_tests::corpus;
use appliance_tests::daemon::{Daemon, Options};
use serde_json::json;

/// Twice the processors of the smallest machine that this runs on.
const CLIENTS: usize = 4;

#[test]
fn every_humaneval_program_prints_passed() {
    let Some(cases) = corpus::load("humaneval") else {
        return;
    };
    assert_eq!(cases.len(), 164, "the whole corpus");
    let state = tempfile::tempdir().unwrap();
    let daemon = Daemon::start_with(Options::default().state(state.path()));
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let request = json!({"language": "python", "code": case.code});
                    let answer = daemon.execute(&request);
                    let passed = answer.text("stdout") == "passed\n"
                        && answer.text("ending") == "exited"
                        && answer.body["exit_code"] == 0;
                    if !passed {
                        failures
                            .lock()
                            .unwrap()
                            .push(format!("{}: {answer:?}", case.id));
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    let ledger = daemon.ledger();
    daemon.stop();
    assert_eq!(verify(&ledger).code, 0);
    let outcomes = appliance_tests::ledger::of_kind(&ledger, "outcome");
    assert_eq!(outcomes.len(), cases.len(), "every call is in the ledger");
}
