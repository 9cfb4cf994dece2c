//! What the kernel tells anybody about a process, read from outside.
//!
//! Nothing of the appliance is asked: these are the figures that a receipt has
//! to agree with. A process that ends while it is read is simply not there.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// One line of the process table.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Process {
    /// Its number in the reader's namespace.
    pub pid: i32,
    /// Its parent's number.
    pub parent: i32,
    /// The kernel's letter: `R`, `S`, `Z`, …
    pub state: char,
    /// The kernel's name for it.
    pub name: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// The program file, where the kernel shows it.
    pub program: Option<PathBuf>,
}

/// All processes that are alive; the dead that nobody reaped are left out.
#[must_use]
pub fn table() -> Vec<Process> {
    let mut all: Vec<Process> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(read)
        .filter(|process| process.state != 'Z')
        .collect();
    all.sort_by_key(|process| process.pid);
    all
}

/// One process, if it is there.
#[must_use]
pub fn read(pid: i32) -> Option<Process> {
    let folder = PathBuf::from(format!("/proc/{pid}"));
    let stat = fs::read_to_string(folder.join("stat")).ok()?;
    // The name stands in parentheses and may itself hold some.
    let (head, tail) = stat.rsplit_once(") ")?;
    let (_, name) = head.split_once(" (")?;
    let mut fields = tail.split(' ');
    let state = fields.next()?.chars().next()?;
    let parent = fields.next()?.parse().ok()?;
    let arguments = fs::read(folder.join("cmdline")).unwrap_or_default();
    Some(Process {
        pid,
        parent,
        state,
        name: name.to_owned(),
        arguments: split_nul(&arguments),
        program: fs::read_link(folder.join("exe")).ok(),
    })
}

/// All processes whose line of parents leads to `ancestor`.
#[must_use]
pub fn descendants(ancestor: i32) -> Vec<Process> {
    let table = table();
    let mut found: Vec<Process> = Vec::new();
    let mut wanted = vec![ancestor];
    while let Some(parent) = wanted.pop() {
        for process in table.iter().filter(|process| process.parent == parent) {
            wanted.push(process.pid);
            found.push(process.clone());
        }
    }
    found
}

/// The lines of `/proc/PID/status`, by their name.
#[must_use]
pub fn status(pid: i32) -> BTreeMap<String, String> {
    fs::read_to_string(format!("/proc/{pid}/status"))
        .unwrap_or_default()
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(key, value)| (key.to_owned(), value.trim().to_owned()))
        .collect()
}

/// The number of the namespace of `kind` (`user`, `mnt`, `pid`, `net`, …).
#[must_use]
pub fn namespace(pid: i32, kind: &str) -> Option<u64> {
    let link = fs::read_link(format!("/proc/{pid}/ns/{kind}")).ok()?;
    let text = link.to_str()?.to_owned();
    text.split_once('[')?.1.trim_end_matches(']').parse().ok()
}

/// The mount points that a process sees.
#[must_use]
pub fn mounts(pid: i32) -> Vec<String> {
    fs::read_to_string(format!("/proc/{pid}/mountinfo"))
        .unwrap_or_default()
        .lines()
        .filter_map(|line| line.split(' ').nth(4).map(str::to_owned))
        .collect()
}

/// What the open files of a process are, as `/proc` names them.
#[must_use]
pub fn open_files(pid: i32) -> Vec<String> {
    fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .map(|target| target.to_string_lossy().into_owned())
        .collect()
}

/// Bytes of memory that a process holds by itself (`RssAnon`, `RssShmem`).
#[must_use]
pub fn own_memory_bytes(pid: i32) -> u64 {
    let status = status(pid);
    ["RssAnon", "RssShmem"]
        .iter()
        .filter_map(|key| status.get(*key)?.split(' ').next()?.parse::<u64>().ok())
        .sum::<u64>()
        * 1024
}

/// Whether a process with this number is alive.
#[must_use]
pub fn alive(pid: i32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists() && read(pid).is_some_and(|p| p.state != 'Z')
}

fn split_nul(bytes: &[u8]) -> Vec<String> {
    bytes
        .split(|byte| *byte == 0)
        .filter(|part| !part.is_empty())
        .map(|part| String::from_utf8_lossy(part).into_owned())
        .collect()
}
