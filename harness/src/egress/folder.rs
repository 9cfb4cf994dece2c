//! Where the sockets of doors lie: `STATE/egress/LIFE/NUMBER/`, each mounted into one container.
//!
//! The state directory is its owner's alone, so that nobody else on the host reaches a socket. Several
//! processes can work on one state directory; what one whose life is over left there is removed by
//! another one.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use executor::container::Life;

const FOLDER: &str = "egress";

/// The user in the container passes through its own folder; the folders above are not in there.
const DOOR_MODE: u32 = 0o755;
const OWNER_MODE: u32 = 0o700;

/// The folder of this process.
pub(super) struct ProcessFolder {
    path: PathBuf,
    numbers: AtomicU64,
    /// Not over while this is there.
    _life: Life,
}

impl ProcessFolder {
    pub(super) fn make(state: &Path) -> io::Result<Self> {
        let parent = named(fs::canonicalize(state), state)?.join(FOLDER);
        let life = named(Life::begin(&parent), &parent)?;
        let path = parent.join(life.id());
        make(&path, OWNER_MODE)?;
        Ok(Self {
            path,
            numbers: AtomicU64::new(1),
            _life: life,
        })
    }
}

impl Drop for ProcessFolder {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

/// The folder of one door; gone with it.
pub(super) struct DoorFolder {
    path: PathBuf,
    /// Not gone before.
    _process: Arc<ProcessFolder>,
}

impl DoorFolder {
    pub(super) fn make(process: Arc<ProcessFolder>) -> io::Result<Self> {
        let number = process.numbers.fetch_add(1, Ordering::Relaxed);
        let path = process.path.join(number.to_string());
        make(&path, DOOR_MODE)?;
        Ok(Self {
            path,
            _process: process,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for DoorFolder {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

/// Remove the folders of lives that are over, and say how many that were.
pub(super) fn sweep(state: &Path) -> io::Result<usize> {
    let parent = state.join(FOLDER);
    if !parent.is_dir() {
        return Ok(0);
    }
    let life = named(Life::begin(&parent), &parent)?;
    let mut swept = 0;
    for entry in fs::read_dir(&parent)? {
        let folder = entry?.path();
        let id = folder.file_name().unwrap_or_default().to_string_lossy();
        if folder.is_dir() && life.is_over(&id) {
            remove(&folder);
            life.forget(&id);
            swept += 1;
        }
    }
    Ok(swept)
}

/// The mode is exactly this one, whatever the process's mask.
fn make(folder: &Path, mode: u32) -> io::Result<()> {
    named(DirBuilder::new().mode(mode).create(folder), folder)?;
    let permissions = fs::Permissions::from_mode(mode);
    named(fs::set_permissions(folder, permissions), folder)
}

/// With the path that it is about.
fn named<T>(result: io::Result<T>, path: &Path) -> io::Result<T> {
    result.map_err(|error| {
        let said = format!("`{}`: {error}", path.display());
        io::Error::new(error.kind(), said)
    })
}

fn remove(folder: &Path) {
    match fs::remove_dir_all(folder) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => tracing::warn!(%error, folder = %folder.display(), "a folder stays behind"),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn what_the_dead_left_is_swept_and_what_the_living_have_is_not() {
        let state = tempfile::tempdir().unwrap();
        assert_eq!(sweep(state.path()).unwrap(), 0);
        let process = Arc::new(ProcessFolder::make(state.path()).unwrap());
        let door = DoorFolder::make(Arc::clone(&process)).unwrap();
        let dead = state.path().join(FOLDER);
        let dead = dead.join("01a1fc1e-822c-7789-b78a-d6bc574c93dd");
        fs::create_dir_all(dead.join("1")).unwrap();
        assert_eq!(sweep(state.path()).unwrap(), 1);
        assert!(!dead.exists() && door.path().is_dir());
        let path = door.path().to_owned();
        drop(door);
        assert!(!path.exists() && process.path.is_dir());
        drop(process);
        assert_eq!(sweep(state.path()).unwrap(), 0);
    }
}
