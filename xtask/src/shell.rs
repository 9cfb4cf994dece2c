//! Starting other programs and looking at how they ended.
//!
//! Never goes through a shell, so no argument is ever parsed twice. Fails with
//! the command line and the way it ended.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use crate::failure::Failure;

/// Runs to the end with our own input and output; anything but exit code 0 fails.
pub(crate) fn run(command: &mut Command) -> Result<(), Failure> {
    let status = command.status().map_err(|error| failed(command, error))?;
    succeeded(command, status)
}

/// Runs to the end and gives what it printed; standard error stays ours.
pub(crate) fn read(command: &mut Command) -> Result<String, Failure> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| failed(command, error))?;
    succeeded(command, output.status)?;
    String::from_utf8(output.stdout).map_err(|error| failed(command, error))
}

/// Whether it starts and ends with exit code 0; what it prints is dropped.
pub(crate) fn holds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Where `program` is found on the search path.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// The cargo that runs us, working in `root`.
pub(crate) fn cargo(root: &Path) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(root);
    command
}

/// Whether we are root, who may install packages and start dockerd.
pub(crate) fn are_we_root() -> bool {
    read(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}

fn succeeded(command: &Command, status: ExitStatus) -> Result<(), Failure> {
    if status.success() {
        return Ok(());
    }
    Err(failed(command, format!("ended with {status}")))
}

fn failed(command: &Command, ending: impl ToString) -> Failure {
    Failure::Command {
        line: line(command),
        ending: ending.to_string(),
    }
}

fn line(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str());
    std::iter::once(name)
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}
