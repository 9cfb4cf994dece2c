//! Starts a worker process and believes it only after the kernel agreed.
//!
//! Blocking, for both roles: the pool runs it on a thread of its own, and the
//! command line runs it as it is.

use std::fs::File;
use std::io::{self, Read};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use super::wire::{Ready, Role, Setup, WIRE_VERSION, read_frame, write_frame};
use crate::runtime::hex::hex;

/// A worker confines itself and warms up in some 20 ms; a loaded machine gets
/// this long.
const START_WAIT: Duration = Duration::from_secs(30);

/// A worker's report is a few kilobytes.
const MAX_READY_BYTES: u32 = 1 << 20;

/// What is kept of a worker's standard error: one line, usually.
const MAX_STDERR_BYTES: u64 = 8 << 10;

/// A running worker. Dropping it kills it.
#[derive(Debug)]
pub struct Jailed {
    keeper: Keeper,
    /// The frames.
    pub socket: UnixStream,
    /// The confined process, as the host numbers it.
    pub pid: u32,
    /// What it said of itself.
    pub ready: Ready,
    /// What the kernel says of it.
    pub observed: jail::Observed,
}

/// Why a worker did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The program could not be started.
    #[error("`{path}` cannot be started: {source}; install it beside `lazaret`")]
    Spawn {
        /// The worker's program.
        path: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// It ended before it was ready.
    #[error("the worker did not start: {said}")]
    Ended {
        /// Its last words, or how it ended.
        said: String,
    },
    /// A layer that was asked for is not in force, as seen from outside.
    #[error("the worker is not confined as its profile asks: {0}")]
    Unconfined(#[from] jail::Missing),
    /// A layer that was asked for is not among those that the worker reported.
    #[error(
        "the worker reports no `{layer}`, which its profile asks for; do not run anything on this host"
    )]
    Unreported {
        /// The layer.
        layer: jail::Layer,
    },
    /// The worker could not be looked at.
    #[error("the worker cannot be observed: {0}")]
    Unseen(#[from] jail::ObserveError),
}

impl Jailed {
    /// Start `program` in `role`, confined by `plan`, with `file` on descriptor 1.
    ///
    /// # Errors
    /// When it does not start, or is confined by less than the plan.
    pub fn start(
        program: &Path,
        role: Role,
        plan: &jail::Plan,
        file: File,
    ) -> Result<Self, StartError> {
        let (mut socket, theirs) = UnixStream::pair().map_err(ended)?;
        let spawned = Command::new(program)
            .env_clear()
            .stdin(OwnedFd::from(theirs))
            .stdout(file)
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|source| StartError::Spawn {
                path: program.display().to_string(),
                source,
            })?;
        let mut keeper = Keeper(spawned);
        let stderr = keeper.0.stderr.take();
        let (pid, ready) = match handshake(&mut socket, role, plan) {
            Ok(shaken) => shaken,
            Err(error) => return Err(last_words(keeper, stderr, &error)),
        };
        drain(stderr);
        reported_all(&ready.report, plan)?;
        let observed = jail::observe(pid)?;
        observed.verify(plan, &jail::own()?)?;
        Ok(Self {
            keeper,
            socket,
            pid,
            ready,
            observed,
        })
    }

    /// Whether both processes still run: the keeper notices the other's death only a
    /// moment later, and in that moment a call must not be given to it.
    pub(crate) fn is_alive(&mut self) -> bool {
        matches!(self.keeper.0.try_wait(), Ok(None)) && runs(self.pid)
    }

    /// How it ended, given a moment to do so by itself.
    pub(crate) fn ended_by_itself(&mut self, moment: Duration) -> Option<ExitStatus> {
        const STEP: Duration = Duration::from_millis(2);
        for _ in 0..moment.as_millis() / STEP.as_millis().max(1) {
            match self.keeper.0.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) => thread::sleep(STEP),
                Err(_) => return None,
            }
        }
        None
    }
}

/// The process that was started, which waits for the confined one. Dropping it
/// kills both.
#[derive(Debug)]
struct Keeper(Child);

impl Drop for Jailed {
    /// In good order: the keeper sees the socket close, kills the worker, sees it
    /// gone, and ends. A keeper that does not is killed, and the worker with it.
    fn drop(&mut self) {
        let closed = self.socket.shutdown(Shutdown::Both).is_ok();
        if closed && self.ended_by_itself(END_WAIT).is_none() {
            tracing::warn!(
                pid = self.pid,
                "a worker did not end when its socket closed"
            );
        }
    }
}

/// How long a worker may take to end after its socket closed.
const END_WAIT: Duration = Duration::from_secs(1);

impl Keeper {
    fn end(&mut self) -> io::Result<ExitStatus> {
        // Killing one that is gone already is no error.
        self.0.kill()?;
        self.0.wait()
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            tracing::warn!(%error, "a worker could not be ended");
        }
    }
}

/// Whether the kernel says that a process is neither dead nor gone. What cannot be
/// read does not run.
fn runs(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    is_running(&stat)
}

/// Whether a line of `/proc/PID/stat` is that of a process that will go on: neither dead,
/// nor ending, nor about to end by a kill that has not reached it yet.
fn is_running(stat: &str) -> bool {
    // The state follows the name, which stands in brackets (proc(5)); it is the third field.
    let Some((_, fields)) = stat.rsplit_once(") ") else {
        return false;
    };
    let field = |number: usize| fields.split(' ').nth(number - 3);
    let bits = |number: usize| field(number).and_then(|bits| bits.parse::<u64>().ok());
    let dead = field(3).is_none_or(|state| matches!(state, "Z" | "X" | "x"));
    let ending = bits(9).is_none_or(|flags| flags & PF_EXITING != 0);
    let killed = bits(31).is_none_or(|pending| pending & SIGKILL_BIT != 0);
    !(dead || ending || killed)
}

/// `PF_EXITING` of linux/sched.h.
const PF_EXITING: u64 = 0x4;

/// Signal 9 in a set of signals, which begins with signal 1.
const SIGKILL_BIT: u64 = 1 << 8;

/// Hold the worker's own report against the plan: what cannot be seen from outside
/// is in it alone.
fn reported_all(report: &jail::Report, plan: &jail::Plan) -> Result<(), StartError> {
    let seccomp = jail::Filter::of(plan.role).map(|filter| hex(&filter.digest()));
    let holds = |layer: &jail::Layer| match layer {
        jail::Layer::Landlock => report.landlock_abi >= plan.landlock_min_abi.max(1),
        jail::Layer::Seccomp => seccomp
            .as_ref()
            .is_ok_and(|wanted| *wanted == report.seccomp_digest),
        other => report.layers.contains(other),
    };
    match plan
        .layers
        .iter()
        .find(|layer| !report.layers.contains(layer) || !holds(layer))
    {
        None => Ok(()),
        Some(layer) => Err(StartError::Unreported { layer: *layer }),
    }
}

fn handshake(socket: &mut UnixStream, role: Role, plan: &jail::Plan) -> io::Result<(u32, Ready)> {
    socket.set_read_timeout(Some(START_WAIT))?;
    let setup = Setup {
        version: WIRE_VERSION,
        role,
        plan: plan.clone(),
    };
    write_frame(socket, &setup)?;
    let mut pid = [0; 4];
    socket.read_exact(&mut pid)?;
    let ready = read_frame(socket, MAX_READY_BYTES)?;
    socket.set_read_timeout(None)?;
    Ok((u32::from_le_bytes(pid), ready))
}

/// Why a worker that never became ready did not: its own line, or its status.
fn last_words(mut keeper: Keeper, stderr: Option<ChildStderr>, error: &io::Error) -> StartError {
    let status = keeper.end();
    let mut said = String::new();
    if let Some(stderr) = stderr {
        let mut bytes = Vec::new();
        // What was read before an error is still worth showing.
        let _complete = stderr
            .take(MAX_STDERR_BYTES)
            .read_to_end(&mut bytes)
            .is_ok();
        said = printable(&bytes);
    }
    if said.is_empty() {
        said = match status {
            Ok(status) => format!("{error}; {}", describe(status)),
            Err(_) => error.to_string(),
        };
    }
    StartError::Ended { said }
}

/// Read a worker's standard error to its end, so that it never blocks, and log
/// what little it says.
fn drain(stderr: Option<ChildStderr>) {
    let Some(mut stderr) = stderr else { return };
    let reader = thread::Builder::new()
        .name("worker-stderr".into())
        .stack_size(64 << 10);
    let started = reader.spawn(move || {
        let mut bytes = Vec::new();
        let _complete = stderr
            .by_ref()
            .take(MAX_STDERR_BYTES)
            .read_to_end(&mut bytes)
            .is_ok();
        let said = printable(&bytes);
        if !said.is_empty() {
            tracing::warn!(worker = said, "a worker wrote to its standard error");
        }
        let _rest = io::copy(&mut stderr, &mut io::sink()).is_ok();
    });
    if let Err(error) = started {
        tracing::warn!(%error, "no thread to read a worker's standard error");
    }
}

/// The first line, without control characters: a worker may be hostile.
fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let line = text.lines().next().unwrap_or_default();
    let line = line.strip_prefix("lazaret-worker: ").unwrap_or(line);
    line.chars().filter(|c| !c.is_control()).take(400).collect()
}

/// How a process ended, in words. The keeper passes a signal on as 128 and its
/// number.
pub(crate) fn describe(status: ExitStatus) -> String {
    let signal = status.signal().or_else(|| {
        status
            .code()
            .and_then(|code| (code > 128).then(|| code - 128))
    });
    match (signal, status.code()) {
        (Some(nix::libc::SIGSYS), _) => "it made a forbidden system call".into(),
        (Some(nix::libc::SIGKILL), _) => "it was killed".into(),
        (Some(signal), _) => format!("it died of signal {signal}"),
        (None, Some(code)) => format!("it ended with status {code}"),
        (None, None) => "it ended".into(),
    }
}

fn ended(error: io::Error) -> StartError {
    StartError::Ended {
        said: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::is_running;

    fn stat(state: char, flags: u64, pending: u64) -> String {
        format!(
            "7 (a) b) {state} 1 7 7 0 -1 {flags} 0 0 0 0 0 0 0 0 20 0 1 0 5 9 3 18446744073709551615 \
             1 1 0 0 0 {pending} 0 0 0 0 0 0 17 0 0 0 0 0 0"
        )
    }

    #[test]
    fn a_process_that_is_ending_does_not_run() {
        assert!(is_running(&stat('S', 0x40_0000, 0)));
        assert!(!is_running(&stat('Z', 0x40_0000, 0)));
        assert!(!is_running(&stat('R', 0x40_0004, 0)));
        assert!(!is_running(&stat('S', 0x40_0000, 1 << 8)));
        assert!(!is_running(""));
    }

    #[test]
    fn this_process_runs() {
        assert!(super::runs(std::process::id()));
    }
}
