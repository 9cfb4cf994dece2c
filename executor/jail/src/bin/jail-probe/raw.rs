//! Raw system calls for the acts, without any library between the act and the kernel.

#![expect(
    unsafe_code,
    reason = "the probe makes system calls as escaped code would"
)]

use nix::errno::Errno;
use nix::unistd::ForkResult;

/// Makes a system call with up to six arguments.
///
/// The acts pass integers, or pointers to values that live past the call.
pub(crate) fn call(number: i64, arguments: &[u64]) -> Result<i64, Errno> {
    let at = |index: usize| arguments.get(index).copied().unwrap_or(0);
    // SAFETY: see above; the calls that the acts make write only to what they point to.
    let result = unsafe { libc::syscall(number, at(0), at(1), at(2), at(3), at(4), at(5)) };
    if result == -1 {
        return Err(Errno::last());
    }
    Ok(result)
}

/// Forks; the probe has one thread wherever it does.
pub(crate) fn fork() -> Result<ForkResult, Errno> {
    // SAFETY: `bare` and `daemon` start no threads, so the child may do anything.
    unsafe { nix::unistd::fork() }
}

/// Ends the process at once.
pub(crate) fn exit_now(status: i32) -> ! {
    // SAFETY: takes an integer and does not return.
    unsafe { libc::_exit(status) }
}

/// `getpid` through the gate of 32-bit programs, which counts the calls differently.
#[cfg(target_arch = "x86_64")]
pub(crate) fn call_i386_getpid() -> Result<i64, Errno> {
    const GETPID: u64 = 20;
    let result: u64;
    // SAFETY: the call takes no argument and touches no memory; the registers that the
    // 32-bit gate changes are named.
    unsafe {
        std::arch::asm!(
            "int 0x80",
            inlateout("rax") GETPID => result,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _,
        );
    }
    // A 32-bit result: errors are -1 to -4095.
    let result = result as u32 as i32;
    if (-4095..0).contains(&result) {
        return Err(Errno::from_raw(-result));
    }
    Ok(result.into())
}

/// Maps a page that cannot be read, reads it, and lets a handler of SIGSEGV make it
/// readable: what the engine's traps need.
pub(crate) fn survive_a_trap() -> Result<(), Errno> {
    use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
    let handler = SigAction::new(
        SigHandler::SigAction(open_page),
        SaFlags::SA_SIGINFO,
        SigSet::empty(),
    );
    // SAFETY: the handler only makes one system call.
    let before = unsafe { sigaction(Signal::SIGSEGV, &handler) }?;
    let page = map_anonymous(libc::PROT_NONE)?;
    let byte = page as *const u8;
    // SAFETY: the page is mapped, and the handler makes it readable when it is not.
    let read = unsafe { byte.read_volatile() };
    // SAFETY: puts back what was there.
    unsafe { sigaction(Signal::SIGSEGV, &before) }?;
    match read {
        0 => Ok(()),
        _ => Err(Errno::EFAULT),
    }
}

extern "C" fn open_page(_: i32, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the kernel passes a valid siginfo to a handler with SA_SIGINFO.
    let info = unsafe { &*info };
    // SAFETY: the signal is SIGSEGV, for which this field is the one that is filled.
    let address = unsafe { info.si_addr() };
    let page = (address as u64) & !(PAGE - 1);
    let opened = call(libc::SYS_mprotect, &[page, PAGE, libc::PROT_READ as u64]);
    if opened.is_err() {
        exit_now(libc::EXIT_FAILURE);
    }
}

/// Bytes of a page on the machines that the probe runs on.
pub(crate) const PAGE: u64 = 4096;

/// Maps one anonymous page.
pub(crate) fn map_anonymous(protection: i32) -> Result<u64, Errno> {
    let flags = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as u64;
    let page = call(
        libc::SYS_mmap,
        &[0, PAGE, protection as u64, flags, u64::MAX, 0],
    )?;
    Ok(page as u64)
}
