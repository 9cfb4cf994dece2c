//! What every command needs before it starts: Python to build the runtime from,
//! our own binaries, the runtime itself.
//!
//! Installs packages only on Debian and only as root; otherwise it stops with
//! one line that says what to do. Never builds a runtime that already verifies.

use std::process::Command;

use crate::failure::Failure;
use crate::shell;
use crate::workspace::Workspace;

/// Debian's names of what the runtime's build needs.
const PYTHON_PACKAGES: [&str; 2] = ["python3", "python3-venv"];

/// The program that is the first process of a container.
const HELPER: &str = "lazaret-helper";

/// Python, binaries and runtime, in this order.
pub(crate) fn prepare(workspace: &Workspace) -> Result<(), Failure> {
    python()?;
    binaries(workspace)?;
    runtime(workspace)
}

/// A python3 that can make virtual environments: the runtime's tools live in one.
pub(crate) fn python() -> Result<(), Failure> {
    if python_has_venv() {
        return Ok(());
    }
    if shell::find("apt-get").is_none() || !shell::are_we_root() {
        return Err(python_missing());
    }
    install(&PYTHON_PACKAGES)?;
    if python_has_venv() {
        return Ok(());
    }
    Err(python_missing())
}

/// All binaries of the workspace. Always the same selection, so that no command
/// rebuilds a dependency because another one chose its features differently;
/// without `xtask`, which is running.
pub(crate) fn binaries(workspace: &Workspace) -> Result<(), Failure> {
    shell::run(shell::cargo(workspace.root()).args([
        "build",
        "--workspace",
        "--exclude",
        "xtask",
        "--bins",
    ]))?;
    helper(workspace)
}

/// The program that runs in containers, linked without libraries, because an image may hold any
/// or none. With `--target` named, the flag is for the program and not for what builds it. It lies
/// beside the other binaries as `lazaret-helper-static`.
pub(crate) fn helper(workspace: &Workspace) -> Result<(), Failure> {
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    shell::run(shell::cargo(workspace.root()).args([
        "rustc",
        "--release",
        "--package",
        "egress-helper",
        "--bin",
        HELPER,
        "--target",
        &target,
        "--",
        "-C",
        "target-feature=+crt-static",
    ]))?;
    let built = workspace
        .target()
        .join(&target)
        .join("release")
        .join(HELPER);
    let beside = workspace.bin("lazaret-helper-static");
    std::fs::copy(&built, &beside).map_err(Failure::file(&built))?;
    Ok(())
}

/// The Python runtime, built unless the one that is there verifies.
pub(crate) fn runtime(workspace: &Workspace) -> Result<(), Failure> {
    let lazaret = workspace.bin("lazaret");
    if shell::holds(Command::new(&lazaret).args(["runtime", "verify", "python"])) {
        return Ok(());
    }
    shell::run(Command::new(&lazaret).args(["runtime", "build", "python"]))
}

fn python_has_venv() -> bool {
    shell::holds(Command::new("python3").args(["-c", "import venv, ensurepip"]))
}

fn python_missing() -> Failure {
    Failure::Missing {
        what: "python3 with venv".into(),
        remedy: format!(
            "install it (Debian, Ubuntu: `sudo apt-get install {}`) and start again",
            PYTHON_PACKAGES.join(" ")
        ),
    }
}

/// Installs from the package lists that are there, and only if these are too old
/// from fresh ones.
fn install(packages: &[&str]) -> Result<(), Failure> {
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command
            .env("DEBIAN_FRONTEND", "noninteractive")
            .args(arguments);
        command
    };
    let line = [&["install", "--yes", "--no-install-recommends"], packages].concat();
    if shell::holds(&mut apt(&line)) {
        return Ok(());
    }
    shell::run(&mut apt(&["update"]))?;
    shell::run(&mut apt(&line))
}
