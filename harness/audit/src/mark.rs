//! The high-water mark: `FILE.d/mark` says how far the ledger once was.
//!
//! A tree cannot show that its own end is gone: a database put back to an
//! earlier state, or a write-ahead log cut short by one flipped bit, is a
//! perfect shorter ledger. So after each commit, before anything is
//! acknowledged, the writer overwrites this one line with the count and the
//! root it reached. It is not synced, so it may lag after a power cut; it can
//! never be ahead of a ledger that is whole. It stops accidents and lazy
//! attackers; whoever can write the ledger can write the mark as well.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::tree::{Frontier, Hash};
use crate::wire::{Digest, unhex};

/// Twenty digits, a space, sixty-four hexadecimal digits, a line feed.
const LINE_BYTES: usize = 20 + 1 + 64 + 1;

/// A reader can meet a writer half way through the line; it looks again.
const READ_ATTEMPTS: u32 = 5;

/// Long enough for one `pwrite` to be over.
const READ_PAUSE: Duration = Duration::from_millis(2);

/// How far the ledger was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) count: u64,
    pub(crate) root: Hash,
}

impl Mark {
    pub(crate) fn of(frontier: &Frontier) -> Self {
        Self {
            count: frontier.count(),
            root: frontier.root(),
        }
    }
}

/// Why there is no mark to go by.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MarkError {
    #[error("not a mark")]
    Malformed,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The writer's handle.
#[derive(Debug)]
pub(crate) struct MarkFile(File);

impl MarkFile {
    /// Opens the mark beside the ledger, and makes it if there is none.
    pub(crate) fn open(directory: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        Ok(Self(options.open(path(directory))?))
    }

    /// Overwrites the line in place.
    pub(crate) fn set(&self, mark: Mark) -> io::Result<()> {
        let line = format!("{:020} {}\n", mark.count, Digest(mark.root));
        self.0.write_all_at(line.as_bytes(), 0)
    }

    /// Makes the line durable; only needed once, when the file is new.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.0.sync_all()
    }
}

/// Reads the mark; `None` if there is none or it was never written.
pub(crate) fn read(directory: &Path) -> Result<Option<Mark>, MarkError> {
    let mut attempt = 1;
    loop {
        match read_once(directory) {
            Err(MarkError::Malformed) if attempt < READ_ATTEMPTS => {
                attempt += 1;
                std::thread::sleep(READ_PAUSE);
            }
            ended => return ended,
        }
    }
}

fn path(directory: &Path) -> PathBuf {
    directory.join("mark")
}

fn read_once(directory: &Path) -> Result<Option<Mark>, MarkError> {
    let file = match File::open(path(directory)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mut line = String::new();
    // One byte over, so that a longer file is seen to be longer.
    let read = file.take(LINE_BYTES as u64 + 1).read_to_string(&mut line);
    match read {
        Ok(0) => Ok(None),
        Ok(_) => parse(&line).map(Some).ok_or(MarkError::Malformed),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(MarkError::Malformed),
        Err(error) => Err(error.into()),
    }
}

fn parse(line: &str) -> Option<Mark> {
    let (count, root) = line.strip_suffix('\n')?.split_once(' ')?;
    let is_padded = count.len() == 20 && count.bytes().all(|byte| byte.is_ascii_digit());
    let count = count.parse().ok().filter(|_| is_padded)?;
    let root = unhex(root)?;
    Some(Mark { count, root })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_mark_is_read_back_and_anything_else_is_malformed() {
        let directory = tempfile::tempdir().unwrap();
        assert!(read(directory.path()).unwrap().is_none());
        let mark = Mark {
            count: 7,
            root: [0xab; 32],
        };
        let file = MarkFile::open(directory.path()).unwrap();
        assert!(
            read(directory.path()).unwrap().is_none(),
            "an empty file says nothing"
        );
        file.set(Mark {
            count: u64::MAX,
            root: [0; 32],
        })
        .unwrap();
        file.set(mark).unwrap();
        assert_eq!(read(directory.path()).unwrap(), Some(mark));
        let whole = std::fs::read(path(directory.path())).unwrap();
        assert_eq!(whole.len(), LINE_BYTES);
        for cut in 1..whole.len() {
            std::fs::write(path(directory.path()), whole.get(..cut).unwrap()).unwrap();
            assert!(matches!(
                read_once(directory.path()),
                Err(MarkError::Malformed)
            ));
        }
    }
}
