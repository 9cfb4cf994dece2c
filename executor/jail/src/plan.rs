//! What to confine a process with: the layers, and the numbers of each.
//!
//! A plan is made by the daemon from a sandbox profile and travels to the worker in
//! its first frame. It asks; it never says what is in force (that is
//! [`Report`](crate::Report) and [`Observed`](crate::Observed)).
//!
//! An unknown layer, an unknown key and a number that would mean "no limit" are
//! errors: nothing here has a default.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The directory that a jailed process works in.
pub const WORKSPACE: &str = "/workspace";
/// The directory for its temporary files.
pub const SCRATCH: &str = "/tmp";

/// One thing that confines a process, under the name that profiles and receipts use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// Own user namespace: no identity and no capability that counts outside.
    UserNamespace,
    /// Own mount namespace.
    MountNamespace,
    /// Own process namespace: no other process can be named.
    PidNamespace,
    /// Own network namespace with no interface that is up.
    NetNamespace,
    /// Own System V IPC and POSIX message queues.
    IpcNamespace,
    /// Own host name.
    UtsNamespace,
    /// Own view of control groups.
    CgroupNamespace,
    /// An empty read-only root with two directories of bounded size.
    EmptyRoot,
    /// No gain of privileges by executing a file.
    NoNewPrivs,
    /// No capability in any of the five sets.
    NoCapabilities,
    /// Resource limits.
    Rlimits,
    /// File, network, signal and abstract-socket rules of the Landlock module.
    Landlock,
    /// An allow-list of system calls.
    Seccomp,
}

impl Layer {
    /// Every layer, in the order in which they come into force.
    pub const ALL: [Self; 13] = [
        Self::UserNamespace,
        Self::MountNamespace,
        Self::PidNamespace,
        Self::NetNamespace,
        Self::IpcNamespace,
        Self::UtsNamespace,
        Self::CgroupNamespace,
        Self::EmptyRoot,
        Self::Rlimits,
        Self::NoNewPrivs,
        Self::NoCapabilities,
        Self::Landlock,
        Self::Seccomp,
    ];

    /// Layers that every other one rests on; a plan without one of them is refused.
    pub const ALWAYS: [Self; 6] = [
        Self::UserNamespace,
        Self::MountNamespace,
        Self::EmptyRoot,
        Self::Rlimits,
        Self::NoNewPrivs,
        Self::NoCapabilities,
    ];

    /// The name in profiles and receipts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::UserNamespace => "user_namespace",
            Self::MountNamespace => "mount_namespace",
            Self::PidNamespace => "pid_namespace",
            Self::NetNamespace => "net_namespace",
            Self::IpcNamespace => "ipc_namespace",
            Self::UtsNamespace => "uts_namespace",
            Self::CgroupNamespace => "cgroup_namespace",
            Self::EmptyRoot => "empty_root",
            Self::NoNewPrivs => "no_new_privs",
            Self::NoCapabilities => "no_capabilities",
            Self::Rlimits => "rlimits",
            Self::Landlock => "landlock",
            Self::Seccomp => "seccomp",
        }
    }

    /// What to do on a host that lacks this layer, as half a sentence.
    #[must_use]
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::UserNamespace => {
                "allow unprivileged user namespaces: sysctl user.max_user_namespaces above 0, \
                 kernel.unprivileged_userns_clone=1 and \
                 kernel.apparmor_restrict_unprivileged_userns=0 where they exist; in a container \
                 allow the system call unshare"
            }
            Self::MountNamespace | Self::EmptyRoot => {
                "allow mounts inside a user namespace: on Ubuntu \
                 kernel.apparmor_restrict_unprivileged_userns=0; in a container a seccomp and \
                 AppArmor profile that permits mount and pivot_root, and a root that is not the \
                 initial ramfs"
            }
            Self::PidNamespace
            | Self::NetNamespace
            | Self::IpcNamespace
            | Self::UtsNamespace
            | Self::CgroupNamespace => {
                "run a kernel built with this namespace, raise its user.max_*_namespaces above 0, \
                 and in a container allow the system call unshare"
            }
            Self::NoNewPrivs | Self::NoCapabilities | Self::Rlimits => {
                "run Linux 5.19 or newer, and in a container allow prctl, capset and setrlimit"
            }
            Self::Landlock => {
                "run Linux 5.19 or newer built with CONFIG_SECURITY_LANDLOCK and with landlock in \
                 the boot parameter lsm=; in a container allow the landlock system calls"
            }
            Self::Seccomp => {
                "run a kernel built with CONFIG_SECCOMP_FILTER, and in a container allow the \
                 system call seccomp"
            }
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Layer {
    type Err = PlanError;

    fn from_str(name: &str) -> Result<Self, PlanError> {
        Self::ALL
            .into_iter()
            .find(|layer| layer.name() == name)
            .ok_or_else(|| PlanError::UnknownLayer(name.to_owned()))
    }
}

/// What the process is for: it chooses the list of system calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Runs guest code in modules that are already compiled.
    Worker,
    /// Compiles a module: no files, but threads.
    Compile,
}

impl Role {
    /// Both roles.
    pub const ALL: [Self; 2] = [Self::Worker, Self::Compile];

    /// The name of its list under `profiles/seccomp/`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Worker => "worker",
            Self::Compile => "compile",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = PlanError;

    fn from_str(name: &str) -> Result<Self, PlanError> {
        Self::ALL
            .into_iter()
            .find(|role| role.name() == name)
            .ok_or_else(|| PlanError::UnknownRole(name.to_owned()))
    }
}

/// A directory in memory and how much it may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tmpfs {
    /// Bytes of file content; the kernel rounds up to whole pages.
    pub bytes: u64,
    /// Files, directories and links, the directory itself among them.
    pub inodes: u64,
}

/// What to confine a process with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Chooses the list of system calls.
    pub role: Role,
    /// The layers to apply. One that cannot be had is an error.
    pub layers: BTreeSet<Layer>,
    /// The oldest Landlock ABI that will do. Whatever the kernel has above it is used too.
    pub landlock_min_abi: u32,
    /// The host's user to become when started as root; ignored otherwise.
    pub uid: u32,
    /// The host's group to become when started as root; ignored otherwise.
    pub gid: u32,
    /// Private writable memory of the whole process (`RLIMIT_DATA`), engine included.
    /// It bounds growth after `restrict`; what is mapped by then stays.
    pub memory_bytes: u64,
    /// Descriptors (`RLIMIT_NOFILE`).
    pub open_files: u64,
    /// Helper threads beside the first one (`RLIMIT_NPROC`).
    pub threads: u64,
    /// `/workspace`.
    pub workspace: Tmpfs,
    /// `/tmp`.
    pub scratch: Tmpfs,
}

impl Plan {
    /// The user and group `nobody`: owns nothing on a host.
    pub const NOBODY: u32 = 65_534;

    /// A plan of every layer with room for a small program: what the tests, the probe
    /// and `doctor` start from. A call's numbers come from its profile.
    #[must_use]
    pub fn strict(role: Role) -> Self {
        Self {
            role,
            layers: Layer::ALL.into_iter().collect(),
            landlock_min_abi: 2,
            uid: Self::NOBODY,
            gid: Self::NOBODY,
            memory_bytes: 1 << 30,
            open_files: 64,
            threads: 8,
            workspace: Tmpfs {
                bytes: 16 << 20,
                inodes: 257,
            },
            scratch: Tmpfs {
                bytes: 16 << 20,
                inodes: 257,
            },
        }
    }

    /// Whether the plan asks for `layer`.
    #[must_use]
    pub fn has(&self, layer: Layer) -> bool {
        self.layers.contains(&layer)
    }

    /// Refuses a plan that could not confine anything.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), PlanError> {
        for layer in Layer::ALWAYS {
            if !self.has(layer) {
                return Err(PlanError::Without(layer));
            }
        }
        for (what, number) in self.numbers() {
            if number == 0 || number > MAX_NUMBER {
                return Err(PlanError::Number { what, number });
            }
        }
        if self.uid == 0 || self.gid == 0 {
            return Err(PlanError::Root);
        }
        Ok(())
    }

    /// The largest file that can be written, in bytes (`RLIMIT_FSIZE`).
    pub(crate) fn file_bytes(&self) -> u64 {
        self.workspace.bytes.max(self.scratch.bytes)
    }

    fn numbers(&self) -> [(&'static str, u64); 7] {
        [
            ("memory_bytes", self.memory_bytes),
            ("open_files", self.open_files),
            ("threads", self.threads),
            ("workspace.bytes", self.workspace.bytes),
            ("workspace.inodes", self.workspace.inodes),
            ("scratch.bytes", self.scratch.bytes),
            ("scratch.inodes", self.scratch.inodes),
        ]
    }
}

/// No number of a plan is above this: what fits a signed 64-bit `off_t`. And none is
/// zero, because tmpfs reads `size=0` as "no limit".
const MAX_NUMBER: u64 = i64::MAX as u64;

/// Why a plan is refused before anything is done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// No layer has this name.
    #[error("no layer is called `{0}`; `jail-probe host` lists the layers")]
    UnknownLayer(String),
    /// No role has this name.
    #[error("no role is called `{0}`; use `worker` or `compile`")]
    UnknownRole(String),
    /// The layer cannot be left out.
    #[error("layer `{0}` cannot be left out: the others rest on it; add it to the plan")]
    Without(Layer),
    /// A number that would mean no limit.
    #[error("`{what}` is {number}; give a number from 1 to 2^63-1")]
    Number {
        /// The field.
        what: &'static str,
        /// What it held.
        number: u64,
    },
    /// The plan keeps root.
    #[error("the plan runs the worker as root; give a uid and a gid other than 0")]
    Root,
}
