//! A container's control groups, read from outside: limits, and what was used.
//!
//! Version 1 and 2. A daemon that may not look at Docker's processes finds nothing, and the receipt
//! says so; one that may look and finds no groups does not use the container.

use std::fs;
use std::fs::File;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::path::{Path, PathBuf};

use nix::sys::eventfd::{EfdFlags, EventFd};
use serde::Serialize;

/// Where control groups are, on every distribution.
const ROOT: &str = "/sys/fs/cgroup";

/// A limit above this is none: version 1 says "no limit" with a number of pages near 2^63.
const UNLIMITED_BYTES: u64 = 1 << 62;

/// Where the groups of one container lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Groups {
    memory: PathBuf,
    pids: PathBuf,
    cpu: PathBuf,
    version: Version,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    V1,
    V2,
}

/// The limits that the kernel has on file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CgroupLimits {
    /// 1 or 2.
    pub version: u32,
    /// Memory, in bytes.
    pub memory_bytes: Option<u64>,
    /// Memory and swap together, in bytes; nothing where the kernel does not count swap.
    pub memory_and_swap_bytes: Option<u64>,
    /// Processes and threads.
    pub pids: Option<u64>,
    /// Thousandths of a processor.
    pub cpu_milli: Option<u64>,
}

/// What the kernel tells of a group's memory, also when the group is gone before anybody looked.
///
/// Version 1 alone has it: the kernel counts this up at every end of memory, and once more when
/// the group is removed. Two, then, are an end of memory; one of a group that is gone is none.
#[derive(Debug)]
pub(crate) struct MemoryEvents {
    counter: EventFd,
    told: u64,
    /// The kernel tells of this file as long as it is open.
    _control: File,
}

impl MemoryEvents {
    /// What was told so far.
    pub(crate) fn told(&mut self) -> u64 {
        // Nothing new is an error of a counter that does not wait.
        self.told = self.told.saturating_add(self.counter.read().unwrap_or(0));
        self.told
    }
}

impl Groups {
    /// Hear of the group's memory from now on; only root may.
    pub(crate) fn memory_events(&self) -> Option<MemoryEvents> {
        if self.version != Version::V1 {
            return None;
        }
        let control = File::open(self.memory.join("memory.oom_control")).ok()?;
        let counter = EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC).ok()?;
        let (to, of) = (counter.as_fd().as_raw_fd(), control.as_raw_fd());
        fs::write(
            self.memory.join("cgroup.event_control"),
            format!("{to} {of}"),
        )
        .ok()?;
        Some(MemoryEvents {
            counter,
            told: 0,
            _control: control,
        })
    }

    /// The groups of process `pid`, if they can be seen from here.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
        let v1 = |name: &str| of_controller(&text, name);
        let groups = match (v1("memory"), v1("pids"), v1("cpu")) {
            (Some(memory), Some(pids), Some(cpu)) => Self {
                memory,
                pids,
                cpu,
                version: Version::V1,
            },
            (_, _, _) => Self::unified(&text)?,
        };
        groups.memory.is_dir().then_some(groups)
    }

    fn unified(text: &str) -> Option<Self> {
        let path = text.lines().find_map(|line| line.strip_prefix("0::"))?;
        let dir = Path::new(ROOT).join(path.trim_start_matches('/'));
        Some(Self {
            memory: dir.clone(),
            pids: dir.clone(),
            cpu: dir,
            version: Version::V2,
        })
    }

    /// The limits as they stand now.
    pub(crate) fn limits(&self) -> CgroupLimits {
        match self.version {
            Version::V1 => self.limits_v1(),
            Version::V2 => self.limits_v2(),
        }
    }

    fn limits_v1(&self) -> CgroupLimits {
        let bytes = |file| number(&self.memory.join(file)).filter(|limit| *limit < UNLIMITED_BYTES);
        let quota = number(&self.cpu.join("cpu.cfs_quota_us"));
        let period = number(&self.cpu.join("cpu.cfs_period_us"));
        CgroupLimits {
            version: 1,
            memory_bytes: bytes("memory.limit_in_bytes"),
            memory_and_swap_bytes: bytes("memory.memsw.limit_in_bytes"),
            pids: number(&self.pids.join("pids.max")),
            cpu_milli: milli(quota, period),
        }
    }

    fn limits_v2(&self) -> CgroupLimits {
        let memory_bytes = number(&self.memory.join("memory.max"));
        let swap = number(&self.memory.join("memory.swap.max"));
        let cpu = fs::read_to_string(self.cpu.join("cpu.max")).unwrap_or_default();
        let mut cpu = cpu.split_whitespace().map(|word| word.parse().ok());
        CgroupLimits {
            version: 2,
            memory_bytes,
            memory_and_swap_bytes: memory_bytes.zip(swap).map(|(memory, swap)| memory + swap),
            pids: number(&self.pids.join("pids.max")),
            cpu_milli: milli(cpu.next().flatten(), cpu.next().flatten()),
        }
    }

    /// How often the kernel ended a process of the group for its memory.
    pub(crate) fn out_of_memory(&self) -> u64 {
        let file = match self.version {
            Version::V1 => "memory.oom_control",
            Version::V2 => "memory.events",
        };
        let text = fs::read_to_string(self.memory.join(file)).unwrap_or_default();
        let mut counts = text
            .lines()
            .filter_map(|line| line.strip_prefix("oom_kill "));
        counts
            .next()
            .and_then(|count| count.trim().parse().ok())
            .unwrap_or_default()
    }

    /// Processor time since the start, in microseconds.
    pub(crate) fn cpu_us(&self) -> Option<u64> {
        match self.version {
            Version::V1 => number(&self.cpu.join("cpuacct.usage")).map(|nanos| nanos / 1_000),
            Version::V2 => {
                let text = fs::read_to_string(self.cpu.join("cpu.stat")).ok()?;
                let mut lines = text.lines();
                lines
                    .find_map(|line| line.strip_prefix("usage_usec "))?
                    .parse()
                    .ok()
            }
        }
    }

    /// The most memory that the container held.
    pub(crate) fn memory_peak_bytes(&self) -> Option<u64> {
        let file = match self.version {
            Version::V1 => "memory.max_usage_in_bytes",
            Version::V2 => "memory.peak",
        };
        number(&self.memory.join(file))
    }
}

fn of_controller(text: &str, controller: &str) -> Option<PathBuf> {
    let found = text.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (names, path) = (parts.next()?, parts.next()?);
        let named = names.split(',').any(|name| name == controller);
        named.then_some((names, path))
    });
    let (names, path) = found?;
    let path = path.trim_start_matches('/');
    // The folder bears the name of one of them, or of all.
    let folders = [controller, names];
    let mut places = folders
        .into_iter()
        .map(|folder| Path::new(ROOT).join(folder).join(path));
    places.find(|place| place.is_dir())
}

/// The number in a file; `max` is none.
fn number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

fn milli(quota_us: Option<u64>, period_us: Option<u64>) -> Option<u64> {
    quota_us
        .zip(period_us.filter(|period| *period > 0))
        .map(|(quota, period)| quota.saturating_mul(1_000) / period)
}
