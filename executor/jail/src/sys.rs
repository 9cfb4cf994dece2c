//! The system calls that no crate of ours wraps: one function for each, each safe to call.
//!
//! Nothing here decides anything. Every function returns the kernel's answer.

#![expect(
    unsafe_code,
    reason = "system calls without a safe wrapper; each block holds one and says why it is sound"
)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::unistd::{ForkResult, Pid};

/// Turns -1 into the kernel's error.
fn answer(result: libc::c_long) -> io::Result<libc::c_long> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(result)
}

/// Forks. The caller has made sure that the process has one thread.
pub(crate) fn fork() -> io::Result<ForkResult> {
    // SAFETY: the child of a process with one thread may do whatever the parent may;
    // `sequence::enter` counts the threads first, `host` and the probe's child only make
    // raw system calls and exit.
    let forked = unsafe { nix::unistd::fork() };
    Ok(forked?)
}

/// Ends the process without running anything else.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: takes an integer and does not return.
    unsafe { libc::_exit(code) }
}

/// A descriptor that stands for a process, whatever happens to its number.
pub(crate) fn pidfd_open(pid: Pid) -> io::Result<OwnedFd> {
    // SAFETY: takes two integers.
    let fd = answer(unsafe { libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), 0) })?;
    let fd = RawFd::try_from(fd).map_err(io::Error::other)?;
    // SAFETY: the kernel just made this descriptor and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Sends SIGKILL to the process behind `pidfd`.
pub(crate) fn pidfd_kill(pidfd: BorrowedFd<'_>) -> io::Result<()> {
    let no_info = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: a null siginfo is allowed and means the same as kill(2).
    let sent = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            libc::SIGKILL,
            no_info,
            0,
        )
    };
    answer(sent).map(drop)
}

/// Closes every descriptor from `first` to `last`, both included.
pub(crate) fn close_range(first: u32, last: u32) -> io::Result<()> {
    // SAFETY: takes three integers. That nobody owns these descriptors is promised by the
    // callers: `enter` documents it, the keeper owns nothing but what it passes around them.
    let closed = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
    answer(closed).map(drop)
}

/// The machine behaviour of a plain Linux program: no readable page is executable.
pub(crate) fn plain_personality() -> io::Result<()> {
    // SAFETY: takes an integer.
    let before = unsafe { libc::personality(0) };
    answer(before.into()).map(drop)
}

/// What `personality(2)` says now; 0 is the plain behaviour.
pub(crate) fn personality() -> io::Result<libc::c_long> {
    // SAFETY: 0xffff_ffff asks and changes nothing.
    answer(unsafe { libc::personality(0xffff_ffff) }.into())
}

/// One `prctl(2)` whose arguments are all integers.
pub(crate) fn prctl(option: i32, second: u64, third: u64) -> io::Result<i32> {
    // SAFETY: every caller passes an option whose arguments are integers; unused ones are 0.
    let result = unsafe { libc::prctl(option, second, third, 0_u64, 0_u64) };
    answer(result.into())?;
    Ok(result)
}

/// The three sets that `capget(2)` and `capset(2)` handle, lower and upper 32 capabilities.
#[repr(C)]
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Capabilities {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

#[repr(C)]
struct CapabilityHeader {
    version: u32,
    pid: i32,
}

/// `_LINUX_CAPABILITY_VERSION_3` of linux/capability.h: 64 capabilities in two words.
const CAPABILITY_VERSION: u32 = 0x2008_0522;

/// Gives up every effective, permitted and inheritable capability.
pub(crate) fn drop_capabilities() -> io::Result<()> {
    let header = CapabilityHeader {
        version: CAPABILITY_VERSION,
        pid: 0,
    };
    let none = [Capabilities::default(); 2];
    // SAFETY: both point to live values of the layout that version 3 prescribes.
    let set = unsafe { libc::syscall(libc::SYS_capset, &raw const header, none.as_ptr()) };
    answer(set).map(drop)
}

/// Whether the effective, permitted and inheritable sets are all empty.
pub(crate) fn has_no_capabilities() -> io::Result<bool> {
    let mut header = CapabilityHeader {
        version: CAPABILITY_VERSION,
        pid: 0,
    };
    let mut held = [Capabilities::default(); 2];
    // SAFETY: both point to live values of the layout that version 3 prescribes.
    let got = unsafe { libc::syscall(libc::SYS_capget, &raw mut header, held.as_mut_ptr()) };
    answer(got)?;
    Ok(held == [Capabilities::default(); 2])
}

/// The Landlock ABI of the running kernel.
pub(crate) fn landlock_abi() -> io::Result<u32> {
    /// `LANDLOCK_CREATE_RULESET_VERSION` of linux/landlock.h.
    const VERSION: u32 = 1;
    let none = std::ptr::null::<u8>();
    // SAFETY: with this flag the kernel wants a null attribute of size 0 and makes nothing.
    let abi = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, none, 0_usize, VERSION) };
    u32::try_from(answer(abi)?).map_err(io::Error::other)
}

/// A socket of `family`, or why not.
pub(crate) fn socket(family: i32) -> io::Result<OwnedFd> {
    // SAFETY: takes three integers.
    let fd = unsafe { libc::socket(family, libc::SOCK_STREAM, 0) };
    answer(fd.into())?;
    // SAFETY: the kernel just made this descriptor and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Asks for one page of executable memory and gives it back if there is one.
pub(crate) fn map_executable() -> io::Result<()> {
    /// The smallest page of any machine; the kernel rounds up.
    const PAGE: usize = 4096;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    let exec = libc::PROT_READ | libc::PROT_EXEC;
    // SAFETY: a new anonymous mapping at an address of the kernel's choice touches nothing.
    let page = unsafe { libc::mmap(std::ptr::null_mut(), PAGE, exec, flags, -1, 0) };
    if page == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the page was just mapped here and nothing points into it.
    let unmapped = unsafe { libc::munmap(page, PAGE) };
    answer(unmapped.into()).map(drop)
}

/// Makes the process ignore `signal` (used where the default would end it).
pub(crate) fn ignore(signal: nix::sys::signal::Signal) -> io::Result<()> {
    // SAFETY: SIG_IGN runs no code of ours.
    let before = unsafe { nix::sys::signal::signal(signal, nix::sys::signal::SigHandler::SigIgn) };
    before?;
    Ok(())
}
