//! Who is alive: one locked file for each open ledger, in `FILE.d/`.
//!
//! Every `Ledger` is an *instance* with an id of its own. While it lives it
//! holds an advisory lock on `FILE.d/instance-ID.lock`; the kernel drops the
//! lock when the process ends, however it ends. So a call that is open under an
//! instance whose lock can be taken belongs to nobody any more.
//!
//! The file is locked under another name and then renamed, so a lock file that
//! can be seen is never one that is about to be locked. It never waits without
//! a limit, and it never deletes a file that somebody holds.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::wire::Id;

/// How long one opener waits for another: longer than closing the calls of
/// a busy daemon that died, short enough for a person to wait.
const OPEN_WAIT: Duration = Duration::from_secs(10);

/// How often it looks.
const OPEN_POLL: Duration = Duration::from_millis(5);

/// Lock files of the dead that are cleared at one opening. More stay for the next.
const MAX_SWEPT: usize = 10_000;

/// `FILE.d`, beside the ledger.
pub(crate) fn directory(ledger: &Path) -> PathBuf {
    let mut name = ledger.as_os_str().to_owned();
    name.push(".d");
    PathBuf::from(name)
}

/// Makes the directory, for its owner alone.
pub(crate) fn make_directory(directory: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

/// Holds all other openers off until it is dropped.
#[derive(Debug)]
pub(crate) struct OpenLock {
    _file: File,
}

impl OpenLock {
    pub(crate) fn take(directory: &Path) -> io::Result<Self> {
        let file = lock_file(&directory.join("open.lock"))?;
        let deadline = Instant::now() + OPEN_WAIT;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::Error(error)) => return Err(error),
                Err(TryLockError::WouldBlock) if Instant::now() >= deadline => {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(OPEN_POLL),
            }
        }
    }
}

/// This writer's sign of life.
#[derive(Debug)]
pub(crate) struct Instance {
    id: [u8; 16],
    path: PathBuf,
    _file: File,
}

impl Instance {
    /// Makes a new instance and holds its lock.
    pub(crate) fn create(directory: &Path) -> io::Result<Self> {
        let id = uuid::Uuid::now_v7().into_bytes();
        let path = lock_path(directory, id);
        let unborn = path.with_extension("new");
        let file = lock_file(&unborn)?;
        file.try_lock()?;
        fs::rename(&unborn, &path)?;
        Ok(Self {
            id,
            path,
            _file: file,
        })
    }

    pub(crate) fn id(&self) -> [u8; 16] {
        self.id
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // What stays behind is swept at the next opening.
        drop(fs::remove_file(&self.path));
    }
}

/// Whether an instance is gone, held so for as long as this value lives.
#[derive(Debug)]
pub(crate) enum Life {
    /// Its lock is held: it lives.
    Alive,
    /// Its file is gone or its lock is ours, for as long as we hold the file.
    Dead(Option<File>),
}

/// Looks whether an instance is alive.
pub(crate) fn life(directory: &Path, id: [u8; 16]) -> io::Result<Life> {
    life_of(&lock_path(directory, id))
}

/// Clears the lock files that nobody holds.
pub(crate) fn sweep(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)?.take(MAX_SWEPT) {
        let path = entry?.path();
        let is_lock = path
            .extension()
            .is_some_and(|end| end == "lock" || end == "new");
        let name = path.file_name().map(|name| name.to_string_lossy());
        if !is_lock || !name.is_some_and(|name| name.starts_with("instance-")) {
            continue;
        }
        match life_of(&path)? {
            Life::Alive => {}
            Life::Dead(_held) => fs::remove_file(&path)?,
        }
    }
    Ok(())
}

fn life_of(path: &Path) -> io::Result<Life> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Life::Dead(None)),
        Err(error) => return Err(error),
    };
    match file.try_lock() {
        Ok(()) => Ok(Life::Dead(Some(file))),
        Err(TryLockError::WouldBlock) => Ok(Life::Alive),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn lock_path(directory: &Path, id: [u8; 16]) -> PathBuf {
    directory.join(format!("instance-{}.lock", Id(id)))
}

fn lock_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn an_instance_is_alive_until_it_is_dropped_and_a_sweep_leaves_it_alone() {
        let directory = tempfile::tempdir().unwrap();
        let mine = Instance::create(directory.path()).unwrap();
        sweep(directory.path()).unwrap();
        assert!(matches!(
            life(directory.path(), mine.id()).unwrap(),
            Life::Alive
        ));
        let id = mine.id();
        drop(mine);
        assert!(matches!(
            life(directory.path(), id).unwrap(),
            Life::Dead(None)
        ));
    }

    #[test]
    fn the_lock_file_of_a_dead_instance_is_swept() {
        let directory = tempfile::tempdir().unwrap();
        let dead = lock_path(directory.path(), [9; 16]);
        fs::write(&dead, b"").unwrap();
        assert!(matches!(
            life(directory.path(), [9; 16]).unwrap(),
            Life::Dead(Some(_))
        ));
        sweep(directory.path()).unwrap();
        assert!(!dead.exists());
    }
}
