//! Containers come and go with their daemon: killed, started again, with Docker stopped between.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::fs;
use std::io;
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use appliance_tests::command::{finish, program};
use appliance_tests::containers::{
    PROFILES, bash, can_run, containers_of, daemon, docker, eventually, options,
};
use appliance_tests::daemon::Daemon;
use serde_json::Value;

#[test]
fn a_container_is_made_ahead_and_compared_when_it_is_taken() {
    if !can_run() {
        return;
    }
    for profile in PROFILES {
        let state = tempfile::tempdir().unwrap();
        let daemon = daemon(state.path());
        let client = daemon.client();
        let cold = bash(&client, profile, "touch /tmp/mine; echo 1");
        assert_eq!(cold.body["receipt"]["warm"], false, "{cold:?}");
        eventually("one is made ahead", || {
            client.get("/health").body["containers"]["idle"].as_u64() > Some(0)
        });
        let warm = bash(&client, profile, "[ -e /tmp/mine ] || echo fresh");
        assert_eq!(warm.body["receipt"]["warm"], true, "{warm:?}");
        assert_eq!(warm.text("stdout"), "fresh\n");
        let id = |answer: &Value| answer["receipt"]["container"]["id"].clone();
        assert_ne!(id(&cold.body), id(&warm.body), "one call each");
        eventually("the next is made", || {
            client.get("/health").body["containers"]["idle"].as_u64() > Some(0)
        });
        daemon.stop();
        assert!(containers_of(state.path()).is_empty());
    }
}

/// Somebody with Docker's socket changes a waiting container: the call does not run in it.
#[test]
fn a_waiting_container_that_was_changed_is_not_used() {
    if !can_run() {
        return;
    }
    let state = tempfile::tempdir().unwrap();
    let daemon = daemon(state.path());
    let client = daemon.client();
    let profile = "docker-trusted";
    bash(&client, profile, "echo 1").assert_ending("exited");
    eventually("one is made ahead", || {
        client.get("/health").body["containers"]["idle"].as_u64() > Some(0)
    });
    let waiting = containers_of(state.path());
    for id in &waiting {
        docker(&["update", "--memory", "2g", "--memory-swap", "2g", id]).unwrap();
    }
    let answer = bash(&client, profile, "echo 2");
    assert_eq!(answer.text("stdout"), "2\n", "{answer:?}");
    let used = answer.body["receipt"]["container"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(!waiting.contains(&used), "a new one was made");
    assert_eq!(answer.body["receipt"]["warm"], false);
}

#[test]
fn a_killed_daemon_leaves_nothing_behind_after_its_next_start() {
    if !can_run() {
        return;
    }
    let state = tempfile::tempdir().unwrap();
    let stranger = docker(&[
        "create",
        "--label",
        "lazaret.installation=somebody-else",
        "--entrypoint",
        "/bin/true",
        &appliance_tests::containers::image(),
    ])
    .unwrap();
    for running in [false, true] {
        let daemon = daemon(state.path());
        let client = daemon.client();
        bash(&client, PROFILES[0], "echo 1").assert_ending("exited");
        let call = running.then(|| {
            let client = client.clone();
            thread::spawn(move || bash(&client, PROFILES[0], "sleep 20"))
        });
        thread::sleep(Duration::from_secs(3));
        daemon.kill();
        if let Some(call) = call {
            drop(call.join());
        }
        assert!(
            !containers_of(state.path()).is_empty(),
            "control: it left some"
        );
    }
    let daemon = daemon(state.path());
    eventually("they are removed", || {
        containers_of(state.path()).is_empty()
    });
    bash(&daemon.client(), PROFILES[0], "echo 1").assert_ending("exited");
    daemon.stop();
    assert!(containers_of(state.path()).is_empty());
    let kept = docker(&["inspect", "--format", "{{.Id}}", stranger.trim()]);
    drop(docker(&["rm", stranger.trim()]));
    assert!(kept.is_ok(), "what others made is not touched");
}

/// The command line clears away what the dead left, and not what a daemon is using.
#[test]
fn two_on_one_state_leave_each_others_containers_alone() {
    if !can_run() {
        return;
    }
    let state = tempfile::tempdir().unwrap();
    let daemon = daemon(state.path());
    let client = daemon.client();
    let call = thread::spawn({
        let client = client.clone();
        move || bash(&client, PROFILES[0], "sleep 6; echo slept")
    });
    eventually("the call has its container", || {
        !containers_of(state.path()).is_empty()
    });
    let finished = finish(
        Command::new(program("lazaret"))
            .args(["run", "--language", "bash", "-c", "echo beside", "--state"])
            .arg(state.path()),
        b"",
    );
    assert_eq!(finished.out(), "beside\n", "{finished:?}");
    assert_eq!(call.join().unwrap().text("stdout"), "slept\n");
    daemon.stop();
    assert!(containers_of(state.path()).is_empty());
}

/// The receipt is what Docker says from outside.
#[test]
fn the_receipt_agrees_with_docker_and_the_kernel() {
    if !can_run() {
        return;
    }
    let state = tempfile::tempdir().unwrap();
    let daemon = daemon(state.path());
    for profile in PROFILES {
        let client = daemon.client();
        let call = thread::spawn({
            let client = client.clone();
            move || {
                bash(
                    &client,
                    profile,
                    "sleep 3; cat /proc/self/status | grep -c Cap",
                )
            }
        });
        let before = containers_of(state.path());
        eventually("it runs", || {
            containers_of(state.path()).len() > before.len().saturating_sub(1)
        });
        thread::sleep(Duration::from_millis(1_500));
        let seen: Vec<Value> = containers_of(state.path())
            .iter()
            .filter_map(|id| docker(&["inspect", id]).ok())
            .filter_map(|text| serde_json::from_str::<Value>(&text).ok())
            .map(|list| list[0].clone())
            .collect();
        let answer = call.join().unwrap();
        let receipt = &answer.body["receipt"];
        assert_eq!(receipt["backend"], "container");
        assert_eq!(receipt["profile"], profile);
        let id = &receipt["container"]["id"];
        let outside = seen
            .iter()
            .find(|one| &one["Id"] == id)
            .unwrap_or_else(|| panic!("{id} in {seen:?}"));
        let settings = &receipt["container"]["settings"];
        assert_eq!(settings["image"], outside["Image"]);
        assert_eq!(receipt["runtime"]["image"], outside["Image"]);
        assert_eq!(settings["oci_runtime"], outside["HostConfig"]["Runtime"]);
        assert_eq!(settings["user"], outside["Config"]["User"]);
        assert_eq!(settings["memory_bytes"], outside["HostConfig"]["Memory"]);
        assert_eq!(outside["HostConfig"]["NetworkMode"], "none");
        assert_eq!(outside["Mounts"], serde_json::json!([]));
        assert_eq!(settings["mounts"], serde_json::json!([]));
        let reported = &receipt["container"]["reported"];
        assert_eq!(reported["root_is_writable"], false);
        let limits = &receipt["container"]["kernel_limits"];
        assert_eq!(limits["memory_bytes"], 536_870_912, "{limits}");
        let host = std::fs::read_to_string("/proc/sys/kernel/version").unwrap();
        let same = reported["kernel_version"] == host.trim();
        assert_eq!(
            same,
            profile == "docker-trusted",
            "whose kernel answers: {reported}"
        );
    }
}

/// Docker as the daemon knows it: a socket, which goes away with all that goes through it, and comes
/// back. The Docker behind it is the real one and stays, because other tests use it too.
struct Behind {
    socket: PathBuf,
    streams: Arc<Mutex<Vec<UnixStream>>>,
    stopped: Arc<AtomicBool>,
}

/// Where the Docker of this machine listens.
const DOCKER: &str = "/var/run/docker.sock";

impl Behind {
    fn start(socket: &Path) -> Self {
        let listener = UnixListener::bind(socket).unwrap();
        let behind = Self {
            socket: socket.to_owned(),
            streams: Arc::default(),
            stopped: Arc::default(),
        };
        let (streams, stopped) = (Arc::clone(&behind.streams), Arc::clone(&behind.stopped));
        thread::spawn(move || {
            for client in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let (client, server) = (client.unwrap(), UnixStream::connect(DOCKER).unwrap());
                let clone = |stream: &UnixStream| stream.try_clone().unwrap();
                streams
                    .lock()
                    .unwrap()
                    .extend([clone(&client), clone(&server)]);
                copy(clone(&client), clone(&server));
                copy(server, client);
            }
        });
        behind
    }

    fn stop(self) {
        self.stopped.store(true, Ordering::SeqCst);
        // It waits for a connection, and looks then.
        drop(UnixStream::connect(&self.socket));
        fs::remove_file(&self.socket).unwrap();
        for stream in self.streams.lock().unwrap().drain(..) {
            drop(stream.shutdown(Shutdown::Both));
        }
    }
}

fn copy(mut from: UnixStream, mut to: UnixStream) {
    thread::spawn(move || {
        drop(io::copy(&mut from, &mut to));
        drop(to.shutdown(Shutdown::Write));
    });
}

#[test]
fn a_docker_that_stops_during_calls_is_told_and_found_again() {
    if !can_run() {
        return;
    }
    let state = tempfile::tempdir().unwrap();
    let socket = state.path().join("docker.sock");
    let behind = Behind::start(&socket);
    let mut how = options(state.path());
    let at = socket.display().to_string();
    how.environment.push(("LAZARET_DOCKER_SOCKET".into(), at));
    let daemon = Daemon::start_with(how);
    let client = daemon.client();
    let profile = PROFILES[0];
    bash(&client, profile, "echo 1").assert_ending("exited");

    let call = thread::spawn({
        let client = client.clone();
        move || bash(&client, profile, "echo begun; sleep 25")
    });
    thread::sleep(Duration::from_secs(4));
    let left = containers_of(state.path());
    assert!(!left.is_empty(), "control: it runs");
    behind.stop();
    let answer = call.join().unwrap();
    answer.assert_ending("killed");
    assert!(answer.text("detail").contains("docker"), "{answer:?}");
    assert!(answer.took < Duration::from_secs(20), "{:?}", answer.took);
    // What stops with Docker in earnest.
    drop(docker(&["kill", &left[0]]));

    let answer = bash(&client, profile, "echo 2");
    answer.assert_ending("launch_failed");
    let detail = answer.text("detail");
    assert!(detail.contains("no Docker answers"), "{detail}");
    daemon.assert_works();

    let behind = Behind::start(&socket);
    let answer = bash(&client, profile, "echo 3");
    assert_eq!(answer.text("stdout"), "3\n", "{answer:?}");
    eventually("what was left is removed", || {
        let there = containers_of(state.path());
        left.iter().all(|id| !there.contains(id))
    });
    daemon.stop();
    assert!(containers_of(state.path()).is_empty());
    behind.stop();
}
