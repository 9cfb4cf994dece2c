//! Ways out of a container that are known, tried in both profiles. The control is a container
//! that is allowed everything: there each act works, or it proves nothing.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use appliance_tests::arena::secret;
use appliance_tests::containers::{PROFILES, bash, can_run, daemon, docker, image, with};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::json;

const ACTS: &str = include_str!("acts.py");

/// Acts that gVisor's own kernel answers: they give power over nothing but the container.
const OWN_KERNEL: [&str; 6] = [
    "unshare user namespace",
    "unshare mount namespace",
    "device node",
    "ptrace",
    "netlink socket",
    "io_uring",
];

/// Acts that this host does not have even for root: kernels differ, and a control that cannot
/// work there is told, not counted.
const MAY_LACK: [&str; 12] = [
    "block device",
    "uevent_helper",
    "sysrq",
    "release_agent",
    "cgroup.procs",
    "memory limit",
    "keyring",
    "io_uring",
    "userfaultfd",
    "perf",
    "vsock",
    "kernel crypto socket",
];

/// What was found of each act.
fn read(text: &str) -> BTreeMap<String, bool> {
    let lines = text.lines().map(|line| {
        assert!(!line.starts_with("broken"), "an act that is none: {line}");
        let (found, name) = line.split_once(' ').unwrap();
        let name = name.split(':').next().unwrap().to_owned();
        (name, found == "hit")
    });
    lines.collect()
}

/// A process of the host that bears the marker.
struct Decoy(Child);

impl Decoy {
    fn start(marker: &str) -> Self {
        let child = Command::new("sleep")
            .args(["300"])
            .env("NAME", marker)
            .arg0(marker)
            .stdin(Stdio::null())
            .spawn();
        Self(child.unwrap())
    }
}

trait Arg0 {
    fn arg0(&mut self, name: &str) -> &mut Self;
}

impl Arg0 for Command {
    fn arg0(&mut self, name: &str) -> &mut Self {
        std::os::unix::process::CommandExt::arg0(self, name)
    }
}

impl Drop for Decoy {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn known_ways_out_are_closed() {
    if !can_run() {
        return;
    }
    let state = tempfile::tempdir().unwrap();
    let marker = secret();
    let canary = state.path().join("canary");
    std::fs::write(&canary, &marker).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let _decoy = Decoy::start(&marker);
    let canary = canary.to_str().unwrap();
    let arguments = [canary, marker.as_str(), port.as_str()];

    let control = control(&arguments);
    let lacking: Vec<&String> = control
        .iter()
        .filter(|(_, hit)| !**hit)
        .map(|(name, _)| name)
        .collect();
    let unexplained: Vec<&&String> = lacking
        .iter()
        .filter(|name| !MAY_LACK.contains(&name.as_str()))
        .collect();
    assert!(
        unexplained.is_empty(),
        "controls that do not work: {unexplained:?}"
    );
    println!(
        "{} of {} controls work; this host lacks {lacking:?}",
        control.len() - lacking.len(),
        control.len()
    );

    let daemon = daemon(state.path());
    for profile in PROFILES {
        let answer = with(
            &daemon.client(),
            profile,
            "python",
            ACTS,
            json!({"args": arguments}),
        );
        answer.assert_ending("exited");
        let found = read(answer.text("stdout"));
        assert_eq!(
            found.len(),
            control.len(),
            "every act was tried: {answer:?}"
        );
        let hits: Vec<&str> = found
            .iter()
            .filter(|(_, hit)| **hit)
            .map(|(name, _)| name.as_str())
            .collect();
        let own = |name: &&str| profile == "container-offline" && OWN_KERNEL.contains(name);
        let ways: Vec<&&str> = hits.iter().filter(|name| !own(name)).collect();
        assert!(ways.is_empty(), "{profile}: {ways:?}");
        assert!(
            !answer.everything().contains(&marker)
                || answer.text("stdout").matches(&marker).count() == 0
        );
    }
    listener.set_nonblocking(true).unwrap();
    // The control called it once; nobody else did.
    assert!(listener.accept().is_ok());
    assert!(listener.accept().is_err(), "the host's listener was called");
}

/// What the acts need beside the capabilities that Docker gives anyway.
const CAPABILITIES: [&str; 6] = [
    "SYS_ADMIN",
    "SYS_PTRACE",
    "SYS_TIME",
    "SYS_RAWIO",
    "NET_ADMIN",
    "DAC_READ_SEARCH",
];

/// The same acts with everything allowed: root, all capabilities, the host's processes and network.
fn control(arguments: &[&str]) -> BTreeMap<String, bool> {
    let image = image();
    let socket = "/var/run/docker.sock:/var/run/docker.sock";
    let canary = format!("{0}:{0}:ro", arguments[0]);
    // Not `--privileged`: that asks for every capability, and a host may itself lack one.
    let mut allowed = vec!["run"];
    for capability in CAPABILITIES {
        allowed.extend(["--cap-add", capability]);
    }
    let line = [
        "run",
        "--rm",
        "--security-opt",
        "seccomp=unconfined",
        "--security-opt",
        "systempaths=unconfined",
        "--device-cgroup-rule",
        "a *:* rwm",
        "--volume",
        "/sys:/sys",
        "--user",
        "0:0",
        "--pid",
        "host",
        "--network",
        "host",
        "--cgroupns",
        "host",
        "--volume",
        socket,
        "--volume",
        &canary,
        "--entrypoint",
        "python3",
        &image,
        "-c",
        ACTS,
    ];
    read(&docker(&[&allowed[..], &line[1..], arguments].concat()).unwrap())
}

/// A program that goes on changing a file while it is collected.
#[test]
fn a_race_for_a_file_on_its_way_out_is_lost() {
    if !can_run() {
        return;
    }
    let state = tempfile::tempdir().unwrap();
    let daemon = daemon(state.path());
    for profile in PROFILES {
        let code = "(setsid sh -c 'while :; do ln -sf /etc/passwd race; rm -f race; echo x > race; done' &) ; sleep 1; echo kept > kept";
        let answer = with(
            &daemon.client(),
            profile,
            "bash",
            code,
            json!({"collect": ["*"]}),
        );
        answer.assert_ending("exited");
        assert!(
            !answer.everything().contains("root:x:0:0"),
            "{profile}: {answer:?}"
        );
        let kept = answer.body["files"]
            .as_array()
            .unwrap()
            .iter()
            .find(|file| file["path"] == "kept")
            .unwrap();
        assert_eq!(
            BASE64
                .decode(kept["content_base64"].as_str().unwrap())
                .unwrap(),
            b"kept\n"
        );
    }
}

/// The first process is the guest's user: what the guest says in its name is held to the limits,
/// and gives nothing.
#[test]
fn the_first_process_cannot_be_spoken_for() {
    if !can_run() {
        return;
    }
    let state = tempfile::tempdir().unwrap();
    let daemon = daemon(state.path());
    for profile in PROFILES {
        let code = "for fd in 0 1 2; do echo forged > /proc/1/fd/$fd && echo wrote $fd; done 2>/dev/null; kill -9 1; kill -STOP 1; echo alive";
        let answer = bash(&daemon.client(), profile, code);
        assert_eq!(answer.status, 200, "{profile}: {answer:?}");
        // Linux does not let the guest write there; gVisor of 2022 does, and a frame that is none
        // ends the call.
        match answer.text("ending") {
            "exited" => assert_eq!(answer.text("stdout"), "alive\n", "{profile}: {answer:?}"),
            ending => assert_eq!((profile, ending), ("container-offline", "killed")),
        }
        assert!(!answer.everything().contains("forged\n"));
        let next = bash(&daemon.client(), profile, "echo well");
        assert_eq!(
            next.text("stdout"),
            "well\n",
            "the next call is not touched"
        );
    }
}

/// Nothing of the daemon's environment, token or files is in a container.
#[test]
fn a_container_knows_nothing_of_the_daemon() {
    if !can_run() {
        return;
    }
    let state = tempfile::tempdir().unwrap();
    let marker = secret();
    let mut options = appliance_tests::containers::options(state.path());
    options
        .environment
        .push(("CANARY".to_owned(), marker.clone()));
    let daemon = appliance_tests::daemon::Daemon::start_with(options);
    let token = daemon.client().token().to_owned();
    for profile in PROFILES {
        let answer = bash(
            &daemon.client(),
            profile,
            "env; cat /proc/*/environ /proc/*/cmdline; mount; ls /; cat /etc/hostname; hostname",
        );
        answer.assert_ending("exited");
        let said = answer.text("stdout");
        assert!(said.contains("PATH="), "control: {answer:?}");
        for secret in [
            marker.as_str(),
            token.as_str(),
            state.path().to_str().unwrap(),
        ] {
            assert!(!said.contains(secret), "{profile}: `{secret}`");
        }
        let variables = bash(
            &daemon.client(),
            profile,
            "env | cut -d= -f1 | sort | tr '\\n' ' '",
        );
        assert_eq!(
            variables.text("stdout"),
            "HOME LANG PATH PWD SHLVL TMPDIR _ ",
            "{profile}"
        );
    }
}
