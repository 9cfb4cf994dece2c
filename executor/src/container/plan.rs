//! From a profile to what Docker is asked for. Pure.
//!
//! A plan has no field for a privileged container, a namespace or path of the host, a device, an
//! added capability or Docker's socket: no profile can ask for them, because there is nothing to
//! ask with. The one directory that can be mounted is that of the container's own door.

use std::collections::HashMap;
use std::path::Path;

use bollard::models::{
    ContainerCreateBody, HostConfig, HostConfigCgroupnsModeEnum, HostConfigLogConfig, Mount,
    MountBindOptions, MountBindOptionsPropagationEnum, MountType, ResourcesUlimits, RestartPolicy,
    RestartPolicyNameEnum,
};
use container_init::{EGRESS, INIT_PATH, SCRATCH, WORKSPACE};
use policy::{Backend, Profile};

use super::door::DoorPlan;
use super::seccomp::Seccomp;

/// The user and group that a program is: nobody's on the host, and in no image but ours.
pub const GUEST_ID: u32 = 61_000;

/// The host name inside.
pub(super) const HOSTNAME: &str = "sandbox";

/// Processes and threads. Node and numpy start a dozen threads each; gVisor needs one of the
/// host's for each of the guest's, and some of its own.
const PIDS: u64 = 512;

/// Processors of one container: a call is one program, and others run beside it.
const CPU_MILLI: u64 = 1_000;

/// Open files of one process: the usual limit of an ordinary user.
const OPEN_FILES: u64 = 1_024;

/// Shared memory, part of the container's memory.
const SHARED_BYTES: u64 = 16 << 20;

/// What one stream can be at most: it becomes one body of the ledger.
const MAX_OUTPUT_BYTES: u64 = audit::MAX_BODY_BYTES as u64;

/// What the files can be at most: one of them fits into one frame.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// Code is one argument of the interpreter, and Linux takes 128 KiB in one, its end included.
const MAX_CODE_BYTES: u64 = (128 << 10) - 1;

/// Docker makes no container with less memory.
const MIN_MEMORY_BYTES: u64 = 6 << 20;

/// The layers of which no container does without one.
const ALWAYS: [&str; 7] = [
    "mount_namespace",
    "pid_namespace",
    "net_namespace",
    "ipc_namespace",
    "uts_namespace",
    "no_capabilities",
    "no_new_privs",
];

/// The other layers that this backend knows.
const KNOWN: [&str; 5] = [
    "read_only_root",
    "rlimits",
    "gvisor",
    "seccomp",
    "egress_proxy",
];

/// The programs that Docker has containers run by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OciRuntime {
    /// gVisor: a kernel of its own for the guest.
    Runsc,
    /// The host's kernel, behind namespaces, capabilities and a list of system calls.
    Runc,
}

impl OciRuntime {
    /// The name in Docker's configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Runsc => "runsc",
            Self::Runc => "runc",
        }
    }
}

/// What a container of a profile is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerPlan {
    /// What runs it.
    pub oci_runtime: OciRuntime,
    /// The list of system calls, where the host's kernel answers them.
    pub seccomp: Option<Seccomp>,
    /// All memory: processes, both file systems, shared memory.
    pub memory_bytes: u64,
    /// Size of the workspace and of the other writable place.
    pub file_bytes: u64,
    /// Entries of each of them.
    pub file_count: u64,
    /// Processes and threads.
    pub pids: u64,
    /// Thousandths of a processor.
    pub cpu_milli: u64,
    /// Open files of one process.
    pub open_files: u64,
    /// The way out, if it has one.
    pub door: Option<DoorPlan>,
}

/// Why a profile is no plan for a container.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The profile is for another backend.
    #[error("profile `{0}` is not for containers; set `backend = \"container\"`")]
    Backend(String),
    /// A layer that no container does without.
    #[error("profile `{profile}` does not ask for `{layer}`, which every container has; add it")]
    Without {
        /// The profile.
        profile: String,
        /// The layer.
        layer: &'static str,
    },
    /// A layer that this backend does not have.
    #[error("profile `{profile}` asks for `{layer}`, which this container backend does not have")]
    Unknown {
        /// The profile.
        profile: String,
        /// The layer.
        layer: &'static str,
    },
    /// Neither a kernel of its own nor a list of system calls.
    #[error(
        "profile `{0}` asks for neither `gvisor` nor `seccomp`; the host's kernel is not given to a guest without one of them"
    )]
    BareKernel(String),
    /// A list that is not there.
    #[error(
        "profile `{profile}` asks for the system call list `{list}`; containers have `container`"
    )]
    List {
        /// The profile.
        profile: String,
        /// The list.
        list: String,
    },
    /// More, or less, than the backend can carry.
    #[error("profile `{profile}`: {limit} is {asked}; the container backend carries {carries}")]
    Limit {
        /// The profile.
        profile: String,
        /// The limit.
        limit: &'static str,
        /// What it allows.
        asked: u64,
        /// What can be, in words.
        carries: String,
    },
}

/// How a container of `profile` is made, with `memory_bytes` for this call.
///
/// # Errors
/// When the profile asks for what no container has.
pub fn plan(profile: &Profile, memory_bytes: u64) -> Result<ContainerPlan, PlanError> {
    let name = || profile.name().to_owned();
    match profile.backend() {
        Backend::Container => {}
        Backend::Wasm => return Err(PlanError::Backend(name())),
    }
    check_layers(profile)?;
    check_limits(profile, memory_bytes)?;
    let layers = profile.layers();
    let oci_runtime = match layers.gvisor {
        Some(_) => OciRuntime::Runsc,
        None => OciRuntime::Runc,
    };
    let seccomp = match &layers.seccomp {
        None if oci_runtime == OciRuntime::Runc => return Err(PlanError::BareKernel(name())),
        None => None,
        Some(wanted) => Some(Seccomp::named(&wanted.list).ok_or_else(|| PlanError::List {
            profile: name(),
            list: wanted.list.clone(),
        })?),
    };
    let limits = profile.limits();
    Ok(ContainerPlan {
        oci_runtime,
        seccomp,
        memory_bytes,
        file_bytes: limits.file_bytes,
        // One entry more for the folder itself.
        file_count: limits.file_count.saturating_add(1),
        pids: PIDS,
        cpu_milli: CPU_MILLI,
        open_files: OPEN_FILES,
        door: DoorPlan::of(profile),
    })
}

fn check_layers(profile: &Profile) -> Result<(), PlanError> {
    let required = profile.layers().required();
    let asks = |name: &str| required.iter().any(|layer| layer.name == name);
    let name = || profile.name().to_owned();
    if let Some(layer) = ALWAYS
        .into_iter()
        .chain(["read_only_root"])
        .find(|layer| !asks(layer))
    {
        return Err(PlanError::Without {
            profile: name(),
            layer,
        });
    }
    let known = |layer: &str| ALWAYS.contains(&layer) || KNOWN.contains(&layer);
    match required.iter().find(|layer| !known(layer.name)) {
        None => Ok(()),
        Some(layer) => Err(PlanError::Unknown {
            profile: name(),
            layer: layer.name,
        }),
    }
}

fn check_limits(profile: &Profile, memory_bytes: u64) -> Result<(), PlanError> {
    let limits = profile.limits();
    let most = [
        ("output_bytes", limits.output_bytes, MAX_OUTPUT_BYTES),
        ("file_bytes", limits.file_bytes, MAX_FILE_BYTES),
        ("code_bytes", limits.code_bytes, MAX_CODE_BYTES),
        ("memory_bytes", memory_bytes, i64::MAX.unsigned_abs()),
    ];
    let wrong = |limit, asked, carries| PlanError::Limit {
        profile: profile.name().to_owned(),
        limit,
        asked,
        carries,
    };
    if let Some((limit, asked, most)) = most.into_iter().find(|(_, asked, most)| asked > most) {
        return Err(wrong(limit, asked, format!("at most {most}")));
    }
    match memory_bytes < MIN_MEMORY_BYTES {
        true => Err(wrong(
            "memory_bytes",
            memory_bytes,
            format!("at least {MIN_MEMORY_BYTES}"),
        )),
        false => Ok(()),
    }
}

impl ContainerPlan {
    /// The request to Docker: this image, these labels, the directory of its door, and nothing but
    /// the plan.
    #[must_use]
    pub fn body(
        &self,
        image: &str,
        labels: HashMap<String, String>,
        door: Option<&Path>,
    ) -> ContainerCreateBody {
        ContainerCreateBody {
            image: Some(image.to_owned()),
            entrypoint: Some(vec![INIT_PATH.to_owned()]),
            cmd: Some(Vec::new()),
            env: Some(Vec::new()),
            working_dir: Some("/".to_owned()),
            user: Some(format!("{GUEST_ID}:{GUEST_ID}")),
            hostname: Some(HOSTNAME.to_owned()),
            labels: Some(labels),
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            open_stdin: Some(true),
            stdin_once: Some(true),
            tty: Some(false),
            network_disabled: Some(true),
            host_config: Some(self.host_config(door)),
            ..ContainerCreateBody::default()
        }
    }

    /// Everything that keeps the guest in, as Docker spells it.
    #[must_use]
    pub fn host_config(&self, door: Option<&Path>) -> HostConfig {
        let whole = |number: u64| Some(i64::try_from(number).unwrap_or(i64::MAX));
        HostConfig {
            runtime: Some(self.oci_runtime.name().to_owned()),
            network_mode: Some("none".to_owned()),
            ipc_mode: Some("private".to_owned()),
            cgroupns_mode: Some(HostConfigCgroupnsModeEnum::PRIVATE),
            privileged: Some(false),
            readonly_rootfs: Some(true),
            cap_drop: Some(vec!["ALL".to_owned()]),
            security_opt: Some(self.security_options()),
            tmpfs: Some(HashMap::from([
                (WORKSPACE.to_owned(), self.tmpfs()),
                (SCRATCH.to_owned(), self.tmpfs()),
            ])),
            mounts: door.map(|directory| vec![mount(directory)]),
            shm_size: whole(SHARED_BYTES),
            memory: whole(self.memory_bytes),
            // Equal to the memory: no swap.
            memory_swap: whole(self.memory_bytes),
            pids_limit: whole(self.pids),
            nano_cpus: whole(self.cpu_milli.saturating_mul(1_000_000)),
            oom_kill_disable: Some(false),
            ulimits: Some(vec![ulimit("nofile", self.open_files), ulimit("core", 0)]),
            // What is written is read at once; nothing of it is kept on a disk.
            log_config: Some(HostConfigLogConfig {
                typ: Some("none".to_owned()),
                config: None,
            }),
            restart_policy: Some(RestartPolicy {
                name: Some(RestartPolicyNameEnum::NO),
                maximum_retry_count: None,
            }),
            auto_remove: Some(false),
            ..HostConfig::default()
        }
    }

    fn security_options(&self) -> Vec<String> {
        let list = self
            .seccomp
            .as_ref()
            .map(|list| format!("seccomp={}", list.docker_json()));
        ["no-new-privileges:true".to_owned()]
            .into_iter()
            .chain(list)
            .collect()
    }

    /// Programs are built and run in there, so execution is allowed; nothing of a device or
    /// another user's right is.
    fn tmpfs(&self) -> String {
        format!(
            "rw,exec,nosuid,nodev,size={},nr_inodes={},mode=0700,uid={GUEST_ID},gid={GUEST_ID}",
            self.file_bytes, self.file_count
        )
    }
}

/// Of the door: read-only, itself alone, and nothing that is mounted there later on either side.
fn mount(directory: &Path) -> Mount {
    Mount {
        typ: Some(MountType::BIND),
        source: Some(directory.to_string_lossy().into_owned()),
        target: Some(EGRESS.to_owned()),
        read_only: Some(true),
        bind_options: Some(MountBindOptions {
            propagation: Some(MountBindOptionsPropagationEnum::RPRIVATE),
            ..MountBindOptions::default()
        }),
        ..Mount::default()
    }
}

fn ulimit(name: &str, limit: u64) -> ResourcesUlimits {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    ResourcesUlimits {
        name: Some(name.to_owned()),
        soft: Some(limit),
        hard: Some(limit),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use policy::{Profiles, shipped};

    use super::*;

    fn profile(from: &str, change: impl Fn(&str) -> String) -> Result<ContainerPlan, PlanError> {
        let shipped = shipped::PROFILES
            .iter()
            .find(|one| one.file == from)
            .unwrap();
        let text = change(shipped.text);
        let profiles = Profiles::load([(from, text.as_str())]).unwrap();
        let profile = profiles.iter().next().unwrap();
        plan(profile, profile.limits().memory_bytes)
    }

    /// Without a table of the profile.
    fn without(text: &str, table: &str) -> String {
        let start = text.find(table).unwrap();
        let end = text
            .get(start + 1..)
            .unwrap()
            .find("\n[")
            .map_or(text.len(), |at| start + 1 + at);
        format!("{}{}", text.get(..start).unwrap(), text.get(end..).unwrap())
    }

    #[test]
    fn every_shipped_profile_is_a_plan_and_one_has_a_way_out() {
        for shipped in shipped::PROFILES
            .iter()
            .filter(|one| !one.file.starts_with("wasm"))
        {
            let made = profile(shipped.file, str::to_owned).unwrap();
            let has_door = shipped.file == "container-egress.toml";
            assert_eq!(made.door.is_some(), has_door, "{}", shipped.file);
        }
    }

    #[test]
    fn a_profile_says_which_tls_is_looked_into() {
        let inspect = |from: &str, to: &str| {
            let made = profile("container-egress.toml", |text| text.replace(from, to));
            made.unwrap().door.unwrap().inspect
        };
        assert_eq!(inspect("", ""), policy::Inspect::Nothing);
        let everything = inspect(
            "[layers.egress_proxy]",
            "[layers.egress_proxy]\ninspect = \"everything\"",
        );
        assert_eq!(everything, policy::Inspect::Everything);
    }

    #[test]
    fn the_only_path_of_the_host_is_that_of_the_door() {
        for shipped in shipped::PROFILES
            .iter()
            .filter(|one| !one.file.starts_with("wasm"))
        {
            let made = profile(shipped.file, str::to_owned).unwrap();
            assert_eq!(made.host_config(None).mounts, None);
            let mounts = made.host_config(Some(Path::new("/d"))).mounts.unwrap();
            assert_eq!(mounts.len(), 1);
            assert_eq!(mounts[0].read_only, Some(true));
        }
    }

    #[test]
    fn no_container_does_without_its_layers() {
        for layer in [
            "net_namespace",
            "pid_namespace",
            "no_capabilities",
            "no_new_privs",
            "read_only_root",
        ] {
            let made = profile("container-offline.toml", |text| {
                without(text, &format!("[layers.{layer}]"))
            });
            assert!(
                matches!(made, Err(PlanError::Without { .. })),
                "{layer}: {made:?}"
            );
        }
        let bare = profile("container-offline.toml", |text| {
            without(text, "[layers.gvisor]")
        });
        assert!(matches!(bare, Err(PlanError::BareKernel(_))), "{bare:?}");
    }

    #[test]
    fn the_profile_decides_what_runs_it() {
        let gvisor = profile("container-offline.toml", str::to_owned).unwrap();
        assert_eq!(
            (gvisor.oci_runtime, gvisor.seccomp.is_some()),
            (OciRuntime::Runsc, false)
        );
        let runc = profile("docker-trusted.toml", str::to_owned).unwrap();
        assert_eq!(
            (runc.oci_runtime, runc.seccomp.is_some()),
            (OciRuntime::Runc, true)
        );
    }

    #[test]
    fn limits_that_cannot_be_carried_are_refused() {
        for (from, to) in [
            ("max = 65_536", "max = 1_048_576"),
            ("max = 67_108_864", "max = 1_073_741_824"),
            ("max = 536_870_912", "max = 1024"),
        ] {
            let made = profile("container-offline.toml", |text| text.replace(from, to));
            assert!(
                matches!(made, Err(PlanError::Limit { .. })),
                "{to}: {made:?}"
            );
        }
    }
}
