//! Who lives: one locked file for each process that makes containers, or doors, for one installation.
//!
//! A daemon and a command line may share a state directory. Each container bears the life of the
//! process that made it, and only one whose life is over was left behind. The kernel drops a lock
//! when its process ends, however it ends. A file is locked under another name and then renamed, so
//! one that can be seen is never about to be locked.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// This process's sign of life, for as long as it is not dropped.
#[derive(Debug)]
pub struct Life {
    id: String,
    folder: PathBuf,
    _file: File,
}

impl Life {
    /// Begins a life in `folder`, which is made if need be.
    ///
    /// # Errors
    /// What the kernel said.
    pub fn begin(folder: &Path) -> io::Result<Self> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
        let id = uuid::Uuid::now_v7().to_string();
        let path = path(folder, &id);
        let unborn = path.with_extension("new");
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&unborn)?;
        file.try_lock()?;
        fs::rename(&unborn, &path)?;
        Ok(Self {
            id,
            folder: folder.to_owned(),
            _file: file,
        })
    }

    /// By which others know what this process has made.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether the life of this id is over. What cannot be found out is not over, so that nobody's
    /// running container is taken away.
    #[must_use]
    pub fn is_over(&self, id: &str) -> bool {
        // An id is a name of ours; a label could hold anything.
        if uuid::Uuid::try_parse(id).is_err() {
            return true;
        }
        match File::open(path(&self.folder, id)) {
            Ok(file) => file.try_lock_shared().is_ok(),
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        }
    }

    /// Forgets a life that is over and left nothing.
    pub fn forget(&self, id: &str) {
        if id != self.id && uuid::Uuid::try_parse(id).is_ok() {
            drop(fs::remove_file(path(&self.folder, id)));
        }
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        // What stays behind is an empty file that nobody holds.
        drop(fs::remove_file(path(&self.folder, &self.id)));
    }
}

fn path(folder: &Path, id: &str) -> PathBuf {
    folder.join(format!("{id}.lock"))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_life_is_over_when_its_process_is_gone_and_not_before() {
        let folder = std::env::temp_dir().join(format!("lazaret-life-{}", uuid::Uuid::now_v7()));
        let (one, other) = (Life::begin(&folder).unwrap(), Life::begin(&folder).unwrap());
        assert!(!one.is_over(other.id()));
        assert!(!one.is_over(one.id()), "its own");
        let id = other.id().to_owned();
        drop(other);
        assert!(one.is_over(&id));
        // As a process that was killed leaves it: the file is there, and nobody holds it.
        fs::write(path(&folder, &id), "").unwrap();
        assert!(one.is_over(&id));
        one.forget(&id);
        assert!(!path(&folder, &id).exists());
        assert!(one.is_over("../../etc/passwd"));
        drop(one);
        fs::remove_dir(&folder).unwrap();
    }
}
