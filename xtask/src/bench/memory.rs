//! Resident memory of the daemon and its workers, as `/proc` shows it.
//!
//! Pages that several processes share count in each: the figure is an upper
//! bound. A process that ends while we look counts as nothing.

use std::path::Path;

/// The name that `/proc` gives to a worker: the first 15 bytes.
const WORKER: &str = "lazaret-worker";

/// Memory at one moment.
#[derive(Clone, Copy)]
pub(super) struct Memory {
    pub(super) daemon_kib: u64,
    pub(super) workers_kib: u64,
    pub(super) workers: usize,
}

impl Memory {
    /// Looks now. All workers of the machine count: a keeper stands between the
    /// daemon and a worker, so descent alone does not tell.
    pub(super) fn now(daemon: u32) -> Self {
        let workers: Vec<u64> = processes()
            .filter(|folder| name(folder).as_deref() == Some(WORKER))
            .filter_map(|folder| resident_kib(&folder))
            .collect();
        Self {
            daemon_kib: resident_kib(Path::new(&format!("/proc/{daemon}"))).unwrap_or(0),
            workers_kib: workers.iter().sum(),
            workers: workers.len(),
        }
    }
}

fn processes() -> impl Iterator<Item = std::path::PathBuf> {
    std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
}

fn name(folder: &Path) -> Option<String> {
    let name = std::fs::read_to_string(folder.join("comm")).ok()?;
    Some(name.trim_end().to_owned())
}

fn resident_kib(folder: &Path) -> Option<u64> {
    let status = std::fs::read_to_string(folder.join("status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_memory_is_seen() {
        assert!(Memory::now(std::process::id()).daemon_kib > 0);
    }
}
