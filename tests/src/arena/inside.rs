//! What happens inside an arena: prepare, run one program after the other, judge.
//!
//! Runs as the first process of fresh namespaces (see [`super::launch`]) and
//! nowhere else. It panics when a step fails; the namespaces go with it.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use super::aim::Aims;
use super::canary::{Canaries, execution_log};
use super::listen::Listeners;
use super::root::{self, ARENA, Layers};
use super::watch::Snapshot;
use super::{DAEMON_PORT, Hit, Job, Kind, Side, native, sandboxed};
use crate::process::{self, Process};

/// A process under the name of the appliance is the daemon's own.
const OWN_PREFIX: &str = "lazaret";

/// A process that was killed, a listener that was called need a moment to show it.
const SETTLE: Duration = Duration::from_millis(10);

/// What our own program says when it got through to the daemon's port.
const REACHED: &str = "reached-the-daemon";

/// An arena that is ready for programs.
#[derive(Debug)]
pub(super) struct Arena {
    pub(super) canaries: Canaries,
    listeners: Listeners,
    layers: Layers,
    before: Snapshot,
    known: BTreeSet<i32>,
    executed: usize,
}

/// Reads the job, does it, and prints the report.
///
/// # Panics
/// If any step fails.
pub fn enter() {
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .expect("read the job");
    let job: Job = serde_json::from_str(&text).expect("a job");
    let mut arena = Arena::prepare(&job);
    let report = match job.side {
        Side::Control => native::run_all(&mut arena, &job),
        Side::Sandboxed => sandboxed::run_all(&mut arena, &job),
    };
    println!(
        "{}",
        serde_json::to_string(&report).expect("a report as JSON")
    );
}

impl Arena {
    fn prepare(job: &Job) -> Self {
        let layers = root::enter(&job.staging, &job.read_only);
        loopback_up();
        name_hosts(&job.aims);
        let mut canaries = Canaries::plant(&job.aims);
        canaries.expect_secret(&job.environment_secret, Kind::Read, "environment");
        canaries.expect_secret(REACHED, Kind::Connected, "the daemon's port");
        let listeners = Listeners::default();
        listen(&listeners, &mut canaries, &job.aims);
        if job.side == Side::Control {
            native::prepare(&listeners, &mut canaries);
        }
        Self {
            canaries,
            listeners,
            before: Snapshot::take(&layers),
            layers,
            known: process::table().iter().map(|p| p.pid).collect(),
            executed: 0,
        }
    }

    /// Takes the arena as it is now for the state to compare with.
    pub(super) fn settle(&mut self) {
        self.before = Snapshot::take(&self.layers);
        self.known = process::table().iter().map(|p| p.pid).collect();
        drop(self.listeners.take_calls());
    }

    /// The processes that are neither of the arena nor of the appliance.
    pub(super) fn strangers(&self) -> Vec<Process> {
        let all = process::table().into_iter();
        all.filter(|p| !self.known.contains(&p.pid) && !p.name.starts_with(OWN_PREFIX))
            .collect()
    }

    /// Everything that happened since the last time this was asked, given what
    /// the program said.
    pub(super) fn judge(&mut self, said: &str) -> Vec<Hit> {
        thread::sleep(SETTLE);
        let after = Snapshot::take(&self.layers);
        let mut hits = self.before.changes(&after, &self.layers);
        hits.extend(self.canaries.said_in(said));
        for file in self.before.written(&after) {
            let content = std::fs::read(&file).unwrap_or_default();
            hits.extend(self.canaries.said_in(&String::from_utf8_lossy(&content)));
        }
        self.before = after;
        hits.extend(self.canaries.killed());
        let calls = self.listeners.take_calls().into_iter();
        hits.extend(calls.map(|place| Hit::new(Kind::Connected, place)));
        hits.extend(self.newly_executed());
        hits.sort();
        hits.dedup();
        hits
    }

    fn newly_executed(&mut self) -> Vec<Hit> {
        let log = std::fs::read_to_string(execution_log()).unwrap_or_default();
        let lines = log.lines().skip(self.executed).map(str::to_owned);
        let hits: Vec<Hit> = lines.map(|shell| Hit::new(Kind::Executed, shell)).collect();
        self.executed += hits.len();
        hits
    }
}

/// A fresh network namespace has a loopback that is down.
fn loopback_up() {
    // SIOCSIFFLAGS with IFF_UP | IFF_RUNNING; python3 is needed here anyway.
    let code = "import fcntl, socket, struct\n\
                fcntl.ioctl(socket.socket(), 0x8914, struct.pack('16sH14x', b'lo', 0x41))";
    let python = native::tool("python3").expect("python3");
    let up = Command::new(python).args(["-I", "-S", "-c", code]).status();
    assert!(
        up.is_ok_and(|status| status.success()),
        "bring the loopback up"
    );
}

/// Every host that programs call is this one.
fn name_hosts(aims: &Aims) {
    let mut hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
    for host in &aims.hosts {
        hosts.push_str(&format!("\n127.0.0.1 {host}\n"));
    }
    std::fs::write("/etc/hosts", hosts).expect("write /etc/hosts");
}

fn listen(listeners: &Listeners, canaries: &mut Canaries, aims: &Aims) {
    let page = super::secret();
    canaries.expect_secret(&page, Kind::Read, "http page");
    for port in aims.ports.iter().filter(|port| **port != DAEMON_PORT) {
        listeners.tcp(*port, &page).expect("listen");
        listeners.udp(*port).expect("listen");
    }
    listeners
        .unix(&Path::new(ARENA).join("socket"))
        .expect("listen");
}
