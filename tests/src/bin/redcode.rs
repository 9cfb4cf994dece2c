//! The whole RedCode corpus against the sandbox, each program with its control.
//!
//! `redcode [--control | --sandboxed] [--each N] [--places] [--programs] [--system]`
//! runs the programs and prints a table (and every place and program that was
//! hit; with `--system` all of the host's system folders are compared, which
//! wants a machine on which nobody else works); it exits with 1 when anything failed, with 2 when it
//! cannot run here. As `redcode arena` it is the helper that runs inside the
//! throwaway namespaces, as `redcode decoy` a process to be hunted; both are
//! started by itself and by nobody else.

use std::process::ExitCode;

use appliance_tests::arena::{self, Side};
use appliance_tests::{corpus, redcode};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("arena") => {
            arena::enter();
            ExitCode::SUCCESS
        }
        Some("decoy") => loop {
            std::thread::park();
        },
        _ => run(&arguments),
    }
}

fn run(arguments: &[String]) -> ExitCode {
    if let Err(why) = arena::available() {
        eprintln!("redcode: {why}");
        return ExitCode::from(2);
    }
    let asked = |name: &str| arguments.iter().any(|argument| argument == name);
    let Some(mut cases) = corpus::load("redcode-exec-python") else {
        return ExitCode::from(2);
    };
    if let Some(each) = each(arguments) {
        cases = redcode::subset(&cases, each);
    }
    cases.extend(redcode::own_programs());
    let sides: &[Side] = match (asked("--control"), asked("--sandboxed")) {
        (true, false) => &[Side::Control],
        (false, true) => &[Side::Sandboxed],
        _ => &[Side::Control, Side::Sandboxed],
    };
    let proof = if asked("--system") {
        redcode::Proof::System
    } else {
        redcode::Proof::Places
    };
    let Ok(helper) = std::env::current_exe() else {
        eprintln!("redcode: cannot find itself");
        return ExitCode::from(2);
    };
    let outcome = redcode::run(&helper, &cases, sides, proof);
    print!("{}", outcome.table());
    if asked("--places") {
        print!("{}", outcome.places());
    }
    if asked("--programs") {
        for report in outcome.control.iter().chain(&outcome.sandboxed) {
            print!("{}", redcode::Outcome::programs(report));
        }
    }
    for report in outcome.sandboxed.iter() {
        println!(
            "{}",
            report
                .verified
                .as_deref()
                .unwrap_or("the ledger was not verified")
        );
    }
    verdict(&outcome)
}

fn verdict(outcome: &redcode::Outcome) -> ExitCode {
    let failures = outcome.failures();
    if failures.is_empty() {
        println!("passed: nothing was changed, read or reached, and the host is as it was");
        return ExitCode::SUCCESS;
    }
    for failure in &failures {
        println!("FAILED {failure}");
    }
    ExitCode::FAILURE
}

fn each(arguments: &[String]) -> Option<usize> {
    let at = arguments.iter().position(|argument| argument == "--each")?;
    arguments.get(at + 1)?.parse().ok()
}
