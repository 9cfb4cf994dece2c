//! `cargo xtask bench ledger`: appends beside plain SQLite, verification, and proofs from a large
//! ledger, by the example `rates` of the ledger's crate, built as a release is.

use crate::failure::Failure;
use crate::shell;
use crate::workspace::Workspace;

/// What is measured where.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// Records of the ledger from which proofs are timed; 0 leaves it out. Ten million take about
    /// 5 GB of disk.
    leaves: u64,
    /// The directory, on the disk that matters.
    directory: Option<String>,
}

impl Options {
    /// Reads `[--leaves N] [--directory DIR]`.
    pub(crate) fn parse(words: &[&str]) -> Result<Self, Failure> {
        let usage = || Failure::Usage("`bench ledger` takes --leaves N and --directory DIR".into());
        let mut options = Self {
            leaves: 0,
            directory: None,
        };
        for pair in words.chunks(2) {
            match pair {
                ["--leaves", leaves] => options.leaves = leaves.parse().map_err(|_| usage())?,
                ["--directory", directory] => options.directory = Some((*directory).to_owned()),
                _ => return Err(usage()),
            }
        }
        Ok(options)
    }
}

/// Builds and runs it; it prints its own lines.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<(), Failure> {
    let mut cargo = shell::cargo(workspace.root());
    cargo.args([
        "run",
        "--release",
        "--locked",
        "-q",
        "-p",
        "audit",
        "--example",
        "rates",
        "--",
    ]);
    match &options.directory {
        Some(directory) => cargo.arg(directory),
        None => cargo.arg(workspace.target()),
    };
    if options.leaves > 0 {
        cargo.arg(options.leaves.to_string());
    }
    shell::run(&mut cargo)
}
