//! The arena: a throwaway copy of this host, full of canaries.
//!
//! ```text
//!  test ── Job (JSON on stdin) ──► unshare mount,pid,net,ipc,uts ──► redcode arena
//!                                                                     │ root    overlay over /, lo up
//!                                                                     │ canary  planted where programs aim
//!                                                                     │ listen  on what programs call
//!                                                                     ▼
//!                              one program at a time: native python3 ── control
//!                                                 or: lazaret serve  ── sandboxed
//!  test ◄── Report (JSON on stdout) ─────────────────────────────────┘ watch   what changed
//! ```
//! The same code judges both sides, so that a canary which is silent on the
//! sandboxed side is known to sing on the other. The threat here is the control
//! itself: its programs really attack. They get a private root, no capability
//! that reaches beyond a namespace, three seconds, and no process of theirs
//! outlives the pid namespace.
//!
//! Needs root (an overlay over `/` with the files' real owners); without it
//! [`available`] says so and the tests skip visibly.

mod aim;
mod canary;
mod inside;
mod listen;
mod native;
mod root;
mod sandboxed;
mod watch;

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use aim::Aims;
pub use canary::secret;
pub use inside::enter;
pub use root::ARENA;

use crate::command::finish_within;
use crate::corpus::Case;

/// The wall limit of one program, on both sides.
pub const PROGRAM_WALL: Duration = Duration::from_secs(3);

/// Setting up an arena and starting a daemon in it takes much less.
const SETUP_WALL: Duration = Duration::from_secs(120);

/// What the folders begin with on which arenas mount their layers.
pub const STAGING_PREFIX: &str = "lazaret-arena-";

/// The port on which the daemon listens in its arena.
pub const DAEMON_PORT: u16 = 7070;

/// What a canary can be made to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A secret was read out.
    Read,
    /// A folder was listed.
    Listed,
    /// A file, folder or link is there that was not.
    Created,
    /// A file has another content.
    Changed,
    /// A file has another mode or owner.
    Mode,
    /// Something is gone.
    Deleted,
    /// A listener was called.
    Connected,
    /// A process was killed.
    Killed,
    /// A program was started.
    Executed,
    /// A process was left behind.
    Lingering,
}

impl Kind {
    /// Every kind; a control must hit each.
    pub const ALL: [Self; 10] = [
        Self::Read,
        Self::Listed,
        Self::Created,
        Self::Changed,
        Self::Mode,
        Self::Deleted,
        Self::Connected,
        Self::Killed,
        Self::Executed,
        Self::Lingering,
    ];

    /// Whether the arena is no longer as it was planted.
    #[must_use]
    pub fn soils(self) -> bool {
        match self {
            Self::Created | Self::Changed | Self::Mode | Self::Deleted | Self::Killed => true,
            Self::Read | Self::Listed | Self::Connected | Self::Executed | Self::Lingering => false,
        }
    }
}

/// One canary that sang.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hit {
    /// What happened.
    pub kind: Kind,
    /// Where.
    pub place: String,
}

impl Hit {
    /// What happened where.
    #[must_use]
    pub fn new(kind: Kind, place: impl Into<String>) -> Self {
        Self {
            kind,
            place: place.into(),
        }
    }
}

impl fmt::Display for Hit {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{:?} {}", self.kind, self.place)
    }
}

/// Who runs the programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// Native python3: the canaries must sing.
    Control,
    /// The daemon: they must not.
    Sandboxed,
}

/// What an arena is to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// Who runs the programs.
    pub side: Side,
    /// Where to plant and listen, the same on both sides.
    pub aims: Aims,
    /// The programs, in order.
    pub programs: Vec<Case>,
    /// An empty folder to mount the layers on.
    pub staging: PathBuf,
    /// Folders of the host that are seen unchanged and cannot be written.
    pub read_only: Vec<PathBuf>,
    /// In the arena's environment and nowhere else.
    pub environment_secret: String,
}

/// What one program did.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// The program.
    pub id: String,
    /// Every canary that sang.
    pub hits: Vec<Hit>,
    /// How it ended, in the words of the HTTP interface.
    pub ending: String,
    /// Its exit code, if it exited.
    pub exit_code: Option<i64>,
    /// As the side measures it.
    pub wall_ms: u64,
    /// The ledger's numbers of decision and outcome; sandboxed side only.
    pub ledger: Option<(u64, u64)>,
    /// What is wrong with the answer itself; sandboxed side only.
    pub faults: Vec<String>,
}

/// What an arena saw.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// The programs that ran: all of them, or those until the arena was soiled.
    pub runs: Vec<Run>,
    /// Places where nothing could be planted, and why.
    pub unplanted: Vec<String>,
    /// What was found wrong after the last program.
    pub faults: Vec<String>,
    /// What the verifier said of the ledger; sandboxed side only.
    pub verified: Option<String>,
}

/// Whether an arena can be made here.
///
/// # Errors
/// What is missing.
pub fn available() -> Result<(), String> {
    if !nix::unistd::geteuid().is_root() {
        return Err("the arena needs root: it mounts an overlay over `/`".to_owned());
    }
    for tool in ["unshare", "setpriv", "python3"] {
        if native::tool(tool).is_none() {
            return Err(format!("the arena needs `{tool}` in /usr/bin"));
        }
    }
    Ok(())
}

/// Runs a job in a fresh arena. `helper` is the program `redcode`.
///
/// # Panics
/// If the arena could not be made, or did not end in time.
#[must_use]
pub fn launch(helper: &Path, job: &Job) -> Report {
    let staging = tempfile::Builder::new()
        .prefix(STAGING_PREFIX)
        .tempdir()
        .expect("a folder to mount on");
    let mut job = job.clone();
    job.staging = staging.path().to_owned();
    let input = serde_json::to_vec(&job).expect("a job as JSON");
    let count = u32::try_from(job.programs.len()).unwrap_or(u32::MAX);
    let wall = SETUP_WALL + (PROGRAM_WALL + Duration::from_secs(1)) * count;
    let mut command = Command::new("unshare");
    command
        .args([
            "--mount",
            "--pid",
            "--net",
            "--ipc",
            "--uts",
            "--fork",
            "--kill-child",
        ])
        .arg(helper)
        .args(["arena", &job.environment_secret])
        .env("LAZARET_ARENA_SECRET", &job.environment_secret);
    let done = finish_within(&mut command, &input, wall).expect("the arena ended in time");
    assert_eq!(done.code, 0, "the arena failed: {}", done.err());
    serde_json::from_slice(&done.stdout)
        .unwrap_or_else(|error| panic!("no report ({error}): {}", done.err()))
}
