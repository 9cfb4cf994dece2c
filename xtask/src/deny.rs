//! cargo-deny: licences, banned crates, sources, known advisories (deny.toml).
//!
//! Uses the cargo-deny that is there; under CI it builds a pinned one into the
//! target directory. The advisory database lies on the network: where it cannot
//! be had the other checks run and the gap is said aloud.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::Failure;
use crate::shell;
use crate::stages::{Finding, Strictness};
use crate::workspace::Workspace;

/// The version that deny.toml was written for.
const VERSION: &str = "0.20.2";

/// Runs all checks that this machine can run.
pub(crate) fn check(workspace: &Workspace, strictness: Strictness) -> Result<Finding, Failure> {
    let Some(tool) = tool(workspace, strictness)? else {
        return Ok(Finding::Skipped(format!(
            "cargo-deny is not installed (`cargo install --locked cargo-deny@{VERSION}`)"
        )));
    };
    let deny = |arguments: &[&str]| {
        let mut command = Command::new(&tool);
        command
            .current_dir(workspace.root())
            .args(["--workspace", "--log-level", "error"])
            .args(arguments);
        command
    };
    shell::run(&mut deny(&[
        "check",
        "--hide-inclusion-graph",
        "licenses",
        "bans",
        "sources",
    ]))?;
    if !shell::holds(&mut deny(&["fetch", "db"])) {
        return Ok(Finding::Noted(
            "the advisory database cannot be fetched from here, so known advisories were not looked up".into(),
        ));
    }
    shell::run(&mut deny(&["check", "--disable-fetch", "advisories"]))?;
    Ok(Finding::Done)
}

fn tool(workspace: &Workspace, strictness: Strictness) -> Result<Option<PathBuf>, Failure> {
    let own = workspace.scratch("tools")?;
    let built = own.join("bin/cargo-deny");
    let found = shell::find("cargo-deny").or_else(|| built.is_file().then(|| built.clone()));
    match (found, strictness) {
        (Some(tool), _) => Ok(Some(tool)),
        (None, Strictness::Lenient) => Ok(None),
        (None, Strictness::Strict) => install(workspace, &own).map(|()| Some(built)),
    }
}

fn install(workspace: &Workspace, into: &Path) -> Result<(), Failure> {
    println!("building cargo-deny {VERSION} once, for CI");
    shell::run(
        shell::cargo(workspace.root())
            .args(["install", "--locked", "--quiet", "--debug", "--root"])
            .arg(into)
            .arg(format!("cargo-deny@{VERSION}")),
    )
}
