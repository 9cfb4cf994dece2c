//! Hands out the files that were asked for. Nothing of the guest runs any more.
//!
//! Only plain files go out: every entry is looked at without following, opened without
//! following, and looked at again. The daemon checks path, size and number once more.

use std::fs::{self, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use container_init::{InitLimits, Said, WORKSPACE, WireFile};
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use nix::fcntl::OFlag;

use crate::Sender;

/// Folders below each other that are looked into; guards the stack.
const MAX_DEPTH: usize = 64;

/// Entries of the workspace that are looked at; its file system has no more.
const MAX_ENTRIES: u64 = 1 << 20;

/// Files that are told to have been left out.
const MAX_LEFT_OUT: u64 = 64;

/// Send every file that matches one of `patterns`, within the limits.
///
/// # Errors
/// When the daemon is gone or a pattern is no glob, which the daemon checked.
pub(crate) fn collect(patterns: &[String], limits: InitLimits, to: &Sender) -> io::Result<()> {
    if patterns.is_empty() {
        return Ok(());
    }
    let mut basket = Basket {
        wanted: globs(patterns)?,
        room_bytes: limits.file_bytes,
        room_count: limits.file_count,
        room_left_out: MAX_LEFT_OUT,
        room_entries: MAX_ENTRIES,
        to,
    };
    basket.walk(Path::new(WORKSPACE), 0)
}

fn globs(patterns: &[String]) -> io::Result<GlobSet> {
    let wrong = |error: globset::Error| io::Error::new(io::ErrorKind::InvalidInput, error);
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        let glob = GlobBuilder::new(pattern).literal_separator(true).build();
        set.add(glob.map_err(wrong)?);
    }
    set.build().map_err(wrong)
}

struct Basket<'a> {
    wanted: GlobSet,
    room_bytes: u64,
    room_count: u64,
    room_left_out: u64,
    room_entries: u64,
    to: &'a Sender,
}

impl Basket<'_> {
    /// In the order of names, so that the same workspace gives the same answer.
    fn walk(&mut self, folder: &Path, depth: usize) -> io::Result<()> {
        let mut entries = match fs::read_dir(folder) {
            Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
            // A folder that the guest closed to itself: nothing in it goes out.
            Err(_closed) => Vec::new(),
        };
        entries.sort();
        for path in entries {
            self.room_entries = self.room_entries.saturating_sub(1);
            if self.room_entries == 0 {
                return Ok(());
            }
            self.look_at(&path, depth)?;
        }
        Ok(())
    }

    fn look_at(&mut self, path: &Path, depth: usize) -> io::Result<()> {
        let Ok(kind) = fs::symlink_metadata(path).map(|meta| meta.file_type()) else {
            return Ok(());
        };
        if kind.is_dir() && depth < MAX_DEPTH {
            return self.walk(path, depth + 1);
        }
        let Ok(relative) = path.strip_prefix(WORKSPACE) else {
            return Ok(());
        };
        if !self.wanted.is_match(relative) {
            return Ok(());
        }
        match (relative.to_str(), kind.is_file()) {
            (None, _) => self.leave_out(relative, "its name is not UTF-8".into()),
            (Some(_), false) => self.leave_out(relative, "not a plain file".into()),
            (Some(name), true) => match self.read(path) {
                Ok(content) => self.hand_out(name, content),
                Err(reason) => self.leave_out(relative, reason),
            },
        }
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
        if self.room_count == 0 {
            return Err("over the limit of files".into());
        }
        let said = |error: io::Error| error.to_string();
        let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
        let mut open = OpenOptions::new();
        let file = open.read(true).custom_flags(flags.bits()).open(path);
        let file = file.map_err(said)?;
        if !file.metadata().map_err(said)?.is_file() {
            return Err("not a plain file".into());
        }
        let mut content = Vec::new();
        let most = self.room_bytes.saturating_add(1);
        file.take(most).read_to_end(&mut content).map_err(said)?;
        match content.len() as u64 > self.room_bytes {
            true => Err("over the limit of file bytes".into()),
            false => Ok(content),
        }
    }

    fn hand_out(&mut self, path: &str, content: Vec<u8>) -> io::Result<()> {
        self.room_bytes = self.room_bytes.saturating_sub(content.len() as u64);
        self.room_count = self.room_count.saturating_sub(1);
        let path = path.to_owned();
        self.to.send(&Said::File(WireFile { path, content }))
    }

    fn leave_out(&mut self, relative: &Path, reason: String) -> io::Result<()> {
        if self.room_left_out == 0 {
            return Ok(());
        }
        self.room_left_out -= 1;
        let path = relative.to_string_lossy().escape_debug().to_string();
        self.to.send(&Said::LeftOut { path, reason })
    }
}
