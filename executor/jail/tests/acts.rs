//! Every act of the probe, outside the jail and inside.
//!
//! Outside is the control: the act works, or fails in the way that its row says, for a
//! reason that has nothing to do with a jail. Inside it never works, but for the few that
//! must. The last tests take a layer away, to see that the others hold without it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

const PROBE: &str = env!("CARGO_BIN_EXE_jail-probe");

/// What must work inside as outside: otherwise a refusal would mean nothing.
const MUST_WORK: [&str; 7] = [
    "nothing", "files", "trap", "sleep", "memory", "random", "usage",
];

/// Acts that only the list of system calls stops: new kernel surface, executable memory,
/// loosening what is the process's own. Growing this list needs a sentence in docs/JAIL.md.
const ONLY_SECCOMP: &[&str] = &[
    "set-user-id-file",
    "name-to-handle",
    "extended-attribute",
    "file-lease",
    "inotify",
    "fanotify",
    "socketpair",
    "socket-option",
    "socket-unix",
    "socket-inet",
    "socket-inet6",
    "socket-netlink",
    "socket-vsock",
    "socket-packet",
    "socket-xdp",
    "socket-alg",
    "socket-bluetooth",
    "socket-can",
    "socket-tipc",
    "socket-kcm",
    "socket-qipcrtr",
    "socket-rds",
    "socket-smc",
    "socket-mctp",
    "socket-llc",
    "socket-key",
    "socket-pppox",
    "socket-phonet",
    "socket-nfc",
    "socket-ieee802154",
    "socket-rxrpc",
    "clone-user",
    "clone3",
    "mmap-exec",
    "mmap-write-exec",
    "mprotect-exec",
    "mprotect-own-code",
    "pkey-mprotect-exec",
    "memfd",
    "memfd-twice",
    "memfd-secret",
    "shmat-exec",
    "read-implies-exec",
    "remap-file-pages",
    "uselib",
    "ptrace-me",
    "fork",
    "thread",
    "setfsuid",
    "dumpable",
    "outlive-keeper",
    "ambient",
    "rename-thread",
    "more-filters",
    "more-landlock",
    "raise-limit",
    "nice",
    "umask",
    "new-session",
    "change-directory",
    "timer",
    "alarm",
    "epoll",
    "eventfd",
    "signalfd",
    "pipe",
    "io-uring",
    "aio",
    "userfaultfd",
    "perf",
    "add-key",
    "keyctl",
    "quotactl",
    "adjtimex",
    "kernel-log",
    "machine-name",
    "machine-load",
    "sync",
    "file-system-size",
    "personality",
    "message-queue",
    "shared-memory",
    "semaphore",
    "splice",
    "membarrier",
    "move-pages",
    "i386-call",
    "x32-call",
    "segment-table",
    "much-shared-memory",
    "much-stack-memory",
];

/// What Landlock alone stops.
const ONLY_LANDLOCK: [&str; 1] = ["list-own-root"];

fn outcomes(words: &[&str]) -> BTreeMap<String, String> {
    let output = Command::new(PROBE).args(words).output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{words:?}: {errors}");
    let text = String::from_utf8(output.stdout).unwrap();
    let pair = |line: &str| {
        let (act, outcome) = line.split_once(' ').unwrap();
        (act.to_owned(), outcome.to_owned())
    };
    text.lines().map(pair).collect()
}

fn working(outcomes: &BTreeMap<String, String>) -> BTreeSet<&str> {
    let ok = outcomes.iter().filter(|(_, outcome)| *outcome == "ok");
    ok.map(|(act, _)| act.as_str()).collect()
}

/// Act to control, as `list` prints it.
fn controls() -> BTreeMap<String, String> {
    let output = Command::new(PROBE).arg("list").output().unwrap();
    let row = |line: &str| {
        let mut columns = line.split('\t').map(str::to_owned);
        (columns.next().unwrap(), columns.next().unwrap())
    };
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(row)
        .collect()
}

#[test]
fn outside_every_act_works_or_fails_for_its_stated_reason() {
    let (outcomes, controls) = (outcomes(&["bare", "all"]), controls());
    assert_eq!(outcomes.len(), controls.len());
    for (act, outcome) in &outcomes {
        let control = controls.get(act).unwrap();
        let stated = match outcome.strip_prefix("refused ") {
            None => outcome == "ok",
            Some(errno) => control
                .strip_prefix("fails [")
                .and_then(|rest| rest.split_once(']'))
                .is_some_and(|(errnos, _)| errnos.split(", ").any(|one| one == errno)),
        };
        assert!(stated, "{act}: {outcome}, and its control says `{control}`");
    }
    // A control that nothing passes would show nothing.
    assert!(
        working(&outcomes).len() > outcomes.len() / 2,
        "{outcomes:?}"
    );
}

#[test]
fn inside_no_act_works_but_those_that_must() {
    let outcomes = outcomes(&["jailed", "all"]);
    assert_eq!(outcomes.len(), controls().len());
    assert_eq!(working(&outcomes), BTreeSet::from(MUST_WORK));
}

#[test]
fn a_thread_that_was_started_before_the_seal_is_held_too() {
    let outcomes = outcomes(&["jailed", "all", "--on-helper"]);
    assert_eq!(working(&outcomes), BTreeSet::from(MUST_WORK));
}

#[test]
fn the_role_compile_may_start_threads_and_open_nothing() {
    let outcomes = outcomes(&["jailed", "all", "--role", "compile"]);
    let mut allowed = BTreeSet::from(MUST_WORK);
    allowed.remove("files");
    allowed.extend(["thread", "rename-thread"]);
    assert_eq!(working(&outcomes), allowed);
    assert_eq!(outcomes.get("thread-bomb").unwrap(), "refused EAGAIN");
}

#[test]
fn without_the_list_of_calls_the_other_layers_hold_what_reaches_the_host() {
    let outcomes = outcomes(&["jailed", "all", "--without", "seccomp"]);
    let mut allowed = BTreeSet::from(MUST_WORK);
    allowed.extend(ONLY_SECCOMP);
    let more: Vec<_> = working(&outcomes).difference(&allowed).copied().collect();
    assert!(more.is_empty(), "only seccomp stops {more:?}");
}

#[test]
fn without_landlock_the_empty_root_and_the_list_hold() {
    let outcomes = outcomes(&["jailed", "all", "--without", "landlock"]);
    let mut allowed = BTreeSet::from(MUST_WORK);
    allowed.extend(ONLY_LANDLOCK);
    assert_eq!(working(&outcomes), allowed);
}

#[test]
fn a_limit_is_an_error_for_the_guest_and_not_its_end() {
    let outcomes = outcomes(&["jailed", "all"]);
    for (act, wanted) in [
        ("fill-workspace", "refused ENOSPC"),
        ("fill-names", "refused ENOSPC"),
        ("fill-links", "refused ENOSPC"),
        ("large-file", "refused EFBIG"),
        ("many-descriptors", "refused EMFILE"),
        ("much-memory", "refused ENOMEM"),
        ("much-memory-later", "refused ENOMEM"),
    ] {
        match outcomes.get(act) {
            Some(outcome) => assert_eq!(outcome, wanted, "{act}"),
            None => panic!("no act {act}"),
        }
    }
}

/// An ordinary user gets the same jail, checked from outside by that user (the probe
/// verifies each run by `observe`). Where the tests run as an ordinary user anyway, the
/// tests above are this one.
#[test]
fn an_ordinary_user_gets_the_same_jail() {
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::process::CommandExt as _;
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let directory = tempdir();
    let probe = directory.join("probe");
    std::fs::copy(PROBE, &probe).unwrap();
    std::fs::set_permissions(&probe, std::fs::Permissions::from_mode(0o755)).unwrap();
    let output = Command::new(&probe)
        .args(["jailed", "all"])
        .uid(64_321)
        .gid(64_321)
        .output();
    std::fs::remove_dir_all(&directory).unwrap();
    let output = output.unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{errors}");
    let text = String::from_utf8(output.stdout).unwrap();
    let ok: BTreeSet<_> = text
        .lines()
        .filter_map(|line| line.strip_suffix(" ok"))
        .collect();
    assert_eq!(ok, BTreeSet::from(MUST_WORK));
}

fn tempdir() -> std::path::PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = std::env::temp_dir().join(format!("jail-acts-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::set_permissions(&directory, std::fs::Permissions::from_mode(0o755)).unwrap();
    directory
}
