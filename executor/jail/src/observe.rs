//! What is in force on a process, read from outside: the daemon's half of a receipt.
//!
//! Everything comes from `/proc/PID`, through one descriptor of that directory, so that a
//! process id that is used again is an error and not another process. It says what the
//! kernel says; nothing is taken from the process itself. Landlock does not show in
//! `/proc`: of it the [`Report`](crate::Report) speaks, whose self-check tried it.
//!
//! A daemon that is an ordinary user may not read the namespaces of an undumpable
//! process. It reads them off the keeper, which is in the same ones, and
//! [`Observed::namespaces_of`] says so.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;

use nix::fcntl::{OFlag, open, openat, readlinkat};
use nix::sys::stat::Mode;
use serde::{Deserialize, Serialize};

use crate::plan::{Layer, Plan, SCRATCH, Tmpfs, WORKSPACE};
use crate::seccomp::Filter;
use crate::sequence::{INSIDE_ID, rlimits};

/// What `/proc` says of a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Observed {
    /// Its number here.
    pub pid: u32,
    /// Its numbers, from here inwards; the last is 1 in a process namespace of its own.
    pub pids: Vec<u32>,
    /// Its parent: the keeper.
    pub parent: u32,
    /// Real, effective, saved and file-system user.
    pub uids: Vec<u32>,
    /// Real, effective, saved and file-system group.
    pub gids: Vec<u32>,
    /// Supplementary groups.
    pub groups: Vec<u32>,
    /// The map of users, blanks made single.
    pub uid_map: String,
    /// The map of groups, blanks made single.
    pub gid_map: String,
    /// How many threads it has.
    pub threads: u32,
    /// Whether executing a file can gain it nothing.
    pub no_new_privs: bool,
    /// 0 off, 1 strict, 2 filters.
    pub seccomp_mode: u32,
    /// Filters, those of the daemon's own surroundings among them.
    pub seccomp_filters: u32,
    /// The five capability sets by the names of `/proc` (`CapEff`), as bits.
    pub capabilities: BTreeMap<String, u64>,
    /// Namespace to inode number, as `net`.
    pub namespaces: BTreeMap<String, u64>,
    /// The process that `namespaces` was read of: the process itself or its keeper.
    pub namespaces_of: u32,
    /// Limits by the names of `/proc` (`Max data size`).
    pub rlimits: BTreeMap<String, RlimitSeen>,
    /// Every mount that it sees, in order.
    pub mounts: Vec<Mount>,
}

/// A resource limit; `None` is unlimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RlimitSeen {
    /// What holds now.
    pub soft: Option<u64>,
    /// What it could be raised to.
    pub hard: Option<u64>,
}

/// A line of `/proc/PID/mountinfo`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mount {
    /// Where.
    pub point: String,
    /// The kind of file system.
    pub kind: String,
    /// Flags of the mount.
    pub flags: Vec<String>,
    /// Options of the file system.
    pub options: Vec<String>,
}

/// Why nothing can be said of a process.
#[derive(Debug, thiserror::Error)]
pub enum ObserveError {
    /// A file of `/proc/PID` cannot be read; also when the process has ended.
    #[error("`/proc/{pid}/{file}` cannot be read: {source}; check that the worker still runs")]
    Read {
        /// The process.
        pid: u32,
        /// The file.
        file: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// A file of `/proc/PID` is not as the kernel's documentation has it.
    #[error("`/proc/{pid}/{file}` says nothing of `{what}`; run Linux 5.19 or newer")]
    Form {
        /// The process.
        pid: u32,
        /// The file.
        file: String,
        /// What was looked for.
        what: String,
    },
}

/// A layer of the plan that is not there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("layer `{layer}` is not in force: {found}; the call must not run")]
pub struct Missing {
    /// The layer.
    pub layer: Layer,
    /// What was seen.
    pub found: String,
}

/// Reads what is in force on the process that is `pid` here.
///
/// # Errors
/// A file that cannot be read or understood. A process that has ended cannot be read.
pub fn observe(pid: u32) -> Result<Observed, ObserveError> {
    Source::open(pid)?.observed()
}

/// The same of the calling process: what [`Observed::verify`] compares with.
///
/// # Errors
/// As [`observe`].
pub fn own() -> Result<Observed, ObserveError> {
    observe(std::process::id())
}

impl Observed {
    /// Compares what is in force with what `plan` asks for. `own` is the daemon: a
    /// namespace is only one's own if it is another than the daemon's.
    ///
    /// # Errors
    /// The first layer of the plan that is not there, and what was seen instead.
    pub fn verify(&self, plan: &Plan, own: &Self) -> Result<(), Missing> {
        for layer in &plan.layers {
            self.holds(*layer, plan, own).map_err(|found| Missing {
                layer: *layer,
                found,
            })?;
        }
        Ok(())
    }

    fn holds(&self, layer: Layer, plan: &Plan, own: &Self) -> Result<(), String> {
        match layer {
            Layer::UserNamespace => {
                self.apart("user", own)?;
                self.is_nobody(plan, own)
            }
            Layer::MountNamespace => self.apart("mnt", own),
            Layer::PidNamespace => {
                self.apart("pid", own)?;
                let last = self.pids.last().copied();
                must(
                    self.pids.len() > own.pids.len() && last == Some(1),
                    "numbers",
                    &self.pids,
                )
            }
            Layer::NetNamespace => self.apart("net", own),
            Layer::IpcNamespace => self.apart("ipc", own),
            Layer::UtsNamespace => self.apart("uts", own),
            Layer::CgroupNamespace => self.apart("cgroup", own),
            Layer::EmptyRoot => self.has_empty_root(plan),
            Layer::Rlimits => self.has_rlimits(plan),
            Layer::NoNewPrivs => must(self.no_new_privs, "no_new_privs", &self.no_new_privs),
            Layer::NoCapabilities => {
                let none = self.capabilities.values().all(|set| *set == 0);
                must(
                    none && self.capabilities.len() == 5,
                    "capabilities",
                    &self.capabilities,
                )
            }
            // /proc does not show it; see the head of this file.
            Layer::Landlock => Ok(()),
            Layer::Seccomp => self.has_filters(plan, own),
        }
    }

    fn apart(&self, namespace: &str, own: &Self) -> Result<(), String> {
        let (its, ours) = (
            self.namespaces.get(namespace),
            own.namespaces.get(namespace),
        );
        must(
            its.is_some() && ours.is_some() && its != ours,
            namespace,
            &its,
        )
    }

    fn is_nobody(&self, plan: &Plan, own: &Self) -> Result<(), String> {
        let expected = |ours: &[u32], nobody: u32| match ours.get(1) {
            Some(0) => nobody,
            Some(other) => *other,
            None => nobody,
        };
        let (uid, gid) = (expected(&own.uids, plan.uid), expected(&own.gids, plan.gid));
        must(self.uids == [uid; 4] && uid != 0, "users", &self.uids)?;
        must(self.gids == [gid; 4], "groups", &self.gids)?;
        must(
            self.uid_map == format!("{INSIDE_ID} {uid} 1"),
            "user map",
            &self.uid_map,
        )?;
        must(
            self.gid_map == format!("{INSIDE_ID} {gid} 1"),
            "group map",
            &self.gid_map,
        )
    }

    fn has_empty_root(&self, plan: &Plan) -> Result<(), String> {
        let [root, workspace, scratch] = self.mounts.as_slice() else {
            return Err(format!("{} mounts instead of 3", self.mounts.len()));
        };
        root.is(("/", "ro"))?;
        workspace.is((WORKSPACE, "rw"))?;
        workspace.holds_at_most(plan.workspace)?;
        scratch.is((SCRATCH, "rw"))?;
        scratch.holds_at_most(plan.scratch)
    }

    fn has_rlimits(&self, plan: &Plan) -> Result<(), String> {
        for (resource, limit) in rlimits(plan) {
            let seen = proc_name(resource).and_then(|name| self.rlimits.get(name));
            let low = |number: Option<u64>| number.is_some_and(|number| number <= limit);
            let held = seen.is_some_and(|seen| low(seen.soft) && low(seen.hard));
            must(held, &format!("{resource:?}"), &seen)?;
        }
        Ok(())
    }

    fn has_filters(&self, plan: &Plan, own: &Self) -> Result<(), String> {
        let ours = Filter::count_of(plan.role).map_err(|error| error.to_string())?;
        let wanted = u32::try_from(ours)
            .unwrap_or(u32::MAX)
            .saturating_add(own.seccomp_filters);
        must(self.seccomp_mode == FILTERS, "mode", &self.seccomp_mode)?;
        must(
            self.seccomp_filters == wanted,
            "filters",
            &self.seccomp_filters,
        )
    }
}

impl Mount {
    /// A tmpfs at `place.0` with the flag `place.1` and the three that every mount has.
    fn is(&self, place: (&str, &str)) -> Result<(), String> {
        let flags = [place.1, "nosuid", "nodev", "noexec"];
        let flagged = flags
            .iter()
            .all(|flag| self.flags.iter().any(|seen| seen == flag));
        must(
            self.point == place.0 && self.kind == "tmpfs" && flagged,
            place.0,
            self,
        )
    }

    fn holds_at_most(&self, tmpfs: Tmpfs) -> Result<(), String> {
        // The kernel counts whole pages and prints KiB.
        let bytes = tmpfs.bytes.div_ceil(PAGE).saturating_mul(PAGE);
        let size = format!("size={}k", bytes / 1024);
        let inodes = format!("nr_inodes={}", tmpfs.inodes);
        let both = [size, inodes]
            .iter()
            .all(|option| self.options.contains(option));
        must(both, &self.point, &self.options)
    }
}

/// The page of the machines that this runs on (docs/JAIL.md).
const PAGE: u64 = 4096;

/// `SECCOMP_MODE_FILTER` of linux/seccomp.h.
const FILTERS: u32 = 2;

fn must(holds: bool, what: &str, seen: &impl std::fmt::Debug) -> Result<(), String> {
    match holds {
        true => Ok(()),
        false => Err(format!("{what} reads {seen:?}")),
    }
}

/// What `/proc/PID/limits` calls a limit.
fn proc_name(resource: nix::sys::resource::Resource) -> Option<&'static str> {
    use nix::sys::resource::Resource;
    let names = [
        (Resource::RLIMIT_CORE, "Max core file size"),
        (Resource::RLIMIT_DATA, "Max data size"),
        (Resource::RLIMIT_FSIZE, "Max file size"),
        (Resource::RLIMIT_NOFILE, "Max open files"),
        (Resource::RLIMIT_NPROC, "Max processes"),
        (Resource::RLIMIT_MEMLOCK, "Max locked memory"),
        (Resource::RLIMIT_MSGQUEUE, "Max msgqueue size"),
        (Resource::RLIMIT_SIGPENDING, "Max pending signals"),
        (Resource::RLIMIT_NICE, "Max nice priority"),
        (Resource::RLIMIT_RTPRIO, "Max realtime priority"),
    ];
    names
        .into_iter()
        .find(|(known, _)| *known == resource)
        .map(|(_, name)| name)
}

/// No file of `/proc/PID` that is read here is near this size on any host; it bounds what
/// a host with ten thousand mounts costs.
const FILE_MAX_BYTES: u64 = 4 << 20;

const NAMESPACES: [&str; 7] = ["user", "mnt", "pid", "net", "ipc", "uts", "cgroup"];

/// `/proc/PID`, held open.
struct Source {
    pid: u32,
    directory: OwnedFd,
}

impl Source {
    fn open(pid: u32) -> Result<Self, ObserveError> {
        let flags = OFlag::O_DIRECTORY | OFlag::O_RDONLY | OFlag::O_CLOEXEC;
        let directory = open(format!("/proc/{pid}").as_str(), flags, Mode::empty());
        let directory = directory.map_err(|source| ObserveError::Read {
            pid,
            file: String::new(),
            source: source.into(),
        })?;
        Ok(Self { pid, directory })
    }

    fn observed(&self) -> Result<Observed, ObserveError> {
        let status = Status::of(self)?;
        let parent = status.number("PPid")?;
        let (namespaces_of, namespaces) = self.namespaces(parent)?;
        Ok(Observed {
            pid: self.pid,
            pids: status.numbers("NSpid")?,
            parent,
            uids: status.numbers("Uid")?,
            gids: status.numbers("Gid")?,
            groups: status.numbers("Groups")?,
            uid_map: one_blank(&self.read("uid_map")?),
            gid_map: one_blank(&self.read("gid_map")?),
            threads: status.number("Threads")?,
            no_new_privs: status.number("NoNewPrivs")? == 1,
            seccomp_mode: status.number("Seccomp")?,
            seccomp_filters: status.number("Seccomp_filters")?,
            capabilities: status.capabilities()?,
            namespaces,
            namespaces_of,
            rlimits: self.limits()?,
            mounts: self.read("mountinfo")?.lines().filter_map(mount).collect(),
        })
    }

    fn read(&self, file: &str) -> Result<String, ObserveError> {
        self.try_read(file)
            .map_err(|source| self.unreadable(file, source))
    }

    fn try_read(&self, file: &str) -> io::Result<String> {
        let fd = openat(
            &self.directory,
            file,
            OFlag::O_RDONLY | OFlag::O_CLOEXEC,
            Mode::empty(),
        )?;
        let mut text = String::new();
        File::from(fd)
            .take(FILE_MAX_BYTES)
            .read_to_string(&mut text)?;
        Ok(text)
    }

    fn unreadable(&self, file: &str, source: io::Error) -> ObserveError {
        ObserveError::Read {
            pid: self.pid,
            file: file.to_owned(),
            source,
        }
    }

    fn form(&self, file: &str, what: &str) -> ObserveError {
        ObserveError::Form {
            pid: self.pid,
            file: file.to_owned(),
            what: what.to_owned(),
        }
    }

    /// The process's namespaces, or its keeper's where the process's may not be read.
    fn namespaces(&self, keeper: u32) -> Result<(u32, BTreeMap<String, u64>), ObserveError> {
        match self.links("pid") {
            Ok(links) => Ok((self.pid, links)),
            Err(ObserveError::Read { source, .. })
                if source.kind() == io::ErrorKind::PermissionDenied =>
            {
                Ok((keeper, Self::open(keeper)?.links("pid_for_children")?))
            }
            Err(error) => Err(error),
        }
    }

    fn links(&self, pid_namespace: &str) -> Result<BTreeMap<String, u64>, ObserveError> {
        let link = |name: &str| {
            let file = match name {
                "pid" => format!("ns/{pid_namespace}"),
                other => format!("ns/{other}"),
            };
            let target = readlinkat(&self.directory, file.as_str())
                .map_err(|source| self.unreadable(&file, source.into()))?;
            let inode = target
                .to_str()
                .and_then(inode)
                .ok_or_else(|| self.form(&file, "inode"))?;
            Ok((name.to_owned(), inode))
        };
        NAMESPACES.into_iter().map(link).collect()
    }

    fn limits(&self) -> Result<BTreeMap<String, RlimitSeen>, ObserveError> {
        let text = self.read("limits")?;
        let mut lines = text.lines();
        // The header shows where the columns begin.
        let columns = lines
            .next()
            .and_then(|head| Some((head.find("Soft")?, head.find("Hard")?)));
        let (soft, hard) = columns.ok_or_else(|| self.form("limits", "Soft Limit"))?;
        let seen = |line: &str| {
            let name = line.get(..soft)?.trim().to_owned();
            let soft = figure(line.get(soft..hard)?)?;
            let hard = figure(line.get(hard..)?)?;
            Some((name, RlimitSeen { soft, hard }))
        };
        lines
            .map(|line| seen(line).ok_or_else(|| self.form("limits", line)))
            .collect()
    }
}

/// `/proc/PID/status`, key by key.
struct Status<'a> {
    source: &'a Source,
    text: String,
}

impl<'a> Status<'a> {
    fn of(source: &'a Source) -> Result<Self, ObserveError> {
        Ok(Self {
            source,
            text: source.read("status")?,
        })
    }

    fn value(&self, key: &str) -> Result<&str, ObserveError> {
        self.text
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| *name == key)
            .map(|(_, value)| value.trim())
            .ok_or_else(|| self.source.form("status", key))
    }

    fn numbers(&self, key: &str) -> Result<Vec<u32>, ObserveError> {
        self.value(key)?
            .split_whitespace()
            .map(|number| number.parse().map_err(|_| self.source.form("status", key)))
            .collect()
    }

    fn number(&self, key: &str) -> Result<u32, ObserveError> {
        self.numbers(key)?
            .first()
            .copied()
            .ok_or_else(|| self.source.form("status", key))
    }

    fn capabilities(&self) -> Result<BTreeMap<String, u64>, ObserveError> {
        ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]
            .into_iter()
            .map(|key| {
                let bits = u64::from_str_radix(self.value(key)?, 16);
                Ok((
                    key.to_owned(),
                    bits.map_err(|_| self.source.form("status", key))?,
                ))
            })
            .collect()
    }
}

/// The number in `net:[4026531840]`.
fn inode(link: &str) -> Option<u64> {
    link.split_once('[')?.1.strip_suffix(']')?.parse().ok()
}

/// The first word of a column: a figure, or `unlimited`.
#[expect(
    clippy::option_option,
    reason = "the outer one is whether it can be read"
)]
fn figure(column: &str) -> Option<Option<u64>> {
    match column.split_whitespace().next()? {
        "unlimited" => Some(None),
        number => number.parse().ok().map(Some),
    }
}

/// A line of mountinfo (proc(5)): optional fields end at a lone hyphen.
fn mount(line: &str) -> Option<Mount> {
    let (left, right) = line.split_once(" - ")?;
    let mut left = left.split(' ').skip(4);
    let mut right = right.split(' ');
    let list = |text: &str| text.split(',').map(str::to_owned).collect();
    Some(Mount {
        point: left.next()?.to_owned(),
        flags: list(left.next()?),
        kind: right.next()?.to_owned(),
        options: list(right.nth(1)?),
    })
}

fn one_blank(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
