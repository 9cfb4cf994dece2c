//! The keeper: the process that was started, which stays outside and keeps the child.
//!
//! It waits for one of two things: the child ends, or the other end of the control
//! socket closes, upon which it kills the child. Its exit status is the child's. It never
//! reads from the control socket, so no byte of a guest reaches it. It holds three
//! descriptors and no capability, and its root is the child's empty one as soon as the
//! child has it. If it dies, the kernel kills the child.

use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Pid, chdir};

use crate::error::{During, JailError};
use crate::plan::Layer;
use crate::sequence::shed_capabilities;
use crate::sys;

/// The exit status of a keeper that could not do its work; its child is dead.
pub const KEEPER_FAILED: i32 = 120;

/// What a shell adds to a signal's number to make an exit status.
const SIGNALLED: i32 = 128;

/// The child tells the keeper with it that it dies with the keeper from here on.
pub(crate) const BOUND: u8 = b'b';

/// What the keeper answers: the daemon knows the child and the keeper is confined, or
/// which layer the keeper could not have.
pub(crate) struct Verdict;

impl Verdict {
    const LEN: usize = 5;
    const KEPT: u8 = u8::MAX;

    fn to_bytes(result: &Result<(), JailError>) -> [u8; Self::LEN] {
        let (layer, errno) = match result {
            Ok(()) => (Self::KEPT, 0),
            Err(error) => (index_of(error.layer()), errno_of(error)),
        };
        let [a, b, c, d] = errno.to_le_bytes();
        [layer, a, b, c, d]
    }

    /// Reads the keeper's answer.
    pub(crate) fn read(from: &mut impl io::Read) -> Result<(), JailError> {
        let mut bytes = [0; Self::LEN];
        from.read_exact(&mut bytes)
            .map_err(|_| JailError::KeeperGone)?;
        let [layer, a, b, c, d] = bytes;
        if layer == Self::KEPT {
            return Ok(());
        }
        let source = io::Error::from_raw_os_error(i32::from_le_bytes([a, b, c, d]));
        let layer = Layer::ALL.get(usize::from(layer)).copied();
        match layer {
            Some(layer) => Err(source).layer(layer, "confining the keeper"),
            None => Err(source).step("confining the keeper"),
        }
    }
}

fn index_of(layer: Option<Layer>) -> u8 {
    let index = Layer::ALL.iter().position(|one| Some(*one) == layer);
    // One below the mark for success: no layer has this number.
    index
        .and_then(|i| u8::try_from(i).ok())
        .unwrap_or(Verdict::KEPT - 1)
}

fn errno_of(error: &JailError) -> i32 {
    match error {
        JailError::Refused { source, .. } | JailError::Step { source, .. } => {
            source.raw_os_error().unwrap_or(libc::EIO)
        }
        JailError::Plan(_)
        | JailError::List(_)
        | JailError::Threads(_)
        | JailError::LandlockTooOld { .. }
        | JailError::NotInForce { .. }
        | JailError::KeeperGone => libc::EIO,
    }
}

/// Keeps `child` until it ends, and ends with its status.
pub(crate) fn keep(child: Pid, daemon: OwnedFd, sync: UnixStream, was_root: bool) -> ! {
    // An error ends the keeper, and that ends the child.
    let status = keep_until_end(child, daemon, sync, was_root).unwrap_or(KEEPER_FAILED);
    sys::exit_now(status)
}

fn keep_until_end(
    child: Pid,
    daemon: OwnedFd,
    mut sync: UnixStream,
    was_root: bool,
) -> io::Result<i32> {
    let pidfd = sys::pidfd_open(child)?;
    let mut bound = [0];
    sync.read_exact(&mut bound)?;
    tell_daemon(child, daemon)?;
    let confined = confine(was_root);
    close_all_but(&[pidfd.as_fd(), sync.as_fd()])?;
    // If it failed the child ends with the reason, and the keeper lives to pass that on.
    sync.write_all(&Verdict::to_bytes(&confined))?;
    drop(sync);
    watch(pidfd.as_fd())?;
    status_of(child)
}

fn tell_daemon(child: Pid, daemon: OwnedFd) -> io::Result<()> {
    std::fs::File::from(daemon).write_all(&child.as_raw().to_le_bytes())
}

/// The keeper needs nothing but its three descriptors.
fn confine(was_root: bool) -> Result<(), JailError> {
    // At "/" the pivot of the root takes the keeper along.
    chdir("/").step("going to the root")?;
    prctl::set_name(c"lazaret-keeper").step("naming the keeper")?;
    shed_capabilities()?;
    prctl::set_no_new_privs().layer(Layer::NoNewPrivs, "prctl")?;
    if was_root {
        // The user is nobody, and so may be others. A daemon that is an ordinary user
        // reads the namespaces off its keeper, so there it stays readable to its user.
        prctl::set_dumpable(false).step("making the keeper undumpable")?;
    }
    Ok(())
}

/// Closes every descriptor but the control socket and `kept`.
fn close_all_but(kept: &[BorrowedFd<'_>]) -> io::Result<()> {
    let number = |fd: &BorrowedFd<'_>| u32::try_from(fd.as_raw_fd()).map_err(io::Error::other);
    let mut numbers = kept.iter().map(number).collect::<io::Result<Vec<_>>>()?;
    numbers.sort_unstable();
    let mut next = 1;
    for fd in numbers {
        if next < fd {
            sys::close_range(next, fd - 1)?;
        }
        next = fd + 1;
    }
    sys::close_range(next, u32::MAX)
}

/// Returns when the child has ended; kills it when the control socket closes.
fn watch(child: BorrowedFd<'_>) -> io::Result<()> {
    let control = io::stdin();
    loop {
        let mut fds = [
            PollFd::new(child, PollFlags::POLLIN),
            // No event is asked for: only the end and an error are reported, never input.
            PollFd::new(control.as_fd(), PollFlags::empty()),
        ];
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) => {}
            Err(nix::Error::EINTR) => continue,
            Err(error) => return Err(error.into()),
        }
        let [ended, closed] = fds.map(|fd| fd.any().unwrap_or(true));
        if ended {
            return Ok(());
        }
        if closed {
            return sys::pidfd_kill(child);
        }
    }
}

/// Waits for the child's end and turns it into an exit status.
fn status_of(child: Pid) -> io::Result<i32> {
    loop {
        match waitpid(child, None) {
            Ok(WaitStatus::Exited(_, status)) => return Ok(status),
            Ok(WaitStatus::Signaled(_, signal, _)) => return Ok(SIGNALLED + signal as i32),
            // Stopped or continued by an administrator: not ended.
            Ok(
                WaitStatus::Stopped(..)
                | WaitStatus::PtraceEvent(..)
                | WaitStatus::PtraceSyscall(_)
                | WaitStatus::Continued(_)
                | WaitStatus::StillAlive,
            )
            | Err(nix::Error::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
