//! Keeper and child: who dies with whom, what they hold, and what the daemon learns.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs::{self, File};
use std::os::fd::AsFd as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use jail::{Plan, Role};
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

#[path = "../src/bin/jail-probe/launch.rs"]
mod launch;
#[path = "../src/bin/jail-probe/wire.rs"]
#[expect(dead_code, reason = "each test file uses a part")]
mod wire;

use launch::{Launched, command};
use wire::{Answer, Request};

const PROBE: &str = env!("CARGO_BIN_EXE_jail-probe");

/// A probe that is in the jail and waits to begin.
fn held() -> (Launched, u32) {
    let mut request = Request::new(Plan::strict(Role::Worker));
    request.act = "nothing".into();
    let mut launched = Launched::start(&mut command(Path::new(PROBE)), &request).unwrap();
    assert!(matches!(
        launched.answer().unwrap(),
        Some(Answer::Ready(..))
    ));
    let pid = launched.pid.unwrap();
    (launched, pid)
}

fn keeper_of(launched: &Launched) -> Pid {
    Pid::from_raw(i32::try_from(launched.keeper.id()).unwrap())
}

fn signal(pid: u32, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(pid).unwrap()), signal).unwrap();
}

/// Whether the process is gone, or a zombie that nobody has collected yet.
fn ended(pid: u32) -> bool {
    match fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => stat
            .rsplit_once(") ")
            .is_some_and(|(_, rest)| rest.starts_with(['Z', 'X'])),
        Err(_) => true,
    }
}

fn ends_soon(pid: u32) -> bool {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(5) {
        if ended(pid) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    false
}

#[test]
fn control_both_live_as_long_as_nothing_happens() {
    let (launched, pid) = held();
    std::thread::sleep(Duration::from_millis(200));
    assert!(!ended(pid) && !ended(launched.keeper.id()));
}

/// A probe that can do nothing by itself any more, so that only a kill ends it: not even
/// seeing that the daemon's end of the socket is closed.
fn stopped() -> (Launched, u32) {
    let (launched, pid) = held();
    signal(pid, Signal::SIGSTOP);
    (launched, pid)
}

#[test]
fn the_child_dies_with_its_keeper() {
    let (mut launched, pid) = stopped();
    kill(keeper_of(&launched), Signal::SIGKILL).unwrap();
    launched.keeper.wait().unwrap();
    assert!(ends_soon(pid));
}

#[test]
fn the_child_dies_when_the_daemons_end_closes() {
    let (
        Launched {
            mut keeper,
            control,
            ..
        },
        pid,
    ) = stopped();
    drop(control);
    assert_eq!(keeper.wait().unwrap().code(), Some(137));
    assert!(ended(pid));
}

#[test]
fn the_keeper_tells_how_the_child_was_killed() {
    let (mut launched, pid) = held();
    signal(pid, Signal::SIGKILL);
    assert_eq!(launched.keeper.wait().unwrap().code(), Some(137));
}

#[test]
fn the_keeper_passes_the_childs_own_status_on() {
    let (mut launched, _) = held();
    launched.go().unwrap();
    assert!(matches!(launched.answer().unwrap(), Some(Answer::Ok)));
    assert_eq!(launched.keeper.wait().unwrap().code(), Some(0));
}

#[test]
fn a_forbidden_call_reads_as_bad_system_call() {
    let mut request = Request::new(Plan::strict(Role::Worker));
    request.act = "unshare-net".into();
    let mut launched = Launched::start(&mut command(Path::new(PROBE)), &request).unwrap();
    assert!(matches!(
        launched.answer().unwrap(),
        Some(Answer::Ready(..))
    ));
    launched.go().unwrap();
    assert!(launched.answer().unwrap().is_none());
    assert_eq!(
        launched.keeper.wait().unwrap().code(),
        Some(128 + libc::SIGSYS)
    );
}

#[test]
fn no_descriptor_of_the_daemon_reaches_child_or_keeper() {
    // What a daemon that forgot close-on-exec would pass on.
    let leaked: Vec<_> = ["/etc/passwd", "/", "/dev/null"]
        .map(|p| File::open(p).unwrap())
        .into();
    for file in &leaked {
        fcntl(file.as_fd(), FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
    }
    let (launched, pid) = held();
    let child = descriptors(pid);
    let keeper = descriptors(launched.keeper.id());
    // The control: any other program that is started here gets all three.
    let listed = Command::new("ls")
        .arg("/proc/self/fd")
        .output()
        .unwrap()
        .stdout;
    let inherited = String::from_utf8(listed).unwrap().lines().count();
    assert!(inherited >= 3 + leaked.len(), "{inherited}");
    assert_eq!(child.len(), 3, "{child:?}");
    assert!(child.first().unwrap().starts_with("socket:"), "{child:?}");
    assert_eq!(child.get(1), child.get(2), "stdout is stderr: {child:?}");
    assert_eq!(keeper.len(), 2, "{keeper:?}");
    assert_eq!(keeper.first(), child.first());
    assert_eq!(keeper.get(1).unwrap(), "anon_inode:[pidfd]");
}

/// Targets of the descriptors, by number.
fn descriptors(pid: u32) -> Vec<String> {
    let mut found: Vec<(u32, String)> = fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let target = fs::read_link(entry.path()).unwrap();
            let number = entry.file_name().to_str().unwrap().parse().unwrap();
            (number, target.to_str().unwrap().to_owned())
        })
        .collect();
    found.sort_unstable();
    found.into_iter().map(|(_, target)| target).collect()
}

#[test]
fn the_keeper_sees_nothing_of_the_host_and_reads_nothing() {
    let (mut launched, pid) = held();
    let keeper = launched.keeper.id();
    let root = |pid| fs::read_dir(format!("/proc/{pid}/root")).unwrap().count();
    assert_eq!(root(keeper), 2, "/workspace and /tmp");
    assert_eq!(root(pid), 2);
    let read = || {
        let text = fs::read_to_string(format!("/proc/{keeper}/io")).unwrap();
        text.lines().next().unwrap().to_owned()
    };
    // The child is stopped, so what is sent stays where only the keeper could take it.
    signal(pid, Signal::SIGSTOP);
    let before = read();
    launched.go().unwrap();
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(read(), before);
    // The control: it was there to be read. (Not compared after the end: the kernel adds
    // what a child has read to the parent that collects it.)
    signal(pid, Signal::SIGCONT);
    assert!(matches!(launched.answer().unwrap(), Some(Answer::Ok)));
    assert_eq!(launched.keeper.wait().unwrap().code(), Some(0));
}
