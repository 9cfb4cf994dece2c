//! The frames between the daemon and its workers: every type that crosses the
//! socket pair, and how a frame is cut from the stream.
//!
//! A frame is a little-endian `u32` length and that many bytes of postcard.
//! Both sides bound the length before they allocate. The daemon trusts nothing
//! in a worker's frame: a worker may be running an attacker's code by then.

use serde::{Deserialize, Serialize};

/// How a frame is cut from a stream; the same as between the daemon and a container.
pub use container_init::{decode_frame, encode_frame, frame_length, read_frame, write_frame};

/// Version of the frames. Daemon and worker are built together; a mix of two
/// builds is refused at the first frame.
pub const WIRE_VERSION: u32 = 3;

/// Longest frame towards a worker: files in (16 MiB), code and standard input,
/// with room for larger profiles.
pub const MAX_CALL_FRAME_BYTES: u32 = 256 << 20;

/// Longest frame from a worker that runs calls: files out, two streams.
pub const MAX_ANSWER_FRAME_BYTES: u32 = 256 << 20;

/// Longest frame from a worker that compiles: a precompiled interpreter is
/// about a hundred mebibytes.
pub const MAX_ARTEFACT_FRAME_BYTES: u32 = 1 << 30;

/// First frame to a worker: what it is to become.
#[derive(Debug, Serialize, Deserialize)]
pub struct Setup {
    /// [`WIRE_VERSION`] of the daemon.
    pub version: u32,
    /// What the worker is for.
    pub role: Role,
    /// How it confines itself before it sees any guest input.
    pub plan: jail::Plan,
}

/// What a worker is for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Role {
    /// Run calls in instances of the artefact on descriptor 1.
    Run,
    /// Compile the module on descriptor 1 and answer with the artefact.
    Compile {
        /// What the artefact is for.
        target: Target,
    },
    /// Start the artefact on descriptor 1 by a [`Freeze`] frame, and answer with the
    /// module that begins where it stopped.
    Freeze,
}

/// What an artefact is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// To be started once, and frozen.
    Start,
    /// To run calls: a module that was frozen.
    Frozen,
}

/// What is started, and what it finds while it starts.
#[derive(Debug, Serialize, Deserialize)]
pub struct Freeze {
    /// The module that the artefact was compiled from.
    pub module: Vec<u8>,
    /// Files that it finds below `/image`.
    pub files: Vec<WireFile>,
}

/// A worker's answer to [`Setup`]: it is confined and ready.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ready {
    /// Version of the engine, as the engine itself reports it.
    pub engine: String,
    /// What the kernel said to the confinement.
    pub report: jail::Report,
}

/// What is done to a source text before the interpreter gets it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Preparation {
    /// Nothing.
    #[default]
    None,
    /// TypeScript becomes JavaScript.
    EraseTypes,
}

/// One program to run.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Call {
    /// Source text.
    pub code: String,
    /// What is done to it first.
    pub preparation: Preparation,
    /// The name that tracebacks give to the source.
    pub filename: String,
    /// Arguments after the program's name.
    pub args: Vec<String>,
    /// All of standard input.
    pub stdin: Vec<u8>,
    /// Files that the program finds in `/workspace`.
    pub files: Vec<WireFile>,
    /// Glob patterns of the files that are wanted back.
    pub collect: Vec<String>,
    /// What the call may use.
    pub limits: CallLimits,
}

/// Limits of one call, in the units of the profile.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct CallLimits {
    /// Wall-clock time in milliseconds.
    pub wall_ms: u64,
    /// Linear memory of the guest in bytes.
    pub memory_bytes: u64,
    /// Bytes kept of each output stream; the rest is dropped and marked.
    pub output_bytes: u64,
    /// Bytes of all files together.
    pub file_bytes: u64,
    /// Number of files.
    pub file_count: u64,
}

/// A file on its way in or out; the path is relative to `/workspace`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireFile {
    /// Relative path, components separated by `/`.
    pub path: String,
    /// The whole content.
    pub content: Vec<u8>,
}

/// What became of a call.
#[derive(Debug, Serialize, Deserialize)]
pub struct Answer {
    /// How it ended.
    pub end: End,
    /// Standard output, at most the limit.
    pub stdout: Stream,
    /// Standard error, at most the limit.
    pub stderr: Stream,
    /// The files that were asked for.
    pub files: Vec<WireFile>,
    /// Files that matched but could not be handed out, and why.
    pub left_out: Vec<LeftOut>,
    /// Processor time of the call in microseconds, as the kernel counted it.
    pub cpu_us: u64,
    /// The most linear memory that the guest held.
    pub memory_peak_bytes: u64,
    /// Wall-clock time inside the worker, without files in and out.
    pub wall_us: u64,
    /// True when the worker is clean and may take another call.
    pub reusable: bool,
}

/// How a call ended, as the worker saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// The program ran to its end or asked to exit.
    Exited(u8),
    /// The deadline passed.
    TimedOut,
    /// It wanted more memory than allowed and could not go on.
    OutOfMemory,
    /// The engine stopped it: a trap, a stack overflow.
    Trapped(String),
    /// The call could not be set up.
    LaunchFailed(String),
}

/// One output stream.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct Stream {
    /// The first bytes, at most the limit.
    pub bytes: Vec<u8>,
    /// True when the program wrote more than was kept.
    pub truncated: bool,
}

/// A file that was not handed out.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LeftOut {
    /// Relative path as the guest named it, made printable.
    pub path: String,
    /// Why, in one line.
    pub reason: String,
}

/// A worker's answer in the other roles: the artefact or module, or why there is none.
pub type Compiled = Result<Vec<u8>, String>;
