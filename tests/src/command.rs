//! The programs of the appliance, and the command line run to its end.
//!
//! Finds `lazaret` beside the running test and nowhere else: a `lazaret` that
//! happens to be installed is never tested by mistake. Every run has a wall
//! limit; a command that hangs is killed and fails the test.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// No command of these tests has work for longer: the profile's wall limit is
/// 10 s, and a first start may have to load a runtime.
pub const COMMAND_WALL: Duration = Duration::from_secs(60);

/// How often a wait looks again.
const POLL: Duration = Duration::from_millis(5);

/// One of the programs that `cargo build` puts beside each other.
///
/// # Panics
/// If it is not there: the tests need `cargo build` to have run.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    let exe = std::env::current_exe().expect("the path of the test itself");
    let mut folders = exe.ancestors().skip(1).take(2);
    folders
        .find_map(|folder| Some(folder.join(name)).filter(|path| path.is_file()))
        .unwrap_or_else(|| {
            panic!(
                "`{name}` is not beside {}: run `cargo build --workspace` first",
                exe.display()
            )
        })
}

/// What a finished command left.
#[derive(Debug, Clone)]
pub struct Finished {
    /// The exit code, or 128 + signal as a shell counts.
    pub code: i32,
    /// Standard output, byte for byte.
    pub stdout: Vec<u8>,
    /// Standard error, byte for byte.
    pub stderr: Vec<u8>,
    /// From start to end.
    pub took: Duration,
}

impl Finished {
    /// Standard output as text.
    #[must_use]
    pub fn out(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Standard error as text.
    #[must_use]
    pub fn err(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    /// Standard output as JSON.
    ///
    /// # Panics
    /// If it is not JSON.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.stdout)
            .unwrap_or_else(|error| panic!("not JSON ({error}): {} / {}", self.out(), self.err()))
    }
}

/// The exit code as a shell reports it.
#[must_use]
pub fn exit_code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal))
        .unwrap_or(-1)
}

/// Runs `command` to its end, with `stdin` as its standard input.
///
/// # Panics
/// If it cannot be started, or is not done after [`COMMAND_WALL`].
#[must_use]
pub fn finish(command: &mut Command, stdin: &[u8]) -> Finished {
    finish_within(command, stdin, COMMAND_WALL)
        .unwrap_or_else(|| panic!("{command:?} was not done after {COMMAND_WALL:?}: killed"))
}

/// Runs `command` with a wall limit of the caller's; `None` when it was killed.
///
/// # Panics
/// If it cannot be started.
#[must_use]
pub fn finish_within(command: &mut Command, stdin: &[u8], wall: Duration) -> Option<Finished> {
    let start = Instant::now();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
    feed(&mut child, stdin.to_vec());
    let stdout = drain(child.stdout.take());
    let stderr = drain(child.stderr.take());
    let status = wait_within(&mut child, wall)?;
    Some(Finished {
        code: exit_code(status),
        stdout: stdout.join().expect("reader of standard output"),
        stderr: stderr.join().expect("reader of standard error"),
        took: start.elapsed(),
    })
}

/// Waits for `child`, and kills it when `wall` is over.
///
/// # Panics
/// If the kernel refuses to wait.
pub fn wait_within(child: &mut Child, wall: Duration) -> Option<ExitStatus> {
    let deadline = Instant::now() + wall;
    loop {
        if let Some(status) = child.try_wait().expect("wait for a child") {
            return Some(status);
        }
        if Instant::now() > deadline {
            child.kill().expect("kill a child");
            child.wait().expect("reap a killed child");
            return None;
        }
        thread::sleep(POLL);
    }
}

/// Writes standard input from a thread, so that neither side waits for the other.
fn feed(child: &mut Child, bytes: Vec<u8>) {
    let Some(mut pipe) = child.stdin.take() else {
        return;
    };
    // A command may well end without having read its input.
    thread::spawn(move || pipe.write_all(&bytes).is_ok());
}

/// Reads a stream to its end in a thread.
fn drain(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // What came before an error is what there is to judge.
            drop(pipe.read_to_end(&mut bytes));
        }
        bytes
    })
}

/// `lazaret run` and the other commands on one state directory.
#[derive(Debug)]
pub struct Lazaret {
    state: tempfile::TempDir,
}

impl Default for Lazaret {
    fn default() -> Self {
        Self::new()
    }
}

impl Lazaret {
    /// The command line with a fresh state directory.
    ///
    /// # Panics
    /// If no temporary directory can be made.
    #[must_use]
    pub fn new() -> Self {
        Self {
            state: tempfile::tempdir().expect("a temporary state directory"),
        }
    }

    /// The state directory.
    #[must_use]
    pub fn state(&self) -> &Path {
        self.state.path()
    }

    /// The ledger in the state directory.
    #[must_use]
    pub fn ledger(&self) -> PathBuf {
        self.state().join("ledger.db")
    }

    /// `lazaret SUBCOMMAND… --state DIR`, the rest for the caller to add.
    #[must_use]
    pub fn command(&self, subcommand: &[&str]) -> Command {
        let mut command = Command::new(program("lazaret"));
        command
            .args(subcommand)
            .arg("--state")
            .arg(self.state())
            .env_remove("LAZARET_FAULT")
            .env("NO_COLOR", "1");
        command
    }

    /// `lazaret run ARGS`, with nothing on standard input.
    #[must_use]
    pub fn run<S: AsRef<OsStr>>(&self, args: &[S]) -> Finished {
        self.run_with(args, b"")
    }

    /// `lazaret run ARGS` with standard input.
    #[must_use]
    pub fn run_with<S: AsRef<OsStr>>(&self, args: &[S], stdin: &[u8]) -> Finished {
        finish(self.command(&["run"]).args(args), stdin)
    }
}

/// Runs the offline verifier on a ledger.
#[must_use]
pub fn verify(ledger: &Path) -> Finished {
    finish(Command::new(program("lazaret-verify")).arg(ledger), b"")
}
