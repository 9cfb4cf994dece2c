//! Are the files that we write still the files that others read?
//!
//! A file that is removed or replaced while it is open takes every write and
//! keeps none. The writer looks after each commit, before anything is
//! acknowledged, whether the database and its log still lie under their names.
//! It compares device and inode, nothing else, and an error counts as gone.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// The files of a ledger, as they were when it was opened.
#[derive(Debug)]
pub(crate) struct Files([File; 2]);

#[derive(Debug)]
struct File {
    path: PathBuf,
    identity: (u64, u64),
}

impl Files {
    /// Looks at the database and at its log, which both must be there.
    pub(crate) fn of(ledger: &Path) -> io::Result<Self> {
        let mut log = ledger.as_os_str().to_owned();
        log.push("-wal");
        Ok(Self([
            File::look(ledger.to_owned())?,
            File::look(PathBuf::from(log))?,
        ]))
    }

    /// The first file that is no longer the one it was.
    pub(crate) fn changed(&self) -> Option<&Path> {
        let gone = self
            .0
            .iter()
            .find(|file| identity(&file.path).ok() != Some(file.identity));
        gone.map(|file| file.path.as_path())
    }
}

impl File {
    fn look(path: PathBuf) -> io::Result<Self> {
        let identity = identity(&path)?;
        Ok(Self { path, identity })
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let meta = std::fs::metadata(path)?;
    Ok((meta.dev(), meta.ino()))
}
