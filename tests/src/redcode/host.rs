//! The real host before and after: the control must not have left the arena.
//!
//! Looks at the places that the programs aim at, listens on the same ports,
//! looks at the mounts and looks for processes that carry the arena's marker.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::Proof;
use crate::arena::{Aims, STAGING_PREFIX};
use crate::process;
use crate::sha256_hex;

/// The folders in which nothing changes by itself while a test runs.
const SYSTEM: [&str; 5] = ["/etc", "/usr", "/boot", "/opt", "/root"];

/// Folders of the user's own tools, in which builds write all the time.
const BUSY: [&str; 4] = [
    "/root/.cargo",
    "/root/.cache",
    "/root/.local",
    "/root/.rustup",
];

/// A file larger than this is compared by its metadata only.
const CONTENT_BYTES: u64 = 1 << 20;

/// The host at one moment.
#[derive(Debug)]
pub(super) struct Host {
    places: BTreeMap<PathBuf, String>,
    listeners: Vec<(u16, TcpListener)>,
    proof: Proof,
}

impl Host {
    pub(super) fn look(aims: &Aims, proof: Proof) -> Self {
        Self {
            places: places(aims, proof),
            listeners: aims.ports.iter().filter_map(|port| listen(*port)).collect(),
            proof,
        }
    }

    /// What is different now.
    pub(super) fn traces(&self, aims: &Aims, marker: &str) -> Vec<String> {
        let now = places(aims, self.proof);
        let all: BTreeSet<&PathBuf> = self.places.keys().chain(now.keys()).collect();
        let changed = all
            .into_iter()
            .filter(|path| self.places.get(*path) != now.get(*path));
        let mut traces: Vec<String> = changed
            .map(|path| format!("{} is not as it was", path.display()))
            .collect();
        for (port, listener) in &self.listeners {
            if listener.accept().is_ok() {
                traces.push(format!("the host's port {port} was called"));
            }
        }
        let mounts = process::mounts(own_pid()).into_iter();
        let arenas = mounts.filter(|point| point.contains(STAGING_PREFIX));
        traces.extend(arenas.map(|point| format!("`{point}` is still mounted")));
        let marked = process::table().into_iter();
        let marked = marked.filter(|p| p.arguments.iter().any(|a| a.contains(marker)));
        traces.extend(marked.map(|p| format!("process {} `{}` is left", p.pid, p.name)));
        traces
    }
}

fn own_pid() -> i32 {
    nix::unistd::getpid().as_raw()
}

/// A listener that never waits; `None` where somebody else listens.
fn listen(port: u16) -> Option<(u16, TcpListener)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()?;
    listener.set_nonblocking(true).ok()?;
    Some((port, listener))
}

fn places(aims: &Aims, proof: Proof) -> BTreeMap<PathBuf, String> {
    let mut places = BTreeMap::new();
    for file in aims.files.iter().map(PathBuf::from) {
        if !of_the_kernel(&file) {
            places.insert(file.clone(), content(&file));
        }
    }
    for folder in aims.folders.iter().map(PathBuf::from) {
        if !of_the_kernel(&folder) {
            places.insert(folder.join("."), names(&folder));
        }
    }
    if proof == Proof::System {
        for folder in SYSTEM {
            walk(Path::new(folder), &mut places);
        }
    }
    places
}

/// These change by themselves, and the arena has its own.
fn of_the_kernel(path: &Path) -> bool {
    ["/proc", "/sys", "/dev", "/tmp"]
        .iter()
        .any(|folder| path.starts_with(folder))
}

fn content(path: &Path) -> String {
    let bytes = fs::metadata(path)
        .ok()
        .filter(|meta| meta.is_file() && meta.len() <= CONTENT_BYTES)
        .and_then(|_| fs::read(path).ok());
    let digest = bytes.map(|bytes| sha256_hex(&bytes));
    format!("{} {}", metadata(path), digest.unwrap_or_default())
}

fn metadata(path: &Path) -> String {
    fs::symlink_metadata(path).map_or_else(
        |_| "absent".to_owned(),
        |m| {
            format!(
                "{:o} {} {} {} {}.{}",
                m.mode(),
                m.uid(),
                m.gid(),
                m.ino(),
                m.mtime(),
                m.mtime_nsec()
            )
        },
    )
}

fn names(folder: &Path) -> String {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names.join("/")
}

fn walk(folder: &Path, places: &mut BTreeMap<PathBuf, String>) {
    if BUSY.iter().any(|busy| folder.starts_with(busy)) {
        return;
    }
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            walk(&path, places);
        } else {
            places.insert(path.clone(), metadata(&path));
        }
    }
}
