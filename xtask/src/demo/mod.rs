//! `cargo xtask demo`: the main job on real input, from a fresh clone.
//!
//! Prepares everything, starts a daemon, runs programs through its public HTTP
//! interface (a small set of our own, then the public corpora where they are
//! there), prints what happened as tables, stops the daemon and verifies its
//! ledger. Anything that is not as expected is listed at the end and fails the
//! command; the state directory then stays for a look.

mod canaries;
mod corpus_run;
mod layers;
mod own_set;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use serde_json::Value;

use crate::daemon::Daemon;
use crate::demo::canaries::{Canaries, ENVIRONMENT_NAME};
use crate::failure::Failure;
use crate::setup;
use crate::shell;
use crate::workspace::Workspace;

/// What the whole demo keeps account of.
#[derive(Default)]
struct Account {
    /// What was not as expected, a line each.
    complaints: Vec<String>,
    /// Numbers of all ledger records that answers named.
    records: BTreeSet<u64>,
    calls: u64,
}

impl Account {
    /// Notes that a call's answer named these records; no two calls share one.
    fn recorded(&mut self, call: &str, numbers: &[u64]) {
        self.calls = self.calls.saturating_add(1);
        for &number in numbers {
            if !self.records.insert(number) {
                self.complaint(
                    call,
                    format!("its ledger record {number} is another call's"),
                );
            }
        }
    }

    fn complaint(&mut self, call: &str, what: impl AsRef<str>) {
        self.complaints.push(format!("{call}: {}", what.as_ref()));
    }
}

/// Runs the demo.
pub(crate) fn run(workspace: &Workspace) -> Result<(), Failure> {
    setup::prepare(workspace)?;
    let started = Instant::now();
    let state = fresh_state(workspace)?;
    let canaries = Canaries::place(&state)?;
    let environment = [(ENVIRONMENT_NAME, canaries.secret())];
    let daemon = Daemon::start(workspace, &state, &environment)?;
    let mut account = Account::default();

    own_set::run(daemon.client(), &canaries, &mut account)?;
    corpus_run::run(workspace, daemon.client(), &mut account)?;
    canaries.check(&mut account);

    let ledger = daemon.ledger();
    daemon.stop()?;
    verify(workspace, &ledger, &mut account)?;
    println!(
        "{} calls in {:.1} s",
        account.calls,
        started.elapsed().as_secs_f64()
    );
    conclude(&state, &account)
}

/// A state directory that nobody used before.
fn fresh_state(workspace: &Workspace) -> Result<PathBuf, Failure> {
    let state = workspace
        .scratch("demo")?
        .join(std::process::id().to_string());
    std::fs::create_dir_all(&state).map_err(Failure::file(&state))?;
    Ok(state)
}

/// The verifier's own line, and that it saw every record that an answer named.
fn verify(workspace: &Workspace, ledger: &Path, account: &mut Account) -> Result<(), Failure> {
    let verifier = || {
        let mut command = Command::new(workspace.bin("lazaret-verify"));
        command.arg(ledger);
        command
    };
    println!("\n$ lazaret-verify ledger.db");
    shell::run(&mut verifier())?;
    let report = shell::read(verifier().arg("--json"))?;
    let verified = serde_json::from_str::<Value>(&report)
        .ok()
        .and_then(|report| report.get("records")?.as_u64())
        .ok_or_else(|| Failure::answer("lazaret-verify --json", "without `records`"))?;
    let named = account.records.last().copied().unwrap_or(0);
    if verified < named {
        account.complaint(
            "ledger",
            format!("{verified} records, but an answer named {named}"),
        );
    }
    Ok(())
}

fn conclude(state: &Path, account: &Account) -> Result<(), Failure> {
    if account.complaints.is_empty() {
        println!("all as expected");
        return std::fs::remove_dir_all(state).map_err(Failure::file(state));
    }
    for complaint in &account.complaints {
        println!("not as expected: {complaint}");
    }
    Err(Failure::Check(format!(
        "{} things were not as expected; ledger and log stay in `{}`",
        account.complaints.len(),
        state.display()
    )))
}
