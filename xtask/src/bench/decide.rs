//! `cargo xtask bench decide`: the policy engine beside others, by the programs in `bench/peers`,
//! and the worst of a list of hostile inputs, by an example of the policy crate.
//!
//! The peers are a workspace of their own, so that the others' dependencies are no part of the
//! product. Here all are only built, as a release is, and run; they print their own tables.

use std::path::Path;
use std::process::Command;

use crate::corpora;
use crate::failure::Failure;
use crate::shell;
use crate::workspace::Workspace;

/// Times beside the others, then the count of allocations, which would disturb the times.
const PROGRAMS: [&str; 2] = ["peers", "allocations"];

/// The example that repeats what is dear to one part or another of the analysis.
const CEILING: &str = "bench_ceiling";

/// Builds and runs all programs.
pub(crate) fn run(workspace: &Workspace) -> Result<(), Failure> {
    shell::run(
        shell::cargo(workspace.root())
            .args([
                "build",
                "--release",
                "--locked",
                "--manifest-path",
                "bench/peers/Cargo.toml",
            ])
            .arg("--target-dir")
            .arg(workspace.target()),
    )?;
    let corpora = corpora::folder(workspace);
    PROGRAMS
        .iter()
        .try_for_each(|name| start(workspace, name, corpora.as_deref()))?;
    shell::run(
        shell::cargo(workspace.root())
            .args(["run", "--release", "--locked", "--quiet"])
            .args(["--package", "policy", "--example", CEILING]),
    )
}

fn start(workspace: &Workspace, name: &str, corpora: Option<&Path>) -> Result<(), Failure> {
    let mut program = Command::new(workspace.target().join("release").join(name));
    if let Some(corpora) = corpora {
        program.env("LAZARET_CORPORA", corpora);
    }
    shell::run(&mut program)
}
