//! `cargo xtask crash [ROUNDS]`: the ledger's writer is killed so often at random moments under
//! load, and at each of its steps. The tests of the ledger do a small part of it; this prints what
//! was struck and what was found, and fails at the first record that is lost.

use crate::failure::Failure;
use crate::shell;
use crate::workspace::Workspace;

/// Rounds when no number is given.
const ROUNDS: u32 = 1000;

/// Reads `[ROUNDS]`.
pub(crate) fn parse(words: &[&str]) -> Result<u32, Failure> {
    let usage = || Failure::Usage("`crash` takes a number of rounds".into());
    match words {
        [] => Ok(ROUNDS),
        [rounds] => rounds.parse().ok().filter(|n| *n > 0).ok_or_else(usage),
        [..] => Err(usage()),
    }
}

/// Builds and runs the tests, which print their own lines.
pub(crate) fn run(workspace: &Workspace, rounds: u32) -> Result<(), Failure> {
    let mut cargo = shell::cargo(workspace.root());
    cargo.args([
        "test",
        "--release",
        "--locked",
        "-q",
        "-p",
        "audit",
        "--test",
        "crash",
        "--",
    ]);
    cargo.args([
        "--nocapture",
        "--test-threads=1",
        "a_killed_writer_loses",
        "a_writer_that_dies_at_any_step",
    ]);
    cargo.env("LEDGER_ROUNDS", rounds.to_string());
    shell::run(&mut cargo)
}
