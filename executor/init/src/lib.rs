//! What the daemon and the first process of a container say to each other.
//!
//! ```text
//!  daemon                               lazaret-init (process 1 of the container)
//!    │◄──────────── Said::Ready ──────────│  what it sees of its own confinement
//!    │   (the daemon compares, or kills)  │
//!    │───────────── Start ───────────────►│  one program, its files and limits
//!    │◄──────── Said::Output … ───────────│  as it comes
//!    │◄──── Said::Ended, File …, Done ────│  and nothing after that
//! ```
//!
//! Where the call has a way out, the first process also offers it: bytes between [`PROXY_PORT`] of the
//! container's loopback and a socket of the daemon's that is mounted. It decides nothing there and
//! reads nothing; what may go out is judged on the other side.
//!
//! A frame is a little-endian `u32` length and that many bytes of postcard. Both sides bound the
//! length before they take memory. The daemon trusts nothing that it reads: the guest runs as the
//! same user as this process, so what comes after `Start` may be the guest's own words. It says
//! nothing there that the guest could not have said through its output.

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// Version of the frames. An image carries its own `lazaret-init`; another version is refused.
pub const WIRE_VERSION: u32 = 2;

/// Longest [`Start`]: files, code and standard input, as the profiles' limits can be at most.
pub const MAX_START_BYTES: u32 = 256 << 20;

/// Longest frame from the container: one whole file, with room for its name.
pub const MAX_SAID_BYTES: u32 = (64 << 20) + (64 << 10);

/// Output is passed on in pieces of at most this.
pub const OUTPUT_BYTES: usize = 32 << 10;

/// Where the files of a call lie, and where its program starts.
pub const WORKSPACE: &str = "/workspace";

/// The program's other writable place.
pub const SCRATCH: &str = "/tmp";

/// Where an image has this program.
pub const INIT_PATH: &str = "/.lazaret/init";

/// Where the daemon's directory with the way out is mounted, read-only, if there is one.
pub const EGRESS: &str = "/run/lazaret";

/// The socket in that directory.
pub const EGRESS_SOCKET: &str = "egress.sock";

/// The certificates in that directory that programs are to trust, where the daemon has put some.
pub const EGRESS_AUTHORITIES: &str = "authorities.pem";

/// The port of the proxy on the container's loopback: the usual one of proxies.
pub const PROXY_PORT: u16 = 3_128;

/// One program to run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// The program and its arguments; the program is looked for in `PATH`.
    pub argv: Vec<String>,
    /// Its whole environment.
    pub environment: Vec<(String, String)>,
    /// Where it starts: the workspace, or what a command asked for.
    pub directory: String,
    /// All of its standard input.
    pub stdin: Vec<u8>,
    /// Files that it finds in the workspace.
    pub files: Vec<WireFile>,
    /// Glob patterns of the files that are wanted back.
    pub collect: Vec<String>,
    /// What it may use, as far as it is counted in here.
    pub limits: InitLimits,
    /// The socket that [`PROXY_PORT`] leads to while it runs; nothing where there is no way out.
    pub egress_socket: Option<String>,
}

/// Limits that are kept inside the container; the kernel and the daemon keep the others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InitLimits {
    /// Wall-clock time in milliseconds.
    pub wall_ms: u64,
    /// Bytes kept of each output stream; the rest is dropped and marked.
    pub output_bytes: u64,
    /// Bytes of all files that go out.
    pub file_bytes: u64,
    /// Number of files that go out.
    pub file_count: u64,
}

/// A file on its way in or out; the path is relative to the workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireFile {
    /// Relative path, components separated by `/`.
    pub path: String,
    /// The whole content.
    pub content: Vec<u8>,
}

/// Everything that comes out of a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Said {
    /// It stands, and this is what it sees. The first frame.
    Ready(Report),
    /// The next piece of an output stream.
    Output {
        /// Which.
        stream: OutputStream,
        /// At most [`OUTPUT_BYTES`].
        bytes: Vec<u8>,
    },
    /// The program wrote more than is kept.
    Truncated(OutputStream),
    /// The program is over, and everything that it started.
    Ended(Ended),
    /// A file that was asked for.
    File(WireFile),
    /// A file that matched and is not handed out.
    LeftOut {
        /// Path as the guest named it, made printable.
        path: String,
        /// Why, in one line.
        reason: String,
    },
    /// Nothing comes any more.
    Done,
}

/// An output stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OutputStream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// How the program ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// In which way.
    pub end: End,
    /// From its start to its end, in microseconds.
    pub wall_us: u64,
    /// Processor time of it and all that it started, in microseconds.
    pub cpu_us: u64,
    /// The most memory that one of its processes held, in bytes.
    pub memory_peak_bytes: u64,
}

/// The ways in which a program ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// By itself, with this status.
    Exited(u8),
    /// By a signal.
    Signalled(i32),
    /// At its wall-clock limit.
    TimedOut,
    /// It never started, and why.
    NotStarted(String),
}

/// What the first process sees of its confinement, before it has seen anything of a guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// [`WIRE_VERSION`] of the image.
    pub version: u32,
    /// The kernel that answers: its release, as `6.1.0` or gVisor's `4.4.0`.
    pub kernel_release: String,
    /// The kernel's own description, by which gVisor is told from Linux.
    pub kernel_version: String,
    /// The name of the host, as seen from inside.
    pub hostname: String,
    /// User and group.
    pub user: (u32, u32),
    /// Supplementary groups.
    pub groups: Vec<u32>,
    /// Its own process id: 1 in a process namespace of its own.
    pub pid: u32,
    /// The five capability sets by the names of `/proc` (`CapEff`), as bits.
    pub capabilities: Vec<(String, u64)>,
    /// Whether executing a file can gain it nothing; nothing where the kernel does not say.
    pub no_new_privs: Option<bool>,
    /// 0 off, 1 strict, 2 filters; nothing where the kernel does not say.
    pub seccomp_mode: Option<u32>,
    /// Network interfaces.
    pub interfaces: Vec<String>,
    /// Every mount: where, the kind of file system, its flags and options.
    pub mounts: Vec<SeenMount>,
    /// Limits by the names of `/proc` (`Max open files`): soft and hard, nothing for unlimited.
    pub rlimits: Vec<(String, Option<u64>, Option<u64>)>,
    /// Whether a file could be made in `/`, found by trying.
    pub root_is_writable: bool,
    /// Entries of `/dev` that are neither folders nor links.
    pub devices: Vec<String>,
}

/// A mount, as `/proc/self/mountinfo` has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenMount {
    /// Where.
    pub point: String,
    /// The kind of file system.
    pub kind: String,
    /// What is mounted.
    pub source: String,
    /// Flags and options together.
    pub options: Vec<String>,
}

/// Write one frame.
///
/// # Errors
/// When the other side is gone, or the value is larger than `u32` can say.
pub fn write_frame<T: Serialize>(to: &mut impl Write, value: &T) -> io::Result<()> {
    to.write_all(&encode_frame(value)?)?;
    to.flush()
}

/// The bytes of one frame, length first.
///
/// # Errors
/// When the value is larger than `u32` can say.
pub fn encode_frame<T: Serialize>(value: &T) -> io::Result<Vec<u8>> {
    let mut frame = postcard::to_extend(value, vec![0; 4]).map_err(io::Error::other)?;
    let length = u32::try_from(frame.len().saturating_sub(4)).map_err(io::Error::other)?;
    if let Some(head) = frame.first_chunk_mut::<4>() {
        *head = length.to_le_bytes();
    }
    Ok(frame)
}

/// Read one frame of at most `max_bytes`.
///
/// # Errors
/// `UnexpectedEof` when the other side is gone, `InvalidData` when the frame is longer than
/// `max_bytes` or does not decode.
pub fn read_frame<T: DeserializeOwned>(from: &mut impl Read, max_bytes: u32) -> io::Result<T> {
    let mut head = [0; 4];
    from.read_exact(&mut head)?;
    let mut body = vec![0; frame_length(head, max_bytes)?];
    from.read_exact(&mut body)?;
    decode_frame(&body)
}

/// The length that a frame's head announces, checked against the bound.
///
/// # Errors
/// `InvalidData` when it is over `max_bytes`.
pub fn frame_length(head: [u8; 4], max_bytes: u32) -> io::Result<usize> {
    match u32::from_le_bytes(head) {
        length if length > max_bytes => Err(invalid(format!(
            "a frame of {length} bytes; at most {max_bytes} are taken"
        ))),
        length => usize::try_from(length).map_err(invalid),
    }
}

/// Decode the body of a frame; bytes left over are an error.
///
/// # Errors
/// `InvalidData` when it does not decode.
pub fn decode_frame<T: DeserializeOwned>(body: &[u8]) -> io::Result<T> {
    match postcard::take_from_bytes(body).map_err(invalid)? {
        (value, []) => Ok(value),
        (_, rest) => Err(invalid(format!("{} bytes after the frame", rest.len()))),
    }
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_frame_comes_back_as_it_went() {
        let said = Said::Output {
            stream: OutputStream::Err,
            bytes: vec![0, 255],
        };
        let frame = encode_frame(&said).unwrap();
        let read: Said = read_frame(&mut frame.as_slice(), MAX_SAID_BYTES).unwrap();
        assert_eq!(read, said);
    }

    #[test]
    fn a_frame_over_its_bound_takes_no_memory() {
        let head = u32::MAX.to_le_bytes();
        let error = read_frame::<Said>(&mut head.as_slice(), MAX_SAID_BYTES).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn what_follows_a_frame_is_refused() {
        let mut frame = encode_frame(&Said::Done).unwrap();
        frame.push(0);
        assert!(decode_frame::<Said>(frame.split_off(4).as_slice()).is_err());
    }
}
