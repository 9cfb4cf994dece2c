//! `cargo xtask bench egress`: the egress proxy beside a direct connection and mitmproxy. Fails when
//! it serves less than ten times mitmproxy's requests.
//!
//! mitmproxy is installed into a virtual environment of its own, in a pinned version; without it
//! the others are measured, and that is said. The program that measures is an example of the crate
//! `egress`, built as everything else is.

use std::path::PathBuf;
use std::process::Command;

use crate::failure::Failure;
use crate::shell;
use crate::workspace::Workspace;

/// The newest that runs with Python 3.10 and later.
const MITMPROXY: &str = "mitmproxy==11.0.2";

const EXAMPLE: &str = "bench_egress";

/// Builds, installs what is missing, and measures.
pub(crate) fn run(workspace: &Workspace) -> Result<(), Failure> {
    shell::run(shell::cargo(workspace.root()).args([
        "build",
        "--package",
        "egress",
        "--example",
        EXAMPLE,
    ]))?;
    let mut program = Command::new(workspace.target().join("debug/examples").join(EXAMPLE));
    match mitmproxy(workspace) {
        Ok(found) => {
            program.env("MITMDUMP", found);
        }
        Err(failure) => println!("mitmproxy: left out, {failure}"),
    }
    shell::run(&mut program)
}

fn mitmproxy(workspace: &Workspace) -> Result<PathBuf, Failure> {
    let folder = workspace.scratch("mitmproxy")?;
    let program = folder.join("bin/mitmdump");
    if !program.exists() {
        shell::run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
        let pip = folder.join("bin/pip");
        shell::run(Command::new(pip).args(["install", "--quiet", MITMPROXY]))?;
    }
    Ok(program)
}
