//! Every change to the file system, read off the throwaway layer.
//!
//! The upper layer of an overlay holds what was written, and a whiteout for
//! what was removed; two snapshots of it differ exactly by what happened in
//! between, anywhere on the system. Nothing is sampled and nothing forgotten.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::root::Layers;
use super::{Hit, Kind};
use crate::sha256_hex;

/// What is remembered of one entry of the layer.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    sort: Sort,
    mode: u32,
    owner: (u32, u32),
    digest: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    File,
    Folder,
    /// The overlay's mark for something that was removed.
    Whiteout,
    Other,
}

/// The layer at one moment.
#[derive(Debug)]
pub(super) struct Snapshot(BTreeMap<PathBuf, Entry>);

impl Snapshot {
    /// Reads the whole layer.
    #[must_use]
    pub(super) fn take(layers: &Layers) -> Self {
        let mut entries = BTreeMap::new();
        walk(&layers.upper(), Path::new("/"), &mut entries);
        Self(entries)
    }

    /// What happened since `self` was taken.
    #[must_use]
    pub(super) fn changes(&self, later: &Self, layers: &Layers) -> Vec<Hit> {
        let gone = self.0.keys().filter(|path| !later.0.contains_key(*path));
        let mut hits: Vec<Hit> = gone.map(|path| hit(Kind::Deleted, path)).collect();
        for (path, entry) in &later.0 {
            let kind = match self.0.get(path) {
                Some(before) => difference(before, entry),
                None => appeared(entry, &layers.lower(path)),
            };
            hits.extend(kind.map(|kind| hit(kind, path)));
        }
        hits
    }

    /// The files that are in `later` with another content than here.
    #[must_use]
    pub(super) fn written(&self, later: &Self) -> Vec<PathBuf> {
        let files = later.0.iter().filter(|(_, entry)| entry.sort == Sort::File);
        files
            .filter(|(path, entry)| self.0.get(*path).map(|e| &e.digest) != Some(&entry.digest))
            .map(|(path, _)| path.clone())
            .collect()
    }
}

fn hit(kind: Kind, path: &Path) -> Hit {
    Hit::new(kind, path.to_string_lossy())
}

/// What became of an entry that was in the layer already.
fn difference(before: &Entry, after: &Entry) -> Option<Kind> {
    if after.sort == Sort::Whiteout && before.sort != Sort::Whiteout {
        return Some(Kind::Deleted);
    }
    if before.sort != after.sort || before.digest != after.digest {
        return Some(Kind::Changed);
    }
    (before != after).then_some(Kind::Mode)
}

/// What a new entry of the layer means for the file system as a whole.
fn appeared(entry: &Entry, lower: &Path) -> Option<Kind> {
    let Ok(below) = fs::symlink_metadata(lower) else {
        return Some(Kind::Created);
    };
    match entry.sort {
        Sort::Whiteout => Some(Kind::Deleted),
        // A folder is copied up when something inside it changes.
        Sort::Folder if below.is_dir() => {
            let same = below.mode() == entry.mode && (below.uid(), below.gid()) == entry.owner;
            (!same).then_some(Kind::Mode)
        }
        Sort::File if below.is_file() && content_of(lower) == entry.digest => Some(Kind::Mode),
        Sort::File | Sort::Folder | Sort::Other => Some(Kind::Changed),
    }
}

fn walk(folder: &Path, shown_as: &Path, into: &mut BTreeMap<PathBuf, Entry>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let shown = shown_as.join(entry.file_name());
        let Ok(meta) = fs::symlink_metadata(&path) else {
            continue;
        };
        let sort = sort(&meta);
        if sort == Sort::Folder {
            walk(&path, &shown, into);
        }
        into.insert(
            shown,
            Entry {
                sort,
                mode: meta.mode(),
                owner: (meta.uid(), meta.gid()),
                digest: digest(&path, &meta),
            },
        );
    }
}

fn sort(meta: &fs::Metadata) -> Sort {
    let kind = meta.file_type();
    match () {
        () if kind.is_file() => Sort::File,
        () if kind.is_dir() => Sort::Folder,
        () if kind.is_char_device() && meta.rdev() == 0 => Sort::Whiteout,
        () => Sort::Other,
    }
}

fn digest(path: &Path, meta: &fs::Metadata) -> String {
    if meta.is_file() {
        return content_of(path);
    }
    fs::read_link(path).map_or_else(
        |_| String::new(),
        |target| target.to_string_lossy().into_owned(),
    )
}

fn content_of(path: &Path) -> String {
    sha256_hex(&fs::read(path).unwrap_or_default())
}
