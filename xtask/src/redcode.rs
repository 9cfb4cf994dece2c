//! `cargo xtask redcode`: hands over to the whole-corpus runner of the appliance
//! tests, with everything prepared that it needs.

use std::process::Command;

use crate::failure::Failure;
use crate::setup;
use crate::shell;
use crate::workspace::Workspace;

/// Runs the runner with `arguments`; its exit code is ours.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<(), Failure> {
    setup::prepare(workspace)?;
    shell::run(
        Command::new(workspace.bin("redcode"))
            .current_dir(workspace.root())
            .args(arguments),
    )
}
