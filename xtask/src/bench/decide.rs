//! `cargo xtask bench decide`: the policy engine beside others, by the programs in `bench/peers`.
//!
//! They are a workspace of their own, so that the others' dependencies are no part of the product.
//! Here they are only built, as a release is, and run; they print their own tables.

use std::path::Path;
use std::process::Command;

use crate::corpora;
use crate::failure::Failure;
use crate::shell;
use crate::workspace::Workspace;

/// Times beside the others, then the count of allocations, which would disturb the times.
const PROGRAMS: [&str; 2] = ["peers", "allocations"];

/// Builds and runs both programs.
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
        .try_for_each(|name| start(workspace, name, corpora.as_deref()))
}

fn start(workspace: &Workspace, name: &str, corpora: Option<&Path>) -> Result<(), Failure> {
    let mut program = Command::new(workspace.target().join("release").join(name));
    if let Some(corpora) = corpora {
        program.env("LAZARET_CORPORA", corpora);
    }
    shell::run(&mut program)
}
