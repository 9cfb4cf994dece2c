//! Whether a container is what its profile asks for: what Docker says it set, what the first
//! process sees from inside, what the kernel says from outside. Pure: facts in, the first
//! weakness out.
//!
//! Nothing that is missing counts as there. Only the kernel's word from outside may be absent,
//! where the daemon cannot see the host's processes; the receipt says which facts it rests on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use bollard::models::{ContainerInspectResponse, HostConfig, HostConfigCgroupnsModeEnum};
use container_init::{EGRESS, Report, SCRATCH, WIRE_VERSION, WORKSPACE};
use serde::Serialize;

use super::cgroup::CgroupLimits;
use super::plan::{ContainerPlan, GUEST_ID, HOSTNAME, OciRuntime};
use crate::runtime::hex::sha256;

/// The devices that every container has, and no other.
const DEVICES: [&str; 8] = [
    "console", "full", "fuse", "null", "ptmx", "random", "tty", "urandom",
];

/// What Docker says it set, read back after the container was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ContainerSettings {
    /// The image, by the digest of its configuration.
    pub image: String,
    /// The program that runs the container, by its name in Docker's configuration.
    pub oci_runtime: String,
    /// User and group.
    pub user: String,
    /// Whether the root directory cannot be written.
    pub read_only_root: bool,
    /// Capabilities that are taken away.
    pub capabilities_dropped: Vec<String>,
    /// Capabilities that are given.
    pub capabilities_added: Vec<String>,
    /// Security options, but for the list of system calls.
    pub security_options: Vec<String>,
    /// Digest of the list of system calls that Docker was given.
    pub seccomp_sha256: Option<String>,
    /// Network, process, IPC, host name, user and control group namespaces, by Docker's names.
    pub namespaces: BTreeMap<&'static str, String>,
    /// Memory in bytes.
    pub memory_bytes: Option<i64>,
    /// Memory and swap together, in bytes.
    pub memory_and_swap_bytes: Option<i64>,
    /// Processes and threads.
    pub pids: Option<i64>,
    /// Thousandths of a processor.
    pub cpu_milli: Option<i64>,
    /// Limits of each process: soft and hard.
    pub rlimits: BTreeMap<String, (i64, i64)>,
    /// File systems in memory: where, and their options.
    pub tmpfs: BTreeMap<String, String>,
    /// What is mounted from the host or from a volume: nothing, or the directory of the door.
    pub mounts: BTreeSet<String>,
    /// Devices of the host: none.
    pub devices: Vec<String>,
    /// What would make all of the above worthless, by name: nothing.
    pub dangerous: Vec<&'static str>,
}

impl ContainerSettings {
    /// Read the settings off Docker's answer.
    #[must_use]
    pub fn of(seen: &ContainerInspectResponse) -> Self {
        let empty = HostConfig::default();
        let host = seen.host_config.as_ref().unwrap_or(&empty);
        let options = host.security_opt.clone().unwrap_or_default();
        let (lists, options): (Vec<String>, Vec<String>) = options
            .into_iter()
            .partition(|option| option.starts_with("seccomp"));
        let list = lists.first().and_then(|list| list.strip_prefix("seccomp="));
        let config = seen.config.as_ref();
        Self {
            image: seen.image.clone().unwrap_or_default(),
            oci_runtime: host.runtime.clone().unwrap_or_default(),
            user: config
                .and_then(|config| config.user.clone())
                .unwrap_or_default(),
            read_only_root: host.readonly_rootfs == Some(true),
            capabilities_dropped: host.cap_drop.clone().unwrap_or_default(),
            capabilities_added: host.cap_add.clone().unwrap_or_default(),
            security_options: options,
            seccomp_sha256: list.map(|list| sha256(list.as_bytes())),
            namespaces: namespaces(host),
            memory_bytes: host.memory,
            memory_and_swap_bytes: host.memory_swap,
            pids: host.pids_limit,
            cpu_milli: host.nano_cpus.map(|nano| nano / 1_000_000),
            rlimits: rlimits(host),
            tmpfs: host.tmpfs.clone().unwrap_or_default().into_iter().collect(),
            mounts: mounts(seen, host),
            devices: devices(host),
            dangerous: dangerous(host),
        }
    }

    /// The first thing that is weaker than the plan. `door` is the directory that may be mounted.
    ///
    /// # Errors
    /// What it is, in one line.
    pub fn verify(
        &self,
        plan: &ContainerPlan,
        image: &str,
        door: Option<&Path>,
    ) -> Result<(), String> {
        let wanted = Self::of(&wanted(plan, image, door));
        let pairs = [
            ("image", self.image == wanted.image),
            ("oci_runtime", self.oci_runtime == wanted.oci_runtime),
            ("user", self.user == wanted.user),
            ("read_only_root", self.read_only_root),
            (
                "no_capabilities",
                self.capabilities_dropped == wanted.capabilities_dropped,
            ),
            (
                "no_new_privs",
                self.security_options == wanted.security_options,
            ),
            ("seccomp", self.seccomp_sha256 == wanted.seccomp_sha256),
            ("namespaces", self.namespaces == wanted.namespaces),
            ("memory", self.memory_bytes == wanted.memory_bytes),
            (
                "swap",
                self.memory_and_swap_bytes == wanted.memory_and_swap_bytes,
            ),
            ("pids", self.pids == wanted.pids),
            ("cpu", self.cpu_milli == wanted.cpu_milli),
            ("rlimits", self.rlimits == wanted.rlimits),
            ("tmpfs", self.tmpfs == wanted.tmpfs),
            ("mounts", self.mounts == wanted.mounts),
        ];
        if let Some((what, _)) = pairs.into_iter().find(|(_, holds)| !holds) {
            return Err(format!("docker did not set `{what}` as asked"));
        }
        let nothing = [
            ("capabilities added", self.capabilities_added.len()),
            ("devices", self.devices.len()),
            ("dangerous settings", self.dangerous.len()),
        ];
        match nothing.into_iter().find(|(_, count)| *count > 0) {
            None => Ok(()),
            Some((what, count)) => Err(format!("docker reports {count} {what}; there may be none")),
        }
    }
}

/// What Docker would say of a container that is exactly the plan.
fn wanted(plan: &ContainerPlan, image: &str, door: Option<&Path>) -> ContainerInspectResponse {
    ContainerInspectResponse {
        image: Some(image.to_owned()),
        host_config: Some(plan.host_config(door)),
        config: Some(bollard::models::ContainerConfig {
            user: Some(format!("{GUEST_ID}:{GUEST_ID}")),
            ..bollard::models::ContainerConfig::default()
        }),
        ..ContainerInspectResponse::default()
    }
}

fn namespaces(host: &HostConfig) -> BTreeMap<&'static str, String> {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let cgroup = match host.cgroupns_mode {
        Some(HostConfigCgroupnsModeEnum::PRIVATE) => "private",
        Some(HostConfigCgroupnsModeEnum::HOST) => "host",
        Some(HostConfigCgroupnsModeEnum::EMPTY) | None => "",
    };
    BTreeMap::from([
        ("network", text(&host.network_mode)),
        ("pid", text(&host.pid_mode)),
        ("ipc", text(&host.ipc_mode)),
        ("uts", text(&host.uts_mode)),
        ("user", text(&host.userns_mode)),
        ("cgroup", cgroup.to_owned()),
    ])
}

fn rlimits(host: &HostConfig) -> BTreeMap<String, (i64, i64)> {
    let limits = host.ulimits.iter().flatten();
    let limit =
        |one: &bollard::models::ResourcesUlimits| Some((one.name.clone()?, (one.soft?, one.hard?)));
    limits.filter_map(limit).collect()
}

/// What was asked for and what came of it, in one form: a mount that is both stands there once.
fn mounts(seen: &ContainerInspectResponse, host: &HostConfig) -> BTreeSet<String> {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let points = seen.mounts.iter().flatten().map(|mount| {
        let writable = mount.rw != Some(false);
        let (from, to) = (text(&mount.source), text(&mount.destination));
        mount_line(&text(&mount.typ), &from, &to, writable)
    });
    let binds = host.binds.iter().flatten().cloned();
    let from = host.volumes_from.iter().flatten().cloned();
    let mounts = host.mounts.iter().flatten().map(|mount| {
        let writable = mount.read_only != Some(true);
        let kind = mount.typ.map(|kind| kind.to_string()).unwrap_or_default();
        mount_line(&kind, &text(&mount.source), &text(&mount.target), writable)
    });
    points.chain(binds).chain(from).chain(mounts).collect()
}

fn mount_line(kind: &str, from: &str, to: &str, writable: bool) -> String {
    let how = match writable {
        true => "writable",
        false => "read-only",
    };
    format!("{kind} of {from} at {to}, {how}")
}

fn devices(host: &HostConfig) -> Vec<String> {
    let devices = host
        .devices
        .iter()
        .flatten()
        .map(|device| format!("{device:?}"));
    let rules = host.device_cgroup_rules.iter().flatten().cloned();
    let requests = host
        .device_requests
        .iter()
        .flatten()
        .map(|request| format!("{request:?}"));
    devices.chain(rules).chain(requests).collect()
}

/// Settings that this backend never makes, and that no container may have.
fn dangerous(host: &HostConfig) -> Vec<&'static str> {
    let some = |list: &Option<Vec<String>>| list.as_ref().is_some_and(|list| !list.is_empty());
    let found = [
        ("privileged", host.privileged != Some(false)),
        ("oom_kill_disable", host.oom_kill_disable == Some(true)),
        ("publish_all_ports", host.publish_all_ports == Some(true)),
        ("group_add", some(&host.group_add)),
        ("links", some(&host.links)),
        (
            "sysctls",
            host.sysctls.as_ref().is_some_and(|all| !all.is_empty()),
        ),
        (
            "port_bindings",
            host.port_bindings
                .as_ref()
                .is_some_and(|all| !all.is_empty()),
        ),
        // Docker fills in what it masks; an empty list unmasks everything.
        (
            "masked_paths",
            host.masked_paths.as_ref().is_some_and(Vec::is_empty),
        ),
        (
            "readonly_paths",
            host.readonly_paths.as_ref().is_some_and(Vec::is_empty),
        ),
        ("auto_remove", host.auto_remove == Some(true)),
    ];
    found
        .into_iter()
        .filter(|(_, is)| *is)
        .map(|(name, _)| name)
        .collect()
}

/// Hold what the first process sees against the plan.
///
/// # Errors
/// The first thing that is weaker, in one line.
pub(crate) fn verify_report(
    report: &Report,
    plan: &ContainerPlan,
    host: &HostKernel,
) -> Result<(), String> {
    let capabilities = report.capabilities.iter().map(|(_, bits)| *bits);
    // gVisor's `/proc` does not tell of both; there its own kernel is what holds.
    let linux = plan.oci_runtime == OciRuntime::Runc;
    let told = |fact: Option<bool>| fact.unwrap_or(!linux);
    let devices: BTreeSet<&str> = report.devices.iter().map(String::as_str).collect();
    let strange = devices.iter().find(|device| !is_usual_device(device));
    let checks = [
        ("version", report.version == WIRE_VERSION),
        ("pid_namespace", report.pid == 1),
        ("user", report.user == (GUEST_ID, GUEST_ID)),
        (
            "groups",
            report.groups.iter().all(|group| *group == GUEST_ID),
        ),
        (
            "no_capabilities",
            report.capabilities.len() >= 3 && capabilities.sum::<u64>() == 0,
        ),
        ("no_new_privs", told(report.no_new_privs)),
        ("seccomp", !linux || report.seccomp_mode == Some(2)),
        (
            "net_namespace",
            report.interfaces.iter().all(|name| is_own_interface(name)),
        ),
        ("uts_namespace", report.hostname == HOSTNAME),
        ("read_only_root", !report.root_is_writable),
        ("gvisor", linux || report.kernel_version != host.version),
        ("runc", !linux || report.kernel_version == host.version),
        ("workspace", is_private(report, WORKSPACE)),
        ("scratch", is_private(report, SCRATCH)),
        ("egress_proxy", has_its_door(report, plan)),
        ("rlimits", is_limited(report, plan)),
        ("devices", strange.is_none()),
    ];
    match checks.into_iter().find(|(_, holds)| !holds) {
        None => Ok(()),
        Some((what, _)) => Err(format!("`{what}` is not in force, as seen from inside")),
    }
}

/// The namespaces that a container on the host's kernel shares with nobody.
const NAMESPACES: [&str; 6] = ["mnt", "pid", "net", "ipc", "uts", "cgroup"];

/// Hold what the kernel says from outside of the first process against the plan. Of gVisor only
/// the sandbox is seen from there, which is its own affair.
///
/// # Errors
/// The first thing that is weaker, in one line.
pub(crate) fn verify_observed(
    observed: &jail::Observed,
    daemon: &jail::Observed,
    plan: &ContainerPlan,
) -> Result<(), String> {
    if plan.oci_runtime == OciRuntime::Runsc {
        return Ok(());
    }
    let own = |kind: &&str| {
        let theirs = observed.namespaces.get(*kind);
        theirs.is_some() && theirs != daemon.namespaces.get(*kind)
    };
    let checks = [
        ("no_new_privs", observed.no_new_privs),
        ("seccomp", observed.seccomp_mode == 2),
        (
            "no_capabilities",
            observed.capabilities.values().all(|bits| *bits == 0),
        ),
        ("user", observed.uids.iter().all(|user| *user == GUEST_ID)),
        ("namespaces", NAMESPACES.iter().all(own)),
    ];
    match checks.into_iter().find(|(_, holds)| !holds) {
        None => Ok(()),
        Some((what, _)) => Err(format!("`{what}` is not in force, as seen from outside")),
    }
}

/// The host's own kernel, to tell gVisor's from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostKernel {
    version: String,
}

impl HostKernel {
    pub(crate) fn running() -> Self {
        // Without a name the host's kernel is like none: then nothing passes for runc.
        let version = nix::sys::utsname::uname()
            .map(|name| name.version().to_string_lossy().into_owned())
            .unwrap_or_default();
        Self { version }
    }
}

fn is_usual_device(name: &str) -> bool {
    DEVICES.contains(&name) || name == "zero"
}

/// The loopback, and the ends of tunnels that the kernel puts into every namespace, all down.
fn is_own_interface(name: &str) -> bool {
    [
        "lo", "tunl", "gre", "gretap", "erspan", "ip_vti", "ip6_vti", "sit", "ip6tnl", "ip6gre",
    ]
    .iter()
    .any(|own| {
        name.strip_prefix(own)
            .is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit()))
    })
}

/// A file system in memory of its own.
fn is_private(report: &Report, point: &str) -> bool {
    let mount = report
        .mounts
        .iter()
        .rev()
        .find(|mount| mount.point == point);
    mount.is_some_and(|mount| mount.kind == "tmpfs")
}

/// The door is mounted, read-only, where the plan has one, and nothing is there where it has none.
fn has_its_door(report: &Report, plan: &ContainerPlan) -> bool {
    let below = |point: &str| {
        let rest = point.strip_prefix(EGRESS);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let mut there = report.mounts.iter().filter(|mount| below(&mount.point));
    match (&plan.door, there.next(), there.next()) {
        (None, None, _) => true,
        (Some(_), Some(one), None) => {
            one.point == EGRESS && one.options.iter().any(|option| option == "ro")
        }
        (Some(_) | None, _, _) => false,
    }
}

fn is_limited(report: &Report, plan: &ContainerPlan) -> bool {
    let hard = |name: &str| {
        report
            .rlimits
            .iter()
            .find(|(known, _, _)| known == name)
            .map(|(_, _, hard)| *hard)
    };
    // gVisor 2022 has no such file: an empty table says nothing.
    let unknown = report.rlimits.is_empty() && plan.oci_runtime == OciRuntime::Runsc;
    unknown
        || (hard("Max open files") == Some(Some(plan.open_files))
            && hard("Max core file size") == Some(Some(0)))
}

/// Hold the kernel's limits, as seen from outside, against the plan.
///
/// # Errors
/// The first limit that is not there, in one line.
pub(crate) fn verify_limits(limits: &CgroupLimits, plan: &ContainerPlan) -> Result<(), String> {
    let swapped = limits.memory_and_swap_bytes;
    let checks = [
        ("memory", is_at_most(limits.memory_bytes, plan.memory_bytes)),
        (
            "swap",
            swapped.is_none_or(|bytes| bytes <= plan.memory_bytes),
        ),
        ("pids", is_at_most(limits.pids, plan.pids)),
        ("cpu", is_at_most(limits.cpu_milli, plan.cpu_milli)),
    ];
    match checks.into_iter().find(|(_, holds)| !holds) {
        None => Ok(()),
        Some((what, _)) => Err(format!(
            "the kernel has no limit of `{what}` as asked: {limits:?}"
        )),
    }
}

fn is_at_most(limit: Option<u64>, most: u64) -> bool {
    limit.is_some_and(|limit| limit <= most)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use bollard::models::{DeviceMapping, MountPoint};
    use container_init::SeenMount;
    use policy::{Profiles, shipped};

    use super::*;
    use crate::container::plan::plan;

    const IMAGE: &str = "sha256:0";

    fn plan_of(profile: &str) -> ContainerPlan {
        let files = shipped::PROFILES.iter().map(|one| (one.file, one.text));
        let profiles = Profiles::load(files).unwrap();
        let profile = profiles.get(profile).unwrap();
        plan(profile, profile.limits().memory_bytes).unwrap()
    }

    fn host(seen: &mut ContainerInspectResponse) -> &mut HostConfig {
        seen.host_config.as_mut().unwrap()
    }

    /// Changes that make a container weaker, each of which must be noticed.
    type Change = (&'static str, fn(&mut ContainerInspectResponse));

    const WEAKER: [Change; 23] = [
        ("image", |seen| seen.image = Some("sha256:1".into())),
        ("runtime", |seen| host(seen).runtime = Some("other".into())),
        ("user", |seen| {
            seen.config.as_mut().unwrap().user = Some("0:0".into())
        }),
        ("root", |seen| host(seen).readonly_rootfs = Some(false)),
        ("drop", |seen| host(seen).cap_drop = None),
        ("add", |seen| {
            host(seen).cap_add = Some(vec!["SYS_ADMIN".into()])
        }),
        ("options", |seen| host(seen).security_opt = None),
        ("unconfined", |seen| {
            host(seen).security_opt = Some(vec![
                "no-new-privileges:true".into(),
                "seccomp=unconfined".into(),
            ])
        }),
        ("network", |seen| {
            host(seen).network_mode = Some("host".into())
        }),
        ("pid", |seen| host(seen).pid_mode = Some("host".into())),
        ("ipc", |seen| host(seen).ipc_mode = Some("host".into())),
        ("uts", |seen| host(seen).uts_mode = Some("host".into())),
        ("userns", |seen| {
            host(seen).userns_mode = Some("host".into())
        }),
        ("cgroup", |seen| {
            host(seen).cgroupns_mode = Some(HostConfigCgroupnsModeEnum::HOST)
        }),
        ("memory", |seen| host(seen).memory = Some(0)),
        ("swap", |seen| host(seen).memory_swap = Some(-1)),
        ("pids", |seen| host(seen).pids_limit = None),
        ("privileged", |seen| host(seen).privileged = Some(true)),
        ("bind", |seen| {
            host(seen).binds = Some(vec!["/var/run/docker.sock:/s".into()])
        }),
        ("mount", |seen| {
            seen.mounts
                .get_or_insert_default()
                .push(MountPoint::default())
        }),
        ("writable", |seen| {
            host(seen).mounts = Some(vec![bollard::models::Mount {
                target: Some(EGRESS.into()),
                ..bollard::models::Mount::default()
            }])
        }),
        ("device", |seen| {
            host(seen).devices = Some(vec![DeviceMapping::default()])
        }),
        ("masks", |seen| host(seen).masked_paths = Some(Vec::new())),
    ];

    #[test]
    fn what_is_exactly_the_plan_holds_and_everything_weaker_does_not() {
        let door = Path::new("/state/egress/1");
        for (profile, door) in [
            ("container-offline", None),
            ("docker-trusted", None),
            ("container-egress", Some(door)),
        ] {
            let plan = plan_of(profile);
            let verify = |seen: &ContainerInspectResponse| {
                ContainerSettings::of(seen).verify(&plan, IMAGE, door)
            };
            assert_eq!(verify(&wanted(&plan, IMAGE, door)), Ok(()));
            for (what, change) in WEAKER {
                let mut seen = wanted(&plan, IMAGE, door);
                change(&mut seen);
                assert!(verify(&seen).is_err(), "{profile}: {what}");
            }
        }
    }

    #[test]
    fn the_door_of_another_container_is_not_its_own() {
        let plan = plan_of("container-egress");
        let (own, other) = (Path::new("/state/egress/1"), Path::new("/state/egress/2"));
        let verify = |seen: &ContainerInspectResponse, door| {
            ContainerSettings::of(seen).verify(&plan, IMAGE, door)
        };
        assert_eq!(verify(&wanted(&plan, IMAGE, Some(own)), Some(own)), Ok(()));
        for door in [Some(other), None] {
            assert!(verify(&wanted(&plan, IMAGE, Some(own)), door).is_err());
        }
        // What came of it counts beside what was asked for.
        let mut seen = wanted(&plan, IMAGE, Some(own));
        seen.mounts = Some(vec![MountPoint {
            typ: Some("bind".into()),
            source: Some("/state/egress/1".into()),
            destination: Some(EGRESS.into()),
            rw: Some(true),
            ..MountPoint::default()
        }]);
        assert!(verify(&seen, Some(own)).is_err());
    }

    #[test]
    fn a_plan_of_one_profile_is_not_that_of_another() {
        let (gvisor, runc) = (plan_of("container-offline"), plan_of("docker-trusted"));
        let seen = ContainerSettings::of(&wanted(&runc, IMAGE, None));
        assert!(seen.verify(&gvisor, IMAGE, None).is_err());
    }

    fn report(plan: &ContainerPlan) -> Report {
        let mount = |point: &str| SeenMount {
            point: point.to_owned(),
            kind: "tmpfs".to_owned(),
            source: "tmpfs".to_owned(),
            options: Vec::new(),
        };
        let sets = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"];
        Report {
            version: WIRE_VERSION,
            kernel_release: "4.4.0".into(),
            kernel_version: "its own".into(),
            hostname: HOSTNAME.into(),
            user: (GUEST_ID, GUEST_ID),
            groups: vec![GUEST_ID],
            pid: 1,
            capabilities: sets.iter().map(|set| ((*set).to_owned(), 0)).collect(),
            no_new_privs: Some(true),
            seccomp_mode: Some(2),
            interfaces: vec!["lo".into(), "tunl0".into()],
            mounts: vec![mount(WORKSPACE), mount(SCRATCH)],
            rlimits: vec![
                (
                    "Max open files".into(),
                    Some(plan.open_files),
                    Some(plan.open_files),
                ),
                ("Max core file size".into(), Some(0), Some(0)),
            ],
            root_is_writable: false,
            devices: vec!["null".into(), "zero".into()],
        }
    }

    #[test]
    fn what_is_seen_from_inside_counts_as_well() {
        let plan = plan_of("container-offline");
        let host = HostKernel {
            version: "the host's".into(),
        };
        let check = |change: fn(&mut Report)| {
            let mut report = report(&plan);
            change(&mut report);
            verify_report(&report, &plan, &host)
        };
        assert_eq!(check(|_| {}), Ok(()));
        let weaker: [fn(&mut Report); 10] = [
            |report| report.kernel_version = "the host's".into(),
            |report| report.pid = 7,
            |report| report.user = (0, 0),
            |report| report.groups.push(0),
            |report| report.capabilities = vec![("CapEff".into(), 1); 3],
            |report| report.capabilities.clear(),
            |report| report.interfaces.push("eth0".into()),
            |report| report.root_is_writable = true,
            |report| report.mounts.clear(),
            |report| report.devices.push("kvm".into()),
        ];
        for (number, change) in weaker.into_iter().enumerate() {
            assert!(check(change).is_err(), "{number}");
        }
    }

    #[test]
    fn a_door_is_where_the_plan_has_one_and_nowhere_else() {
        let host = HostKernel {
            version: "the host's".into(),
        };
        let check = |profile: &str, doors: &[(&str, &str)]| {
            let plan = plan_of(profile);
            let mut report = report(&plan);
            let mounts = doors.iter().map(|(point, option)| SeenMount {
                point: (*point).to_owned(),
                kind: "9p".to_owned(),
                source: "none".to_owned(),
                options: vec![(*option).to_owned()],
            });
            report.mounts.extend(mounts);
            verify_report(&report, &plan, &host).is_ok()
        };
        assert!(check("container-offline", &[]));
        assert!(check("container-egress", &[(EGRESS, "ro")]));
        assert!(!check("container-offline", &[(EGRESS, "ro")]));
        assert!(!check("container-egress", &[]));
        assert!(!check("container-egress", &[(EGRESS, "rw")]));
        let two = [(EGRESS, "ro"), ("/run/lazaret/more", "ro")];
        assert!(!check("container-egress", &two));
    }

    #[test]
    fn on_the_hosts_kernel_silence_is_no_confinement() {
        let plan = plan_of("docker-trusted");
        let host = HostKernel {
            version: "its own".into(),
        };
        let check = |change: fn(&mut Report)| {
            let mut report = report(&plan);
            change(&mut report);
            verify_report(&report, &plan, &host)
        };
        assert_eq!(check(|_| {}), Ok(()));
        assert!(check(|report| report.no_new_privs = None).is_err());
        assert!(check(|report| report.seccomp_mode = None).is_err());
        assert!(check(|report| report.seccomp_mode = Some(0)).is_err());
        assert!(check(|report| report.rlimits.clear()).is_err());
    }

    #[test]
    fn a_limit_that_the_kernel_does_not_have_is_missed() {
        let plan = plan_of("container-offline");
        let limits = CgroupLimits {
            version: 1,
            memory_bytes: Some(plan.memory_bytes),
            memory_and_swap_bytes: None,
            pids: Some(plan.pids),
            cpu_milli: Some(plan.cpu_milli),
        };
        assert_eq!(verify_limits(&limits, &plan), Ok(()));
        let none = |change: fn(&mut CgroupLimits)| {
            let mut limits = limits.clone();
            change(&mut limits);
            verify_limits(&limits, &plan).is_err()
        };
        assert!(none(|limits| limits.memory_bytes = None));
        assert!(none(|limits| limits.memory_and_swap_bytes = Some(u64::MAX)));
        assert!(none(|limits| limits.pids = None));
        assert!(none(|limits| limits.cpu_milli = Some(1 << 20)));
    }
}
