//! Clients of others, as their users install them: pinned, by digest, in an environment of their
//! own that is kept in the target directory.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The interpreter of an environment that holds what `requirements`, a file beside the tests, names.
/// `None`, said aloud, where it cannot be had; in CI that is a failure.
///
/// # Panics
/// In CI, when the environment cannot be made.
#[must_use]
pub fn python(requirements: &Path, scratch: &Path) -> Option<PathBuf> {
    match environment(requirements, scratch) {
        Ok(python) => Some(python),
        Err(why) => {
            let what = requirements.display();
            assert!(
                std::env::var_os("CI").is_none(),
                "what {what} names cannot be installed: {why}"
            );
            println!("SKIPPED: what {what} names cannot be installed: {why}");
            None
        }
    }
}

fn environment(requirements: &Path, scratch: &Path) -> Result<PathBuf, String> {
    let content = std::fs::read(requirements).map_err(|error| error.to_string())?;
    let digest = crate::sha256_hex(&content);
    let name = digest.get(..16).unwrap_or(&digest);
    let folder = scratch.join("clients").join(name);
    let (python, done) = (folder.join("bin/python"), folder.join("complete"));
    if done.exists() {
        return Ok(python);
    }
    // One that was given up halfway is made anew.
    drop(std::fs::remove_dir_all(&folder));
    run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    run(Command::new(&python)
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ])
        .args([
            "--require-hashes",
            "--no-deps",
            "--only-binary",
            ":all:",
            "-r",
        ])
        .arg(requirements))?;
    std::fs::write(done, "").map_err(|error| error.to_string())?;
    Ok(python)
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&output.stderr);
    match output.status.success() {
        true => Ok(()),
        false => Err(said.lines().last().unwrap_or("it says nothing").to_owned()),
    }
}
