//! What became of a call, in the words that clients and the ledger use.

use serde::Serialize;

use crate::receipt::Receipt;

/// How a call ended. Every way has a name; there is no "other".
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The program ran to its end, with this exit status.
    Exited(u8),
    /// Its wall-clock time was over.
    TimedOut,
    /// It needed more memory than it may have.
    OutOfMemory,
    /// It used up its fuel.
    OutOfFuel,
    /// The engine or the kernel stopped it, and what they said.
    Killed(String),
    /// It never started, and why.
    LaunchFailed(String),
    /// Somebody cancelled it.
    Cancelled,
}

impl Ending {
    /// The name on the wire and in the ledger.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Exited(_) => "exited",
            Self::TimedOut => "timed_out",
            Self::OutOfMemory => "out_of_memory",
            Self::OutOfFuel => "out_of_fuel",
            Self::Killed(_) => "killed",
            Self::LaunchFailed(_) => "launch_failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The guest's own exit status, when it got that far.
    #[must_use]
    pub fn exit_code(&self) -> Option<u8> {
        match self {
            Self::Exited(status) => Some(*status),
            Self::TimedOut
            | Self::OutOfMemory
            | Self::OutOfFuel
            | Self::Killed(_)
            | Self::LaunchFailed(_)
            | Self::Cancelled => None,
        }
    }

    /// What the engine, the kernel or the launch said, for people.
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        match self {
            Self::Killed(detail) | Self::LaunchFailed(detail) => Some(detail),
            Self::Exited(_)
            | Self::TimedOut
            | Self::OutOfMemory
            | Self::OutOfFuel
            | Self::Cancelled => None,
        }
    }

    /// Whether the process that ran it may not run another call. Only a program
    /// that ended by itself leaves a clean worker.
    #[must_use]
    pub fn poisons(&self) -> bool {
        match self {
            Self::Exited(_) => false,
            Self::TimedOut
            | Self::OutOfMemory
            | Self::OutOfFuel
            | Self::Killed(_)
            | Self::LaunchFailed(_)
            | Self::Cancelled => true,
        }
    }
}

/// Everything that is known about a call that was admitted.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// How it ended.
    pub ending: Ending,
    /// Standard output.
    pub stdout: Stream,
    /// Standard error.
    pub stderr: Stream,
    /// The files that were asked for, by path.
    pub files: Vec<OutFile>,
    /// Files that matched but were not handed out.
    pub left_out: Vec<LeftOut>,
    /// What it used.
    pub usage: Usage,
    /// What was in force; none when nothing was started.
    pub receipt: Option<Receipt>,
}

impl Outcome {
    /// The outcome of a call of which there is nothing to show but its ending.
    #[must_use]
    pub fn bare(ending: Ending, receipt: Option<Receipt>) -> Self {
        Self {
            ending,
            stdout: Stream::default(),
            stderr: Stream::default(),
            files: Vec::new(),
            left_out: Vec::new(),
            usage: Usage::default(),
            receipt,
        }
    }
}

/// One output stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stream {
    /// The first bytes, at most the limit.
    pub bytes: Vec<u8>,
    /// True when the program wrote more.
    pub truncated: bool,
}

/// A file that came out of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutFile {
    /// Path relative to the workspace: plain components, no `..`.
    pub path: String,
    /// The whole content.
    pub content: Vec<u8>,
}

/// A file that matched but was not handed out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Path as the guest named it, made printable.
    pub path: String,
    /// Why, in one line.
    pub reason: String,
}

/// What a call used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Wall-clock time of the program in microseconds.
    pub wall_us: u64,
    /// Processor time in microseconds, as the kernel counted it.
    pub cpu_us: u64,
    /// The most memory that the program held, in bytes.
    pub memory_peak_bytes: u64,
}
