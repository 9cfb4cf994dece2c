//! Runs all measurements in turn and prints their tables.

use std::process::ExitCode;

use peers::{Outcome, commands, decide, loading};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("peers: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Outcome<()> {
    decide::run()?;
    commands::run()?;
    loading::run()
}
