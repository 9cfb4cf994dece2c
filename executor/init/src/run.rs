//! Runs the program and ends with all that it started.
//!
//! As process 1, everything that loses its parent becomes this process's child: when no child is
//! left, nothing is left. Until then all are killed, again and again, because a fork may have
//! been under way.

use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use container_init::{End, Ended, OUTPUT_BYTES, OutputStream, Said, Start};
use nix::errno::Errno;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::Sender;

/// How long what was killed may take to go, before it is killed again.
const GONE_STEP: Duration = Duration::from_millis(2);

/// Tries to end everything: two seconds. The daemon waits no longer and ends the container.
const GONE_TRIES: u32 = 1_000;

/// Run the program to its end, or to its limit.
///
/// # Errors
/// When the daemon is gone.
pub(crate) fn run(start: &Start, to: &Sender) -> io::Result<Ended> {
    let began = Instant::now();
    let mut child = match spawn(start) {
        Ok(child) => child,
        Err(error) => return Ok(not_started(said(start, &error))),
    };
    feed(&mut child, start.stdin.clone());
    let streams = pass_on(&mut child, start.limits.output_bytes, to);
    let end = wait(&child, Duration::from_millis(start.limits.wall_ms));
    let wall = began.elapsed();
    end_all();
    for stream in streams {
        // A reader that broke off has told why there is no more: the daemon is gone.
        let _whole = stream.join().is_ok();
    }
    let (cpu, memory_peak_bytes) = usage();
    Ok(Ended {
        end,
        wall_us: u64::try_from(wall.as_micros()).unwrap_or(u64::MAX),
        cpu_us: cpu,
        memory_peak_bytes,
    })
}

/// The end of a program that never was.
pub(crate) fn not_started(why: String) -> Ended {
    Ended {
        end: End::NotStarted(why),
        wall_us: 0,
        cpu_us: 0,
        memory_peak_bytes: 0,
    }
}

fn spawn(start: &Start) -> io::Result<Child> {
    let (program, arguments) = start
        .argv
        .split_first()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no program is named"))?;
    let environment = start.environment.iter();
    Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(environment.map(|(name, value)| (name, value)))
        .current_dir(&start.directory)
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
}

fn said(start: &Start, error: &io::Error) -> String {
    let program = start.argv.first().map(String::as_str).unwrap_or_default();
    format!("`{program}` in `{}`: {error}", start.directory)
}

/// A program need not read its input: then the pipe breaks, and that is all.
fn feed(child: &mut Child, input: Vec<u8>) {
    if let Some(mut stdin) = child.stdin.take() {
        thread::spawn(move || stdin.write_all(&input));
    }
}

fn pass_on(child: &mut Child, most: u64, to: &Sender) -> Vec<JoinHandle<io::Result<()>>> {
    let mut readers = Vec::new();
    if let Some(stream) = child.stdout.take() {
        let to = to.clone();
        readers.push(thread::spawn(move || {
            drain(stream, OutputStream::Out, most, &to)
        }));
    }
    if let Some(stream) = child.stderr.take() {
        let to = to.clone();
        readers.push(thread::spawn(move || {
            drain(stream, OutputStream::Err, most, &to)
        }));
    }
    readers
}

/// Read a stream to its end, so that the program never waits; pass on as much as is kept.
fn drain(mut from: impl Read, stream: OutputStream, most: u64, to: &Sender) -> io::Result<()> {
    let mut piece = vec![0; OUTPUT_BYTES];
    let mut room = usize::try_from(most).unwrap_or(usize::MAX);
    let mut truncated = false;
    loop {
        let read = match from.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let kept = read.min(room);
        room -= kept;
        if kept > 0 {
            let bytes = piece.get(..kept).unwrap_or_default().to_vec();
            to.send(&Said::Output { stream, bytes })?;
        }
        if kept < read && !truncated {
            truncated = true;
            to.send(&Said::Truncated(stream))?;
        }
    }
}

/// Wait for the program; whatever else becomes a child of ours is taken from the kernel too.
fn wait(child: &Child, wall: Duration) -> End {
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap_or_default());
    let over = reaper(pid);
    match over.recv_timeout(wall) {
        Ok(end) => end,
        Err(_late) => End::TimedOut,
    }
}

fn reaper(program: Pid) -> Receiver<End> {
    let (tell, over) = mpsc::channel();
    thread::spawn(move || {
        loop {
            let end = match waitpid(None::<Pid>, None) {
                Ok(WaitStatus::Exited(pid, status)) if pid == program => {
                    // The kernel gives eight bits.
                    Some(End::Exited(u8::try_from(status & 0xFF).unwrap_or(u8::MAX)))
                }
                Ok(WaitStatus::Signaled(pid, signal, _)) if pid == program => {
                    Some(End::Signalled(signal as i32))
                }
                Ok(_) | Err(Errno::EINTR) => None,
                // No child is left.
                Err(_) => return,
            };
            // Nobody listens any more after the limit.
            let _told = end.is_none_or(|end| tell.send(end).is_ok());
        }
    });
    over
}

/// Kill everything but this process, until there is nothing.
fn end_all() {
    for _ in 0..GONE_TRIES {
        // All that this user may signal; process 1 itself is left out by the kernel.
        let _sent = kill(Pid::from_raw(-1), Signal::SIGKILL).is_ok();
        match waitpid(None::<Pid>, Some(WaitPidFlag::WNOHANG)) {
            Err(Errno::ECHILD) => return,
            Ok(WaitStatus::StillAlive) => thread::sleep(GONE_STEP),
            Ok(_) | Err(_) => {}
        }
    }
}

/// Processor time in microseconds and the largest process, of all that were waited for.
fn usage() -> (u64, u64) {
    let Ok(usage) = getrusage(UsageWho::RUSAGE_CHILDREN) else {
        return (0, 0);
    };
    let micros = |time: nix::sys::time::TimeVal| {
        let whole = u64::try_from(time.tv_sec()).unwrap_or_default();
        let rest = u64::try_from(time.tv_usec()).unwrap_or_default();
        whole.saturating_mul(1_000_000).saturating_add(rest)
    };
    let cpu = micros(usage.user_time()).saturating_add(micros(usage.system_time()));
    let peak_kib = u64::try_from(usage.max_rss()).unwrap_or_default();
    (cpu, peak_kib.saturating_mul(1 << 10))
}
