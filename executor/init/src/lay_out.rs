//! Writes the files of a call into the workspace, which is empty: nobody has been here before.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Component, Path};

use container_init::{WORKSPACE, WireFile};

/// Write all files, with the folders above them.
///
/// # Errors
/// When a path is not a plain relative one, or the workspace is full.
pub(crate) fn lay_out(files: &[WireFile]) -> io::Result<()> {
    for file in files {
        let path = Path::new(WORKSPACE).join(plain(&file.path)?);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        File::create_new(&path)?.write_all(&file.content)?;
    }
    Ok(())
}

/// The daemon checked the path already; here it is checked again, where it is used.
fn plain(path: &str) -> io::Result<&Path> {
    let relative = Path::new(path);
    let mut parts = relative.components();
    match !path.is_empty() && parts.all(|part| matches!(part, Component::Normal(_))) {
        true => Ok(relative),
        false => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "not a plain relative path",
        )),
    }
}
