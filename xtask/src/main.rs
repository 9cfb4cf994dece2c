//! The developer's commands: `cargo xtask demo | test | ci | fuzz | bench | images | redcode | crash`.
//!
//! Reads the command line and hands over to one module for each command. It
//! never changes a source file, and installs nothing but what `setup.rs` and
//! `deny.rs` name. Fails with one line that says what to do; exit code 2 for a
//! command line that it does not know, 1 for everything else.

mod api;
mod bench;
mod ci;
mod containers;
mod corpora;
mod crash;
mod daemon;
mod demo;
mod deny;
mod edges;
mod failure;
mod fuzz;
mod images;
mod redcode;
mod registry;
mod setup;
mod shell;
mod stages;
mod table;
mod test;
mod workspace;

use std::process::ExitCode;

use crate::failure::Failure;
use crate::stages::Strictness;
use crate::workspace::Workspace;

const HELP: &str = "\
the developer's commands

cargo xtask demo         prepare everything, run real input through the daemon, verify the ledger
cargo xtask test         formatting, lints, edges between crates, licences, build, all tests
cargo xtask ci           test and demo; nothing may be skipped (also: CI=true with any command)
cargo xtask redcode      run the whole attack corpus against canaries, with controls
cargo xtask bench call   measure `print(1)` beside native python3, bubblewrap and docker
    --seconds N          how long the clients of the load test call; 0 leaves it out   [60]
    --clients N          how many clients call at once                                 [50]
    --rounds N           rounds of the comparison                                      [200]
    --docker             start dockerd with runc and runsc if none is running (needs root)
    --peers-only         leave Lazaret out: the others alone
cargo xtask bench load   measure each language by 1, 8, 50 and 500 clients, ledger on disk and in memory
    --seconds N          how long each                                                 [10]
cargo xtask bench containers
                         measure `echo 1` in containers beside docker run and docker exec, and the
                         egress proxy as `bench egress` does (needs docker)
    --rounds N           rounds of the comparison                                      [20]
cargo xtask bench reload change the policy under 2,000 decisions a second
    --seconds N          how long                                                      [20]
    --clients N          how many clients call at once                                 [64]
cargo xtask bench decide measure the policy engine beside cedar, regorus, cel and openmoat
cargo xtask bench ledger measure the ledger beside plain SQLite
    --leaves N           time proofs from a ledger of so many records                  [0]
    --directory DIR      on the disk that matters                                      [target]
cargo xtask bench egress measure the egress proxy beside a direct connection and mitmproxy
cargo xtask crash [ROUNDS]
                         kill the ledger's writer so often, and at each of its steps            [1000]
cargo xtask images       build the larger images, and do in each what it is for (needs docker)
cargo xtask fuzz SECONDS [TARGET…]
                         every fuzz target, or these, for so many seconds each
cargo xtask fuzz controls
                         every fault that can be seeded, which its fuzz target must find
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match Task::parse(&arguments).and_then(perform) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("xtask: {failure}");
            failure.exit_code()
        }
    }
}

/// What was asked for, complete and checked.
#[derive(Debug, PartialEq, Eq)]
enum Task {
    Help,
    Demo,
    Test,
    Ci,
    Redcode(Vec<String>),
    BenchCall(bench::Options),
    BenchLoad(bench::load::Options),
    BenchReload(bench::reload::Options),
    BenchContainers(bench::containers::Options),
    BenchDecide,
    BenchLedger(bench::ledger::Options),
    BenchEgress,
    Crash(u32),
    Fuzz(fuzz::Plan),
    Images,
}

impl Task {
    fn parse(arguments: &[String]) -> Result<Self, Failure> {
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        match words.as_slice() {
            [] | ["help" | "--help" | "-h", ..] | [_, "--help" | "-h"] => Ok(Self::Help),
            ["demo"] => Ok(Self::Demo),
            ["test"] => Ok(Self::Test),
            ["ci"] => Ok(Self::Ci),
            ["redcode", rest @ ..] => Ok(Self::Redcode(
                rest.iter().map(|&word| word.into()).collect(),
            )),
            ["bench", "call", rest @ ..] => bench::Options::parse(rest).map(Self::BenchCall),
            ["bench", "load", rest @ ..] => bench::load::Options::parse(rest).map(Self::BenchLoad),
            ["bench", "reload", rest @ ..] => {
                bench::reload::Options::parse(rest).map(Self::BenchReload)
            }
            ["bench", "containers", rest @ ..] => {
                bench::containers::Options::parse(rest).map(Self::BenchContainers)
            }
            ["bench", "decide"] => Ok(Self::BenchDecide),
            ["bench", "ledger", rest @ ..] => {
                bench::ledger::Options::parse(rest).map(Self::BenchLedger)
            }
            ["images"] => Ok(Self::Images),
            ["bench", "egress"] => Ok(Self::BenchEgress),
            ["crash", rest @ ..] => crash::parse(rest).map(Self::Crash),
            ["fuzz", rest @ ..] => fuzz::Plan::parse(rest).map(Self::Fuzz),
            [other, ..] => Err(Failure::Usage(format!(
                "`{other}` does not stand here; see `cargo xtask --help`"
            ))),
        }
    }
}

fn perform(task: Task) -> Result<(), Failure> {
    match task {
        Task::Help => {
            print!("{HELP}");
            Ok(())
        }
        Task::Demo => demo::run(&Workspace::find()?),
        Task::Test => test::run(&Workspace::find()?, Strictness::of_environment()),
        Task::Ci => ci::run(&Workspace::find()?),
        Task::Redcode(rest) => redcode::run(&Workspace::find()?, &rest),
        Task::BenchCall(options) => bench::run(&Workspace::find()?, &options),
        Task::BenchLoad(options) => bench::load::run(&Workspace::find()?, &options),
        Task::BenchReload(options) => bench::reload::run(&Workspace::find()?, &options),
        Task::BenchContainers(options) => bench::containers::run(&Workspace::find()?, &options),
        Task::BenchDecide => bench::decide::run(&Workspace::find()?),
        Task::BenchLedger(options) => bench::ledger::run(&Workspace::find()?, &options),
        Task::BenchEgress => bench::egress::run(&Workspace::find()?),
        Task::Crash(rounds) => crash::run(&Workspace::find()?, rounds),
        Task::Images => images::run(&Workspace::find()?),
        Task::Fuzz(plan) => fuzz::run(&Workspace::find()?, &plan),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn parse(line: &str) -> Result<Task, Failure> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Task::parse(&words)
    }

    #[test]
    fn commands_are_read() {
        assert_eq!(parse("demo").unwrap(), Task::Demo);
        assert_eq!(parse("").unwrap(), Task::Help);
        assert_eq!(parse("test --help").unwrap(), Task::Help);
    }

    #[test]
    fn unknown_words_are_refused_with_exit_code_two() {
        for line in [
            "dmeo",
            "demo now",
            "bench",
            "bench call --secs 1",
            "bench decide 1",
            "bench ledger 1",
            "bench load --seconds 0",
            "fuzz",
        ] {
            assert!(matches!(parse(line), Err(Failure::Usage(_))), "{line}");
        }
    }
}
