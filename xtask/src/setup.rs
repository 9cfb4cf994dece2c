//! What every command needs before it starts: the tools that build the runtime,
//! our own binaries, the runtime itself.
//!
//! Installs packages only on Debian and only as root; otherwise it stops with
//! one line that says what to do. Never builds a runtime that already verifies.

use std::path::Path;
use std::process::Command;
use std::thread;

use crate::failure::Failure;
use crate::shell;
use crate::stages::Finding;
use crate::workspace::Workspace;

/// Debian's names of what the runtime's build needs.
const PACKAGES: [&str; 6] = [
    "gcc",
    "libc6-dev",
    "make",
    "xz-utils",
    "python3",
    "python3-venv",
];

/// What tests start as a control or as a client, and Debian's name of it.
const TEST_PROGRAMS: [(&str, &str); 6] = [
    ("curl", "curl"),
    ("git", "git"),
    ("ip", "iproute2"),
    ("mkfs.ext4", "e2fsprogs"),
    ("node", "nodejs"),
    ("npm", "npm"),
];

/// The runtimes of the profiles that are shipped.
const RUNTIMES: [&str; 2] = ["python", "javascript"];

/// The programs that are looked for: with these, the packages are there.
const PROGRAMS: [&str; 4] = ["cc", "make", "xz", "tar"];

/// Tools, binaries and runtime, in this order.
pub(crate) fn prepare(workspace: &Workspace) -> Result<(), Failure> {
    tools()?;
    binaries(workspace)?;
    runtime(workspace)
}

/// A C compiler, make, and a python3 that can make virtual environments: CPython is
/// built from its source, and some of its sources are pip's.
pub(crate) fn tools() -> Result<(), Failure> {
    if are_there() {
        return Ok(());
    }
    if shell::find("apt-get").is_none() || !shell::are_we_root() {
        return Err(missing());
    }
    install(&PACKAGES)?;
    match are_there() {
        true => Ok(()),
        false => Err(missing()),
    }
}

/// The programs that tests start. Where they cannot be had, their tests say so: they skip for a
/// person and fail in CI.
pub(crate) fn test_programs() -> Result<Finding, Failure> {
    let missing = TEST_PROGRAMS
        .iter()
        .filter(|(program, _)| !is_there(program));
    let packages: Vec<&str> = missing.map(|(_, package)| *package).collect();
    if packages.is_empty() {
        return Ok(Finding::Done);
    }
    if shell::find("apt-get").is_none() || !shell::are_we_root() {
        let line = packages.join(" ");
        return Ok(Finding::Skipped(format!(
            "install what some tests start (Debian, Ubuntu: `sudo apt-get install {line}`)"
        )));
    }
    install(&packages).map(|()| Finding::Done)
}

/// Also where only root looks.
fn is_there(program: &str) -> bool {
    let sbin = ["/usr/sbin", "/sbin"];
    shell::find(program).is_some()
        || sbin
            .iter()
            .any(|dir| Path::new(dir).join(program).is_file())
}

fn are_there() -> bool {
    PROGRAMS
        .iter()
        .all(|program| shell::find(program).is_some())
        && python_has_venv()
}

/// All binaries of the workspace, and the first process of containers as a static program. Always
/// the same selection, so that no command rebuilds a dependency because another one chose its
/// features differently; without `xtask`, which is running.
pub(crate) fn binaries(workspace: &Workspace) -> Result<(), Failure> {
    shell::run(shell::cargo(workspace.root()).args([
        "build",
        "--workspace",
        "--exclude",
        "xtask",
        "--exclude",
        "container-init",
        "--bins",
    ]))?;
    static_init(workspace)
}

/// An image need have no C library, so what is put into it brings its own.
fn static_init(workspace: &Workspace) -> Result<(), Failure> {
    shell::run(shell::cargo(workspace.root()).args([
        "rustc",
        "--package",
        "container-init",
        "--bin",
        "lazaret-init",
        "--",
        "-C",
        "target-feature=+crt-static",
        "-C",
        "strip=symbols",
    ]))
}

/// The runtimes, each built unless the one that is there verifies; at once, because each of them
/// keeps one processor busy.
pub(crate) fn runtime(workspace: &Workspace) -> Result<(), Failure> {
    let lazaret = workspace.bin("lazaret");
    let built: Vec<_> = thread::scope(|scope| {
        let lazaret = &lazaret;
        let build = |name| scope.spawn(move || build_runtime(lazaret, name));
        let running = RUNTIMES.map(build);
        let joined = running.into_iter().map(|running| {
            running
                .join()
                .unwrap_or_else(|why| std::panic::resume_unwind(why))
        });
        joined.collect()
    });
    built.into_iter().collect()
}

fn build_runtime(lazaret: &Path, name: &str) -> Result<(), Failure> {
    if shell::holds(Command::new(lazaret).args(["runtime", "verify", name])) {
        return Ok(());
    }
    shell::run(Command::new(lazaret).args(["runtime", "build", name]))
}

fn python_has_venv() -> bool {
    shell::holds(Command::new("python3").args(["-c", "import venv, ensurepip"]))
}

fn missing() -> Failure {
    Failure::Missing {
        what: "a C compiler, make, xz, or python3 with venv".into(),
        remedy: format!(
            "install them (Debian, Ubuntu: `sudo apt-get install {}`) and start again",
            PACKAGES.join(" ")
        ),
    }
}

/// Installs from the package lists that are there, and only if these are too old
/// from fresh ones.
pub(crate) fn install(packages: &[&str]) -> Result<(), Failure> {
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
