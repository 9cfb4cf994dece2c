//! The command: started, waited for, sent what signals come in, and the orphans that it leaves.

use std::ffi::{OsStr, OsString};
use std::io;
use std::process::Command;

use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// What a container is told by signals.
const HANDED_ON: [Signal; 7] = [
    Signal::SIGTERM,
    Signal::SIGINT,
    Signal::SIGHUP,
    Signal::SIGQUIT,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGWINCH,
];

/// Keeps signals until they are waited for.
pub(crate) fn block_signals() -> Result<SigSet, Errno> {
    let mut signals = SigSet::from_iter(HANDED_ON);
    signals.add(Signal::SIGCHLD);
    signals.thread_block()?;
    Ok(signals)
}

/// Starts the command. The standard library gives it an empty signal mask.
pub(crate) fn start(
    command: &OsStr,
    arguments: &[OsString],
    variables: Vec<(&'static str, OsString)>,
) -> io::Result<Pid> {
    let child = Command::new(command)
        .args(arguments)
        .envs(variables)
        .spawn()?;
    let pid = i32::try_from(child.id()).map_err(|_| io::ErrorKind::InvalidData)?;
    Ok(Pid::from_raw(pid))
}

/// Waits for the end of the command and gives its exit code.
pub(crate) fn wait(child: Pid, signals: &SigSet) -> Result<u8, Errno> {
    loop {
        match signals.wait()? {
            Signal::SIGCHLD => {
                if let Some(code) = reap(child)? {
                    return Ok(code);
                }
            }
            signal => match kill(child, signal) {
                // It has just ended, and SIGCHLD is on its way.
                Ok(()) | Err(Errno::ESRCH) => {}
                Err(error) => return Err(error),
            },
        }
    }
}

/// Waits for all that has ended: the command's code, if it has.
fn reap(child: Pid) -> Result<Option<u8>, Errno> {
    let mut code = None;
    loop {
        match waitpid(Pid::from_raw(-1), Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return Ok(code),
            Ok(WaitStatus::Exited(pid, status)) if pid == child => {
                code = Some(u8::try_from(status).unwrap_or(u8::MAX));
            }
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == child => {
                code = Some(u8::try_from(128 + signal as i32).unwrap_or(u8::MAX));
            }
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error),
        }
    }
}
