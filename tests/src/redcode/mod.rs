//! Hostile programs on both sides of the sandbox, and the verdict.
//!
//! The control runs every program natively in throwaway arenas, a new one
//! whenever a program changed something, and says which canaries sing. The
//! sandboxed side runs the same programs through one daemon in one arena: no
//! canary may sing there. A kind of canary that no control hits proves nothing
//! and fails the run, and so does a trace of the control on the real host.

mod host;
mod own;
mod report;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::thread;

pub use report::Outcome;

use crate::arena::{self, Aims, Job, Kind, Report, Run, Side};
use crate::command::program;
use crate::corpus::Case;
use host::Host;

/// How much of the host is compared before and after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// The places that the programs aim at.
    Places,
    /// Besides, every file's metadata in the folders of the system.
    System,
}

/// The real host while programs run in containers, which no arena can hold: Docker makes them beside
/// it. Whatever leaves a container shows here.
#[derive(Debug)]
pub struct HostWatch {
    aims: Aims,
    host: Host,
    marker: String,
}

impl HostWatch {
    /// Looks at every place that `aims` names, and listens on its ports.
    #[must_use]
    pub fn start(aims: Aims, proof: Proof) -> Self {
        Self {
            host: Host::look(&aims, proof),
            marker: arena::secret(),
            aims,
        }
    }

    /// A secret for places that no program may read; a process that bears it is a trace.
    #[must_use]
    pub fn marker(&self) -> &str {
        &self.marker
    }

    /// What is different now.
    #[must_use]
    pub fn traces(&self) -> Vec<String> {
        self.host.traces(&self.aims, &self.marker)
    }
}

/// The project's own hostile programs, for what no corpus tries.
#[must_use]
pub fn own_programs() -> Vec<Case> {
    own::programs()
}

/// A fixed subset: the `each` programs of every category that lie evenly.
#[must_use]
pub fn subset(cases: &[Case], each: usize) -> Vec<Case> {
    let categories: BTreeSet<&str> = cases.iter().map(|case| case.category.as_str()).collect();
    let mut chosen = Vec::new();
    for category in categories {
        let all: Vec<&Case> = cases.iter().filter(|c| c.category == category).collect();
        let step = all.len().div_ceil(each.max(1)).max(1);
        chosen.extend(all.into_iter().step_by(step).cloned());
    }
    chosen
}

/// Runs `cases` on the sides that are asked for. `helper` is the program `redcode`.
///
/// # Panics
/// If an arena cannot be made.
#[must_use]
pub fn run(helper: &Path, cases: &[Case], sides: &[Side], proof: Proof) -> Outcome {
    let aims = Aims::of(cases.iter().map(|case| case.code.as_str()));
    if sides.contains(&Side::Sandboxed) {
        // Better told here than from inside an arena.
        for name in ["lazaret", "lazaret-worker", "lazaret-verify"] {
            drop(program(name));
        }
    }
    let host = Host::look(&aims, proof);
    let marker = arena::secret();
    let job = |side| Job {
        side,
        aims: aims.clone(),
        programs: cases.to_vec(),
        staging: PathBuf::new(),
        read_only: read_only(helper),
        environment_secret: marker.clone(),
    };
    let (control, sandboxed) = thread::scope(|scope| {
        let wanted = |side| sides.contains(&side);
        let control =
            wanted(Side::Control).then(|| scope.spawn(|| run_control(helper, &job(Side::Control))));
        let sandboxed = wanted(Side::Sandboxed)
            .then(|| scope.spawn(|| arena::launch(helper, &job(Side::Sandboxed))));
        let join = |side: Option<thread::ScopedJoinHandle<'_, Report>>| {
            side.map(|thread| {
                thread
                    .join()
                    .unwrap_or_else(|why| std::panic::resume_unwind(why))
            })
        };
        (join(control), join(sandboxed))
    });
    Outcome {
        cases: cases.to_vec(),
        control,
        sandboxed,
        host: host.traces(&aims, &marker),
    }
}

/// The control in as many arenas as it takes.
fn run_control(helper: &Path, job: &Job) -> Report {
    let mut all = Report {
        runs: Vec::new(),
        unplanted: Vec::new(),
        faults: Vec::new(),
        verified: None,
    };
    let mut job = job.clone();
    while !job.programs.is_empty() {
        let report = arena::launch(helper, &job);
        assert!(!report.runs.is_empty(), "an arena that ran nothing");
        job.programs.drain(..report.runs.len());
        all.runs.extend(report.runs);
        all.unplanted = report.unplanted;
    }
    all
}

/// The folders that an arena needs from the host as they are.
fn read_only(helper: &Path) -> Vec<PathBuf> {
    let programs = helper.parent().map(Path::to_owned);
    let runtimes = std::env::var_os("LAZARET_RUNTIMES").map(PathBuf::from);
    let folders = programs.into_iter().chain(runtimes);
    folders.filter(|folder| folder.is_dir()).collect()
}

/// The kinds of canary that a report never heard.
fn unheard(report: &Report) -> Vec<Kind> {
    let heard: BTreeSet<Kind> = report.runs.iter().flat_map(kinds).collect();
    Kind::ALL
        .into_iter()
        .filter(|kind| !heard.contains(kind))
        .collect()
}

fn kinds(run: &Run) -> impl Iterator<Item = Kind> {
    run.hits.iter().map(|hit| hit.kind)
}
