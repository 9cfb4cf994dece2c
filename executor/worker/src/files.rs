//! Files across the border, seen from inside: laid out before a call, collected
//! after it, wiped before the next.
//!
//! No guest runs while this does. Links that a guest made are never followed:
//! every entry is looked at without following, and only plain files go out.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path, PathBuf};

use executor::wasm::wire::{CallLimits, LeftOut, WireFile};
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use nix::errno::Errno;
use nix::fcntl::AT_FDCWD;
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::{UnlinkatFlags, unlinkat};

use crate::guest::GUEST_DIRS;

/// Where a call's files lie.
const WORKSPACE: &str = "/workspace";

/// Directories below the workspace that collecting goes into. The file system
/// has fewer inodes than that, so this only guards the stack.
const MAX_DEPTH: usize = 64;

/// Write the files of a call into the workspace.
///
/// # Errors
/// When a path is not a plain relative one, or the private file system is full.
pub(crate) fn lay_out(files: &[WireFile]) -> io::Result<()> {
    for file in files {
        let path = inside(&file.path)?;
        make_parents(&path)?;
        File::create_new(&path)?.write_all(&file.content)?;
    }
    Ok(())
}

/// The directories between the workspace and a file. By `mkdirat`, as everything
/// here by the calls that the worker's list has.
fn make_parents(path: &Path) -> io::Result<()> {
    let above: Vec<&Path> = path.ancestors().skip(1).collect();
    for dir in above
        .into_iter()
        .rev()
        .filter(|dir| dir.starts_with(WORKSPACE))
    {
        match mkdirat(AT_FDCWD, dir, Mode::S_IRWXU) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// The daemon checked the path already; a worker checks for itself.
fn inside(path: &str) -> io::Result<PathBuf> {
    let relative = Path::new(path);
    let plain = relative
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    if path.is_empty() || !plain {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "not a plain relative path",
        ));
    }
    Ok(Path::new(WORKSPACE).join(relative))
}

/// Files that match one of `patterns`, within the limits, and those left out.
///
/// # Errors
/// When a pattern is no glob or the workspace cannot be read.
pub(crate) fn collect(
    patterns: &[String],
    limits: CallLimits,
) -> io::Result<(Vec<WireFile>, Vec<LeftOut>)> {
    if patterns.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let mut basket = Basket {
        wanted: globs(patterns)?,
        room_bytes: limits.file_bytes,
        room_count: limits.file_count,
        files: Vec::new(),
        left_out: Vec::new(),
    };
    basket.walk(Path::new(WORKSPACE), 0)?;
    basket.files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok((basket.files, basket.left_out))
}

fn globs(patterns: &[String]) -> io::Result<GlobSet> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        let glob = GlobBuilder::new(pattern)
            .literal_separator(true)
            .build()
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        set.add(glob);
    }
    set.build()
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
}

struct Basket {
    wanted: GlobSet,
    room_bytes: u64,
    room_count: u64,
    files: Vec<WireFile>,
    left_out: Vec<LeftOut>,
}

impl Basket {
    fn walk(&mut self, dir: &Path, depth: usize) -> io::Result<()> {
        for entry in fs::read_dir(dir)? {
            let path = entry?.path();
            let kind = fs::symlink_metadata(&path)?.file_type();
            if kind.is_dir() && depth < MAX_DEPTH {
                self.walk(&path, depth + 1)?;
            } else if let Ok(relative) = path.strip_prefix(WORKSPACE)
                && self.wanted.is_match(relative)
            {
                let content = match kind.is_file() {
                    true => self.read(&path),
                    false => Err("not a plain file".into()),
                };
                self.put(&relative.to_string_lossy(), content);
            }
        }
        Ok(())
    }

    fn put(&mut self, relative: &str, content: Result<Vec<u8>, String>) {
        match content {
            Ok(content) => {
                self.room_bytes = self.room_bytes.saturating_sub(content.len() as u64);
                self.room_count = self.room_count.saturating_sub(1);
                self.files.push(WireFile {
                    path: relative.into(),
                    content,
                });
            }
            Err(reason) => {
                self.left_out.push(LeftOut {
                    path: relative.escape_debug().to_string(),
                    reason,
                });
            }
        }
    }

    /// Sparse files are larger than what the file system holds: the length is
    /// looked at before anything is read.
    fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
        if self.room_count == 0 {
            return Err("over the limit of files".into());
        }
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(nix::libc::O_NOFOLLOW)
            .open(path)
            .map_err(|error| error.to_string())?;
        let bytes = file.metadata().map_err(|error| error.to_string())?.len();
        if bytes > self.room_bytes {
            return Err(format!(
                "{bytes} bytes are over what is left of the limit of file bytes"
            ));
        }
        let mut content = Vec::new();
        file.take(bytes)
            .read_to_end(&mut content)
            .map_err(|error| error.to_string())?;
        Ok(content)
    }
}

/// Leave nothing of a call behind.
///
/// # Errors
/// When something cannot be removed; the worker is not used again then.
pub(crate) fn wipe() -> io::Result<()> {
    GUEST_DIRS.iter().try_for_each(|dir| empty(Path::new(dir)))
}

/// Remove what is in `dir`. It nests no deeper than its file system has inodes.
fn empty(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let path = entry.path();
        let kind = match entry.file_type()?.is_dir() {
            true => {
                empty(&path)?;
                UnlinkatFlags::RemoveDir
            }
            false => UnlinkatFlags::NoRemoveDir,
        };
        unlinkat(AT_FDCWD, &path, kind)?;
    }
    Ok(())
}
